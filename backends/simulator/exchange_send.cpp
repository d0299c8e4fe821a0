// What goes out: heads, whole answers, streams, and the faults that break them.
#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <ctime>

#include "backends/simulator/exchange.hpp"
#include "backends/simulator/foreign_wire.hpp"
#include "backends/simulator/service.hpp"

namespace tollgate::simulator {
namespace {

constexpr std::string_view garbage = "{\"choices\": [ this is not JSON";

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
}

}  // namespace

std::string Exchange::head(int status, std::string_view content_type, const std::string& more) const {
  const auto phrase = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\nserver: tollgate-simulator\r\ncontent-type: {}\r\n",
                                status, std::string_view(phrase.data(), phrase.size()), date_now(),
                                plan_.content_type.empty() ? content_type : std::string_view(plan_.content_type));
  if (!record_.id.empty()) out += "x-request-id: " + record_.id + "\r\n";
  if (service_.options().announce_simulated) out += "x-simulated: true\r\n";
  if (service_.options().engine.personality == DialectName::openai) {
    const auto took = std::chrono::steady_clock::now() - arrived_;
    out += fmt::format("openai-version: 2020-10-01\r\nopenai-organization: simulated\r\nopenai-processing-ms: {}\r\n",
                       std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
    if (ask_) out += service_.rate_limit_headers(record_.prompt_tokens + ask_->max_tokens.value_or(0));
  }
  out += more;
  if (!request_.keep_alive)
    out += "connection: close\r\n";
  else if (!request_.chunked_ok)
    out += "connection: keep-alive\r\n";  // HTTP/1.0 closes unless told otherwise
  return out + "\r\n";
}

void Exchange::fail_with(const Error& error) {
  record_.status = error.status;
  if (!settled_) settle("error", false);
  std::string headers;
  if (plan_.retry_after) headers = "retry-after: " + std::to_string(*plan_.retry_after) + "\r\n";
  const ErrorText text{error.status, error.message, error.param, error.code};
  answer_whole(error.status, "application/json", error_body(service_.options().engine.personality, text), headers);
}

void Exchange::answer_whole(int status, std::string_view content_type, std::string body, const std::string& headers) {
  if (ended_) return;
  if (plan_.stall == Stall::head) {
    silent_ = true;
    return;
  }
  record_.status = status;
  head_sent_ = true;
  if (plan_.garbage) body = garbage;
  connection_.out() += head(status, content_type, headers + fmt::format("content-length: {}\r\n", body.size()));
  connection_.touch();
  if (request_.method == "HEAD") return end(request_.keep_alive);
  if (plan_.stall == Stall::first_byte) {
    silent_ = true;
    return;
  }
  const bool breaks_off = plan_.cut || plan_.reset || plan_.stall == Stall::events;
  put_body(breaks_off ? std::string_view(body).substr(0, body.size() / 2) : std::string_view(body), false);
  if (ended_) return;
  if (!breaks_off) return end(request_.keep_alive);
  ended_ = plan_.cut || plan_.reset;
  if (plan_.reset) return connection_.reset();
  if (plan_.cut) return connection_.close_when_sent();
  silent_ = true;
}

void Exchange::begin_stream() {
  if (plan_.stall == Stall::head) {
    silent_ = true;
    return;
  }
  head_sent_ = true;
  record_.status = 200;
  if (!request_.chunked_ok)
    request_.keep_alive = false;  // HTTP/1.0 knows no other end of a stream than the connection's
  const std::string framing = request_.chunked_ok ? "transfer-encoding: chunked\r\n" : "";
  connection_.out() += head(200, wire_->stream_type(), "cache-control: no-cache\r\n" + framing);
  connection_.touch();
  if (plan_.stall == Stall::first_byte) silent_ = true;
  act_after_event();
}

/// Sends one event of a stream.
void Exchange::emit(std::string_view json) {
  if (json.empty() || silent_ || ended_ || !head_sent_) return;
  put_body(wire_->framed(plan_.garbage ? garbage : json, plan_.garbage), request_.chunked_ok);
  ++events_;
  act_after_event();
}

void Exchange::emit_done() {
  if (ask_->include_usage && plan_.usage != UsageFault::none) {
    std::string json;
    wire_->append_usage(json, usage(), metrics_);
    emit(json);
  }
  if (wire_->has_end_mark()) {
    if (silent_ || ended_) return;
    put_body("data: [DONE]\n\n", request_.chunked_ok);
    ++events_;
    act_after_event();
  } else {
    std::string events;
    wire_->append_end(events, usage());
    emit(events);
  }
  if (silent_ || ended_) return;
  if (request_.chunked_ok) connection_.out() += "0\r\n\r\n";
  end(request_.keep_alive);
}

/// The faults that wait for a number of events.
void Exchange::act_after_event() {
  if (ended_) return;
  if (plan_.stall == Stall::events && events_ >= plan_.stall_after) silent_ = true;
  if (plan_.error_event && events_ >= *plan_.error_event) {
    const ErrorText text{500, "This error was asked for by a fault.", "", ""};
    const bool responses = foreign_ && foreign_->responses;
    const std::string body = responses ? responses_error_event(text) : error_event(service_.options().engine.personality, text);
    put_body(body, request_.chunked_ok);
    if (request_.chunked_ok) connection_.out() += "0\r\n\r\n";
    ended_ = true;
    connection_.close_when_sent();
  } else if (plan_.cut && events_ >= *plan_.cut) {
    ended_ = true;
    connection_.close_when_sent();
  } else if (plan_.reset && events_ >= *plan_.reset) {
    ended_ = true;
    connection_.reset();
  }
}

void Exchange::put_body(std::string_view bytes, bool chunk) {
  const std::size_t room = plan_.cut_bytes ? *plan_.cut_bytes - std::min(*plan_.cut_bytes, body_sent_) : bytes.size();
  std::string& out = connection_.out();
  if (chunk) fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
  out += bytes.substr(0, room);
  body_sent_ += std::min(room, bytes.size());
  connection_.touch();
  if (plan_.cut_bytes && body_sent_ >= *plan_.cut_bytes) {
    ended_ = true;
    connection_.close_when_sent();
    return;
  }
  if (chunk) out += "\r\n";
}

void Exchange::end(bool keep_alive) {
  ended_ = true;
  connection_.end_answer(keep_alive && !plan_.close_after_answer);
}

}  // namespace tollgate::simulator
