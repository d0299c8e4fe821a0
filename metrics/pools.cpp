#include "metrics/pools.hpp"

#include <algorithm>
#include <random>
#include <set>

namespace tollgate {

void Pools::resume(std::unique_ptr<PoolFile> file, PoolClocks clocks, WallClock wall) {
  const std::lock_guard lock(mutex_);
  file_ = std::move(file);
  clocks_ = std::move(clocks);
  std::erase_if(clocks_, [](const auto& entry) { return entry.second.taken_over; });
  wall_ = std::move(wall);
  std::random_device random;  // two runs may begin in the same microsecond of a clock that was set back
  run_ = static_cast<std::int64_t>(((static_cast<std::uint64_t>(random()) << 32) | random()) >> 1);
}

std::int64_t Pools::wall_minus_mono_ns(MonoTime now) const {
  return wall_() - std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
}

std::unique_ptr<GpuPool> Pools::make(const Pool& pool, MonoTime now) {
  auto made = std::make_unique<GpuPool>(pool, now);
  if (!wall_) return made;
  const std::string name(text(pool.name));
  std::optional<GpuPool::Resumed> resumed;
  const std::int64_t wall_ns = wall_();
  const auto known = clocks_.find(name);
  if (known != clocks_.end() && known->second.billed && pool.billed_while_down) {
    const std::int64_t down_ns = std::clamp<std::int64_t>(wall_ns - known->second.at_ns, 0, down_ns_max);
    resumed = GpuPool::Resumed{now - std::chrono::nanoseconds{down_ns}, known->second.tail_ns};
  }
  PoolJournal* const journal = file_ ? file_->journal(name) : nullptr;
  made->keep_hours(run_, wall_minus_mono_ns(now), journal, resumed, now);
  return made;
}

GpuPool& Pools::of(const Pool& pool, MonoTime now) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<GpuPool>& entry = pools_[pool.name];
  if (!entry) entry = make(pool, now);
  return *entry;
}

void Pools::take_over(const PoolClocks& clocks) {
  const std::lock_guard lock(mutex_);
  for (const auto& [pool, clock] : clocks) clocks_[pool] = clock;
}

void Pools::adopt(const Config& config, MonoTime now) {
  const std::lock_guard lock(mutex_);
  std::set<NameId> present;
  for (const Backend& backend : config.backends) {
    if (!backend.pool) continue;
    present.insert(backend.pool->name);
    std::unique_ptr<GpuPool>& entry = pools_[backend.pool->name];
    if (entry) {
      entry->change_rate(*backend.pool, now);
    } else {
      entry = make(*backend.pool, now);
    }
  }
  for (const auto& [name, pool] : pools_) {
    if (!present.contains(name)) pool->stop_billing(now);
  }
  // Left the configuration while no gateway ran: from then on it is not ours to bill, should it ever come back.
  for (auto& [name, clock] : clocks_) {
    if (!pools_.contains(Names::global().intern(name))) clock.billed = false;
  }
}

std::vector<PoolStatus> Pools::status(MonoTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<PoolStatus> all;
  all.reserve(pools_.size());
  for (const auto& [name, pool] : pools_) all.push_back(pool->status(now));
  return all;
}

bool Pools::empty() const {
  const std::lock_guard lock(mutex_);
  return pools_.empty() && clocks_.empty();
}

std::vector<GpuPool::Take> Pools::take(MonoTime now) {
  const std::lock_guard lock(mutex_);
  std::vector<GpuPool::Take> all;
  all.reserve(pools_.size());
  for (const auto& [name, pool] : pools_) all.push_back(pool->take(wall_minus_mono_ns(now), now));
  return all;
}

PoolClocks Pools::forsaken() const {
  const std::lock_guard lock(mutex_);
  PoolClocks clocks;
  for (const auto& [name, clock] : clocks_) {
    const bool gone = !clock.billed && !pools_.contains(Names::global().intern(name));
    if (gone) clocks.emplace(name, clock);
  }
  return clocks;
}

void Pools::recorded() {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, pool] : pools_) pool->recorded();
}

void Pools::remove_file() noexcept {
  const std::lock_guard lock(mutex_);
  if (file_) file_->remove();
}

}  // namespace tollgate
