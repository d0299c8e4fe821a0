#include "gateway/budget_metrics.hpp"

#include <prometheus/metric_family.h>

namespace tollgate {

namespace {

using prometheus::MetricType;

double usd(UsdSum sum) noexcept { return static_cast<double>(sum.picodollars()) / 1e12; }

using Families = std::vector<prometheus::MetricFamily>;

/// A family under construction; `labels`: comma-separated, in the order of the values (docs/metrics.md is made of
/// this).
class Series {
 public:
  Series(Families& families, std::string name, MetricType type, std::string_view labels, std::string help)
      : family_(families.emplace_back()), labels_(labels) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }
  void add(double value, std::initializer_list<std::string_view> label_values) {
    prometheus::ClientMetric& metric = family_.metric.emplace_back();
    std::string_view names = labels_;
    for (const std::string_view label : label_values) {
      const std::size_t comma = names.find(',');
      metric.label.push_back({std::string(names.substr(0, comma)), std::string(label)});
      names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    }
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  }

 private:
  prometheus::MetricFamily& family_;  // the last of the vector, until the next Series is made
  std::string_view labels_;
};

void collect_amounts(const std::vector<BudgetStatus>& all, Families& families) {
  const auto each = [&](Series series, const auto& value_of) {
    for (const BudgetStatus& status : all) series.add(value_of(status), {text(status.rule.name)});
  };
  each(
      Series(families, "tollgate_budget_limit_usd", MetricType::Gauge, "budget", "What a budget allows in one window."),
      [](const BudgetStatus& status) { return usd(UsdSum{status.rule.limit}); });
  each(Series(families, "tollgate_budget_spent_usd", MetricType::Gauge, "budget",
              "What was spent in the window that runs."),
       [](const BudgetStatus& status) { return usd(status.spent); });
  each(Series(families, "tollgate_budget_reserved_usd", MetricType::Gauge, "budget",
              "What requests under way hold: the most they may still cost."),
       [](const BudgetStatus& status) { return usd(status.held); });
  each(Series(families, "tollgate_budget_remaining_usd", MetricType::Gauge, "budget",
              "What is left of the limit: neither spent nor reserved."),
       [](const BudgetStatus& status) { return usd(status.left()); });
  each(Series(families, "tollgate_budget_overrun_usd_total", MetricType::Counter, "budget",
              "What attempts cost beyond what was reserved for them. Not 0: answers are longer than "
              "anything that bounds them; set output_tokens_max."),
       [](const BudgetStatus& status) { return usd(status.overrun); });
}

void collect_events(const std::vector<BudgetStatus>& all, Families& families) {
  const auto each = [&](Series series, std::uint64_t BudgetStatus::*count) {
    for (const BudgetStatus& status : all) series.add(static_cast<double>(status.*count), {text(status.rule.name)});
  };
  each(Series(families, "tollgate_budget_refused_total", MetricType::Counter, "budget",
              "Requests and further attempts that were refused for want of this budget."),
       &BudgetStatus::refused);
  each(Series(families, "tollgate_budget_warned_total", MetricType::Counter, "budget",
              "Requests that went on although they may pass this soft budget."),
       &BudgetStatus::warned);
  each(Series(families, "tollgate_budget_diverted_total", MetricType::Counter, "budget",
              "Requests of which this soft budget left only the cheapest targets."),
       &BudgetStatus::diverted);
  each(Series(families, "tollgate_budget_trimmed_total", MetricType::Counter, "budget",
              "Requests that lost a target to this hard budget and went on with the others."),
       &BudgetStatus::trimmed);
  each(Series(families, "tollgate_budget_unpriced_attempts_total", MetricType::Counter, "budget",
              "Attempts of unknown cost, for which an assumed amount counts."),
       &BudgetStatus::unpriced);
  each(Series(families, "tollgate_budget_expired_holds_total", MetricType::Counter, "budget",
              "Holds that came free because their request did not end in two hours."),
       &BudgetStatus::expired);
}

void collect_leases(const std::vector<BudgetStatus>& all, Families& families) {
  Series leased(families, "tollgate_budget_leased_usd", MetricType::Gauge, "budget",
                "Of a shared budget: what this gateway may use without asking the store.");
  for (const BudgetStatus& status : all) {
    if (status.shared) leased.add(usd(status.shared->leased), {text(status.rule.name)});
  }
  Series own(families, "tollgate_budget_own_spent_usd", MetricType::Gauge, "budget",
             "Of a shared budget: what was spent through this gateway in the window that runs.");
  for (const BudgetStatus& status : all) {
    if (status.shared) own.add(usd(status.shared->own_spent), {text(status.rule.name)});
  }
}

void collect_sharing(const SharingStatus& status, Families& families) {
  const auto one = [&](Series series, double value) { series.add(value, {}); };
  one(Series(families, "tollgate_shared_up", MetricType::Gauge, "",
             "1 if the store of shared budgets and limits answers this gateway."),
      status.reached ? 1 : 0);
  one(Series(families, "tollgate_shared_fenced", MetricType::Gauge, "",
             "1 if another process reports to the store under this gateway's name: nothing is granted to this one."),
      status.fenced ? 1 : 0);
  one(Series(families, "tollgate_shared_exchanges_total", MetricType::Counter, "",
             "Times this gateway reported to the store of shared budgets and limits."),
      static_cast<double>(status.exchanges));
  one(Series(families, "tollgate_shared_exchange_failures_total", MetricType::Counter, "",
             "Of them, those that were not answered."),
      static_cast<double>(status.failures));
  one(Series(families, "tollgate_shared_exchange_seconds_total", MetricType::Counter, "",
             "Time that the answered ones took; over their number it is the mean."),
      status.exchange_seconds);
  one(Series(families, "tollgate_shared_losses_total", MetricType::Counter, "",
             "Times the store was found to have begun anew: every gateway said again what it had spent."),
      static_cast<double>(status.losses));
}

void collect_limits(const std::vector<RateLimitStatus>& all, Families& families) {
  Series series(families, "tollgate_rate_limited_total", MetricType::Counter, "limit,kind",
                "Requests that a limit refused, by what there was too much of.");
  for (const RateLimitStatus& status : all) {
    for (std::size_t kind = 0; kind < limit_kind_count; ++kind) {
      series.add(static_cast<double>(status.refused[kind]),
                 {text(status.limit), name_of(static_cast<LimitKind>(kind))});
    }
  }
}

}  // namespace

void collect_budgets(Guards& guards, Families& families) {
  if (guards.budgets.any()) {
    const std::vector<BudgetStatus> all = guards.budgets.status(BudgetClock::now());
    collect_amounts(all, families);
    collect_events(all, families);
    if (guards.sharing) collect_leases(all, families);
  }
  if (guards.sharing) collect_sharing(guards.sharing->status(), families);
  if (guards.limits.any()) collect_limits(guards.limits.status(), families);
}

}  // namespace tollgate
