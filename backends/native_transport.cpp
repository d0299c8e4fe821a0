// The native client: plain HTTP/1.1 to engines on the own network, the hot path. Kept connections per endpoint, one receive
// buffer for all calls of the reactor (a view from read() is therefore good only until the caller suspends).

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/container/small_vector.hpp>
#include <cstring>
#include <map>

#include "backends/backends.hpp"
#include "backends/connect_watch.hpp"
#include "backends/content_decoder.hpp"
#include "backends/deadline_wheel.hpp"
#include "backends/response_parser.hpp"
#include "backends/socket_poll.hpp"
#include "config/address.hpp"

namespace tollgate {

namespace {

constexpr std::size_t receive_bytes = 64 * 1024;
constexpr std::size_t simdjson_padding = 64;                         // readable bytes behind every view, so that it can be parsed in place
constexpr std::size_t idle_connections_max = 1024;                   // per endpoint
constexpr std::chrono::seconds idle_max{30};                         // then a kept connection is closed
constexpr std::chrono::milliseconds sweep_interval{5'000};
constexpr std::chrono::seconds address_kept{10};                     // how long a resolved name is believed
constexpr auto as_result = asio::as_tuple(use_task);

using Clock = std::chrono::steady_clock;
using boost::system::error_code;

struct Connection {
  explicit Connection(SocketPoll& poll) : socket(poll) {}
  PolledSocket socket;
  Clock::time_point idle_since;
};
using ConnectionPtr = std::unique_ptr<Connection>;

/// Kept connections and the resolved address of one host and port.
struct Peer {
  std::vector<ConnectionPtr> idle;                 // last in, first out: the youngest is the least likely to be closed
  std::vector<asio::ip::tcp::endpoint> addresses;
  Clock::time_point resolved_at;
};

class NativeTransport final : public Transport {
 public:
  NativeTransport(asio::io_context& on, SocketPoll& sockets, DeadlineWheel& deadlines)
      : context(on), poll(sockets), wheel(deadlines), buffer(receive_bytes + simdjson_padding), sweep_(deadlines, &NativeTransport::sweep, this) {}

  std::unique_ptr<Transfer> open(const Endpoint& endpoint) override;
  void close_idle() noexcept override {
    for (auto& [key, peer] : peers_) peer.idle.clear();
  }

  // Connections made without the air gap are no use within it.
  Peer& peer_of(const Endpoint& endpoint) { return peers_[{endpoint.host, endpoint.port, endpoint.private_only}]; }

  // A kept connection on which something came was closed by the peer, or sent what nobody asked for.
  static bool is_stale(const Connection& connection) noexcept { return connection.socket.may_read(); }

  ConnectionPtr take_idle(Peer& peer) {
    while (!peer.idle.empty()) {
      ConnectionPtr connection = std::move(peer.idle.back());
      peer.idle.pop_back();
      if (!is_stale(*connection)) return connection;
    }
    return nullptr;
  }

  void keep(Peer& peer, ConnectionPtr connection) {
    if (peer.idle.size() >= idle_connections_max) return;
    connection->idle_since = Clock::now();
    peer.idle.push_back(std::move(connection));
    if (!sweep_.is_set()) sweep_.set(sweep_interval);
  }

  asio::io_context& context;
  SocketPoll& poll;
  DeadlineWheel& wheel;
  std::vector<char> buffer;

 private:
  static void sweep(void* self) {
    auto& transport = *static_cast<NativeTransport*>(self);
    const auto oldest = Clock::now() - idle_max;
    bool any = false;
    for (auto& [key, peer] : transport.peers_) {
      std::erase_if(peer.idle, [&](const ConnectionPtr& c) { return c->idle_since < oldest || is_stale(*c); });
      any = any || !peer.idle.empty();
    }
    if (any) transport.sweep_.set(sweep_interval);
  }

  std::map<std::tuple<std::string, std::uint16_t, bool>, Peer> peers_;  // nodes are stable: transfers keep a Peer&
  Deadline sweep_;
};

class NativeTransfer final : public Transfer {
 public:
  NativeTransfer(NativeTransport& transport, const Endpoint& endpoint)
      : transport_(transport), endpoint_(endpoint), peer_(transport.peer_of(endpoint)),
        deadline_(transport.wheel, [](void* self) { static_cast<NativeTransfer*>(self)->abort(Fault::upstream_timeout); }, this) {}

  Task<Result<AnswerHead>> start(const Call& call) override;
  Task<Result<std::string_view>> read() override;
  bool ended() const noexcept override { return done_ && carry_.empty(); }
  bool sent() const noexcept override { return connection_ != nullptr && connected_; }
  void abort(Fault why) noexcept override;

 private:
  enum class Got { head, closed_unanswered, failed };

  Task<Result<void>> connect(ConnectWatch* watch);
  Task<Result<void>> resolve();
  using Buffers = boost::container::small_vector<asio::const_buffer, 8>;
  bool send_at_once(const Call& call, Buffers& rest, error_code& code);
  bool send_some(Buffers& rest, error_code& code);
  Task<error_code> send_rest(Buffers& rest);
  Task<Got> receive_head();
  void write_head(const Call& call);
  [[nodiscard]] Error error(Fault fault, std::string_view what) const;
  [[nodiscard]] Error failure(const error_code& code, Fault otherwise) const;
  void finished();
  Result<void> begin_body();
  Result<std::string_view> decoded(std::string_view body);
  std::size_t receive(error_code& code);

  NativeTransport& transport_;
  const Endpoint& endpoint_;
  Peer& peer_;
  Deadline deadline_;
  ConnectionPtr connection_;
  std::optional<ResponseParser> parser_;
  std::unique_ptr<ContentDecoder> decoder_;   // null: the body comes as it is
  std::string head_;               // of the request
  std::string carry_;              // received, not yet consumed
  std::size_t carry_used_ = 0;     // of carry_: consumed, but a view of it may still be in use
  std::optional<Fault> aborted_;
  Error failure_{Fault::internal, ""};   // set when Got::failed
  bool connected_ = false;
  bool refused_early_ = false;     // answered before the request was out: the connection is good for nothing more
  bool done_ = false;
};

std::unique_ptr<Transfer> NativeTransport::open(const Endpoint& endpoint) {
  return std::make_unique<NativeTransfer>(*this, endpoint);
}

void NativeTransfer::abort(Fault why) noexcept {
  if (aborted_ || done_) return;
  aborted_ = why;
  deadline_.clear();
  if (connection_) {
    connection_->socket.close();
  }
}

Error NativeTransfer::error(Fault fault, std::string_view what) const {
  return {fault, "backend '" + std::string(text(endpoint_.backend)) + "': " + std::string(what)};
}

// The error of a socket operation; an abort from outside explains it better than "operation canceled".
Error NativeTransfer::failure(const error_code& code, Fault otherwise) const {
  if (aborted_ == Fault::upstream_timeout) return error(Fault::upstream_timeout, "no answer within its time limit");
  if (aborted_) return error(*aborted_, "call ended from this side");
  return error(otherwise, code.message());
}

void NativeTransfer::write_head(const Call& call) {
  std::size_t bytes = 0;
  for (const auto& piece : call.body) bytes += piece.size();
  head_.reserve(512);
  head_.append(call.method).append(" ").append(endpoint_.prefix).append(call.path).append(" HTTP/1.1\r\nhost: ").append(endpoint_.host);
  if (endpoint_.port != 80) head_.append(":").append(std::to_string(endpoint_.port));
  if (!call.content_type.empty()) head_.append("\r\ncontent-type: ").append(call.content_type);
  head_.append("\r\naccept-encoding: identity\r\naccept: ").append(accept_of(call));
  for (const auto& [name, value] : endpoint_.headers) head_.append("\r\n").append(name).append(": ").append(value);
  for (const auto& [name, value] : call.headers) head_.append("\r\n").append(name).append(": ").append(value);
  head_.append("\r\nx-request-id: ").append(call.request_id);
  head_.append("\r\ncontent-length: ").append(std::to_string(bytes)).append("\r\n\r\n");
}

Task<Result<void>> NativeTransfer::resolve() {
  if (!peer_.addresses.empty() && Clock::now() - peer_.resolved_at < address_kept) co_return success();
  error_code code;
  const auto address = asio::ip::make_address(endpoint_.host, code);
  if (!code) {
    peer_.addresses = {asio::ip::tcp::endpoint(address, endpoint_.port)};
  } else {
    asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver(transport_.context.get_executor());
    auto [failed, found] = co_await resolver.async_resolve(endpoint_.host, std::to_string(endpoint_.port), as_result);
    if (failed) co_return failure(failed, Fault::upstream_unreachable);
    peer_.addresses.clear();
    for (const auto& entry : found) peer_.addresses.push_back(entry.endpoint());
  }
  if (endpoint_.private_only) {
    std::erase_if(peer_.addresses, [](const asio::ip::tcp::endpoint& each) { return !is_private_ip(*each.data()); });
    if (peer_.addresses.empty()) {
      co_return error(Fault::upstream_unreachable, "air_gap is on and its name does not resolve to a private address: nothing was sent");
    }
  }
  peer_.resolved_at = Clock::now();
  co_return success();
}

// What is lacking here, not there.
bool is_our_own(const error_code& code) noexcept {
  namespace errc = boost::system::errc;
  return code == errc::too_many_files_open || code == errc::too_many_files_open_in_system || code == errc::no_buffer_space ||
         code == errc::not_enough_memory || code == errc::address_not_available;
}

Task<Result<void>> NativeTransfer::connect(ConnectWatch* watch) {
  ConnectWatch::Making making(watch);
  connected_ = false;
  deadline_.set(endpoint_.timeouts.connect);
  TOLLGATE_CO_TRY(co_await resolve());
  const std::vector<asio::ip::tcp::endpoint> addresses = peer_.addresses;
  error_code last = asio::error::host_not_found;
  for (const auto& address : addresses) {
    if (aborted_) break;
    connection_ = std::make_unique<Connection>(transport_.poll);
    last = co_await connection_->socket.connect(address);
    if (!last) break;
    connection_.reset();
  }
  deadline_.clear();
  if (last || aborted_ || !connection_) {
    connection_.reset();
    peer_.resolved_at = {};  // ask the resolver again next time
    Error unreachable = failure(last, Fault::upstream_unreachable);
    if (aborted_ == Fault::upstream_timeout) unreachable.fault = Fault::upstream_unreachable;  // nothing was sent
    unreachable.ours = is_our_own(last);
    co_return unreachable;
  }
  making.made();
  connected_ = true;
  const int no_delay = 1;
  ::setsockopt(connection_->socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  co_return success();
}

// One gathered sendmsg where the socket takes it all, which it nearly always does; true then. Else `rest` is what remains.
bool NativeTransfer::send_at_once(const Call& call, Buffers& rest, error_code& code) {
  rest.emplace_back(head_.data(), head_.size());
  for (const auto& piece : call.body) rest.emplace_back(piece.data(), piece.size());
  return send_some(rest, code);
}

bool NativeTransfer::send_some(Buffers& rest, error_code& code) {
  std::size_t sent = connection_->socket.send(std::span<const asio::const_buffer>(rest.data(), rest.size()), code);
  std::size_t first = 0;
  while (first < rest.size() && sent >= rest[first].size()) sent -= rest[first++].size();
  rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(first));
  if (rest.empty()) return true;
  rest.front() += sent;
  return false;
}

Task<error_code> NativeTransfer::send_rest(Buffers& rest) {
  for (;;) {
    error_code code;
    if (send_some(rest, code)) co_return error_code{};
    if (code && code != asio::error::would_block) co_return code;
    deadline_.set(endpoint_.timeouts.first_byte);   // for each part that it takes: a long body may take long
    if (code && !co_await connection_->socket.writable()) co_return error_code(asio::error::operation_aborted);
  }
}

std::size_t NativeTransfer::receive(error_code& code) {
  return connection_->socket.receive(transport_.buffer.data(), receive_bytes, code);
}

Task<NativeTransfer::Got> NativeTransfer::receive_head() {
  parser_.emplace();
  parser_->billed_header = endpoint_.billed_header;
  carry_.clear();
  carry_used_ = 0;
  bool any = false;
  for (;;) {
    error_code code;
    if (!connection_->socket.may_read() && !co_await connection_->socket.readable()) code = asio::error::operation_aborted;
    const std::size_t got = code ? 0 : receive(code);
    if (code == asio::error::would_block) continue;
    if (code || aborted_) {
      failure_ = failure(code, Fault::upstream_broke_off);
      if (!any && !aborted_) co_return Got::closed_unanswered;
      co_return Got::failed;
    }
    any = true;
    carry_.append(transport_.buffer.data(), got);
    for (;;) {
      const ResponseParser::Fed fed = parser_->feed(carry_.data(), carry_.size());
      carry_.erase(0, fed.consumed);
      if (fed.broken) {
        failure_ = error(Fault::upstream_garbage, "the answer is not HTTP");
        co_return Got::failed;
      }
      if (!parser_->is_header_done()) break;
      if (!parser_->is_interim()) co_return Got::head;
      parser_.emplace();
      parser_->billed_header = endpoint_.billed_header;
    }
  }
}

Task<Result<AnswerHead>> NativeTransfer::start(const Call& call) {
  write_head(call);
  if (!call.fresh) connection_ = transport_.take_idle(peer_);
  connected_ = connection_ != nullptr;
  for (bool kept = connected_;; kept = false) {
    if (!kept) {
      TOLLGATE_CO_TRY(co_await connect(call.connects));
    }
    deadline_.set(endpoint_.timeouts.first_byte);
    Buffers rest;
    error_code unsent;
    if (!send_at_once(call, rest, unsent) && (!unsent || unsent == asio::error::would_block)) unsent = co_await send_rest(rest);
    Got got = Got::closed_unanswered;
    if (unsent) {
      // Who does not want a body may say so and close before it is all there.
      if (!aborted_) got = co_await receive_head();
      if (got != Got::head) failure_ = failure(unsent, Fault::upstream_broke_off);
      refused_early_ = got == Got::head;
      if (aborted_) got = Got::failed;
    } else {
      got = co_await receive_head();
    }
    if (got == Got::head) break;
    // A kept connection may be closed by the peer just as we use it: then nobody has read the request, and a fresh one may.
    const bool again = got == Got::closed_unanswered && kept;
    connection_.reset();
    if (!again) {
      deadline_.clear();
      co_return failure_;
    }
  }
  deadline_.clear();
  head_ = std::string();                // an open stream needs it no more
  TOLLGATE_CO_TRY(begin_body());
  if (const auto length = parser_->content_length()) parser_->head.content_length = *length;   // the parser tells it with the body's first bytes only
  if (parser_->is_done()) finished();
  co_return std::move(parser_->head);
}

Result<void> NativeTransfer::begin_body() {
  const std::string& coding = parser_->head.content_coding;
  if (coding.empty()) return success();
  if (!ContentDecoder::knows(coding)) {
    connection_.reset();
    return error(Fault::upstream_garbage, "the answer comes in a content-encoding that was not asked for");
  }
  decoder_ = std::make_unique<ContentDecoder>();
  return success();
}

Result<std::string_view> NativeTransfer::decoded(std::string_view body) {
  const bool over = done_;
  Result<std::string_view> plain = decoder_->decode(body);
  if (plain && over && !decoder_->complete()) plain = fail(Fault::upstream_broke_off, "the answer's compressed body ended in the middle");
  if (plain) return plain;
  connection_.reset();
  if (!aborted_) aborted_ = plain.error().fault;
  return error(plain.error().fault, plain.error().message);
}

// The message is complete: the connection may serve the next call if nothing more came on it.
void NativeTransfer::finished() {
  done_ = true;
  deadline_.clear();
  if (connection_ && !refused_early_ && parser_->keep_alive() && carry_.size() == carry_used_) transport_.keep(peer_, std::move(connection_));
  connection_.reset();
}

Task<Result<std::string_view>> NativeTransfer::read() {
  carry_.erase(0, carry_used_);
  carry_used_ = 0;
  for (;;) {
    if (done_) co_return std::string_view{};
    if (aborted_) co_return failure({}, Fault::internal);
    ResponseParser::Fed fed;
    if (!carry_.empty()) {
      fed = parser_->feed(carry_.data(), carry_.size());
      carry_used_ = fed.consumed;
    }
    if (fed.consumed == 0 && !fed.broken) {  // nothing there, or not enough of it
      deadline_.set(endpoint_.timeouts.silence);
      error_code code;
      if (!connection_->socket.may_read() && !co_await connection_->socket.readable()) code = asio::error::operation_aborted;
      std::size_t got = code || aborted_ ? 0 : receive(code);
      if (code == asio::error::would_block) continue;
      if (aborted_) co_return failure(code, Fault::internal);
      if (code == asio::error::eof && parser_->feed_end()) {
        finished();
        co_return std::string_view{};
      }
      if (code) {
        connection_.reset();
        aborted_ = Fault::upstream_broke_off;
        co_return error(Fault::upstream_broke_off, code == asio::error::eof ? "the answer ended in the middle" : code.message());
      }
      if (!carry_.empty()) {
        carry_.append(transport_.buffer.data(), got);
        continue;
      }
      fed = parser_->feed(transport_.buffer.data(), got);
      carry_.append(transport_.buffer.data() + fed.consumed, got - fed.consumed);
    }
    if (fed.broken) {
      connection_.reset();
      aborted_ = Fault::upstream_garbage;
      co_return error(Fault::upstream_garbage, "the answer's framing is broken");
    }
    if (parser_->is_done()) finished();
    if (!fed.body.empty()) {
      deadline_.clear();
      if (!decoder_) co_return fed.body;
      const Result<std::string_view> plain = decoded(fed.body);
      if (!plain || !plain.value().empty()) co_return plain;
    }
    carry_.erase(0, carry_used_);
    carry_used_ = 0;
  }
}

}  // namespace

std::unique_ptr<Transport> make_native_transport(asio::io_context& context, SocketPoll& poll, DeadlineWheel& wheel) {
  return std::make_unique<NativeTransport>(context, poll, wheel);
}

}  // namespace tollgate
