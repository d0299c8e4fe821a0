#pragma once
// Points in time as a person writes them on the command line, all in UTC:
//
//    30m 24h 7d 2w              so long ago
//    now today yesterday month  this moment; the beginning of the day, the day before, the month
//    2026-11-01                 the beginning of that day
//    2026-11-01T12:30[:15][Z]

#include <cstdint>
#include <string>
#include <string_view>

#include "config/result.hpp"

namespace tollgate::cli {

/// Microseconds since the Unix epoch. Errors say what would be right.
[[nodiscard]] Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_us);
/// "2026-11-01T12:30:15Z"
[[nodiscard]] std::string time_text(std::int64_t time_us);

}  // namespace tollgate::cli
