#pragma once
// Changes of a configuration that are worth trying without writing them down: one setting over a range of values, more replicas of a pool.
//
//    Result<Sweep> sweep = parse_sweep("complexity.threshold=0.3..0.9");
//    for (double value : sweep.value().values) { ConfigPtr changed = with(*config, sweep.value(), value); … }
//    mark_knee(points);

#include <string>
#include <string_view>
#include <vector>

#include "simulate/bootstrap.hpp"
#include "simulate/run.hpp"

namespace tollgate::simulate {

/// What can be swept:
///   complexity.threshold  up to where all but the most capable targets are trusted; also bounds of complexity in routes
///   capability.TARGET     up to where one target is trusted
///   tiers.medium, tiers.complex, tiers.reasoning
struct Sweep {
  std::string setting;
  std::vector<double> values;        ///< rising
};
inline constexpr unsigned sweep_steps = 13, sweep_steps_max = 101;
/// "complexity.threshold=0.3..0.9", with ":25" for so many steps. Errors say what would be right.
[[nodiscard]] Result<Sweep> parse_sweep(std::string_view text);
/// Errors: the configuration has no such setting, or the value does not fit.
[[nodiscard]] Result<ConfigPtr> with(const Config& config, const Sweep& sweep, double value);

struct SweepPoint {
  double value = 0;
  UsdSum usd;
  Interval usd_interval;
  std::int64_t requests = 0, at_risk = 0, refused = 0;
  double bad = 0;                    ///< expected bad answers where outcomes tell (bad_known)
  std::int64_t bad_known = 0;
  double mean_ms = 0;
  bool is_knee = false;
  [[nodiscard]] double risk() const noexcept { return requests > 0 ? static_cast<double>(at_risk) / static_cast<double>(requests) : 0; }
};
[[nodiscard]] SweepPoint point_of(double value, const World& world, std::uint64_t seed);
/// The point where the curve of risk over cost bends most: farthest from the straight line between its ends, towards less of both.
/// None where it does not bend that way.
void mark_knee(std::vector<SweepPoint>& points);

/// "home" or "home=2": so many replicas more.
struct MorePool {
  std::string pool;
  std::int64_t replicas = 1;
};
[[nodiscard]] Result<MorePool> parse_more_pool(std::string_view text);
/// The pool with more replicas of what it has: GPUs, rate, concurrency; of serverless pools more workers. Errors: no such pool.
[[nodiscard]] Result<ConfigPtr> with(const Config& config, const MorePool& more);
/// Speeds of pools in `changed`, measured where they had the size they have in `measured`.
void scale_pools(const Config& measured, const Config& changed, SpeedBook& speeds);

}  // namespace tollgate::simulate
