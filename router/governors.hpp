#pragma once
// The governors of a configuration's serverless pools, for the gateway's control thread and for simulated time alike.
//
//    Governors governors;
//    governors.adopt(*config);                              // a pool that stays keeps its governor
//    for (Governors::Governed& each : governors.all()) governors.tick(each, *config, seen, workers_up, clock, now);
//
// Threads: none of its own.

#include <chrono>
#include <vector>

#include "router/autopilot.hpp"

namespace tollgate {

class Governors {
 public:
  struct Governed {
    std::size_t backend;       ///< index into Config::backends
    NameId pool;
    PoolGovernor governor;
  };
  /// Serverless pools with a target on a route with autopilot.
  void adopt(const Config& config);
  [[nodiscard]] std::vector<Governed>& all() noexcept { return all_; }
  [[nodiscard]] const std::vector<Governed>& all() const noexcept { return all_; }
  /// `clock`: what decides which of timed prices hold; `now`: seconds that do not go back.
  const PoolStance& tick(Governed& each, const Config& config, const PoolGovernor::Seen& seen, std::uint32_t workers_up, std::chrono::sys_seconds clock, double now) const;

 private:
  std::vector<Governed> all_;
};

/// A number that changes when what the pool or a target on its routes costs changes.
[[nodiscard]] std::uint64_t prices_number(const Config& config, std::size_t backend, std::chrono::sys_seconds clock);

}  // namespace tollgate
