#include "metrics/foreign_time.hpp"

#include <algorithm>

namespace tollgate {

void ForeignTime::Line::add_since(const PoolStatus& now, UsdSum& cost_sum, GpuTime& time_sum) const noexcept {
  if (!runs) return;
  const UsdSum more = now.idle - idle_then;
  if (more.picodollars() > 0) cost_sum += more;
  const GpuTime longer = now.idle_gpu_time - idle_gpu_then;
  if (longer.count() > 0) time_sum += longer;
}

void ForeignTime::set(NameId pool, bool runs, const PoolStatus& now) {
  const std::lock_guard lock(mutex_);
  Line& line = lines_[pool];
  if (line.runs == runs) return;
  line.add_since(now, line.cost, line.gpu_time);
  line.runs = runs;
  line.idle_then = now.idle;
  line.idle_gpu_then = now.idle_gpu_time;
}

void ForeignTime::split(PoolStatus& status) const {
  const std::lock_guard lock(mutex_);
  const auto found = lines_.find(status.pool);
  if (found == lines_.end()) return;
  UsdSum cost = found->second.cost;
  GpuTime time = found->second.gpu_time;
  found->second.add_since(status, cost, time);
  status.foreign = cost;
  status.idle = status.idle - cost;
  status.foreign_gpu_time = time;
  status.idle_gpu_time = status.idle_gpu_time - time;
}

}  // namespace tollgate
