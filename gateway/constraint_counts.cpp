#include "gateway/constraint_counts.hpp"

#include <prometheus/metric_family.h>

#include <string>

namespace tollgate {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add(MetricFamily& to, std::uint64_t value, std::vector<prometheus::ClientMetric::Label> labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = static_cast<double>(value);
  to.metric.push_back(std::move(metric));
}

}  // namespace

ConstraintCounts::Cell& ConstraintCounts::cell(NameId constraint) {
  for (Cell& each : cells_) {
    if (each.constraint == constraint) return each;
  }
  const std::lock_guard lock(growth_);
  Cell& made = cells_.emplace_back();
  made.constraint = constraint;
  return made;
}

void ConstraintCounts::count(const Config& config, std::uint64_t covered, Counter Cell::*what) {
  for (std::uint64_t bits = covered; bits != 0; bits &= bits - 1) {
    const auto i = static_cast<std::size_t>(__builtin_ctzll(bits));
    (cell(config.constraints[i].name).*what).add(1);
  }
}

void ConstraintCounts::add_to(Totals& totals) const {
  const std::lock_guard lock(growth_);
  for (const Cell& each : cells_) {
    Sums& sums = totals[each.constraint];
    sums.attempts += each.attempts.value();
    sums.refused += each.refused.value();
  }
}

void collect_constraints(const Config& config, ConstraintCounts::Totals totals, std::vector<MetricFamily>& families) {
  for (const Constraint& constraint : config.constraints) totals.try_emplace(constraint.name);
  MetricFamily attempts = family("tollgate_constraint_attempts_total",
                                 "Attempts at targets of requests that the constraint covered, those of evaluations "
                                 "too; all went to targets that it allows.",
                                 MetricType::Counter);
  for (const auto& [name, sums] : totals) add(attempts, sums.attempts, {{"constraint", std::string(text(name))}});
  families.push_back(std::move(attempts));
  MetricFamily refused = family("tollgate_constraint_refused_requests_total",
                                "Requests that the constraint covered and that were refused, because constraints "
                                "rejected them or left them no target.",
                                MetricType::Counter);
  for (const auto& [name, sums] : totals) add(refused, sums.refused, {{"constraint", std::string(text(name))}});
  families.push_back(std::move(refused));
}

}  // namespace tollgate
