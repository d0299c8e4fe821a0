#pragma once
// How long an upstream asks us to wait, as its headers say it.

#include <chrono>
#include <optional>
#include <string_view>

namespace tollgate {

inline constexpr std::chrono::milliseconds retry_after_max{3'600'000};   ///< longer waits are taken as this

/// `retry-after`: seconds, seconds with a fraction, or an HTTP date (RFC 9110, 10.2.3). nullopt: none of these.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value, std::chrono::system_clock::time_point now);
/// `retry-after-ms`: milliseconds, with or without a fraction (OpenAI's and Azure's own header).
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after_ms(std::string_view value);

}  // namespace tollgate
