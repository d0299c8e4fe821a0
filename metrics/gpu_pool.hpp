#pragma once
// Billed hardware and whose bill it is: processor sharing.
//
//    GpuPool pool(config_pool, now);
//    const GpuPool::Run run = pool.begin(now);            // a request reached the engine
//    const Usd charge = pool.end(run, later).charge;      // its share of what the pool cost meanwhile
//
// At any moment with runs of weights w in flight, run i accrues R·wᵢ/Σw; with none in flight the idle line accrues R.
// Kept in O(1) per event by V(t) = ∫ R/Σw dt: a run's share is wᵢ·(V(end) − V(begin)).
//
// Law: billed = attributed + idle + cold start + rounding, at every instant, to the picodollar. Inside, money is
// counted in shares of 2⁻³² picodollar and nothing is ever dropped: what a division leaves over is carried into the
// next interval, so
//    billed = settled shares + running shares + idle + cold start + carried        (audit(), exactly)
// `rounding` is what rounding each charge to a whole picodollar (half-even) adds to or takes from that: at most half a
// picodollar a charge, either way, and a few picodollars for the lines themselves.
//
// Events at one instant may come in any order: no time passes between them, so V does not move. Time that goes
// backwards (two reactors read the clock before they got the lock) counts as no time.
//
// A run that never reached the engine is withdrawn: it is charged nothing and its share becomes idle, for nobody used
// it. Threads: any; one mutex, held for some tens of nanoseconds (docs/decisions/0001-pool-lock.md). Time: an argument.
// What other kinds of billing need is here already: weights, a rate that may change at any time (0 while nothing is
// billed), lines by state. They differ in who calls change_rate() and which line accrues while nothing runs.

#include <mutex>

#include "config/config.hpp"
#include "metrics/busy_window.hpp"
#include "metrics/metrics.hpp"

namespace tollgate {

class GpuPool {
 public:
  /// V(t): shares of 2⁻³² picodollar per unit of weight since the pool began.
  using Value = Int128;
  /// What must be remembered of a run; plain, so it can stand in a ledger slot.
  struct Run {
    Value began_at = 0;
    std::uint64_t gpu_began_at = 0;  ///< the same for the hardware's time; wraps around, only differences count
    std::uint32_t weight = 0;        ///< 0: not a run
  };
  struct Ended {
    Usd charge;
    Value ended_at = 0;
  };
  /// All lines in shares; billed is their sum, always.
  struct Audit {
    Int128 billed = 0, settled = 0, running = 0, idle = 0, cold_start = 0, carried = 0;
    std::uint64_t charges = 0;
  };

  GpuPool(const Pool& pool, MonoTime since) noexcept;
  GpuPool(const GpuPool&) = delete;
  GpuPool& operator=(const GpuPool&) = delete;

  [[nodiscard]] Run begin(MonoTime now, std::uint32_t weight = 1) noexcept;
  [[nodiscard]] Ended end(const Run& run, MonoTime now) noexcept;
  /// Ends a run that used nothing.
  void withdraw(const Run& run, MonoTime now) noexcept;
  /// Another price, or another number of GPUs, from now on. What is past stays as it was billed.
  void change_rate(const Pool& pool, MonoTime now) noexcept;
  /// The hardware is billed no longer (it left the configuration).
  void stop_billing(MonoTime now) noexcept;

  [[nodiscard]] PoolStatus status(MonoTime now) noexcept;
  [[nodiscard]] Audit audit(MonoTime now) noexcept;
  [[nodiscard]] NameId name() const noexcept { return name_; }

  /// What a run of `weight` owes between two values of V.
  [[nodiscard]] static Usd charge_between(Value from, Value to, std::uint32_t weight) noexcept;

 private:
  static constexpr int share_bits = 32;
  static constexpr Int128 share = static_cast<Int128>(1) << share_bits;  // shares in a picodollar

  void set_rate(Int128 picodollars, std::int64_t per_hours, std::int64_t gpus) noexcept;
  void advance(MonoTime now) noexcept;
  void pass(std::int64_t nanoseconds) noexcept;
  void leave(const Run& run) noexcept;
  [[nodiscard]] Int128 running() const noexcept { return value_ * weights_ - begun_; }
  [[nodiscard]] static Usd rounded(Int128 shares) noexcept;

  const NameId name_;

  alignas(64) std::mutex mutex_;  // guards all below
  Int128 rate_ = 0;               // picodollars per per_ nanoseconds
  Int128 per_ = 1;
  std::int64_t step_max_ns_ = 0;  // a longer time is passed in pieces, so that rate × time fits 128 bits
  std::int64_t gpus_ = 0;
  std::int64_t at_ns_;  // all below is as of this moment

  Int128 billed_ = 0;       // whole picodollars …
  Int128 billed_over_ = 0;  // … and 1/per_ of one: exact
  Value value_ = 0;
  Int128 weights_ = 0;  // Σ w of the runs in flight
  Int128 begun_ = 0;    // Σ w·V(begin) of the runs in flight
  Int128 carried_ = 0;  // shares that did not divide by the weights yet
  Int128 idle_ = 0, cold_start_ = 0;
  Int128 settled_ = 0;  // exact shares of ended runs …
  Int128 charged_ = 0;  // … and the picodollars they were charged
  std::uint64_t charges_ = 0;
  std::int64_t in_flight_ = 0;
  Int128 busy_gpu_ns_ = 0, idle_gpu_ns_ = 0;
  std::uint64_t gpu_value_ = 0;  // ∫ GPUs/Σw dt in nanoseconds: whose part of the busy time was whose …
  Int128 gpu_carried_ = 0;       // … and what did not divide yet
  BusyWindow window_;
};

}  // namespace tollgate
