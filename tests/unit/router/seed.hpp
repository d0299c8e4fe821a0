#pragma once
// The seed of property tests: TOLLGATE_SEED if set, else a new one each time; printed, so that a failure can be
// repeated.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace tollgate::testing {

inline std::uint64_t seed() {
  static const std::uint64_t chosen = [] {
    const char* const given = std::getenv("TOLLGATE_SEED");
    const std::uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "TOLLGATE_SEED=" << value << std::endl;
    return value;
  }();
  return chosen;
}

}  // namespace tollgate::testing
