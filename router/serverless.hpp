#pragma once
// What one more request costs hardware that is billed only while it works or waits for work (billing: serverless, reported): expected seconds,
// and a cold start where a worker would have to start for it. Pure.
//
//    note_workers(*backend.pool, {status.workers_up, status.workers_booting, status.in_flight}, state);
//    forecast_of(…)                                             // asks charge_of_work()

#include <optional>

#include "router/router.hpp"
#include "router/target_state.hpp"

namespace tollgate {

struct WorkersNow {
  std::int64_t up = 0, booting = 0;   ///< up: booting ones included
  std::int64_t in_flight = 0;         ///< requests, of all targets of the pool
};
/// Of a serverless pool: whether the next request starts a worker, with how many others it shares one, how long it waits for a boot. The rules
/// are those by which the pool is billed (metrics/serverless_workers.hpp). Nothing for other pools.
void note_workers(const Pool& pool, const WorkersNow& now, TargetState& state) noexcept;

/// nullopt: the hardware is up and paid for anyway, or nobody knows whether a worker is; or it is full, so that the request takes capacity from
/// others.
[[nodiscard]] std::optional<Usd> charge_of_work(const ChatView& chat, const Target& target, const Pool& pool, const TargetState& state,
                                                bool saturated) noexcept;

}  // namespace tollgate
