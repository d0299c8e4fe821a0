#pragma once
// The seed of property tests: TOLLGATE_SEED from the environment, else a new one each run. Tests print it when they fail.

#include <cstdlib>
#include <random>

namespace tollgate {

inline unsigned test_seed() {
  if (const char* const given = std::getenv("TOLLGATE_SEED")) return static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  return std::random_device{}();
}

}  // namespace tollgate
