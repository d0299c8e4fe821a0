#include "gateway/decision_feed.hpp"

#include <algorithm>

namespace tollgate {

void DecisionFeed::add(DecisionPtr decision) noexcept {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock() && waiting_.size() < waiting_max) waiting_.push_back(std::move(decision));
}

// Only the reactor takes away meanwhile, so that there may be fewer than `most` afterwards, never more.
void DecisionFeed::allow(int more, int most) noexcept {
  const int now = allowed_.load(std::memory_order_relaxed);
  allowed_.fetch_add(std::max(0, std::min(more, most - now)), std::memory_order_relaxed);
}

std::vector<DecisionPtr> DecisionFeed::take() {
  std::vector<DecisionPtr> taken;
  taken.reserve(waiting_max);
  const std::lock_guard lock(mutex_);
  taken.swap(waiting_);
  return taken;
}

}  // namespace tollgate
