#include <algorithm>
#include <cmath>

#include "simulate/run.hpp"

namespace tollgate::simulate {
namespace {

constexpr double copy_spread_us = 60e6;   // copies of a request come within so long of it

/// splitmix64: the same numbers everywhere, unlike the standard library's distributions.
double unit(std::uint64_t& state) noexcept {
  state += 0x9E3779B97F4A7C15ULL;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  constexpr double steps = 9007199254740992.0;   // 2^53
  return static_cast<double>((mixed ^ (mixed >> 31)) >> 11) / steps;
}

}  // namespace

std::vector<Arrival> arrivals_of(const Scenario& scenario, const Blocks& blocks) {
  std::vector<Arrival> arrivals;
  const std::vector<RecordedRequest>& all = scenario.traffic.requests;
  arrivals.reserve(static_cast<std::size_t>(static_cast<double>(all.size()) * std::max(scenario.scale, 1.0)) + 1);
  std::uint64_t random = scenario.seed;
  const auto end = static_cast<double>(blocks.end_us - blocks.begin_us);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto at = static_cast<double>(all[i].arrived_us - blocks.begin_us);
    if (scenario.scale == 1) {
      arrivals.push_back({at, static_cast<std::uint32_t>(i), 0});
      continue;
    }
    const double whole = std::floor(scenario.scale);
    const auto copies = static_cast<unsigned>(whole) + (unit(random) < scenario.scale - whole ? 1U : 0U);
    for (unsigned copy = 0; copy < copies; ++copy) {
      const double shift = copy == 0 ? 0 : (unit(random) - 0.5) * 2 * copy_spread_us;
      arrivals.push_back({std::clamp(at + shift, 0.0, end), static_cast<std::uint32_t>(i), static_cast<std::uint16_t>(copy)});
    }
  }
  std::stable_sort(arrivals.begin(), arrivals.end(), [](const Arrival& a, const Arrival& b) { return a.at_us < b.at_us; });
  return arrivals;
}

}  // namespace tollgate::simulate
