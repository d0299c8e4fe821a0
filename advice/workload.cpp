#include "advice/workload.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace tollgate::advice {
namespace {

constexpr std::int64_t day_us = 86'400'000'000, minute_us = 60'000'000;
constexpr std::int64_t tokens_per_request = 1000;

}  // namespace

double Workload::per_day(std::int64_t count) const noexcept {
  return window_us <= 0 ? 0 : static_cast<double>(count) * static_cast<double>(day_us) / static_cast<double>(window_us);
}

Workload assumed_workload(const Assumed& assumed) {
  Workload out;
  out.model = assumed.model;
  out.source = "parameters";
  out.window_us = day_us;
  out.requests = assumed.requests_per_day > 0 ? assumed.requests_per_day : std::max<std::int64_t>(1, assumed.tokens_per_day / tokens_per_request);
  out.input_tokens = std::llround(static_cast<double>(assumed.tokens_per_day) * assumed.input_share);
  out.output_tokens = assumed.tokens_per_day - out.input_tokens;
  const double share = std::min(1.0, static_cast<double>(arrivals_max) / static_cast<double>(out.requests));
  out.arrivals_us = std::llround(share * static_cast<double>(day_us));
  const auto count = static_cast<std::size_t>(share * static_cast<double>(out.requests));
  const double open_us = std::clamp(assumed.busy_hours_per_day, 0.01, 24.0) / 24 * static_cast<double>(out.arrivals_us);
  std::mt19937_64 random(assumed.seed);
  std::uniform_real_distribution<double> when(0, open_us);
  const auto each = [&](std::int64_t tokens) { return static_cast<std::int32_t>(std::llround(static_cast<double>(tokens) / static_cast<double>(out.requests))); };
  out.arrivals.resize(count);
  for (Arrival& arrival : out.arrivals) arrival = {std::llround(when(random)), each(out.input_tokens), each(out.output_tokens)};
  std::sort(out.arrivals.begin(), out.arrivals.end(), [](const Arrival& a, const Arrival& b) { return a.at_us < b.at_us; });
  return out;
}

Shape shape_of(const Workload& workload) {
  Shape shape;
  const auto minutes = static_cast<std::size_t>(std::max<std::int64_t>(1, (workload.arrivals_us + minute_us - 1) / minute_us));
  std::vector<double> tokens(minutes, 0);
  std::int64_t last = 0, gap = 0;
  for (const Arrival& arrival : workload.arrivals) {
    tokens[std::min(minutes - 1, static_cast<std::size_t>(arrival.at_us / minute_us))] += arrival.input + arrival.output;
    gap = std::max(gap, arrival.at_us - last);
    last = arrival.at_us;
  }
  gap = std::max(gap, workload.arrivals_us - last);
  double sum = 0, squares = 0, peak = 0, busy = 0;
  for (const double each : tokens) {
    sum += each;
    squares += each * each;
    peak = std::max(peak, each);
    busy += each > 0 ? 1 : 0;
  }
  const auto n = static_cast<double>(minutes);
  const double mean = sum / n;
  shape.busy_ratio = busy / n;
  if (mean > 0) {
    shape.variation = std::sqrt(std::max(0.0, squares / n - mean * mean)) / mean;
    shape.peak_over_mean = peak / mean;
  }
  shape.longest_gap_hours = static_cast<double>(gap) / (3600.0 * 1e6);
  return shape;
}

}  // namespace tollgate::advice
