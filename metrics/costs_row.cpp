// One row of a costs report: sums that are added up.
#include "metrics/costs_query.hpp"
#include "metrics/ledger_schema.hpp"

namespace tollgate {

UsdSum CostsRow::known_usd() const noexcept {
  UsdSum sum;
  for (const UsdSum kind : spend) sum += kind;
  return sum;
}

void CostsRow::add(const CostsRow& other) {
  requests += other.requests;
  attempts += other.attempts;
  billed += other.billed;
  inexact += other.inexact;
  unpriced += other.unpriced;
  cached += other.cached;
  cached_unknown += other.cached_unknown;
  saved += other.saved;
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] += other.tokens[i];
  for (std::size_t i = 0; i < spend.size(); ++i) spend[i] += other.spend[i];
  for (const auto& [name, theirs] : other.baselines) {
    BaselineSums& ours = baselines[name];
    ours.compared += theirs.compared;
    ours.unknown += theirs.unknown;
    ours.baseline += theirs.baseline;
    ours.actual += theirs.actual;
  }
}

void CostsRow::add_daily(const std::string& measure, UsdSum sum, const std::vector<std::string>& token_classes,
                         const std::vector<std::string>& kinds) {
  const auto count = static_cast<std::int64_t>(sum.picodollars());
  if (measure == daily_requests) requests += count;
  if (measure == daily_attempts) attempts += count;
  if (measure == daily_unpriced) unpriced += count;
  if (measure == daily_billed) billed += count;
  if (measure == daily_inexact) inexact += count;
  if (measure == daily_cached) cached += count;
  if (measure == daily_cached_unknown) cached_unknown += count;
  if (measure == daily_saved) saved += sum;
  for (std::size_t i = 0; i < token_classes.size(); ++i) {
    if (measure == token_classes[i]) tokens[i] += count;
  }
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (measure == kinds[i] + "_pusd") spend[i] += sum;
  }
  constexpr std::string_view begin = daily_baseline_prefix;
  const std::size_t end = measure.rfind(':');
  if (!measure.starts_with(begin) || end < begin.size()) return;
  BaselineSums& baseline = baselines[measure.substr(begin.size(), end - begin.size())];
  const std::string_view what = std::string_view(measure).substr(end + 1);
  if (what == "compared") baseline.compared += count;
  if (what == "unknown") baseline.unknown += count;
  if (what == "pusd") baseline.baseline += sum;
  if (what == "actual_pusd") baseline.actual += sum;
}

}  // namespace tollgate
