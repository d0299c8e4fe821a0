#pragma once
// One reactor's counters: what /metrics shows of requests, attempts, tokens and money, counted where the request lived
// and summed when somebody asks.
//
//    shard.settled(slot_request, closing);        // the reactor
//    shard.add_to(totals);                        // whoever renders
//
// Cells are found by a packed key in a map that only the reactor looks into, and live in deques, so that their
// addresses never change. Making a new cell and reading all of them exclude each other by a mutex, which the reactor
// therefore takes only when a label set is seen for the first time. Counts are integers; money is exact.

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <map>
#include <mutex>

#include "metrics/counter.hpp"
#include "metrics/metrics.hpp"

namespace tollgate {

inline constexpr std::size_t result_count = static_cast<std::size_t>(Fault::internal) + 2;  // the faults, and ok
[[nodiscard]] constexpr std::size_t index_of(RowResult result) noexcept {
  return result.is_ok() ? result_count - 1 : std::min<std::size_t>(result.value, result_count - 2);
}
[[nodiscard]] constexpr RowResult result_at(std::size_t index) noexcept {
  return index + 1 == result_count ? RowResult::ok() : RowResult::of(static_cast<Fault>(index));
}

/// Classes of tokens that do not overlap, and so may be added up.
/// The classes of a usage: first these four, then those of RareClass.
enum class TokenType : std::uint8_t { input, cached_input, cache_write, output };
inline constexpr std::size_t token_type_count = 4 + rare_class_count;
inline constexpr std::size_t usage_source_count = 4;

// Bounds of histograms: nanoseconds, and millionths for the score.
inline constexpr std::array<std::int64_t, 14> overhead_bounds{5'000,      10'000,     20'000,     50'000,     100'000,
                                                              200'000,    500'000,    1'000'000,  2'000'000,  5'000'000,
                                                              10'000'000, 20'000'000, 50'000'000, 100'000'000};
inline constexpr std::array<std::int64_t, 16> wait_bounds{
    10'000'000,     20'000'000,     50'000'000,     100'000'000,   200'000'000,   350'000'000,
    500'000'000,    750'000'000,    1'000'000'000,  1'500'000'000, 2'500'000'000, 5'000'000'000,
    10'000'000'000, 20'000'000'000, 40'000'000'000, 80'000'000'000};
inline constexpr std::array<std::int64_t, 14> per_token_bounds{
    1'000'000,  2'000'000,  5'000'000,  10'000'000,  15'000'000,  20'000'000,  30'000'000,
    40'000'000, 60'000'000, 80'000'000, 120'000'000, 200'000'000, 500'000'000, 1'000'000'000};
inline constexpr std::array<std::int64_t, 16> duration_bounds{
    10'000'000,     50'000'000,      100'000'000,     250'000'000,    500'000'000,    1'000'000'000,
    2'000'000'000,  3'000'000'000,   5'000'000'000,   8'000'000'000,  15'000'000'000, 30'000'000'000,
    60'000'000'000, 120'000'000'000, 300'000'000'000, 600'000'000'000};
inline constexpr std::array<std::int64_t, 20> score_bounds{
    50'000,  100'000, 150'000, 200'000, 250'000, 300'000, 350'000, 400'000, 450'000, 500'000,
    550'000, 600'000, 650'000, 700'000, 750'000, 800'000, 850'000, 900'000, 950'000, 1'000'000};

struct RequestLabels {
  NameId route, target, team;
  Tier tier;
  RowResult outcome;
  [[nodiscard]] std::uint64_t packed() const noexcept;  ///< NameIds are below 65,536
  [[nodiscard]] static RequestLabels of(std::uint64_t packed) noexcept;
};

struct SpendLabels {
  NameId target, team;
  friend auto operator<=>(const SpendLabels&, const SpendLabels&) = default;
};

/// All shards together.
struct ShardTotals {
  struct Spend {
    std::array<UsdSum, charge_kind_count> usd{};
    std::array<std::uint64_t, token_type_count> tokens{};
    std::uint64_t reasoning_tokens = 0;
  };
  struct OfTarget {
    std::array<std::uint64_t, result_count> attempts{};
    std::uint64_t unpriced = 0;
    UsdSum reported, by_prices;
    HistogramTotals<wait_bounds.size()> first_token;
    HistogramTotals<per_token_bounds.size()> per_token;
  };
  std::map<std::uint64_t, std::uint64_t> requests;  ///< by RequestLabels::packed()
  std::map<std::pair<NameId, Tier>, UsdSum> routes;  ///< the same money as `spend`, by route and tier
  std::map<SpendLabels, Spend> spend;
  std::map<NameId, OfTarget> targets;
  std::array<std::uint64_t, usage_source_count> usage_sources{};
  std::array<std::uint64_t, result_count> refused{};
  std::uint64_t settled = 0;
  HistogramTotals<overhead_bounds.size()> overhead;
  HistogramTotals<duration_bounds.size()> duration;
  HistogramTotals<score_bounds.size()> score;
};

class Shard {
 public:
  /// Label sets of one kind past which a new team is counted as "other", so that a configuration with very many teams
  /// cannot fill the memory of everything that scrapes.
  static constexpr std::size_t cells_max = 20'000;

  Shard();
  /// A request that is about to be settled, with all its attempts.
  void settled(const OpenRequest& request, const RequestClosing& closing) noexcept;
  void refused(RowResult result) noexcept { refused_[index_of(result)].add(1); }
  /// An attempt whose provider said what it billed, and what it comes to by the prices that are configured.
  void reported(NameId target, Usd said, Usd by_prices) noexcept;
  [[nodiscard]] std::uint64_t settled_count() const noexcept { return settled_.value(); }

  void add_to(ShardTotals& totals) const;

 private:
  struct SpendCell {
    SpendLabels labels;
    std::array<MoneyCounter, charge_kind_count> usd;
    std::array<Counter, token_type_count> tokens;
    Counter reasoning_tokens;
  };
  struct TargetCell {
    NameId target;
    std::array<Counter, result_count> attempts;
    Counter unpriced;
    MoneyCounter reported, by_prices;
    Histogram<wait_bounds.size()> first_token{wait_bounds};
    Histogram<per_token_bounds.size()> per_token{per_token_bounds};
  };
  struct RequestCell {
    std::uint64_t labels;
    Counter count;
    MoneyCounter usd;
  };
  /// Cells by packed key.
  template <class Cell>
  struct Cells {
    std::deque<Cell> cells;
    boost::unordered_flat_map<std::uint64_t, Cell*> by_key;
  };

  RequestCell& cell_of(RequestLabels labels) noexcept;
  SpendCell& cell_of(SpendLabels labels) noexcept;
  TargetCell& cell_of(NameId target) noexcept;
  void attempted(const AttemptRow& attempt, const RequestRow& row) noexcept;

  const NameId other_;
  mutable std::mutex growth_;  // held to add a cell, and to walk over all of them
  Cells<RequestCell> requests_;
  Cells<SpendCell> spend_;
  Cells<TargetCell> targets_;
  std::array<Counter, usage_source_count> usage_sources_;
  std::array<Counter, result_count> refused_;
  Counter settled_;
  Histogram<overhead_bounds.size()> overhead_{overhead_bounds};
  Histogram<duration_bounds.size()> duration_{duration_bounds};
  Histogram<score_bounds.size()> score_{score_bounds};
};

}  // namespace tollgate
