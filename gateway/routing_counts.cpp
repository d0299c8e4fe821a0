#include "gateway/routing_counts.hpp"

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

void add(MetricFamily& to, std::uint64_t count, std::vector<prometheus::ClientMetric::Label> labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = static_cast<double>(count);
  to.metric.push_back(std::move(metric));
}

}  // namespace

Counter& RoutingCounts::cell(const Labels& labels) {
  // NameIds are below 65,536: the key is exact.
  const std::uint64_t key = static_cast<std::uint64_t>(labels.route) << 48 |
                            static_cast<std::uint64_t>(labels.from) << 32 |
                            static_cast<std::uint64_t>(labels.to) << 16 | static_cast<std::uint64_t>(labels.reason);
  Cell*& known = by_labels_[key];
  if (known == nullptr) {
    const std::lock_guard lock(growth_);
    known = &cells_.emplace_back();
    known->labels = labels;
  }
  return known->count;
}

void RoutingCounts::add_to(Totals& totals) const {
  const std::lock_guard lock(growth_);
  for (const Cell& each : cells_) totals[each.labels] += each.count.value();
}

void collect_routing(const RoutingCounts::Totals& totals, std::vector<MetricFamily>& families) {
  MetricFamily spilled = family("tollgate_spillovers_total",
                                "Requests that went elsewhere because the target they would have gone to was "
                                "saturated.",
                                MetricType::Counter);
  for (const auto& [labels, count] : totals) {
    if (labels.reason != AnswerCheck::ok) continue;
    add(spilled, count,
        {{"route", std::string(text(labels.route))},
         {"from", std::string(text(labels.from))},
         {"to", std::string(text(labels.to))}});
  }
  families.push_back(std::move(spilled));
  MetricFamily escalated = family("tollgate_escalations_total",
                                  "Answers on cascade routes that failed their check and were asked for again of the "
                                  "next target, by what was wrong with them.",
                                  MetricType::Counter);
  for (const auto& [labels, count] : totals) {
    if (labels.reason == AnswerCheck::ok) continue;
    add(escalated, count,
        {{"route", std::string(text(labels.route))}, {"reason", std::string(name_of(labels.reason))}});
  }
  families.push_back(std::move(escalated));
}

}  // namespace tollgate
