#pragma once
// When a serverless pool earns what it costs: the formulas of docs/autopilot.md, and the governor that opens and closes a pool by
// what is measured. decide() only reads the outcome (TargetState::stance).
//
//    PoolGovernor governor;
//    const PoolStance stance = governor.tick(seen, facts, rules, now_seconds);   // once a second
//
// Knows: arrivals, service times, prices as plain numbers of estimates; nothing here is charged to anyone, so dollars are doubles.
// Knows nothing of: clocks, threads, targets, requests. Pure but for the governor's own memory.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

/// Requests that come at random, `per_second` of them, to a pool whose workers serve so many at once for `service_seconds` each.
struct Offered {
  double per_second = 0;
  double service_seconds = 0;
};

/// What one worker costs.
struct WorkerCost {
  double usd_per_second = 0;
  double cold_seconds = 0;       ///< of a boot, as far as it is billed
  double idle_seconds = 0;       ///< how long it stays up without work
  double least_seconds = 0;      ///< billed of a worker's life at least
  double increment_seconds = 0;  ///< its life is rounded up to a multiple
  std::uint32_t places = 1;      ///< requests at once
};
[[nodiscard]] WorkerCost worker_cost_of(const Pool& pool) noexcept;

/// One worker that takes what it has a place for, from its boot to its stop; the rest is turned away.
struct WorkerLife {
  double requests = 0;           ///< served in one life; may be infinite
  double up_seconds = 0;         ///< from ready to stopped; may be infinite
  double taken_per_second = 0;   ///< of the offered, in the long run
  double usd_per_second = 0;     ///< its bill, in the long run
};
[[nodiscard]] WorkerLife life_of(const Offered& offered, const WorkerCost& cost) noexcept;
/// What its requests would cost elsewhere over what it costs; 1 is the break-even.
[[nodiscard]] double worth_of(const Offered& offered, const WorkerCost& cost, double elsewhere_usd) noexcept;
/// Share of random requests that find all of so many places taken (Erlang's loss formula).
[[nodiscard]] double turned_away(double erlangs, std::uint32_t places) noexcept;
/// Arrivals at which one worker breaks even; nullopt: at none.
[[nodiscard]] std::optional<double> break_even_per_second(double service_seconds, const WorkerCost& cost, double elsewhere_usd) noexcept;
/// How many workers earn what they cost, each getting what those before it have no place for: the first `now` of them must reach
/// `keep`, each further one `open`.
[[nodiscard]] std::uint32_t workers_worth(const Offered& offered, const WorkerCost& cost, double elsewhere_usd, std::uint32_t workers_max,
                                          std::uint32_t now, double open, double keep) noexcept;

/// What the autopilot holds of one serverless pool now. Trivially copyable: a plan keeps the one it was made by.
struct PoolStance {
  enum class Why : std::uint8_t {
    no_traffic,      ///< nothing would have gone there lately
    not_measured,    ///< how long its answers take is not known
    below,           ///< fewer requests than the break-even
    above,
    trial            ///< one request at a time, to measure it
  };
  std::uint32_t places = 0;         ///< requests that it may have at once; 0: closed
  std::uint32_t workers = 0;        ///< that earn what they cost
  std::uint32_t workers_up = 0;     ///< now, booting ones included
  Why why = Why::no_traffic;
  bool warm = false;                ///< a worker has had the time to boot
  float per_second = 0;             ///< requests that would go there
  float break_even = 0;             ///< requests a second from which one worker pays; 0: none does, or not known
  float service_seconds = 0;        ///< of an answer; 0: not known
  float worth = 0;                  ///< worth_of() the first worker
  Usd elsewhere;                    ///< what such a request costs at the cheapest other target, in the mean
  std::int64_t cold_start_us = 0;
  [[nodiscard]] bool open() const noexcept { return places > 0; }
};
[[nodiscard]] std::string_view name_of(PoolStance::Why why) noexcept;

/// Opens and closes one pool. A change needs a margin over the break-even and is followed by a time of rest, so it does not flap.
class PoolGovernor {
 public:
  /// What happened since the last tick.
  struct Seen {
    double seconds = 0;
    std::uint64_t offered = 0;                 ///< requests that would go to the pool if it were open, its own included
    double elsewhere_usd = 0;                  ///< what those cost at the cheapest other target, together
    std::uint64_t served_warm = 0, served_cold = 0;   ///< attempts that ended; cold: no worker was up when they began
    double warm_seconds = 0, cold_seconds = 0;        ///< of those, together
  };
  struct Facts {
    WorkerCost cost;
    double boot_seconds = 0;                   ///< what a request waits for, billed or not
    std::uint32_t workers_max = 1;
    std::uint32_t workers_up = 0;
    std::uint64_t prices = 0;                  ///< another number: prices changed, what was averaged holds no longer
  };
  /// `now`: seconds on any clock that does not go back.
  const PoolStance& tick(const Seen& seen, const Facts& facts, const AutopilotRules& rules, double now) noexcept;
  /// How long answers take, as measured earlier.
  void know_service(double seconds) noexcept { service_ = seconds; }
  [[nodiscard]] const PoolStance& stance() const noexcept { return stance_; }
  [[nodiscard]] std::uint64_t opened() const noexcept { return opened_; }
  [[nodiscard]] std::uint64_t closed() const noexcept { return closed_; }

 private:
  void average(const Seen& seen, const Facts& facts, const AutopilotRules& rules) noexcept;
  void learn_service(const Seen& seen, const Facts& facts) noexcept;
  void note_workers(const Facts& facts, double now) noexcept;
  [[nodiscard]] PoolStance wanted(const Facts& facts, const AutopilotRules& rules, double now) noexcept;

  PoolStance stance_;
  double requests_ = 0, seconds_ = 0;          // fading sums
  double priced_requests_ = 0, elsewhere_ = 0; // likewise, since prices changed
  double service_ = 0;                         // 0: not known
  std::uint64_t warm_samples_ = 0, prices_ = 0, opened_ = 0, closed_ = 0;
  double changed_at_ = -1e18, tried_at_ = -1e18, booted_at_ = 0;
  bool prices_changed_ = false;
};

}  // namespace tollgate
