#pragma once
// The process's pools by name: made when a snapshot is adopted, never destroyed, so that a reactor may keep the
// pointer. A pool that leaves the configuration is billed no longer; its totals stay.

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "metrics/gpu_pool.hpp"

namespace tollgate {

class Pools {
 public:
  /// New pools begin to be billed now, known ones get the price of now, those that are gone stop.
  void adopt(const Config& config, MonoTime now);
  /// The pool of a backend; begins to be billed now if no snapshot brought it. Takes a lock: remember the pointer.
  [[nodiscard]] GpuPool& of(const Pool& pool, MonoTime now);
  [[nodiscard]] std::vector<PoolStatus> status(MonoTime now) const;

 private:
  mutable std::mutex mutex_;
  std::map<NameId, std::unique_ptr<GpuPool>> pools_;
};

}  // namespace tollgate
