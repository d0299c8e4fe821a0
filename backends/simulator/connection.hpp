#pragma once
// One client connection: reads requests, holds what is to be sent, and notices at once that the client has gone, also
// while an answer is in the making. Costs next to nothing while a stream waits for its next token: no read buffer, no
// timer.
//
// Threads: the server's one. Life: kept by its pending waits; close() ends them.

#include <memory>
#include <string>
#include <string_view>

#include "backends/task.hpp"

namespace tollgate::simulator {

class Service;
class Exchange;

/// A request, of which only what the simulator looks at is kept.
struct HttpRequest {
  std::string method, target, body;
  std::string authorization, request_id, fault, betas;  ///< headers; "" if absent
  bool keep_alive = true;
  bool chunked_ok = true;  ///< HTTP/1.1
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr std::size_t body_bytes_max = 64U << 20;
  static constexpr std::size_t head_bytes_max = 64U << 10;
  static constexpr std::size_t pipelined_bytes_max = 256U << 10;  ///< read ahead while an answer is in the making

  Connection(Socket socket, Service& service);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// What goes out next; call touch() after appending, the service flushes all touched connections together.
  [[nodiscard]] std::string& out() noexcept { return out_; }
  void touch();
  void flush();
  /// The answer is complete in out(). Reads the next request, or closes when all is sent.
  void end_answer(bool keep_alive);
  /// Sends what is in out(), then closes.
  void close_when_sent();
  /// Closes without ceremony, as a process that dies. An exchange under way is told that its client has gone.
  void close();
  /// Closes with RST.
  void reset();
  /// From now on out() leaves in pieces of drip_bytes, one each interval.
  void set_drip(std::chrono::milliseconds interval) noexcept { drip_ = interval; }
  [[nodiscard]] bool is_closed() const noexcept { return closed_; }
  [[nodiscard]] asio::io_context& context() noexcept;

 private:
  struct Parser;
  void wait_readable();
  void on_readable();
  void parse();
  void answer_parsed();
  void refuse(int status, std::string_view reason);
  void next_request();
  void wait_writable();
  void drip();
  void sent();
  void linger();

  Service& service_;
  Socket socket_;
  std::string in_;   // read, not yet parsed
  std::string out_;  // to be sent, from out_at_
  std::size_t out_at_ = 0;
  std::unique_ptr<Parser> parser_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Timer> timer_;      // drip and linger only
  std::shared_ptr<Connection> keep_;  // itself, while it waits for nothing but its own answer
  std::chrono::milliseconds drip_{0};
  bool answering_ = false, closing_ = false, lingering_ = false, closed_ = false;
  bool touched_ = false, writing_ = false, reading_ = false, continue_sent_ = false;
};

}  // namespace tollgate::simulator
