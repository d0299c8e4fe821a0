#pragma once
// Brings together what the engines say (backends/engine_board.hpp) and what the pools cost (metrics/): tells the
// accounts when only foreign work runs, and keeps each pool's prices per token. On the control thread.

#include <map>
#include <mutex>
#include <optional>

#include "backends/engine_board.hpp"
#include "gateway/serving.hpp"
#include "metrics/metrics.hpp"
#include "metrics/pool_prices.hpp"

namespace tollgate {

struct PoolView {
  PoolPrices prices;
  std::optional<std::int64_t> foreign_requests;  ///< in the engines of the pool now; nullopt: not known
};

class EngineWatch {
 public:
  /// How often tick() is called: a scrape's news waits no longer.
  static constexpr std::chrono::milliseconds interval{250};

  explicit EngineWatch(Accounts& accounts) : accounts_(accounts) {}
  void tick(const Serving& serving, MonoTime now);
  [[nodiscard]] PoolView pool(NameId name) const;
  /// The families of engines and of pool prices; gateway/engine_series.cpp.
  void collect(const Serving& serving, std::vector<prometheus::MetricFamily>& families) const;

 private:
  /// What the engines of one pool say together.
  struct Together {
    std::uint64_t tokens = 0, engine_tokens = 0;
    bool engine_known = true, queue = false, full = false;
    std::int64_t saturation = 0;
    std::int64_t foreign = 0;
    bool foreign_known = false;
    std::vector<EngineLoad*> loads;
  };
  struct PoolState {
    PoolWindow window;
    MonoTime sampled{};
    PoolView view;
  };
  void add(Together& pool, const Serving& serving, std::size_t backend) const;
  void sample(const PoolStatus& status, const Together& pool, MonoTime now);

  Accounts& accounts_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<NameId, PoolState> pools_;
};

}  // namespace tollgate
