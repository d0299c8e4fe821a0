#pragma once
// What a reactor saw for the autopilot: requests that were on offer to serverless pools, how long those took what they served, and
// what was decided. Cells are made when a pool or a set of labels is first seen and are then counted up without a lock; reading and
// making a cell exclude each other.

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "metrics/counter.hpp"
#include "router/router.hpp"

namespace tollgate {

class AutopilotCounts {
 public:
  /// Since the process began.
  struct OfPool {
    std::uint64_t offered = 0, served_warm = 0, served_cold = 0, warm_us = 0, cold_us = 0;
    UsdSum elsewhere;
  };
  struct Labels {
    NameId route, target;
    Standing standing;     ///< of the plan's first target
    friend auto operator<=>(const Labels&, const Labels&) = default;
  };
  struct Totals {
    std::map<NameId, OfPool> pools;
    std::map<Labels, std::uint64_t> decisions;
  };

  // -- of the reactor's thread --
  /// Of a plan on a route with autopilot.
  void decided(const Plan& plan, const Config& config);
  /// An attempt at a serverless pool that answered; `warm`: a worker was up when it was decided.
  void served(NameId pool, bool warm, std::int64_t took_us);

  /// Any thread.
  void add_to(Totals& totals) const;

 private:
  struct PoolCell {
    NameId pool{};
    Counter offered, served_warm, served_cold, warm_us, cold_us;
    MoneyCounter elsewhere;
  };
  struct DecisionCell {
    Labels labels{};
    Counter count;
  };
  PoolCell& cell(NameId pool);
  Counter& cell(const Labels& labels);

  mutable std::mutex growth_;   // held to make a cell, and to read all of them
  std::deque<PoolCell> pools_;  // addresses never change
  std::deque<DecisionCell> decisions_;
  std::unordered_map<std::uint64_t, DecisionCell*> by_labels_;
};

}  // namespace tollgate
