#pragma once
// Recorded traffic through a configuration in simulated time: every request is decided by the router's own code with the state that
// the simulated fleet is in then, and served by it.
//
//    const World after = run({rules, traffic, speeds});
//    const World before = as_recorded(traffic, blocks);      // what the ledger says, in the same form
//
// Deterministic: the same arguments give the same world. Time is cut into blocks, whose sums are what bootstrap.hpp draws from.
// Assumed: an answer is as long at another target as it was; prompt caches of other targets are cold; what failed at a target fails
// there again; who was refused by a rate limit, a budget or its own bound on cost stays refused.

#include <vector>

#include "simulate/engine.hpp"
#include "simulate/rules.hpp"
#include "simulate/world.hpp"

namespace tollgate::simulate {

struct Scenario {
  const Rules& rules;
  const Traffic& traffic;
  const SpeedBook& speeds;
  const QualityBook& quality;
  double scale = 1;                  ///< so many times the traffic
  std::uint64_t seed = 1;            ///< of the copies' times
  /// Whose capabilities decide what is at risk, by target; empty: the configuration's own. For sweeps, which change those.
  std::vector<double> trusted_capability;
};
/// When a request comes, since the blocks' begin; of scaled traffic there are copies, each at a time of its own.
struct Arrival {
  double at_us = 0;
  std::uint32_t request = 0;
  std::uint16_t copy = 0;
};
[[nodiscard]] std::vector<Arrival> arrivals_of(const Scenario& scenario, const Blocks& blocks);   // by time

[[nodiscard]] World run(const Scenario& scenario, const Blocks& blocks, const OnProgress& on_progress = {});
[[nodiscard]] World as_recorded(const Traffic& traffic, const Config& config, const QualityBook& quality, const Blocks& blocks);

}  // namespace tollgate::simulate
