#pragma once
// What a simulated gateway keeps of each target, and the order in which its jobs end. Values only; simulate/run.cpp changes them.

#include <cstdint>
#include <optional>

#include "metrics/learned.hpp"
#include "metrics/pricing.hpp"

namespace tollgate::simulate {

/// What the gateway would know of a target.
struct TargetLife {
  LearnedSums learned;
  std::uint32_t in_flight = 0;
  bool was_saturated = false;
  double down_until_us = -1;
  std::optional<TokenRates> rates;   // where prices do not depend on time or tier
};

struct Ending {
  double at_us;
  std::uint64_t job;
  friend bool operator>(const Ending& a, const Ending& b) noexcept { return a.at_us != b.at_us ? a.at_us > b.at_us : a.job > b.job; }
};

}  // namespace tollgate::simulate
