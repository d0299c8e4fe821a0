#include "backends/response_parser.hpp"

#include <cstring>

#include "backends/retry_after.hpp"

namespace tollgate {

namespace http = boost::beast::http;

ResponseParser::ResponseParser() {
  header_limit(head_bytes_max);
  body_limit(boost::none);  // streams have no size; whole answers are bounded by the reader
}

ResponseParser::Fed ResponseParser::feed(char* data, std::size_t size) {
  Fed fed;
  body_begin_ = nullptr;
  body_size_ = 0;
  const bool had_head = is_header_done();
  while (fed.consumed < size && !is_done()) {
    error_code error;
    const std::size_t used = put(boost::asio::const_buffer(data + fed.consumed, size - fed.consumed), error);
    fed.consumed += used;
    if (error == http::error::need_more) break;
    if (error) {
      fed.broken = true;
      break;
    }
    if (!had_head && is_header_done()) break;
  }
  fed.body = {body_begin_, body_size_};
  return fed;
}

bool ResponseParser::feed_end() {
  if (is_done()) return true;
  if (!is_header_done()) return false;
  error_code error;
  put_eof(error);
  return !error && is_done();
}

void ResponseParser::on_response_impl(int code, string_view, int, error_code&) { head.status = code; }

void ResponseParser::on_field_impl(http::field name, string_view text, string_view value, error_code&) {
  if (!billed_header.empty() && boost::beast::iequals(text, billed_header)) head.billed_time.assign(value);
  switch (name) {
    case http::field::content_type:
      head.content_type.assign(value);
      head.event_stream = is_event_stream(value);
      break;
    case http::field::content_encoding:
      if (!boost::beast::iequals(value, "identity")) head.content_coding.assign(value);
      break;
    case http::field::retry_after:
      if (!head.retry_after) head.retry_after = parse_retry_after(value, std::chrono::system_clock::now());
      break;
    case http::field::unknown:
      if (boost::beast::iequals(text, "retry-after-ms")) head.retry_after = parse_retry_after_ms(value);
      break;
    default:
      break;
  }
}

void ResponseParser::on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code&) {
  if (length) head.content_length = *length;
}

std::size_t ResponseParser::on_body_impl(string_view body, error_code&) {
  collect(body);
  return body.size();
}

std::size_t ResponseParser::on_chunk_body_impl(std::uint64_t, string_view body, error_code&) {
  collect(body);
  return body.size();
}

// Pieces lie in rising order in the fed buffer with chunk framing between them: closing the gaps makes one view of them.
void ResponseParser::collect(string_view body) noexcept {
  if (body.empty()) return;
  if (body_size_ == 0) {
    body_begin_ = const_cast<char*>(body.data());  // the buffer was given to feed() as mutable
  } else if (body_begin_ + body_size_ != body.data()) {
    std::memmove(body_begin_ + body_size_, body.data(), body.size());
  }
  body_size_ += body.size();
}

}  // namespace tollgate
