#include "metrics/pools.hpp"

#include <set>

namespace tollgate {

GpuPool& Pools::of(const Pool& pool, MonoTime now) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<GpuPool>& entry = pools_[pool.name];
  if (!entry) entry = std::make_unique<GpuPool>(pool, now);
  return *entry;
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
      entry = std::make_unique<GpuPool>(*backend.pool, now);
    }
  }
  for (const auto& [name, pool] : pools_) {
    if (!present.contains(name)) pool->stop_billing(now);
  }
}

std::vector<PoolStatus> Pools::status(MonoTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<PoolStatus> all;
  all.reserve(pools_.size());
  for (const auto& [name, pool] : pools_) all.push_back(pool->status(now));
  return all;
}

}  // namespace tollgate
