#pragma once
// The autopilot's control side: once a second it takes what the reactors saw, lets the governors of the serverless pools decide, and
// hands their stances to the reactors as an immutable snapshot. Nothing runs while no route has autopilot.
//
// Threads: tick() on the control thread; collect() and report() on any.

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "gateway/autopilot_counts.hpp"
#include "gateway/serving.hpp"
#include "metrics/metrics.hpp"
#include "router/governors.hpp"

namespace tollgate {

class Reactor;

/// What reactors see: the stances of one configuration's serverless pools.
struct Stances {
  std::uint64_t generation = 0;                        ///< of the Serving whose backends these are
  std::vector<std::optional<PoolStance>> by_backend;   ///< nullopt: not governed
};
using StancesPtr = std::shared_ptr<const Stances>;

class Autopilot {
 public:
  static constexpr std::chrono::milliseconds interval{1'000};

  /// nullptr: no route has autopilot.
  [[nodiscard]] StancesPtr tick(const Serving& serving, const AutopilotCounts::Totals& totals, std::span<const PoolStatus> pools, MonoTime now);
  /// The families of the autopilot; none while no route has it.
  void collect(const AutopilotCounts::Totals& totals, std::vector<prometheus::MetricFamily>& families) const;

  struct OfPool {
    NameId pool;
    PoolStance stance;
    std::uint64_t opened = 0, closed = 0;
  };
  [[nodiscard]] std::vector<OfPool> report() const;

 private:
  mutable std::mutex mutex_;   // guards what follows
  Governors governors_;
  std::map<NameId, AutopilotCounts::OfPool> before_;
  std::uint64_t generation_ = 0;
  MonoTime ticked_{};
};

}  // namespace tollgate
