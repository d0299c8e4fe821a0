#include "gateway/request_head.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace tollgate {

namespace http = boost::beast::http;

namespace {

Error refused(const boost::beast::error_code& code, std::size_t head_bytes_max) {
  if (code == http::error::header_limit) {
    Error error = fail(Fault::too_large, "the request head is larger than " + std::to_string(head_bytes_max) + " bytes");
    error.http_status = 431;
    return error;
  }
  return fail(Fault::bad_request, "the request is not valid HTTP/1.1: " + code.message());
}

}  // namespace

RequestHead::RequestHead(std::size_t head_bytes_max) : head_bytes_max_(head_bytes_max) {
  header_limit(static_cast<std::uint32_t>(head_bytes_max));
  body_limit(boost::none);  // bounded by the reader of the body, which can say 413
}

Result<bool> RequestHead::feed_head(std::string_view bytes, std::size_t& consumed) {
  consumed = 0;
  while (consumed < bytes.size() && !is_header_done()) {
    error_code code;
    consumed += put(boost::asio::const_buffer(bytes.data() + consumed, bytes.size() - consumed), code);
    if (code == http::error::need_more) break;
    if (code) return refused(code, head_bytes_max_);
  }
  return is_header_done();
}

Result<bool> RequestHead::feed_chunked(std::string_view bytes, std::size_t& consumed, std::string& body, std::size_t body_bytes_max) {
  consumed = 0;
  body_ = &body;
  body_bytes_max_ = body_bytes_max;
  while (consumed < bytes.size() && !is_done()) {
    error_code code;
    consumed += put(boost::asio::const_buffer(bytes.data() + consumed, bytes.size() - consumed), code);
    if (code == http::error::need_more) break;
    if (code == http::error::body_limit) return fail(Fault::too_large, "the body is larger than " + std::to_string(body_bytes_max) + " bytes");
    if (code) return refused(code, head_bytes_max_);
  }
  body_ = nullptr;
  return is_done();
}

void RequestHead::on_request_impl(http::verb verb, string_view method, string_view target, int, error_code&) {
  verb_ = verb;
  method_.assign(method);
  text_.reserve(1024);   // most heads fit: one allocation instead of several
  text_.assign(target);
  target_size_ = static_cast<std::uint32_t>(target.size());
}

void RequestHead::on_field_impl(http::field name, string_view text, string_view value, error_code& ec) {
  // Two lengths, or a length beside chunks, are how requests are smuggled past a proxy: Beast refuses the pairs it can see, and
  // what it would merge is refused here.
  if (name == http::field::content_length && !field("content-length").empty()) {
    ec = http::error::bad_content_length;
    return;
  }
  if (name == http::field::transfer_encoding && !boost::beast::iequals(value, "chunked")) {
    ec = http::error::bad_transfer_encoding;   // any other coding would hide where the body ends
    return;
  }
  if (name == http::field::expect) expects_continue_ = boost::beast::iequals(value, "100-continue");
  FieldAt at{};
  at.name = static_cast<std::uint32_t>(text_.size());
  at.name_size = static_cast<std::uint32_t>(text.size());
  text_.append(text);
  at.value = static_cast<std::uint32_t>(text_.size());
  at.value_size = static_cast<std::uint32_t>(value.size());
  text_.append(value);
  fields_.push_back(at);
}

std::size_t RequestHead::on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) {
  if (body_->size() + body.size() > body_bytes_max_) {
    ec = http::error::body_limit;
    return 0;
  }
  body_->append(body);
  return body.size();
}

std::string_view RequestHead::path() const noexcept {
  const std::string_view target(text_.data(), target_size_);
  return target.substr(0, target.find('?'));
}

std::string_view RequestHead::field(std::string_view lower_name) const noexcept {
  for (const FieldAt& at : fields_) {
    if (at.name_size == lower_name.size() && boost::beast::iequals({text_.data() + at.name, at.name_size}, lower_name)) {
      return {text_.data() + at.value, at.value_size};
    }
  }
  return {};
}

std::span<const HeaderField> RequestHead::fields() {
  if (views_.empty()) {
    for (const FieldAt& at : fields_) views_.push_back({{text_.data() + at.name, at.name_size}, {text_.data() + at.value, at.value_size}});
  }
  return {views_.data(), views_.size()};
}

}  // namespace tollgate
