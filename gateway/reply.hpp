#pragma once
// What goes to the client besides the answer's own bytes: status line, headers, error bodies. Pure: text in, text out.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/result.hpp"

namespace tollgate {

struct ReplyHead {
  int status = 200;
  std::string_view content_type = "application/json";
  std::optional<std::size_t> length{};      ///< absent: transfer-encoding: chunked
  bool keep_alive = true;
  std::string_view request_id{};            ///< "" for none
  std::string_view extra{};                 ///< more lines, each ending in CRLF
};
/// Appends the whole head, blank line included. `date` is an HTTP date.
void append_head(std::string& out, const ReplyHead& head, std::string_view date);
/// Appends "name: value\r\n"; characters that may not stand in a header value become '?'.
void append_header(std::string& out, std::string_view name, std::string_view value);

/// An OpenAI-shaped error: {"error":{"message","type","param","code"}}.
[[nodiscard]] std::string error_body(const Error& error);
/// Headers that belong to an error: retry-after, x-should-retry: false (we have retried ourselves), allow.
[[nodiscard]] std::string error_headers(const Error& error);

/// "Sun, 06 Nov 1994 08:49:37 GMT"
[[nodiscard]] std::string http_date(std::int64_t unix_seconds);

/// A path's part with its %XX undone; what is not two hexadecimal digits stays as it is. RFC 3986, 2.1.
[[nodiscard]] std::string percent_decoded(std::string_view text);

/// The hexadecimal size line of a chunk, "1a2b\r\n", into `buffer`; returns its length.
std::size_t chunk_head(std::size_t size, char (&buffer)[20]) noexcept;

}  // namespace tollgate
