#pragma once
// What managed hosts would take for the tokens of each pool, as Prometheus families: from which busy share on the pool is cheaper, and
// what it saves now. Compared is with the cheapest configured managed target of the same model, and with the cheapest host of the price
// book (against="list"), both at the pool's own mix of prompt and answer tokens. What is not known has no series.

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "config/units.hpp"
#include "gateway/engine_watch.hpp"

namespace tollgate {

/// A pool's price against a managed one.
struct BreakEvenPoint {
  double managed_usd_per_million = 0;
  std::optional<double> ratio;          ///< busy share from which the pool costs less; above 1: never
  std::optional<double> usd_per_hour;   ///< what the pool saves now; negative: it costs more
};
struct ManagedPrice {
  UsdPerToken input, output;
};
/// At so many prompt and answer tokens; nullopt: there were none.
[[nodiscard]] std::optional<BreakEvenPoint> break_even_of(const PoolPrices& prices, const ManagedPrice& managed, std::uint64_t prompt, std::uint64_t answer);

class BreakEvenSeries {
 public:
  void collect(const Serving& serving, const EngineWatch& watch, std::vector<prometheus::MetricFamily>& families);

 private:
  struct Against {
    std::string name;
    ManagedPrice price;
  };
  /// By backend; looked up once per configuration and day.
  void look_up(const Serving& serving);

  std::mutex mutex_;   // guards what follows
  std::uint64_t generation_ = 0;
  std::chrono::sys_days day_{};
  std::vector<std::vector<Against>> against_;
};

}  // namespace tollgate
