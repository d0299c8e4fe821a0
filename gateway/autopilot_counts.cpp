#include "gateway/autopilot_counts.hpp"

#include <algorithm>

#include "router/offered.hpp"

namespace tollgate {

AutopilotCounts::PoolCell& AutopilotCounts::cell(NameId pool) {
  const auto known = std::find_if(pools_.begin(), pools_.end(), [pool](const PoolCell& each) { return each.pool == pool; });
  if (known != pools_.end()) return *known;
  const std::lock_guard lock(growth_);
  PoolCell& made = pools_.emplace_back();
  made.pool = pool;
  return made;
}

Counter& AutopilotCounts::cell(const Labels& labels) {
  // NameIds are below 65,536: the key is exact.
  const std::uint64_t key = static_cast<std::uint64_t>(labels.route) << 32 | static_cast<std::uint64_t>(labels.target) << 16 | static_cast<std::uint64_t>(labels.standing);
  DecisionCell*& known = by_labels_[key];
  if (known == nullptr) {
    const std::lock_guard lock(growth_);
    known = &decisions_.emplace_back();
    known->labels = labels;
  }
  return known->count;
}

void AutopilotCounts::decided(const Plan& plan, const Config& config) {
  const Step& first = plan.steps.front();
  cell({plan.route, first.target->id, first.standing}).add(1);
  for (const OfferedTo& each : offered_of(plan, config)) {
    PoolCell& pool = cell(config.backends[each.backend].pool->name);
    pool.offered.add(1);
    pool.elsewhere.add(each.elsewhere);
  }
}

void AutopilotCounts::served(NameId pool, bool warm, std::int64_t took_us) {
  PoolCell& seen = cell(pool);
  (warm ? seen.served_warm : seen.served_cold).add(1);
  (warm ? seen.warm_us : seen.cold_us).add(static_cast<std::uint64_t>(std::max<std::int64_t>(took_us, 0)));
}

void AutopilotCounts::add_to(Totals& totals) const {
  const std::lock_guard lock(growth_);
  for (const PoolCell& each : pools_) {
    OfPool& sum = totals.pools[each.pool];
    sum.offered += each.offered.value();
    sum.served_warm += each.served_warm.value();
    sum.served_cold += each.served_cold.value();
    sum.warm_us += each.warm_us.value();
    sum.cold_us += each.cold_us.value();
    sum.elsewhere += each.elsewhere.value();
  }
  for (const DecisionCell& each : decisions_) totals.decisions[each.labels] += each.count.value();
}

}  // namespace tollgate
