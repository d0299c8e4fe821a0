#include "backends/simulator/connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "backends/simulator/exchange.hpp"
#include "backends/simulator/faults.hpp"
#include "backends/simulator/service.hpp"

namespace tollgate::simulator {

namespace http = boost::beast::http;
using boost::system::error_code;

struct Connection::Parser : http::request_parser<http::string_body> {};

namespace {
constexpr std::chrono::seconds linger_max{2};  // how long a closed answer may take to be read before the socket goes

std::string header(const http::request<http::string_body>& request, std::string_view name) {
  const auto found = request.find(boost::beast::string_view(name.data(), name.size()));
  return found == request.end() ? std::string() : std::string(found->value().data(), found->value().size());
}
}  // namespace

Connection::Connection(Socket socket, Service& service) : service_(service), socket_(std::move(socket)) {
  service_.add(*this);
}

Connection::~Connection() { service_.remove(*this); }

asio::io_context& Connection::context() noexcept { return service_.context(); }

void Connection::start() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  wait_readable();
}

void Connection::wait_readable() {
  if (reading_ || closed_) return;
  reading_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    self->reading_ = false;
    if (!error) self->on_readable();
  });
}

void Connection::on_readable() {
  while (!closed_) {
    error_code error;
    const std::size_t read = socket_.read_some(asio::buffer(service_.scratch()), error);
    if (error == asio::error::would_block || error == asio::error::try_again) break;
    if (error) {
      close();
      return;
    }
    if (lingering_) continue;
    in_.append(service_.scratch().data(), read);
    if (!answering_) parse();
    if (answering_ && in_.size() > pipelined_bytes_max) {
      keep_ = shared_from_this();  // reads on when this answer is done
      return;
    }
  }
  wait_readable();
}

void Connection::parse() {
  if (in_.empty() || closed_ || closing_) return;
  if (!parser_) {
    parser_ = std::make_unique<Parser>();
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(head_bytes_max));
    parser_->body_limit(body_bytes_max);
    continue_sent_ = false;
  }
  error_code error;
  const std::size_t consumed = parser_->put(asio::buffer(in_), error);
  in_.erase(0, consumed);
  if (error && error != http::error::need_more) {
    if (error == http::error::body_limit) return refuse(413, "the body is too large");
    if (error == http::error::header_limit) return refuse(431, "the head is too large");
    return refuse(400, "this is not HTTP: " + error.message());
  }
  if (parser_->is_done()) return answer_parsed();
  if (parser_->is_header_done() && !continue_sent_ && header(parser_->get(), "expect") == "100-continue") {
    continue_sent_ = true;
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
  }
}

void Connection::answer_parsed() {
  auto message = parser_->release();
  parser_.reset();
  if (in_.empty()) in_.shrink_to_fit();
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.authorization = header(message, "authorization");
  for (const char* name : {"x-api-key", "x-goog-api-key", "api-key"}) {   // other providers' ways to send the same
    if (const std::string key = header(message, name); !key.empty()) request.authorization = "Bearer " + key;
  }
  request.request_id = header(message, "x-request-id");
  request.fault = header(message, "x-sim-fault");
  request.betas = header(message, "anthropic-beta");
  request.keep_alive = message.keep_alive();
  request.chunked_ok = message.version() >= 11;
  request.body = std::move(message.body());
  answering_ = true;
  drip_ = std::chrono::milliseconds(0);
  exchange_ = std::make_unique<Exchange>(service_, *this, std::move(request));
  exchange_->begin();
}

void Connection::refuse(int status, std::string_view reason) {
  answering_ = true;
  parser_.reset();
  out_ +=
      "HTTP/1.1 " + std::to_string(status) +
      " Refused\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: " + std::to_string(reason.size()) +
      "\r\n\r\n";
  out_ += reason;
  close_when_sent();
}

void Connection::touch() {
  if (touched_ || closed_) return;
  touched_ = true;
  service_.touch(shared_from_this());
}

void Connection::flush() {
  touched_ = false;
  if (writing_ || closed_) return;
  if (drip_.count() > 0) return drip();
  while (out_at_ < out_.size()) {
    error_code error;
    const std::size_t wrote = socket_.write_some(asio::buffer(out_.data() + out_at_, out_.size() - out_at_), error);
    out_at_ += wrote;
    if (error == asio::error::would_block || error == asio::error::try_again) return wait_writable();
    if (error) return close();
  }
  sent();
}

void Connection::wait_writable() {
  writing_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code error) {
    self->writing_ = false;
    if (!error) self->flush();
  });
}

void Connection::drip() {
  if (out_at_ == out_.size()) return sent();
  error_code error;
  const std::size_t piece = std::min(drip_bytes, out_.size() - out_at_);
  out_at_ += socket_.write_some(asio::buffer(out_.data() + out_at_, piece), error);
  if (error && error != asio::error::would_block) return close();
  writing_ = true;
  if (!timer_) timer_ = std::make_unique<Timer>(context());
  timer_->expires_after(drip_);
  timer_->async_wait([self = shared_from_this()](error_code stopped) {
    self->writing_ = false;
    if (!stopped) self->flush();
  });
}

/// All of out_ has gone to the kernel.
void Connection::sent() {
  out_.clear();
  out_at_ = 0;
  if (!answering_) out_.shrink_to_fit();
  if (closing_ && !lingering_) linger();
}

void Connection::end_answer(bool keep_alive) {
  if (closed_) return;
  if (!keep_alive) {
    close_when_sent();
    return;
  }
  touch();
  // Posted: the exchange that calls this must not be destroyed under its own feet.
  asio::post(context(), [self = shared_from_this()] { self->next_request(); });
}

void Connection::next_request() {
  keep_.reset();
  if (closed_ || closing_) return;
  exchange_.reset();
  answering_ = false;
  parse();
  if (!closed_ && !reading_) on_readable();  // it had stopped reading ahead
}

void Connection::close_when_sent() {
  closing_ = true;
  touch();
}

/// Closes the sending side and reads until the client closes too: closing at once with unread bytes in the kernel would
/// send RST, and the client might never see the end of its answer.
void Connection::linger() {
  lingering_ = true;
  if (exchange_) exchange_->connection_over();
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  if (!timer_) timer_ = std::make_unique<Timer>(context());
  timer_->expires_after(linger_max);
  timer_->async_wait([self = shared_from_this()](error_code stopped) {
    if (!stopped) self->close();
  });
  wait_readable();
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  error_code ignored;
  if (timer_) timer_->cancel();
  socket_.close(ignored);
  if (exchange_) exchange_->connection_over();
  if (keep_) asio::post(context(), [keep = std::move(keep_)] {});
}

void Connection::reset() {
  if (closed_) return;
  flush();
  error_code ignored;
  if (!closed_) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

}  // namespace tollgate::simulator
