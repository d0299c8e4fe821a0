#pragma once
// The workers of a serverless pool as its provider runs and bills them: down → cold start → up, busy or idle → down
// after the idle timeout. No money and no clock: worker time by line, from moment to moment.
//
//    workers.advance(from_ns, to_ns, in_flight, [&](WorkerTime line, std::int64_t worker_ns) { … });
//
// Nobody needs to call at the right moment: what would have happened between two calls (a worker became ready, another
// ran into its timeout) is lived through then, each at its exact time. So it needs no timer, and whoever looks later
// sees the same as who looked all the time.
//
// The model. With n requests in flight, ceil(n / requests_per_worker) workers are wanted, at most workers_max; what
// would not fit shares the workers there are. Missing workers start at once and boot for the cold start. Work stays on
// the oldest workers; one that has none is idle, and stops when it has been so for the idle timeout. A worker's bill
// runs from its start (from when it is ready, if cold starts are free) to its stop, at least the minimum, rounded up to
// the increment; what that adds is the line `minimum`, and falls due when the worker stops. What happens at one moment
// is one change, whatever its order: it is looked at when time moves on. Hence a request that arrives at the very
// moment of a timeout still finds the worker.
//
// Threads: none of its own; belongs to whoever holds the lock.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

enum class WorkerTime : std::uint8_t { busy, idle, cold_start, minimum };

class ServerlessWorkers {
 public:
  void set_rules(const ServerlessRules& rules);

  /// Lives from one moment to a later one with so many requests in flight all the while.
  template <class Sink>
  void advance(std::int64_t from_ns, std::int64_t to_ns, std::int64_t in_flight, Sink&& sink) {
    while (from_ns < to_ns) {
      settle(from_ns, in_flight, sink);
      if (workers_.empty()) return;
      const std::int64_t next = std::min(to_ns, next_change(from_ns));
      const std::int64_t step = next - from_ns;
      const Count now = count(from_ns);
      if (now.busy > 0) sink(WorkerTime::busy, now.busy * step);
      if (now.idle > 0) sink(WorkerTime::idle, now.idle * step);
      if (now.cold > 0 && rules_.cold_billed) sink(WorkerTime::cold_start, now.cold * step);
      from_ns = next;
    }
  }
  /// What is still billed if no request comes any more: the tail of idle timeouts, minimums and increments.
  [[nodiscard]] std::int64_t tail_ns(std::int64_t at_ns) const noexcept;
  /// Forgets all workers: the pool is billed another way from now on.
  void clear() noexcept { workers_.clear(); }
  [[nodiscard]] std::size_t up() const noexcept { return workers_.size(); }  ///< booting ones included
  [[nodiscard]] std::size_t booting(std::int64_t at_ns) const noexcept {
    return static_cast<std::size_t>(std::count_if(workers_.begin(), workers_.end(), [at_ns](const Worker& worker) { return worker.ready > at_ns; }));
  }

 private:
  struct Rules {
    std::int64_t cold_start = 0, idle_timeout = 0, min_billed = 0, increment = 1;
    std::int64_t workers_max = 1, per_worker = 1;
    bool cold_billed = true;
  };
  static constexpr std::int64_t never = -1;
  struct Worker {
    std::int64_t started = 0, ready = 0;
    std::int64_t idle_since = never;  ///< never: it has work, or boots for it
  };
  struct Count {
    std::int64_t busy = 0, idle = 0, cold = 0;
  };

  template <class Sink>
  void settle(std::int64_t now, std::int64_t in_flight, Sink& sink) {
    assign(now, in_flight);
    std::erase_if(workers_, [&](const Worker& worker) {
      if (worker.idle_since == never || worker.idle_since + rules_.idle_timeout > now) return false;
      if (const std::int64_t more = added_by_minimum(worker, now); more > 0) sink(WorkerTime::minimum, more);
      return true;
    });
  }
  /// Who has work now; starts those that are missing.
  void assign(std::int64_t now, std::int64_t in_flight);
  [[nodiscard]] std::int64_t next_change(std::int64_t now) const noexcept;
  [[nodiscard]] Count count(std::int64_t now) const noexcept;
  [[nodiscard]] std::int64_t added_by_minimum(const Worker& worker, std::int64_t stopped) const noexcept;

  Rules rules_;
  std::vector<Worker> workers_;  // oldest first
};

}  // namespace tollgate
