#pragma once
// The process's pools by name: made when a snapshot is adopted, never destroyed, so that a reactor may keep the
// pointer. A pool that leaves the configuration is billed no longer; its totals stay.
//
// With a ledger (resume()), a pool's clock continues where the last run of the gateway left it: hardware that is rented
// or owned costs something while no gateway runs, and a serverless worker idles out without one.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "metrics/gpu_pool.hpp"
#include "metrics/ledger.hpp"

namespace tollgate {

class Pools {
 public:
  /// Time beyond that is not billed at a start: the gateway was not away but gone.
  static constexpr std::int64_t down_ns_max = std::int64_t{31} * 86'400 * 1'000'000'000;
  using WallClock = std::function<std::int64_t()>;  ///< nanoseconds since 1970

  /// From now on pools keep their lines by the hour. `clocks`: what the ledger says of earlier runs. Before the first
  /// adopt().
  void resume(std::unique_ptr<PoolFile> file, PoolClocks clocks, WallClock wall);

  /// Clocks of pools that another gateway has billed until then. Before the adopt() that brings them.
  void take_over(const PoolClocks& clocks);
  /// New pools begin to be billed now, known ones get the price of now, those that are gone stop.
  void adopt(const Config& config, MonoTime now);
  /// The pool of a backend; begins to be billed now if no snapshot brought it. Takes a lock: remember the pointer.
  [[nodiscard]] GpuPool& of(const Pool& pool, MonoTime now);
  [[nodiscard]] std::vector<PoolStatus> status(MonoTime now) const;

  // For the recorder.
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::vector<GpuPool::Take> take(MonoTime now);
  void recorded();
  /// Tells this run's takes from those of others.
  [[nodiscard]] std::int64_t run() const noexcept { return run_; }
  /// Pools that the ledger still takes to be billed though no configuration of this run has them.
  [[nodiscard]] PoolClocks forsaken() const;
  /// All is recorded and nothing will happen any more.
  void remove_file() noexcept;

 private:
  [[nodiscard]] std::unique_ptr<GpuPool> make(const Pool& pool, MonoTime now);
  [[nodiscard]] std::int64_t wall_minus_mono_ns(MonoTime now) const;

  mutable std::mutex mutex_;
  std::unique_ptr<PoolFile> file_;
  PoolClocks clocks_;
  WallClock wall_;
  std::int64_t run_ = 0;
  std::map<NameId, std::unique_ptr<GpuPool>> pools_;
};

}  // namespace tollgate
