#pragma once
// How sure a sum over blocks of time is: blocks are drawn with replacement, many times, and the sums' quantiles are the interval. What
// is correlated within a block stays together. Deterministic from the seed. Not money: intervals of money, for people.

#include <cstdint>
#include <vector>

namespace tollgate::simulate {

struct Interval {
  double low = 0, high = 0;
};
inline constexpr unsigned bootstrap_draws = 1000;
/// 95 % interval of the sum, to 12 decimals.
[[nodiscard]] Interval interval_of_sum(const std::vector<double>& blocks, std::uint64_t seed);
/// 95 % interval of sum(numerators) / sum(denominators), drawn together.
[[nodiscard]] Interval interval_of_ratio(const std::vector<double>& numerators, const std::vector<double>& denominators, std::uint64_t seed);

}  // namespace tollgate::simulate
