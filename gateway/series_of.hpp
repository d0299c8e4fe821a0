#pragma once
// A family of series for /metrics, written so that docs/metrics.md can be made from the code (tests/tidy/generate_docs.py).
//
//    MetricFamily& drained = series_of(families, "tollgate_target_draining", MetricType::Gauge, "target", "1 while …");
//    add_sample(drained, 1, {{"target", "gpu/llama"}});

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace tollgate {

/// The reference is valid until the next family is made. `labels` is for the documents.
inline prometheus::MetricFamily& series_of(std::vector<prometheus::MetricFamily>& families, std::string name, prometheus::MetricType type,
                                           [[maybe_unused]] const char* labels, std::string help) {
  prometheus::MetricFamily& made = families.emplace_back();
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

inline void add_sample(prometheus::MetricFamily& to, double value, std::vector<prometheus::ClientMetric::Label> labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  (to.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  to.metric.push_back(std::move(metric));
}

}  // namespace tollgate
