#include "metrics/pool_recorder.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t hour_ns = 3'600'000'000'000;

/// The lines that the ledger does not have, with the shares of runs that were in flight replaced by what their attempts
/// are charged now.
PoolLines missing_lines(const PoolLeft& left, const PoolTotals& known, UsdSum recovered) {
  PoolLines lines = lines_of(left.moment.totals) - lines_of(known);
  const UsdSum accrued = lines_of(left.moment.totals).attributed - UsdSum(left.moment.totals.charged);
  const UsdSum unclaimed = accrued - recovered;
  lines.attributed -= unclaimed;
  // What nobody is charged for was used by nobody; an excess is of the size of a few events' rounding.
  (unclaimed > UsdSum{} ? lines.idle : lines.rounding) += unclaimed;
  return lines;
}

/// Another gateway has billed the same time as `down` already: what is known of it now is taken out of that.
PoolLines out_of_down(PoolLines lines) {
  lines.down -= lines.billed;
  lines.billed = UsdSum{};
  lines.down_gpu_time = lines.down_gpu_time - (lines.busy_gpu_time + lines.idle_gpu_time + lines.cold_start_gpu_time +
                                               lines.minimum_gpu_time + lines.down_gpu_time);
  return lines;
}

}  // namespace

Result<void> PoolRecorder::write(Ledger& ledger) {
  all_written_ = false;
  for (const GpuPool::Take& take : pools_.take(clock_())) {
    const std::string_view name = text(take.pool);
    for (const GpuPool::HourLines& hour : take.hours) {
      TOLLGATE_TRY(ledger.add_pool_lines(name, hour.hour, hour.lines));
    }
    TOLLGATE_TRY(ledger.set_pool_clock(name, {pools_.run(), take.number, take.at_ns, take.tail_ns, take.billed}));
  }
  for (const auto& [name, clock] : pools_.forsaken()) {
    TOLLGATE_TRY(ledger.set_pool_clock(name, clock));
  }
  return success();
}

Result<void> take_in_pools(Ledger& ledger, const std::vector<PoolLeft>& left,
                           const std::map<NameId, UsdSum>& charges) {
  TOLLGATE_TRY(const auto clocks, ledger.pool_clocks());
  for (const PoolLeft& pool : left) {
    const auto found = clocks.find(std::string(pool.name()));
    const bool same_run = found != clocks.end() && found->second.run == pool.base.run;
    if (same_run && found->second.take == PoolClock::taken_in) continue;
    PoolTotals known;
    bool billed = true;
    if (same_run) {
      known = found->second.take == pool.base.take ? pool.base.taken : pool.base.recorded;
      billed = found->second.billed;
    }
    const auto charged = charges.find(pool.base.name_id);
    PoolLines lines = missing_lines(pool, known, charged == charges.end() ? UsdSum{} : charged->second);
    if (same_run && found->second.taken_over && found->second.billed) lines = out_of_down(lines);
    TOLLGATE_TRY(ledger.add_pool_lines(pool.name(), pool.moment.at_ns / hour_ns, lines));
    TOLLGATE_TRY(ledger.set_pool_clock(
        pool.name(), {pool.base.run, PoolClock::taken_in, pool.moment.at_ns, pool.moment.tail_ns, billed}));
  }
  return success();
}

}  // namespace tollgate
