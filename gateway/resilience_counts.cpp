#include "gateway/resilience_counts.hpp"

#include <array>
#include <string>

#include "gateway/series_of.hpp"

namespace tollgate {
namespace {

using prometheus::MetricFamily;
using What = ResilienceCounts::What;

constexpr std::array<std::string_view, 11> names{"busy",    "error", "unreachable",    "broke_off",     "timeout",
                                                "garbage", "key",   "context_length", "content_filter",
                                                "too_large", "model_unknown"};

}  // namespace

void ResilienceCounts::count(NameId target, What what) {
  const std::uint64_t key = static_cast<std::uint64_t>(target) << 8 | static_cast<std::uint64_t>(what);
  Cell*& known = by_labels_[key];
  if (known == nullptr) {
    const std::lock_guard lock(growth_);
    known = &cells_.emplace_back();
    known->labels = {target, what};
  }
  known->count.add(1);
}

void ResilienceCounts::add_to(Totals& totals) const {
  const std::lock_guard lock(growth_);
  for (const Cell& each : cells_) totals[each.labels] += each.count.value();
}

void collect_resilience(const ResilienceCounts::Totals& totals, std::vector<MetricFamily>& families) {
  using prometheus::MetricType;
  const auto fill = [&](MetricFamily& family, bool of_content) {
    for (const auto& [labels, count] : totals) {
      if ((labels.what >= What::context_length) != of_content) continue;
      add_sample(family, static_cast<double>(count),
                 {{"target", std::string(text(labels.target))}, {"reason", std::string(names[static_cast<std::size_t>(labels.what)])}});
    }
  };
  fill(series_of(families, "tollgate_retries_total", MetricType::Counter, "target,reason",
                 "Attempts made again at the same target, by what had failed; key: another key of its backend was taken."),
       false);
  fill(series_of(families, "tollgate_content_fallbacks_total", MetricType::Counter, "target,reason",
                 "Requests that the target refused for what they hold and that went to another one, by the reason."),
       true);
}

}  // namespace tollgate
