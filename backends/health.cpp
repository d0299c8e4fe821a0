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

bool TargetHealth::admit(Now now) noexcept {
  const BreakerState current = state(now);
  if (current == BreakerState::closed) return true;
  return current == BreakerState::half_open && !trial_under_way_.exchange(true, std::memory_order_acq_rel);
}

void TargetHealth::succeeded() noexcept {
  failures_.store(0, std::memory_order_relaxed);
  if (open_until_ns_.load(std::memory_order_relaxed) == 0) return;
  open_for_ms_.store(open_first_ms_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  open_until_ns_.store(0, std::memory_order_relaxed);
  trial_under_way_.store(false, std::memory_order_release);
}

void TargetHealth::failed(Now now) noexcept {
  const bool was_trial = open_until_ns_.load(std::memory_order_relaxed) != 0;
  const int failures = failures_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!was_trial && failures < failures_allowed_.load(std::memory_order_relaxed)) return;
  // A request that began before the breaker opened may fail after it did: that must not lengthen the wait.
  if (was_trial && state(now) == BreakerState::open) return;
  const std::int64_t wait_ms = open_for_ms_.load(std::memory_order_relaxed);
  open_for_ms_.store(std::min(wait_ms * 2, open_most_ms_.load(std::memory_order_relaxed)), std::memory_order_relaxed);
  open_until_ns_.store(nanoseconds(now + std::chrono::milliseconds{wait_ms}), std::memory_order_relaxed);
  trial_under_way_.store(false, std::memory_order_release);
}

void TargetHealth::adopt(const BreakerRules& rules) noexcept {
  failures_allowed_.store(static_cast<int>(rules.failures), std::memory_order_relaxed);
  open_most_ms_.store(rules.open_max.count(), std::memory_order_relaxed);
  const std::int64_t before = open_first_ms_.exchange(rules.open.count(), std::memory_order_relaxed);
  // A breaker that is open keeps the wait it has; it is the next one that is new.
  if (before != rules.open.count() && open_until_ns_.load(std::memory_order_relaxed) == 0) open_for_ms_.store(rules.open.count(), std::memory_order_relaxed);
}

void TargetHealth::abandoned() noexcept { trial_under_way_.store(false, std::memory_order_release); }

TargetHealth& HealthBoard::of(NameId target) {
  const std::lock_guard lock(mutex_);
  auto& health = targets_[target];
  if (!health) health = std::make_unique<TargetHealth>();
  return *health;
}

}  // namespace tollgate
