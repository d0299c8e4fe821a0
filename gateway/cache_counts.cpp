#include "gateway/cache_counts.hpp"

#include <array>
#include <string>

#include "gateway/series_of.hpp"

namespace tollgate {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// The nearest double to the exact value.
double usd(UsdSum sum) noexcept { return static_cast<double>(sum.picodollars()) / 1e12; }

std::string label(NameId name) { return name == NameId::none ? "none" : std::string(text(name)); }

}  // namespace

std::string_view name_of(CacheResult result) noexcept {
  static constexpr std::array<std::string_view, 3> names{"hit", "miss", "bypass"};
  return names[static_cast<std::size_t>(result)];
}

void CacheCounts::asked(NameId route, CacheResult result) {
  AskedCell*& known = asked_by_[static_cast<std::uint64_t>(route) << 8 | static_cast<std::uint64_t>(result)];
  if (known == nullptr) {
    const std::lock_guard lock(growth_);
    known = &asked_.emplace_back();
    known->route = route;
    known->result = result;
  }
  known->count.add(1);
}

void CacheCounts::saved(NameId target, NameId team, std::optional<Usd> amount) {
  SavedCell*& known = saved_by_[static_cast<std::uint64_t>(target) << 32 | static_cast<std::uint64_t>(team)];
  if (known == nullptr) {
    const std::lock_guard lock(growth_);
    known = &saved_.emplace_back();
    known->target = target;
    known->team = team;
  }
  if (amount) {
    known->usd.add(*amount);
  } else {
    known->unknown.add(1);
  }
}

void CacheCounts::add_to(Totals& totals) const {
  const std::lock_guard lock(growth_);
  for (const AskedCell& each : asked_) totals.asked[{each.route, each.result}] += each.count.value();
  for (const SavedCell& each : saved_) {
    Saved& sum = totals.saved[{each.target, each.team}];
    sum.usd += each.usd.value();
    sum.unknown += each.unknown.value();
  }
}

void collect_cache(const CacheCounts::Totals& totals, const ResponseCache::Status& memory, std::vector<MetricFamily>& families) {
  MetricFamily& requests = series_of(families, "tollgate_cache_requests_total", MetricType::Counter, "route,result",
                                     "Requests on routes with a response cache: hit (answered from memory, no attempt was made), miss, "
                                     "bypass (not looked for: the client said no-cache, or the request does not qualify).");
  for (const auto& [labels, count] : totals.asked) {
    add_sample(requests, static_cast<double>(count), {{"route", label(labels.first)}, {"result", std::string(name_of(labels.second))}});
  }
  MetricFamily& saved = series_of(families, "tollgate_cache_saved_usd_total", MetricType::Counter, "target,team",
                                  "What the attempts were charged whose answers were given again from memory, in USD, by whose answers they were. Not part of spend.");
  for (const auto& [labels, sum] : totals.saved) add_sample(saved, usd(sum.usd), {{"target", label(labels.first)}, {"team", label(labels.second)}});
  MetricFamily& unknown = series_of(families, "tollgate_cache_unknown_savings_total", MetricType::Counter, "target,team",
                                    "Answers from memory whose attempt has no known charge. Not in the sum above.");
  for (const auto& [labels, sum] : totals.saved) {
    add_sample(unknown, static_cast<double>(sum.unknown), {{"target", label(labels.first)}, {"team", label(labels.second)}});
  }
  add_sample(series_of(families, "tollgate_cache_bytes", MetricType::Gauge, "", "Memory that the response cache holds."), static_cast<double>(memory.bytes), {});
  add_sample(series_of(families, "tollgate_cache_bytes_max", MetricType::Gauge, "", "The most that it may hold (cache.bytes_max)."), static_cast<double>(memory.bytes_max), {});
  add_sample(series_of(families, "tollgate_cache_entries", MetricType::Gauge, "", "Answers in the response cache."), static_cast<double>(memory.entries), {});
  add_sample(series_of(families, "tollgate_cache_stored_total", MetricType::Counter, "", "Answers put into the response cache."), static_cast<double>(memory.stored), {});
  add_sample(series_of(families, "tollgate_cache_evictions_total", MetricType::Counter, "", "Answers that went to make room for others."), static_cast<double>(memory.evicted), {});
}

}  // namespace tollgate
