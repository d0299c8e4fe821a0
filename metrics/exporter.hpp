#pragma once
// Shards, pools and ledger as Prometheus families and as text. The only place where money becomes a double: the
// rendered copy.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "metrics/metrics.hpp"
#include "metrics/shard.hpp"

namespace tollgate {

/// Everything that is exported, as of one moment.
struct ExportedState {
  ShardTotals totals;
  std::vector<PoolStatus> pools;
  LedgerStatus ledger;
  std::vector<BaselineTotal> baselines;
  std::vector<OutcomeTotal> outcomes;
  Recovery recovery;
  std::vector<NameId> targets;  ///< configured: their series exist from the start, at 0
  std::vector<NameId> teams;      ///< likewise; NameId::none stands for callers without a key
  std::vector<NameId> baseline_names;
  std::vector<NameId> routes;
};

/// A counter that others compute rates from must never fall, though what it counts may, a little: a withdrawn attempt
/// turns attributed into idle, rounding takes back a picodollar. What is published of such a pair is held where it was
/// until the truth has caught up; the sum of the pair is right at every moment.
class NeverFalling {
 public:
  struct Pair {
    Int128 first, second;
  };
  [[nodiscard]] Pair publish(Int128 first, Int128 second) noexcept {
    if (first > published_) published_ = first;
    return {published_, second - (published_ - first)};
  }

 private:
  Int128 published_ = 0;
};

class Exporter {
 public:
  /// All families of this folder, in the order of the series table.
  [[nodiscard]] std::vector<prometheus::MetricFamily> families(const ExportedState& state);
  [[nodiscard]] static std::string text(const std::vector<prometheus::MetricFamily>& families);

 private:
  void add_pools(std::vector<prometheus::MetricFamily>& families, const std::vector<PoolStatus>& pools);

  struct PoolMemory {
    NeverFalling cost, gpu_time, idle_cost, idle_gpu_time;
  };
  std::mutex mutex_;
  std::map<NameId, PoolMemory> pools_;
};

}  // namespace tollgate
