#pragma once
// Splits a pool's idle line: time in which only work ran that did not pass through here is foreign, not idle.
//
//    foreign.set(pool, true, status);     // the engine was seen to work for others; holds until it is said otherwise
//    foreign.split(status);               // what idle grew by meanwhile stands in foreign
//
// What was seen last is taken to last until the next look, so the line is as fine as the engine is looked at, and never
// has to be taken back. Whole amounts are moved from one line to another: their sum stays the same to the picodollar.
// Threads: any; one mutex. Time: that of the statuses.

#include <map>
#include <mutex>

#include "metrics/metrics.hpp"

namespace tollgate {

class ForeignTime {
 public:
  /// `now`: the pool's status as the pool gives it, not split.
  void set(NameId pool, bool runs, const PoolStatus& now);
  void split(PoolStatus& status) const;

 private:
  struct Line {
    bool runs = false;
    UsdSum idle_then;  // when it began to run
    GpuTime idle_gpu_then;
    UsdSum cost;  // of the times before
    GpuTime gpu_time;
    void add_since(const PoolStatus& now, UsdSum& cost_sum, GpuTime& time_sum) const noexcept;
  };
  mutable std::mutex mutex_;
  std::map<NameId, Line> lines_;
};

}  // namespace tollgate
