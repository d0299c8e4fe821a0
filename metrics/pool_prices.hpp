#pragma once
// What a million tokens of a pool cost lately, on three bases, and how full the pool is.
//
//    window.add(sample);                  // once a second
//    const PoolPrices prices = window.prices(pool);
//
// Over the last five minutes, or since the process began if that is less:
//    loaded   = (billed − foreign) ÷ tokens: what the hardware cost, idle time and all, over what it served
//    busy     = attributed ÷ tokens: only the time in which it worked
//    marginal = 0 while the pool has room, for it is paid for anyway; once it is full, one more token takes the place
//    of
//               another, so the busy price
// tokens: prompt (cached ones included) and answer tokens of attempts that ended through this gateway. Without a token
// there is no price: unknown, not 0 and not infinite.
//
// Load ratio = tokens per second over the last 30 s ÷ tokens per second when full. The latter is configured, or
// learned: the most that was seen in ten seconds that began and ended with requests waiting in the engine; before that
// ever happened, the most that was seen at all, and then the ratio is too high rather than too low. Where the engine's
// own counters are known they are used: they rise as tokens are made, and count foreign ones too.
//
// Money is exact integers; rates and ratios are not money. Threads: none of its own. Time: of the samples.

#include <deque>
#include <optional>

#include "metrics/metrics.hpp"

namespace tollgate {

struct PoolSample {
  MonoTime at;
  UsdSum billed, attributed, foreign;
  std::uint64_t tokens = 0;                    ///< served through here
  std::optional<std::uint64_t> engine_tokens;  ///< by the engine, to whomever
  bool queue = false;                          ///< requests wait in the engine
  bool full = false;                           ///< they do, or every place that is configured is taken
};

/// How tokens per second at saturation are known.
enum class SaturationSource : std::uint8_t { none, peak, learned, configured };
[[nodiscard]] std::string_view name_of(SaturationSource source) noexcept;

/// Of a million tokens; nullopt: not known.
struct PoolPrices {
  std::optional<Usd> marginal, busy, loaded;
  std::optional<Usd> busy_since_start, loaded_since_start;
  std::optional<double> tokens_per_second, load_ratio;
  double saturation_tokens_per_second = 0;
  SaturationSource saturation_source = SaturationSource::none;
};

class PoolWindow {
 public:
  static constexpr std::chrono::seconds span{300}, rate_span{30}, learn_span{10};

  /// In the order of time, about one a second.
  void add(const PoolSample& sample);
  /// `saturation`: configured tokens per second; 0: none is.
  [[nodiscard]] PoolPrices prices(std::int64_t saturation) const;

 private:
  /// The youngest sample that is at least so old; else the oldest. If the engine's count is known now, it is there too.
  [[nodiscard]] const PoolSample& before(std::chrono::seconds age) const noexcept;
  void learn();

  std::deque<PoolSample> samples_;  // of the window
  std::optional<PoolSample> first_;
  double peak_ = 0, learned_ = 0;  // tokens per second
};

}  // namespace tollgate
