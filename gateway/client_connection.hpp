#pragma once
// One client connection: reads heads and bodies within limits, writes without waiting where the socket allows, notices that the
// client has gone. Small on purpose: an open stream keeps one of these. Belongs to one reactor.

#include <memory>
#include <span>
#include <string>

#include "backends/deadline_wheel.hpp"
#include "backends/socket_poll.hpp"
#include "backends/task.hpp"
#include "config/config.hpp"
#include "gateway/request_head.hpp"

namespace tollgate {

/// Takes a body piece by piece.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual Result<void> take(std::string_view piece) = 0;
};

class ClientConnection {
 public:
  /// `scratch` is the reactor's receive buffer, shared by its connections: nothing in it survives a suspension.
  /// Takes over the connected socket `descriptor`.
  ClientConnection(int descriptor, SocketPoll& poll, DeadlineWheel& wheel, std::span<char> scratch);
  ~ClientConnection() = default;
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  enum class HeadRead : std::uint8_t { complete, closed, refused };
  /// Waits for the next request. `refusal` is set when refused (bad_request, too_large, request_timeout). After `complete`, what came
  /// behind the head still lies in the shared scratch: call read_body or keep_rest before suspending.
  Task<HeadRead> read_head(RequestHead& head, const ServerConfig& limits, Error& refusal);
  /// Reads the body of `head`. Faults: bad_request, too_large (nothing was read), request_timeout, client_gone.
  /// `body` gets `padding` spare bytes of capacity.
  Task<Result<void>> read_body(RequestHead& head, const ServerConfig& limits, std::size_t padding, std::string& body);

  /// The same for bodies that no memory holds: of at most `bytes_max`, given to `sink` as they come. body_timeout is the time for each
  /// megabyte. Also fails with what the sink says.
  Task<Result<void>> read_upload(RequestHead& head, const ServerConfig& limits, std::uint64_t bytes_max, BodySink& sink);

  /// The body if all of it came with the head, as small ones do; else false, and read_body is to be called.
  [[nodiscard]] bool take_body(const RequestHead& head, const ServerConfig& limits, std::size_t padding, std::string& body);

  /// Moves what came behind the head out of the scratch.
  void keep_rest();

  /// Sends what the socket takes at once and keeps a copy of the rest (see flush). False: the client is gone.
  bool send(std::span<const asio::const_buffer> buffers);
  bool send(std::string_view bytes);
  /// Keeps a copy and sends it with the next flush(), behind the work of the event's batch: for what is small. Else it is send().
  bool send_soon(std::span<const asio::const_buffer> buffers);
  [[nodiscard]] bool has_backlog() const noexcept { return !backlog_.empty(); }
  /// Waits until the backlog has gone; false: the client is gone, or took nothing for write_timeout.
  Task<bool> flush(std::chrono::milliseconds write_timeout);

  /// Watches for the client closing its side; then calls `gone(self)` once.
  void watch(void (*gone)(void*), void* self) noexcept;
  void unwatch() noexcept;
  [[nodiscard]] bool gone() const noexcept { return gone_; }

  /// Ends it from outside: whatever waits returns as gone.
  void close() noexcept;
  /// Closes politely: says that nothing more comes, then takes in and drops what the client still sends (within limits), so that
  /// the answer is not lost to a reset.
  Task<void> linger();
  /// Waiting between requests: nothing is lost by closing it now.
  [[nodiscard]] bool is_idle() const noexcept { return idle_; }

 private:
  enum class Waited : std::uint8_t { readable, expired, gone };
  Task<Waited> wait_readable();
  [[nodiscard]] Waited waited_for() const noexcept;
  Task<Result<void>> wait_for_body();
  Task<Result<void>> read_length(std::size_t length, std::string& body);
  Task<Result<void>> upload_length(std::uint64_t length, std::chrono::milliseconds timeout, BodySink& sink);
  Task<Result<void>> upload_chunks(RequestHead& head, std::uint64_t bytes_max, std::chrono::milliseconds timeout, BodySink& sink);
  Task<Result<void>> read_chunks(RequestHead& head, const ServerConfig& limits, std::size_t padding, std::string& body);
  std::size_t receive(char* to, std::size_t size);
  void look_for_end();

  SocketPoll& poll_;
  PolledSocket socket_;
  std::span<char> scratch_;
  std::string pending_;         // received, not yet consumed: the start of a head, or a pipelined request
  std::string_view rest_;       // the same, still in scratch_
  std::string backlog_;         // to be sent
  Deadline deadline_;           // of the read or write under way
  Deadline look_again_;         // a request already waits behind this one, or its end does: no event will tell
  void (*on_gone_)(void*) = nullptr;
  void* on_gone_self_ = nullptr;
  bool gone_ = false, expired_ = false, idle_ = false;
};

}  // namespace tollgate
