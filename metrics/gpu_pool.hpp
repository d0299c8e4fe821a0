#pragma once
// Billed hardware and whose bill it is: processor sharing.
//
//    GpuPool pool(config_pool, now);
//    const GpuPool::Run run = pool.begin(now);            // a request reached the engine
//    const Usd charge = pool.end(run, later).charge;      // its share of what the pool cost meanwhile
//
// At any moment with runs of weights w in flight, run i accrues R·wᵢ/Σw; with none in flight the idle line accrues R.
// Kept in O(1) per event by V(t) = ∫ R/Σw dt: a run's share is wᵢ·(V(end) − V(begin)). R is what the hardware costs
// that works: all of it where it is rented or owned, the busy workers where it is serverless (there workers boot, idle
// and stop as metrics/serverless_workers.hpp says), nothing where the provider reports each call's time.
//
// Law: billed = attributed + idle + cold start + minimum + down + rounding, at every instant, to the picodollar.
// Inside, money is counted in shares of 2⁻³² picodollar and nothing is ever dropped: what a division leaves over is
// carried into the next interval, so
//    billed = settled shares + running shares + idle + cold start + minimum + down + carried        (audit(), exactly)
// `rounding` is what rounding each charge to a whole picodollar (half-even) adds to or takes from that: at most half a
// picodollar a charge, either way, and a few picodollars for the lines themselves.
//
// A run's weight may change while it runs (metrics/token_weights.hpp says to what): what it accrued so far stays, to
// the share, because V(begin) is moved to where it would have begun with the new weight; what that division leaves over
// is carried like any other.
//
// Events at one instant may come in any order: no time passes between them, so V does not move. Time that goes
// backwards (two reactors read the clock before they got the lock) counts as no time.
//
// A run that never reached the engine is withdrawn: it is charged nothing and its share becomes idle, for nobody used
// it. Threads: any; one mutex, held for some tens of nanoseconds (docs/decisions/0001-pool-lock.md). Time: an argument.

#include <mutex>
#include <optional>
#include <vector>

#include "config/config.hpp"
#include "metrics/busy_window.hpp"
#include "metrics/metrics.hpp"
#include "metrics/pool_file.hpp"
#include "metrics/serverless_workers.hpp"
#include "metrics/token_weights.hpp"

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
    std::uint32_t prefill_us = 0;    ///< of the prefill it is in; 0: in none, or weighted by time
  };
  struct Ended {
    Usd charge;
    Value ended_at = 0;
  };
  /// All lines in shares; billed is their sum, always.
  struct Audit {
    Int128 billed = 0, settled = 0, running = 0, idle = 0, cold_start = 0, carried = 0;
    std::uint64_t charges = 0;
    Int128 minimum = 0, down = 0;
  };
  /// Where the pool's clock stood when an earlier run of the gateway ended.
  struct Resumed {
    MonoTime since;            ///< on this process's clock
    std::int64_t tail_ns = 0;  ///< ServerlessWorkers::tail_ns
  };

  GpuPool(const Pool& pool, MonoTime since) noexcept;
  GpuPool(const GpuPool&) = delete;
  GpuPool& operator=(const GpuPool&) = delete;

  [[nodiscard]] Run begin(MonoTime now, std::uint32_t weight = 1) noexcept;
  /// Weighted by its tokens, if the pool is calibrated; else as begin(now, TokenWeigher::whole).
  [[nodiscard]] Run begin(MonoTime now, const ExpectedWork& work) noexcept;
  /// The prompt is computed: from now on the run decodes. False: nothing about its weight changed.
  bool first_token(Run& run, MonoTime now) noexcept;
  /// It generated so many tokens in so long. False: nothing about its weight changed. V is brought up to now anyway.
  bool decoded(Run& run, std::int64_t tokens, std::chrono::nanoseconds in, MonoTime now) noexcept;
  [[nodiscard]] Ended end(const Run& run, MonoTime now) noexcept;
  /// Ends a run of a reported pool: what the provider billed for it; nullopt: it did not say.
  [[nodiscard]] std::optional<Usd> end_reported(const Run& run, std::optional<GpuTime> billed, MonoTime now) noexcept;
  /// Ends a run that used nothing.
  void withdraw(const Run& run, MonoTime now) noexcept;
  /// Brings the pool up to now, for a run that made progress; V as of then.
  [[nodiscard]] Value touch(MonoTime now) noexcept;
  /// Another price, or another number of GPUs, from now on. What is past stays as it was billed.
  void change_rate(const Pool& pool, MonoTime now) noexcept;
  /// The hardware is billed no longer (it left the configuration). Serverless workers stop as their provider stops them.
  void stop_billing(MonoTime now) noexcept;

  [[nodiscard]] PoolStatus status(MonoTime now) noexcept;
  [[nodiscard]] Audit audit(MonoTime now) noexcept;
  [[nodiscard]] NameId name() const noexcept { return name_; }

  /// What a run of `weight` owes between two values of V.
  [[nodiscard]] static Usd charge_between(Value from, Value to, std::uint32_t weight) noexcept;

  // -- its way into the ledger, by the hour (metrics/pool_recorder.hpp) --

  /// Lines of a stretch of time within one hour, to be added to that hour.
  struct HourLines {
    std::int64_t hour = 0;  ///< since 1970
    PoolLines lines;
  };
  struct Take {
    NameId pool;
    std::vector<HourLines> hours;
    std::uint64_t number = 0;
    std::int64_t at_ns = 0, tail_ns = 0;
    bool billed = true;  ///< false: it is billed no longer, time that passes from here on is not its
  };
  /// Begins to keep its lines by the hour; `run` names this process. Time since an earlier run is billed as down.
  /// `journal` may be null. Once, before the first event.
  void keep_hours(std::int64_t run, std::int64_t wall_minus_mono_ns, PoolJournal* journal,
                  const std::optional<Resumed>& resumed, MonoTime now) noexcept;
  /// All lines since the last take that was recorded(), by hour. The offset of the wall clock holds from here on.
  [[nodiscard]] Take take(std::int64_t wall_minus_mono_ns, MonoTime now);
  /// The last take is durable.
  void recorded() noexcept;

 private:
  void set_rate(const Pool& pool) noexcept;
  void set_rate(Int128 picodollars, Int128 per_hours, std::int64_t gpus) noexcept;
  [[nodiscard]] Int128 gpu_time(std::int64_t nanoseconds) noexcept;
  void set_rules(const Pool& pool) noexcept;
  void advance(MonoTime now) noexcept;
  void live(std::int64_t to_ns) noexcept;
  enum class Line : std::uint8_t { busy, idle, cold_start, minimum, down };
  void bill(Line line, std::int64_t nanoseconds) noexcept;
  void pass(Line line, std::int64_t nanoseconds) noexcept;
  [[nodiscard]] Run join(std::uint32_t weight) noexcept;
  void leave(const Run& run) noexcept;
  void reweigh(Run& run, std::uint32_t weight) noexcept;
  [[nodiscard]] PoolTotals totals() const noexcept;
  void close_hour() noexcept;
  void note() noexcept;
  void note_base() noexcept;
  [[nodiscard]] std::int64_t wall_ns() const noexcept { return at_ns_ + wall_minus_mono_ns_; }
  [[nodiscard]] Int128 running() const noexcept { return value_ * weights_ - begun_; }
  [[nodiscard]] static Usd rounded(Int128 shares) noexcept;

  const NameId name_;

  alignas(64) std::mutex mutex_;  // guards all below
  Billing billing_ = Billing::dedicated;
  bool stopped_ = false;
  Int128 rate_whole_ = 0, rate_rest_ = 0;  // picodollars per ns: whole + rest / per; of one worker, if serverless
  Int128 per_ = 1;
  std::int64_t step_max_ns_ = 0;  // a longer time is passed in pieces, so that rest × time fits 128 bits
  std::int64_t gpus_ = 0;
  std::int64_t gateways_ = 1;     // of the hardware this gateway has the n-th part …
  Int128 gpu_over_ = 0;           // … and what GPU time did not divide yet
  std::int64_t at_ns_;           // all below is as of this moment
  std::int64_t down_until_ns_;   // before it, no gateway ran
  ServerlessWorkers workers_;    // of a serverless pool
  TokenWeigher weigher_;

  PoolTotals lines_;        // without `running`, which follows from the next
  Int128 billed_over_ = 0;  // 1/per_ of a picodollar that are billed beyond lines_.billed: exact
  Value value_ = 0;
  Int128 weights_ = 0;  // Σ w of the runs in flight
  Int128 begun_ = 0;    // Σ w·V(begin) of the runs in flight
  Int128 carried_ = 0;  // shares that did not divide by the weights yet
  Int128 settled_ = 0;  // exact shares of ended runs, charged as lines_.charged
  std::uint64_t charges_ = 0;
  std::int64_t in_flight_ = 0;
  std::uint64_t gpu_value_ = 0;  // ∫ GPUs/Σw dt in nanoseconds: whose part of the busy time was whose …
  Int128 gpu_carried_ = 0;       // … and what did not divide yet
  BusyWindow window_;

  bool keeps_hours_ = false;
  std::int64_t wall_minus_mono_ns_ = 0;
  std::int64_t hour_ends_ns_ = INT64_MAX;  // of the monotonic clock
  PoolLines at_hour_;                      // where the stretch of time under way began
  std::vector<HourLines> closed_;          // stretches that are not known to be recorded …
  std::size_t taken_ = 0;                  // … of which so many are in the last take
  PoolJournal* journal_ = nullptr;
  PoolBase base_;
};

}  // namespace tollgate
