#include "backends/retry_after.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace tollgate {

namespace {

// A plain decimal number, times `scale`; nothing else.
std::optional<std::chrono::milliseconds> parse_number(std::string_view value, double scale) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || end != value.data() + value.size() || !(number >= 0)) return std::nullopt;
  const double milliseconds = number * scale;
  if (milliseconds >= static_cast<double>(retry_after_max.count())) return retry_after_max;
  return std::chrono::milliseconds{static_cast<std::int64_t>(milliseconds + 0.5)};
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value, std::chrono::system_clock::time_point now) {
  if (const auto seconds = parse_number(value, 1000)) return seconds;
  std::tm parts{};
  const std::string text(value);
  const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::from_time_t(::timegm(&parts)) - now);
  return std::clamp(wait, std::chrono::milliseconds{0}, retry_after_max);
}

std::optional<std::chrono::milliseconds> parse_retry_after_ms(std::string_view value) { return parse_number(value, 1); }

}  // namespace tollgate
