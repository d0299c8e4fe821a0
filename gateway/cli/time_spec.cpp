#include "gateway/cli/time_spec.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>

namespace tollgate::cli {
namespace {

using namespace std::chrono;

constexpr std::int64_t second_us = 1'000'000, minute_us = 60 * second_us, hour_us = 60 * minute_us,
                       day_us = 24 * hour_us;

/// All of `text` as a number of at most seven digits.
std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size() && text.size() <= 7 && value >= 0;
  return whole ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> so_long_ago(std::string_view text, std::int64_t now_us) {
  if (text.size() < 2) return std::nullopt;
  const auto count = number(text.substr(0, text.size() - 1));
  if (!count) return std::nullopt;
  switch (text.back()) {
    case 'm':
      return now_us - *count * minute_us;
    case 'h':
      return now_us - *count * hour_us;
    case 'd':
      return now_us - *count * day_us;
    case 'w':
      return now_us - *count * 7 * day_us;
    default:
      return std::nullopt;
  }
}

std::optional<std::int64_t> by_word(std::string_view text, std::int64_t now_us) {
  const std::int64_t today = now_us / day_us * day_us;
  if (text == "now") return now_us;
  if (text == "today") return today;
  if (text == "yesterday") return today - day_us;
  if (text == "month") {
    const year_month_day date{sys_days{days{today / day_us}}};
    return sys_days{date.year() / date.month() / 1}.time_since_epoch().count() * day_us;
  }
  return std::nullopt;
}

/// "12:30", "12:30:15", either with a Z.
std::optional<std::int64_t> time_of_day(std::string_view text) {
  if (text.ends_with('Z')) text.remove_suffix(1);
  if ((text.size() != 5 && text.size() != 8) || text[2] != ':') return std::nullopt;
  const auto hour = number(text.substr(0, 2)), minute = number(text.substr(3, 2));
  std::optional<std::int64_t> second = 0;
  if (text.size() == 8) second = text[5] == ':' ? number(text.substr(6)) : std::nullopt;
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return *hour * hour_us + *minute * minute_us + *second * second_us;
}

std::optional<std::int64_t> by_date(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto y = number(text.substr(0, 4)), m = number(text.substr(5, 2)), d = number(text.substr(8, 2));
  if (!y || !m || !d) return std::nullopt;
  const year_month_day date{year{static_cast<int>(*y)}, month{static_cast<unsigned>(*m)},
                            day{static_cast<unsigned>(*d)}};
  if (!date.ok() || *y < 1970) return std::nullopt;
  const std::int64_t start = sys_days{date}.time_since_epoch().count() * day_us;
  if (text.size() == 10) return start;
  if (text[10] != 'T' && text[10] != ' ') return std::nullopt;
  const auto within = time_of_day(text.substr(11));
  return within ? std::optional(start + *within) : std::nullopt;
}

}  // namespace

Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_us) {
  for (const auto& read : {by_word(text, now_us), so_long_ago(text, now_us), by_date(text)}) {
    if (read) return *read;
  }
  return fail(Fault::bad_request,
              fmt::format("'{}' is no point in time; write a span back from now (7d, 24h, 30m, 2w), today, yesterday, "
                          "month, now, a date (2026-11-01) or a date and time in UTC (2026-11-01T12:30)",
                          text));
}

std::string time_text(std::int64_t time_us) {
  const std::int64_t day = (time_us >= 0 ? time_us : time_us - day_us + 1) / day_us;
  const year_month_day date{sys_days{days{day}}};
  const std::int64_t within = (time_us - day * day_us) / second_us;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), within / 3600,
                     within / 60 % 60, within % 60);
}

}  // namespace tollgate::cli
