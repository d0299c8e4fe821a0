#include "metrics/day_sums.hpp"

#include <algorithm>

namespace tollgate {
namespace {

bool is_priced(const OpenRequest& settled) noexcept {
  const auto begin = settled.attempts.begin();
  return std::none_of(begin, begin + settled.row.attempts,
                      [](const AttemptRow& attempt) { return attempt.pricing == Pricing::unpriced; });
}

}  // namespace

DayBaseline& DayBaseline::operator+=(const DayBaseline& more) noexcept {
  compared += more.compared;
  unknown += more.unknown;
  baseline += more.baseline;
  actual += more.actual;
  return *this;
}

DaySums& DaySums::operator+=(const DaySums& more) {
  requests += more.requests;
  failed += more.failed;
  attempts += more.attempts;
  unpriced += more.unpriced;
  spend += more.spend;
  gpu += more.gpu;
  input_tokens += more.input_tokens;
  output_tokens += more.output_tokens;
  for (const auto& [name, theirs] : more.baselines) baselines[name] += theirs;
  return *this;
}

DaySums CommittedSums::on(std::int64_t day) const {
  for (const DaySums& sums : days) {
    if (sums.day == day) return sums;
  }
  DaySums none;
  none.day = day;
  return none;
}

DaySums& SumsByDay::pending_day(const OpenRequest& settled) {
  const std::int64_t day = settled.row.arrived_us / day_us;
  DaySums& sums = pending_.days[day];
  sums.day = day;
  return sums;
}

void SumsByDay::add(const OpenRequest& settled) {
  DaySums& sums = pending_day(settled);
  ++sums.requests;
  if (!settled.row.result.is_ok()) ++sums.failed;
  sums.attempts += settled.row.attempts;
  for (std::size_t i = 0; i < settled.row.attempts; ++i) {
    const AttemptRow& attempt = settled.attempts[i];
    if (attempt.pricing == Pricing::unpriced) ++sums.unpriced;
    sums.spend += attempt.charge.total();
    sums.gpu += attempt.charge[ChargeKind::gpu];
    sums.input_tokens += attempt.usage.total_input().count();
    sums.output_tokens += attempt.usage.total_output().count();
  }
}

void SumsByDay::add(const OpenRequest& settled, NameId baseline, const BaselineCost& cost) {
  DayBaseline& sums = pending_day(settled).baselines[baseline];
  if (cost.usd) pending_.worth[{baseline, settled.row.target}] += *cost.usd;
  if (!cost.usd || !is_priced(settled)) {
    ++sums.unknown;
    return;
  }
  ++sums.compared;
  sums.baseline += *cost.usd;
  sums.actual += settled.total();
}

void SumsByDay::publish() {
  std::vector<DaySums>& days = committed_.days;
  for (const auto& [day, more] : pending_.days) {
    const auto place = std::lower_bound(days.begin(), days.end(), day,
                                        [](const DaySums& sums, std::int64_t wanted) { return sums.day < wanted; });
    if (place != days.end() && place->day == day) {
      *place += more;
    } else {
      days.insert(place, more);
    }
  }
  if (days.size() > days_max) days.erase(days.begin(), days.end() - days_max);
  for (const auto& [of, usd] : pending_.worth) committed_.worth[of] += usd;
  forget();
}

}  // namespace tollgate
