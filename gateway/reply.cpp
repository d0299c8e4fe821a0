#include "gateway/reply.hpp"

#include <boost/beast/http/status.hpp>
#include <charconv>
#include <ctime>

#include "gateway/log.hpp"

namespace tollgate {

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  const std::size_t begin = out.size();
  out.append(value);
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (out[i] < 0x20 || out[i] == 0x7F) out[i] = '?';   // no header is split by a name or a reason; bytes past ASCII are negative
  }
  out.append("\r\n");
}

void append_head(std::string& out, const ReplyHead& head, std::string_view date) {
  char number[24];
  const auto put = [&](std::size_t value) { out.append(number, std::to_chars(number, number + sizeof number, value).ptr); };
  out.append("HTTP/1.1 ");
  put(static_cast<std::size_t>(head.status));
  out.append(" ");
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(static_cast<unsigned>(head.status)));
  out.append(reason.data(), reason.size());
  out.append("\r\ndate: ").append(date).append("\r\ncontent-type: ").append(head.content_type);
  if (head.length) {
    out.append("\r\ncontent-length: ");
    put(*head.length);
  } else {
    out.append("\r\ncache-control: no-cache\r\ntransfer-encoding: chunked");
  }
  out.append(head.keep_alive ? "\r\n" : "\r\nconnection: close\r\n");
  if (!head.request_id.empty()) out.append("x-request-id: ").append(head.request_id).append("\r\n");
  out.append(head.extra).append("\r\n");
}

std::string error_body(const Error& error) {
  const auto quoted = [](std::string_view text) { return "\"" + json_escaped(text) + "\""; };
  const std::string_view code = code_of(error);
  return "{\"error\":{\"message\":" + quoted(error.message) + ",\"type\":" + quoted(type_of(error)) + ",\"param\":" +
         (error.param.empty() ? "null" : quoted(error.param)) + ",\"code\":" + (code.empty() ? "null" : quoted(code)) + "}}";
}

std::string error_headers(const Error& error) {
  std::string lines;
  if (facts_of(error.fault).whose == Whose::upstream) lines += "x-should-retry: false\r\n";
  if (error.retry_after) {
    const auto seconds = (error.retry_after->count() + 999) / 1000;
    lines += "retry-after: " + std::to_string(seconds) + "\r\n";
  }
  return lines;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      decoded += static_cast<char>(value);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string http_date(std::int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  // Names of days and months in English whatever the locale: the process never sets one.
  const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

std::size_t chunk_head(std::size_t size, char (&buffer)[20]) noexcept {
  char* const end = std::to_chars(buffer, buffer + 16, size, 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  return static_cast<std::size_t>(end + 2 - buffer);
}

}  // namespace tollgate
