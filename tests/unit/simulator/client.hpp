#pragma once
// A blocking HTTP client for tests: one connection, whole answers or a stream read event by event. Waits at most
// wait_max.

#include <poll.h>
#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace tollgate::simulator {

struct Reply {
  int status = 0;
  std::string head, body;
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body); }
  [[nodiscard]] std::string header(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

class Client {
 public:
  static constexpr std::chrono::seconds wait_max{20};

  explicit Client(std::uint16_t port) { socket_.connect({boost::asio::ip::make_address("127.0.0.1"), port}); }
  void send(const std::string& bytes) { boost::asio::write(socket_, boost::asio::buffer(bytes)); }
  void get(const std::string& path) { send("GET " + path + " HTTP/1.1\r\nhost: x\r\n\r\n"); }
  void post(const std::string& path, const nlohmann::json& body, const std::string& headers = "") {
    const std::string text = body.is_string() ? body.get<std::string>() : body.dump();
    send("POST " + path + " HTTP/1.1\r\nhost: x\r\n" + headers + "content-length: " + std::to_string(text.size()) +
         "\r\n\r\n" + text);
  }

  /// Reads a head. status 0: the connection ended first.
  Reply read_head() {
    Reply reply;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!read_more()) return reply;
    reply.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    reply.status = std::stoi(reply.head.substr(9, 3));
    return reply;
  }
  Reply read_whole() {
    Reply reply = read_head();
    if (reply.status == 0) return reply;
    const std::string length = reply.header("content-length");
    if (length.empty()) {
      for (std::string event = next_event(); !event.empty(); event = next_event()) reply.body += event + "\n";
      return reply;
    }
    while (buffer_.size() < std::stoul(length) && read_more()) {
    }
    reply.body = buffer_.substr(0, std::stoul(length));
    buffer_.erase(0, std::stoul(length));
    return reply;
  }
  /// The payload of the next SSE event of a chunked stream; "" at its end or when the connection is over.
  std::string next_event() {
    while (true) {
      const std::size_t line = buffer_.find("\r\n");
      if (line != std::string::npos) {
        const std::size_t size = std::stoul(buffer_.substr(0, line), nullptr, 16);
        if (buffer_.size() >= line + 4 + size) {
          const std::string event = buffer_.substr(line + 2, size);
          buffer_.erase(0, line + 4 + size);
          stream_complete_ = size == 0;
          return size < 8 ? "" : event.substr(6, size - 8);
        }
      }
      if (!read_more()) return "";
    }
  }
  /// True if the last stream ended as it should, not by the end of the connection.
  [[nodiscard]] bool stream_complete() const noexcept { return stream_complete_; }
  /// Waits for the server to close; what came before is dropped.
  [[nodiscard]] bool closed_by_server() {
    while (read_more()) {
    }
    return !timed_out_;
  }
  [[nodiscard]] bool silent_for(std::chrono::milliseconds time) {
    pollfd poller{socket_.native_handle(), POLLIN, 0};
    return buffer_.empty() && poll(&poller, 1, static_cast<int>(time.count())) == 0;
  }
  [[nodiscard]] bool was_reset() const noexcept { return reset_; }
  void close() { socket_.close(); }

 private:
  bool read_more() {
    pollfd poller{socket_.native_handle(), POLLIN, 0};
    if (poll(&poller, 1, static_cast<int>(std::chrono::milliseconds(wait_max).count())) != 1) {
      timed_out_ = true;
      return false;
    }
    char bytes[65536];
    boost::system::error_code error;
    const std::size_t read = socket_.read_some(boost::asio::buffer(bytes), error);
    reset_ = error == boost::asio::error::connection_reset;
    buffer_.append(bytes, read);
    return !error;
  }

  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_{context_};
  std::string buffer_;
  bool stream_complete_ = false, timed_out_ = false, reset_ = false;
};

}  // namespace tollgate::simulator
