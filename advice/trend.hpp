#pragma once
// Where traffic goes: a straight line through the tokens of each day, and when it reaches a volume.
//
//    const Trend trend = trend_of(workload);
//    crossing_text(trend, break_even_tokens_per_day)      // "in about 41 days (28 to 77)"

#include <optional>
#include <string>

#include "advice/workload.hpp"

namespace tollgate::advice {

struct Trend {
  static constexpr std::size_t days_min = 7;   ///< of which a line is drawn; fewer say nothing
  std::size_t days = 0;                        ///< whole days that were seen
  double now = 0;                              ///< tokens a day, on the line, at its end
  double per_day = 0, error = 0;               ///< tokens a day more every day, and its standard error
  [[nodiscard]] bool known() const noexcept { return days >= days_min; }
  /// It is not zero with 95 % confidence.
  [[nodiscard]] bool is_sure() const noexcept { return known() && (per_day > 1.96 * error || per_day < -1.96 * error); }
};
/// The day that has not ended and those before the first request are left out.
[[nodiscard]] Trend trend_of(const Workload& workload);

/// Days from the end of the window until the line reaches a volume; absent: it does not get there.
struct Crossing {
  std::optional<double> days, earliest, latest;   ///< 95 %, by the slope's error
};
[[nodiscard]] Crossing crossing_of(const Trend& trend, double tokens_per_day);
/// For people, also where nothing can be said.
[[nodiscard]] std::string crossing_text(const Trend& trend, double tokens_per_day);
/// "4.1M tokens a day, rising by 3.0 % a week" …
[[nodiscard]] std::string trend_text(const Trend& trend);

}  // namespace tollgate::advice
