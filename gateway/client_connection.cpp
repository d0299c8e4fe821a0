#include "gateway/client_connection.hpp"

#include <sys/socket.h>

#include <boost/asio/buffer.hpp>

namespace tollgate {

namespace {
using boost::system::error_code;
constexpr std::chrono::milliseconds linger_max{2'000};
constexpr std::size_t linger_bytes_max = 64 * 1024 * 1024;
constexpr std::size_t backlog_kept = 16 * 1024;   // a larger one is given back to the heap once sent
constexpr std::size_t soon_bytes_max = 8 * 1024;  // more is not worth the copy
constexpr std::chrono::milliseconds look_interval{20};
}  // namespace

ClientConnection::ClientConnection(int descriptor, SocketPoll& poll, DeadlineWheel& wheel, std::span<char> scratch)
    : poll_(poll),
      socket_(poll),
      scratch_(scratch),
      deadline_(wheel,
                [](void* self) {
                  auto& connection = *static_cast<ClientConnection*>(self);
                  connection.expired_ = true;
                  connection.socket_.cancel();
                },
                this),
      look_again_(wheel, [](void* self) { static_cast<ClientConnection*>(self)->look_for_end(); }, this) {
  error_code code;
  socket_.assign(descriptor, code);
  gone_ = static_cast<bool>(code);
}

// After a wait: what ended it.
ClientConnection::Waited ClientConnection::waited_for() const noexcept {
  if (gone_ || !socket_.is_open()) return Waited::gone;
  if (!socket_.may_read()) return expired_ ? Waited::expired : Waited::gone;
  return Waited::readable;
}

Task<ClientConnection::Waited> ClientConnection::wait_readable() {
  if (!socket_.may_read()) co_await socket_.readable();
  co_return waited_for();
}

// 0: nothing there after all, or the end (then gone_ is set).
std::size_t ClientConnection::receive(char* to, std::size_t size) {
  error_code code;
  const std::size_t got = socket_.receive(to, size, code);
  if (code && code != asio::error::would_block) gone_ = true;
  return got;
}

Task<ClientConnection::HeadRead> ClientConnection::read_head(RequestHead& head, const ServerConfig& limits, Error& refusal) {
  expired_ = false;
  idle_ = pending_.empty();
  deadline_.set(idle_ ? limits.idle_timeout : limits.head_timeout);
  for (bool have = !pending_.empty();; have = false) {
    std::size_t got = 0;
    if (!have) {
      if (!socket_.may_read()) co_await socket_.readable();
      const Waited waited = waited_for();
      if (waited == Waited::readable) got = receive(scratch_.data(), scratch_.size());
      if (waited == Waited::gone || gone_) co_return HeadRead::closed;
      if (waited == Waited::expired) {
        if (idle_) co_return HeadRead::closed;   // a keep-alive that nobody used
        refusal = fail(Fault::request_timeout, "the request head did not arrive within its time limit");
        co_return HeadRead::refused;
      }
      if (got == 0) continue;
      if (idle_) deadline_.set(limits.head_timeout);
      idle_ = false;
    }
    std::string_view bytes(scratch_.data(), got);
    if (!pending_.empty()) {
      pending_.append(bytes);
      bytes = pending_;
    }
    std::size_t consumed = 0;
    const Result<bool> fed = head.feed_head(bytes, consumed);
    if (!fed) {
      refusal = fed.error();
      co_return HeadRead::refused;
    }
    if (pending_.empty()) {
      rest_ = bytes.substr(consumed);
    } else {
      pending_.erase(0, consumed);
    }
    if (fed.value()) break;
    keep_rest();
  }
  deadline_.clear();
  co_return HeadRead::complete;
}

void ClientConnection::keep_rest() {
  pending_.append(rest_);
  rest_ = {};
}

bool ClientConnection::take_body(const RequestHead& head, const ServerConfig& limits, std::size_t padding, std::string& body) {
  const std::uint64_t length = head.chunked() ? 0 : head.content_length().value_or(0);
  if (length == 0 || length > rest_.size() || length > limits.body_bytes_max || !pending_.empty()) return false;
  body.reserve(length + padding);
  body.assign(rest_.substr(0, length));
  rest_.remove_prefix(length);
  keep_rest();
  return true;
}

Task<Result<void>> ClientConnection::read_body(RequestHead& head, const ServerConfig& limits, std::size_t padding, std::string& body) {
  const auto length = static_cast<std::size_t>(head.chunked() ? 0 : head.content_length().value_or(0));
  if (length > limits.body_bytes_max) {
    keep_rest();
    co_return fail(Fault::too_large, "the body is " + std::to_string(length) + " bytes; the limit is " + std::to_string(limits.body_bytes_max));
  }
  body.reserve(length + padding);
  if (!head.chunked() && pending_.empty()) {
    body.assign(rest_.substr(0, length));   // straight from the scratch: a body is copied once
    rest_.remove_prefix(body.size());
  }
  keep_rest();
  if (!head.chunked() && body.empty()) {
    body.assign(pending_, 0, length);
    pending_.erase(0, length);
  }
  if (!head.chunked() && body.size() == length) co_return success();
  if (head.expects_continue() && body.empty() && pending_.empty() && !send("HTTP/1.1 100 Continue\r\n\r\n")) {
    co_return fail(Fault::client_gone, "");
  }
  expired_ = false;
  deadline_.set(limits.body_timeout);
  Result<void> read = success();
  if (head.chunked()) {
    read = co_await read_chunks(head, limits, padding, body);
  } else {
    read = co_await read_length(length, body);
  }
  deadline_.clear();
  co_return read;
}

Task<Result<void>> ClientConnection::read_length(std::size_t length, std::string& body) {
  std::size_t filled = body.size();
  body.resize(length);
  while (filled < length) {
    TOLLGATE_CO_TRY(co_await wait_for_body());
    filled += receive(body.data() + filled, length - filled);
    if (gone_) co_return fail(Fault::client_gone, "");
  }
  co_return success();
}

Task<Result<void>> ClientConnection::read_chunks(RequestHead& head, const ServerConfig& limits, std::size_t padding, std::string& body) {
  for (;;) {
    std::size_t consumed = 0;
    TOLLGATE_CO_TRY(const bool complete, head.feed_chunked(pending_, consumed, body, limits.body_bytes_max));
    pending_.erase(0, consumed);
    if (complete) break;
    TOLLGATE_CO_TRY(co_await wait_for_body());
    const std::size_t got = receive(scratch_.data(), scratch_.size());
    if (gone_) co_return fail(Fault::client_gone, "");
    pending_.append(scratch_.data(), got);
  }
  body.reserve(body.size() + padding);
  co_return success();
}

Task<Result<void>> ClientConnection::wait_for_body() {
  const Waited waited = co_await wait_readable();
  if (waited == Waited::expired) co_return fail(Fault::request_timeout, "the request body did not arrive within its time limit");
  if (waited == Waited::gone) co_return fail(Fault::client_gone, "");
  co_return success();
}

bool ClientConnection::send(std::string_view bytes) {
  const asio::const_buffer buffer(bytes.data(), bytes.size());
  return send(std::span(&buffer, 1));
}

bool ClientConnection::send(std::span<const asio::const_buffer> buffers) {
  if (gone_ || !socket_.is_open()) return false;
  std::size_t sent = 0;
  if (backlog_.empty()) {
    error_code code;
    sent = socket_.send(buffers, code);
    if (code && code != asio::error::would_block) {
      gone_ = true;
      return false;
    }
  }
  for (const asio::const_buffer& buffer : buffers) {
    const std::size_t done = std::min(sent, buffer.size());
    sent -= done;
    backlog_.append(static_cast<const char*>(buffer.data()) + done, buffer.size() - done);
  }
  return true;
}

bool ClientConnection::send_soon(std::span<const asio::const_buffer> buffers) {
  std::size_t bytes = 0;
  for (const asio::const_buffer& buffer : buffers) bytes += buffer.size();
  if (!poll_.in_batch() || bytes > soon_bytes_max) return send(buffers);
  if (gone_ || !socket_.is_open()) return false;
  for (const asio::const_buffer& buffer : buffers) backlog_.append(static_cast<const char*>(buffer.data()), buffer.size());
  return true;
}

Task<bool> ClientConnection::flush(std::chrono::milliseconds write_timeout) {
  std::size_t sent = 0;
  expired_ = false;
  if (poll_.in_batch()) co_await poll_.batch_end();
  while (!gone_ && socket_.is_open() && sent < backlog_.size()) {
    error_code code;
    const asio::const_buffer rest(backlog_.data() + sent, backlog_.size() - sent);
    sent += socket_.send(std::span(&rest, 1), code);
    if (!code) continue;
    if (code == asio::error::would_block) {
      deadline_.set(write_timeout);
      if (co_await socket_.writable()) continue;
    }
    gone_ = true;
  }
  deadline_.clear();
  backlog_.clear();
  if (backlog_.capacity() > backlog_kept) backlog_ = std::string();
  co_return !gone_;
}

void ClientConnection::watch(void (*on_gone)(void*), void* self) noexcept {
  on_gone_ = on_gone;
  on_gone_self_ = self;
  socket_.watch([](void* connection) { static_cast<ClientConnection*>(connection)->look_for_end(); }, this);
  if (socket_.may_read()) look_again_.set(look_interval);
}

void ClientConnection::look_for_end() {
  if (gone_ || !socket_.is_open() || !pending_.empty()) return;
  char byte;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return;                                                  // a pipelined request: it can wait
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
  gone_ = true;
  socket_.cancel();                                                     // a flush under way ends
  if (on_gone_ != nullptr) on_gone_(on_gone_self_);
}

void ClientConnection::unwatch() noexcept {
  look_again_.clear();
  on_gone_ = nullptr;
  socket_.watch(nullptr, nullptr);
}

void ClientConnection::close() noexcept {
  gone_ = true;
  socket_.close();
}

Task<void> ClientConnection::linger() {
  error_code code;
  if (gone_) co_return;
  socket_.shutdown_send(code);
  if (code) co_return;
  expired_ = false;
  deadline_.set(linger_max);
  for (std::size_t dropped = 0; dropped < linger_bytes_max;) {
    if (co_await wait_readable() != Waited::readable) break;
    dropped += receive(scratch_.data(), scratch_.size());
    if (gone_) break;
  }
  deadline_.clear();
}

}  // namespace tollgate
