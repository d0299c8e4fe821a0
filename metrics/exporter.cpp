#include "metrics/exporter.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

#include "metrics/series.hpp"

#ifndef TOLLGATE_VERSION
#error "TOLLGATE_VERSION comes from the build (metrics/CMakeLists.txt)"
#endif

namespace tollgate {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Division, not multiplication by 1e-12: the nearest double to the exact value, which prints as people write it.
double usd(UsdSum sum) noexcept { return static_cast<double>(sum.picodollars()) / 1e12; }
double usd(Int128 picodollars) noexcept { return static_cast<double>(picodollars) / 1e12; }
double seconds_of_micros(Int128 micros) noexcept { return static_cast<double>(micros) / 1e6; }

std::string_view or_none(std::string_view text) noexcept { return text.empty() ? std::string_view("none") : text; }
std::string_view label_text(NameId name) noexcept { return or_none(text(name)); }

std::string_view name_of_type(std::size_t type) noexcept {
  static constexpr std::array<std::string_view, 4> names{"input", "cached_input", "cache_write", "output"};
  return type < names.size() ? names[type] : name_of(static_cast<RareClass>(type - names.size()));
}
std::string_view name_of_source(std::size_t source) noexcept {
  static constexpr std::array<std::string_view, usage_source_count> names{"none", "estimated", "continuous", "exact"};
  return names[source];
}

/// A family under construction: values by label, the label names from the table.
class Family {
 public:
  Family(std::vector<MetricFamily>& families, Series series) : facts_(facts_of(series)), families_(families) {
    family_.name = facts_.name;
    family_.help = facts_.help;
    family_.type = facts_.type == SeriesType::counter ? MetricType::Counter
                   : facts_.type == SeriesType::gauge ? MetricType::Gauge
                                                      : MetricType::Histogram;
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
  ~Family() { families_.push_back(std::move(family_)); }

  void add(double value, std::initializer_list<std::string_view> labels = {}) {
    ClientMetric& metric = labelled(labels);
    if (facts_.type == SeriesType::counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
  void add(std::uint64_t value, std::initializer_list<std::string_view> labels = {}) {
    add(static_cast<double>(value), labels);
  }

  /// `scale`: how many of the observed unit make one of the exported.
  template <std::size_t Buckets>
  void add(const HistogramTotals<Buckets>& totals, const std::array<std::int64_t, Buckets>& bounds, double scale,
           std::initializer_list<std::string_view> labels = {}) {
    ClientMetric::Histogram& histogram = labelled(labels).histogram;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i <= Buckets; ++i) {
      cumulative += totals.counts[i];
      const double bound =
          i < Buckets ? static_cast<double>(bounds[i]) / scale : std::numeric_limits<double>::infinity();
      histogram.bucket.push_back({cumulative, bound});
    }
    histogram.sample_count = cumulative;
    histogram.sample_sum = static_cast<double>(totals.sum) / scale;
  }

 private:
  ClientMetric& labelled(std::initializer_list<std::string_view> values) {
    ClientMetric& metric = family_.metric.emplace_back();
    std::string_view names = facts_.labels;
    for (const std::string_view value : values) {
      const std::size_t comma = names.find(',');
      metric.label.push_back({std::string(names.substr(0, comma)), std::string(value)});
      names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    }
    return metric;
  }

  const SeriesFacts& facts_;
  std::vector<MetricFamily>& families_;
  MetricFamily family_;
};

void add_requests(std::vector<MetricFamily>& families, const ShardTotals& totals) {
  {
    Family requests(families, Series::requests);
    for (const auto& [packed, count] : totals.requests) {
      if (count == 0) continue;  // no client's: only money
      const RequestLabels labels = RequestLabels::of(packed);
      requests.add(count, {label_text(labels.route), label_text(labels.target), name_of(labels.tier),
                           label_text(labels.team), labels.outcome.name()});
    }
  }
  Family(families, Series::request_duration).add(totals.duration, duration_bounds, 1e9);
  Family(families, Series::overhead).add(totals.overhead, overhead_bounds, 1e9);
  {
    Family first_token(families, Series::first_token);
    for (const auto& [target, of] : totals.targets)
      first_token.add(of.first_token, wait_bounds, 1e9, {label_text(target)});
  }
  {
    Family per_token(families, Series::per_token);
    for (const auto& [target, of] : totals.targets)
      per_token.add(of.per_token, per_token_bounds, 1e9, {label_text(target)});
  }
  Family(families, Series::complexity).add(totals.score, score_bounds, 1e6);
  {
    Family attempts(families, Series::attempts);
    for (const auto& [target, of] : totals.targets) {
      for (std::size_t i = 0; i < result_count; ++i) {
        const bool expected = result_at(i).is_ok();  // the others appear when they first happen
        if (of.attempts[i] > 0 || expected) attempts.add(of.attempts[i], {label_text(target), result_at(i).name()});
      }
    }
  }
  Family refused(families, Series::refused);
  for (std::size_t i = 0; i < result_count; ++i) {
    if (totals.refused[i] > 0) refused.add(totals.refused[i], {result_at(i).name()});
  }
}

// Only of targets whose providers say what they bill.
void add_reported(std::vector<MetricFamily>& families, const ShardTotals& totals) {
  const auto says = [](const ShardTotals::OfTarget& of) { return of.reported != UsdSum{} || of.by_prices != UsdSum{}; };
  {
    Family reported(families, Series::reported_spend);
    for (const auto& [target, of] : totals.targets) {
      if (says(of)) reported.add(usd(of.reported), {label_text(target)});
    }
  }
  Family by_prices(families, Series::reported_by_prices);
  for (const auto& [target, of] : totals.targets) {
    if (says(of)) by_prices.add(usd(of.by_prices), {label_text(target)});
  }
}

void add_money(std::vector<MetricFamily>& families, const ShardTotals& totals) {
  {
    Family spend(families, Series::spend);
    for (const auto& [labels, sums] : totals.spend) {
      for (std::size_t kind = 0; kind < charge_kind_count; ++kind) {
        const bool is_rare = kind >= static_cast<std::size_t>(ChargeKind::reasoning);
        if (is_rare && sums.usd[kind] == UsdSum{}) continue;  // a series per target and team for what few ever use
        spend.add(usd(sums.usd[kind]),
                  {label_text(labels.target), label_text(labels.team), name_of(static_cast<ChargeKind>(kind))});
      }
    }
  }
  {
    Family by_route(families, Series::route_spend);
    for (const auto& [of, sum] : totals.routes) by_route.add(usd(sum), {label_text(of.first), name_of(of.second)});
  }
  {
    Family tokens(families, Series::tokens);
    for (const auto& [labels, sums] : totals.spend) {
      for (std::size_t type = 0; type < token_type_count; ++type) {
        if (type >= token_type_count - rare_class_count && sums.tokens[type] == 0) continue;
        tokens.add(sums.tokens[type], {label_text(labels.target), label_text(labels.team), name_of_type(type)});
      }
    }
  }
  {
    Family reasoning(families, Series::reasoning_tokens);
    for (const auto& [labels, sums] : totals.spend) {
      reasoning.add(sums.reasoning_tokens, {label_text(labels.target), label_text(labels.team)});
    }
  }
  {
    Family sources(families, Series::usage_source);
    for (std::size_t i = 0; i < usage_source_count; ++i) sources.add(totals.usage_sources[i], {name_of_source(i)});
  }
  {
    Family unpriced(families, Series::unpriced);
    for (const auto& [target, of] : totals.targets) unpriced.add(of.unpriced, {label_text(target)});
  }
  add_reported(families, totals);
}

void add_baselines(std::vector<MetricFamily>& families, const std::vector<BaselineTotal>& baselines) {
  {
    Family spend(families, Series::baseline_spend);
    for (const BaselineTotal& total : baselines)
      spend.add(usd(total.usd), {label_text(total.baseline), label_text(total.team)});
  }
  Family unknown(families, Series::baseline_unknown);
  for (const BaselineTotal& total : baselines)
    unknown.add(total.unknown, {label_text(total.baseline), label_text(total.team)});
}

void add_learning(std::vector<MetricFamily>& families, const std::vector<OutcomeTotal>& outcomes) {
  Family counts(families, Series::outcomes);
  for (const OutcomeTotal& total : outcomes) {
    counts.add(total.count, {or_none(total.target), name_of(total.source), name_of(total.verdict)});
  }
}

void add_ledger(std::vector<MetricFamily>& families, const LedgerStatus& ledger, const Recovery& recovery) {
  Family(families, Series::ledger_writable).add(ledger.writable ? 1.0 : 0.0);
  Family(families, Series::ledger_reachable).add(ledger.failing ? 0.0 : 1.0);
  Family(families, Series::ledger_rows).add(ledger.rows_committed);
  Family(families, Series::ledger_requests).add(ledger.requests_committed);
  Family(families, Series::ledger_waiting).add(ledger.requests_waiting);
  Family(families, Series::ledger_commits).add(ledger.commits);
  Family(families, Series::ledger_commit_failures).add(ledger.commit_failures);
  Family(families, Series::ledger_last_commit).add(seconds_of_micros(ledger.last_commit.count()));
  Family(families, Series::ledger_duplicates).add(ledger.duplicates);
  Family(families, Series::ledger_folded).add(ledger.folded);
  Family(families, Series::ledger_fold_failures).add(ledger.fold_failures);
  Family recovered(families, Series::ledger_recovered);
  recovered.add(recovery.settled, {"settled"});
  recovered.add(recovery.open, {"open"});
  recovered.add(recovery.damaged, {"damaged"});
}

// increase() and rate() do not see what a series counted before its first scrape. So money and tokens of the configured
// targets and teams stand at 0 from the start, as long as that is not a flood of series that may never count.
constexpr std::size_t seeded_pairs_max = 500;

void add_zeros(const ExportedState& state, ShardTotals& totals) {
  for (const NameId route : state.routes) {
    for (std::size_t tier = 0; tier < tier_count; ++tier) (void)totals.routes[{route, static_cast<Tier>(tier)}];
  }
  if (state.targets.size() * state.teams.size() > seeded_pairs_max) return;
  for (const NameId target : state.targets) {
    for (const NameId team : state.teams) (void)totals.spend[{target, team}];
  }
}

std::vector<BaselineTotal> with_zeros(const ExportedState& state) {
  std::vector<BaselineTotal> all = state.baselines;
  if (state.baseline_names.size() * state.teams.size() > seeded_pairs_max) return all;
  for (const NameId baseline : state.baseline_names) {
    for (const NameId team : state.teams) {
      const bool counted = std::any_of(all.begin(), all.end(), [&](const BaselineTotal& total) {
        return total.baseline == baseline && total.team == team;
      });
      if (!counted) all.push_back({baseline, team, {}, 0});
    }
  }
  return all;
}

}  // namespace

void Exporter::add_pools(std::vector<MetricFamily>& families, const std::vector<PoolStatus>& pools) {
  {
    Family billed(families, Series::pool_billed);
    for (const PoolStatus& pool : pools) billed.add(usd(pool.billed), {label_text(pool.pool)});
  }
  {
    Family cost(families, Series::pool_cost);
    for (const PoolStatus& pool : pools) {
      PoolMemory& memory = pools_[pool.pool];
      const auto [attributed, rest] =
          memory.cost.publish(pool.attributed.picodollars(), pool.idle.picodollars());
      const auto [idle, foreign] = memory.idle_cost.publish(rest, pool.foreign.picodollars());
      const std::string_view name = label_text(pool.pool);
      cost.add(usd(attributed), {name, "attributed"});
      cost.add(usd(idle), {name, "idle"});
      cost.add(usd(foreign), {name, "foreign"});
      cost.add(usd(pool.cold_start), {name, "cold_start"});
      cost.add(usd(pool.minimum), {name, "minimum"});
      cost.add(usd(pool.down), {name, "down"});
      cost.add(usd(pool.rounding), {name, "rounding"});
    }
  }
  {
    Family time(families, Series::pool_gpu_seconds);
    for (const PoolStatus& pool : pools) {
      PoolMemory& memory = pools_[pool.pool];
      const auto [busy, rest] = memory.gpu_time.publish(pool.busy_gpu_time.count(), pool.idle_gpu_time.count());
      const auto [idle, foreign] = memory.idle_gpu_time.publish(rest, pool.foreign_gpu_time.count());
      time.add(seconds_of_micros(busy), {label_text(pool.pool), "busy"});
      time.add(seconds_of_micros(idle), {label_text(pool.pool), "idle"});
      time.add(seconds_of_micros(foreign), {label_text(pool.pool), "foreign"});
      time.add(seconds_of_micros(pool.cold_start_gpu_time.count()), {label_text(pool.pool), "cold_start"});
      time.add(seconds_of_micros(pool.minimum_gpu_time.count()), {label_text(pool.pool), "minimum"});
      time.add(seconds_of_micros(pool.down_gpu_time.count()), {label_text(pool.pool), "down"});
    }
  }
  {
    Family ratio(families, Series::pool_busy_ratio);
    for (const PoolStatus& pool : pools) ratio.add(pool.busy_ratio, {label_text(pool.pool)});
  }
  Family in_flight(families, Series::pool_in_flight);
  for (const PoolStatus& pool : pools) in_flight.add(static_cast<double>(pool.in_flight), {label_text(pool.pool)});
}

std::vector<MetricFamily> Exporter::families(const ExportedState& state) {
  ShardTotals totals = state.totals;
  for (const NameId target : state.targets) (void)totals.targets[target];
  add_zeros(state, totals);
  std::vector<MetricFamily> families;
  families.reserve(series_table.size());
  Family(families, Series::build_info).add(1.0, {TOLLGATE_VERSION});
  add_requests(families, totals);
  add_money(families, totals);
  add_baselines(families, with_zeros(state));
  add_learning(families, state.outcomes);
  {
    const std::lock_guard lock(mutex_);
    add_pools(families, state.pools);
  }
  add_ledger(families, state.ledger, state.recovery);
  return families;
}

std::string Exporter::text(const std::vector<MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tollgate
