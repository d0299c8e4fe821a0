#pragma once
// The requests that the tiers are compared on: measured (from the ledger) or assumed (from parameters). Everything behind this
// (windows.hpp, tiers.hpp) takes arrivals, so that measured and assumed traffic go the same way.

#include <cstdint>
#include <string>
#include <vector>

#include "config/result.hpp"

namespace tollgate::advice {

struct Arrival {
  std::int64_t at_us = 0;          ///< since the window began
  std::int32_t input = 0, output = 0;
};

struct Workload {
  std::string model;               ///< as its owner or its hosts call it: "llama-3.3-70b"
  std::string source;              ///< where it is from, for people
  bool measured = false;
  std::int64_t window_us = 0;      ///< how long it was looked at
  std::int64_t requests = 0, input_tokens = 0, output_tokens = 0;   ///< in the window
  std::vector<Arrival> arrivals;   ///< rising; of the first `arrivals_us` of the window
  std::int64_t arrivals_us = 0;
  std::int64_t constrained = 0;    ///< requests that a constraint covered; of `requests`
  std::vector<std::int64_t> tokens_by_day;   ///< measured: by days of the window, the last of which may not be whole

  [[nodiscard]] double per_day(std::int64_t count) const noexcept;
  [[nodiscard]] std::int64_t tokens() const noexcept { return input_tokens + output_tokens; }
};

struct Assumed {
  std::string model;
  std::int64_t tokens_per_day = 0;         ///< input and output together
  double input_share = 0.75;               ///< of them
  std::int64_t requests_per_day = 0;       ///< 0: of 1,000 tokens each
  double busy_hours_per_day = 24;          ///< all of the traffic falls into so many hours, evenly at random
  std::uint64_t seed = 1;
};
/// Random arrivals (Poisson) of equal requests: at most `arrivals_max`, of as much of a day as that gives.
[[nodiscard]] Workload assumed_workload(const Assumed& assumed);
inline constexpr std::int64_t arrivals_max = 400'000;

/// How the load is spread, which decides between tiers as much as its size does.
struct Shape {
  double busy_ratio = 0;           ///< share of minutes with an arrival
  double variation = 0;            ///< coefficient of variation of the tokens per minute: 0 even, above 1 bursty
  double peak_over_mean = 0;       ///< tokens of the busiest minute over those of the mean one
  double longest_gap_hours = 0;
};
[[nodiscard]] Shape shape_of(const Workload& workload);

}  // namespace tollgate::advice
