#pragma once
// The autopilot in simulated time: the same governors as the gateway's (router/governors.hpp), told once a second what the simulated
// fleet did. Nothing happens where no route has autopilot.

#include <memory>
#include <vector>

#include "router/governors.hpp"
#include "router/router.hpp"
#include "simulate/engine.hpp"
#include "simulate/world.hpp"

namespace tollgate::simulate {

class Steering {
 public:
  explicit Steering(const Config& config);
  [[nodiscard]] bool is_on() const noexcept { return !governors_.all().empty(); }

  /// How long a pool's answers take, as measured before the simulation begins.
  void know(std::size_t backend, double service_seconds);
  /// Lets the governors decide, if a second has passed.
  void reach(double now_us, std::chrono::sys_seconds clock, const std::vector<std::unique_ptr<Engine>>& engines);
  void decided(const Plan& plan);
  /// An attempt that ended; `warm`: no worker had to boot for it.
  void served(std::size_t backend, bool warm, double took_us);
  [[nodiscard]] const std::optional<PoolStance>& stance_of(std::size_t backend) const noexcept { return stances_[backend]; }

  /// What it did with a pool that it governs; of others nothing is noted.
  void note(std::size_t backend, double end_us, PoolWorld& pool) const;

 private:
  struct Kept {
    std::uint64_t opened = 0, closed = 0;
    double open_us = 0;
  };

  const Config& config_;
  Governors governors_;
  std::vector<PoolGovernor::Seen> seen_;              // by backend, since the last tick
  std::vector<std::optional<PoolStance>> stances_;    // by backend; nullopt: not governed
  std::vector<Kept> kept_;
  double ticked_us_ = -1;
};

}  // namespace tollgate::simulate
