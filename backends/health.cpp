#include "backends/health.hpp"

#include <algorithm>

namespace tollgate {

namespace {
std::int64_t nanoseconds(TargetHealth::Now now) { return now.time_since_epoch().count(); }
}  // namespace

BreakerState TargetHealth::state(Now now) const noexcept {
  const std::int64_t until = open_until_ns_.load(std::memory_order_relaxed);
  if (until == 0) return BreakerState::closed;
  return nanoseconds(now) < until ? BreakerState::open : BreakerState::half_open;
}

bool TargetHealth::usable(Now now) const noexcept {
  const BreakerState current = state(now);
  return current == BreakerState::closed || (current == BreakerState::half_open && !trial_under_way_.load(std::memory_order_relaxed));
}

TargetHealth::Pass TargetHealth::admit(Now now) noexcept {
  const BreakerState current = state(now);
  if (current == BreakerState::closed) return Pass::usual;
  const bool taken = current != BreakerState::half_open || trial_under_way_.exchange(true, std::memory_order_acq_rel);
  return taken ? Pass::none : Pass::trial;
}

void TargetHealth::succeeded() noexcept {
  failures_.store(0, std::memory_order_relaxed);
  if (unreachable_.load(std::memory_order_relaxed) != 0) unreachable_.store(0, std::memory_order_relaxed);
  if (open_until_ns_.load(std::memory_order_relaxed) == 0) return;
  open_for_ms_.store(open_first_ms_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  open_until_ns_.store(0, std::memory_order_relaxed);
  trial_under_way_.store(false, std::memory_order_release);
}

void TargetHealth::failed(Now now, Failed how) noexcept {
  // One that began before the breaker opened must not lengthen the wait, nor speak for the trial.
  const bool was_open = open_until_ns_.load(std::memory_order_relaxed) != 0;
  if (was_open && how.pass != Pass::trial) return;
  const int failures = failures_.fetch_add(1, std::memory_order_relaxed) + 1;
  const int unreachable = how.unreachable ? unreachable_.fetch_add(1, std::memory_order_relaxed) + 1 : 0;
  const bool proven = how.others && unreachable >= unreachable_allowed_.load(std::memory_order_relaxed);
  if (!was_open && !proven && failures < failures_allowed_.load(std::memory_order_relaxed)) return;
  const std::int64_t wait_ms = open_for_ms_.load(std::memory_order_relaxed);
  // Of several reactors that see it fail at once, one opens it.
  std::int64_t before = was_open ? open_until_ns_.load(std::memory_order_relaxed) : 0;
  if (!open_until_ns_.compare_exchange_strong(before, nanoseconds(now + std::chrono::milliseconds{wait_ms}), std::memory_order_relaxed)) return;
  open_for_ms_.store(std::min(wait_ms * 2, open_most_ms_.load(std::memory_order_relaxed)), std::memory_order_relaxed);
  opened_unreachable_.store(how.unreachable, std::memory_order_relaxed);
  trial_under_way_.store(false, std::memory_order_release);
}

void TargetHealth::probed(bool reachable) noexcept {
  reachable_.store(reachable, std::memory_order_relaxed);
  if (!reachable || !opened_unreachable_.load(std::memory_order_relaxed)) return;
  constexpr std::int64_t long_ago = 1;   // 0 would be closed
  std::int64_t until = open_until_ns_.load(std::memory_order_relaxed);
  if (until > long_ago) open_until_ns_.compare_exchange_strong(until, long_ago, std::memory_order_relaxed);
}

void TargetHealth::adopt(const BreakerRules& rules) noexcept {
  failures_allowed_.store(static_cast<int>(rules.failures), std::memory_order_relaxed);
  unreachable_allowed_.store(static_cast<int>(rules.unreachable_failures), std::memory_order_relaxed);
  open_most_ms_.store(rules.open_max.count(), std::memory_order_relaxed);
  const std::int64_t before = open_first_ms_.exchange(rules.open.count(), std::memory_order_relaxed);
  // A breaker that is open keeps the wait it has; it is the next one that is new.
  if (before != rules.open.count() && open_until_ns_.load(std::memory_order_relaxed) == 0) open_for_ms_.store(rules.open.count(), std::memory_order_relaxed);
}

void TargetHealth::abandoned(Pass pass) noexcept {
  if (pass == Pass::trial) trial_under_way_.store(false, std::memory_order_release);
}

TargetHealth& HealthBoard::of(NameId target) {
  const std::lock_guard lock(mutex_);
  auto& health = targets_[target];
  if (!health) health = std::make_unique<TargetHealth>();
  return *health;
}

}  // namespace tollgate
