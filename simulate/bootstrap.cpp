#include "simulate/bootstrap.hpp"

#include <algorithm>
#include <cmath>

namespace tollgate::simulate {
namespace {

/// splitmix64: the same numbers everywhere, unlike the standard library's distributions.
std::uint64_t next(std::uint64_t& state) noexcept {
  state += 0x9E3779B97F4A7C15ULL;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  return mixed ^ (mixed >> 31);
}

Interval quantiles(std::vector<double>& draws) {
  std::sort(draws.begin(), draws.end());
  const auto at = [&](double share) { return draws[static_cast<std::size_t>(std::lround(share * static_cast<double>(draws.size() - 1)))]; };
  return {at(0.025), at(0.975)};
}

}  // namespace

Interval interval_of_sum(const std::vector<double>& blocks, std::uint64_t seed) {
  if (blocks.empty()) return {};
  std::uint64_t state = seed;
  std::vector<double> draws;
  for (unsigned draw = 0; draw < bootstrap_draws; ++draw) {
    double sum = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) sum += blocks[next(state) % blocks.size()];
    // To a picodollar, as amounts are: the order of the draws must not show in the last digit.
    draws.push_back(std::round(sum * 1e12) / 1e12);
  }
  return quantiles(draws);
}

Interval interval_of_ratio(const std::vector<double>& numerators, const std::vector<double>& denominators, std::uint64_t seed) {
  if (numerators.empty()) return {};
  std::uint64_t state = seed;
  std::vector<double> draws;
  for (unsigned draw = 0; draw < bootstrap_draws; ++draw) {
    double over = 0, under = 0;
    for (std::size_t i = 0; i < numerators.size(); ++i) {
      const std::size_t drawn = next(state) % numerators.size();
      over += numerators[drawn];
      under += denominators[drawn];
    }
    draws.push_back(under != 0 ? over / under : 0);
  }
  return quantiles(draws);
}

}  // namespace tollgate::simulate
