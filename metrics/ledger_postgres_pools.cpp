// PostgresLedger's tables of pools: lines by the hour, where the clocks stand, and who bills (docs/money/pools.md).
#include "metrics/ledger_postgres.hpp"

namespace tollgate {
namespace {

constexpr const char* add_lines_sql = R"sql(
INSERT INTO pool_hour VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14) ON CONFLICT(pool,hour) DO UPDATE SET
  billed_pusd=pool_hour.billed_pusd+excluded.billed_pusd, attributed_pusd=pool_hour.attributed_pusd+excluded.attributed_pusd,
  idle_pusd=pool_hour.idle_pusd+excluded.idle_pusd, cold_start_pusd=pool_hour.cold_start_pusd+excluded.cold_start_pusd,
  minimum_pusd=pool_hour.minimum_pusd+excluded.minimum_pusd, down_pusd=pool_hour.down_pusd+excluded.down_pusd,
  rounding_pusd=pool_hour.rounding_pusd+excluded.rounding_pusd, busy_gpu_us=pool_hour.busy_gpu_us+excluded.busy_gpu_us,
  idle_gpu_us=pool_hour.idle_gpu_us+excluded.idle_gpu_us, cold_start_gpu_us=pool_hour.cold_start_gpu_us+excluded.cold_start_gpu_us,
  minimum_gpu_us=pool_hour.minimum_gpu_us+excluded.minimum_gpu_us, down_gpu_us=pool_hour.down_gpu_us+excluded.down_gpu_us)sql";

std::int64_t narrow(UsdSum sum) noexcept { return static_cast<std::int64_t>(sum.picodollars()); }

PoolClock clock_at(const PgRows& rows, int row, int column) {
  PoolClock clock;
  clock.run = rows.number(row, column);
  clock.take = static_cast<std::uint64_t>(rows.number(row, column + 1));
  clock.at_ns = rows.number(row, column + 2);
  clock.tail_ns = rows.number(row, column + 3);
  clock.billed = rows.number(row, column + 4) != 0;
  return clock;
}

Error no_part_left(const PoolLease& lease, std::int64_t theirs, std::string_view host) {
  const std::string by = "the pool " + lease.pool + " is billed by the gateway on " + std::string(host) + " already, ";
  if (theirs != lease.gateways) {
    return fail(Fault::bad_config, by + "for which `gateways` of the pool is " + std::to_string(theirs) + " and not " + std::to_string(lease.gateways) +
                                       "; say the same number to all");
  }
  return fail(Fault::bad_config, by + "and the same hardware must not be billed twice: say how many `gateways` stand before it in the pool of each "
                                      "(docs/money/pools.md)");
}

}  // namespace

Result<void> PostgresLedger::add_pool_lines(std::string_view pool, std::int64_t hour, const PoolLines& lines) {
  if (lines == PoolLines{}) return success();
  TOLLGATE_TRY(const std::int64_t name, ledger_id(pool));
  std::vector<PgValue> values{PgValue(name), PgValue(hour)};
  for (const UsdSum money : {lines.billed, lines.attributed, lines.idle, lines.cold_start, lines.minimum, lines.down, lines.rounding}) {
    values.emplace_back(narrow(money));
  }
  for (const GpuTime time : {lines.busy_gpu_time, lines.idle_gpu_time, lines.cold_start_gpu_time, lines.minimum_gpu_time, lines.down_gpu_time}) {
    values.emplace_back(std::int64_t{time.count()});
  }
  later(add_lines_sql, std::move(values));
  return success();
}

Result<void> PostgresLedger::set_pool_clock(std::string_view pool, const PoolClock& clock) {
  TOLLGATE_TRY(const std::int64_t name, ledger_id(pool));
  later("INSERT INTO pool_clock(pool,gateway,run,take,at_ns,tail_ns,billed) VALUES($1,$2,$3,$4,$5,$6,$7) ON CONFLICT(pool,gateway) DO UPDATE SET "
        "run=excluded.run,take=excluded.take,at_ns=excluded.at_ns,tail_ns=excluded.tail_ns,billed=excluded.billed",
        {PgValue(name), PgValue(gateway_), PgValue(clock.run), PgValue(static_cast<std::int64_t>(clock.take)), PgValue(clock.at_ns),
         PgValue(clock.tail_ns), PgValue(std::int64_t{clock.billed ? 1 : 0})});
  return success();
}

Result<PoolClocks> PostgresLedger::pool_clocks() {
  TOLLGATE_TRY(const PgRows rows,
               connection_.run("SELECT n.text,c.run,c.take,c.at_ns,c.tail_ns,c.billed,c.taken_over FROM pool_clock c JOIN name n ON n.id=c.pool "
                               "WHERE c.gateway=$1",
                               {PgValue(gateway_)}));
  PoolClocks clocks;
  for (int row = 0; row < rows.count(); ++row) {
    PoolClock& clock = clocks[std::string(rows.text(row, 0))] = clock_at(rows, row, 1);
    clock.taken_over = rows.number(row, 6) != 0;
  }
  return clocks;
}

Result<PoolClocks> PostgresLedger::lease_pools(const std::vector<PoolLease>& pools) {
  std::vector<std::int64_t> names;
  for (const PoolLease& lease : pools) {
    TOLLGATE_TRY(const std::int64_t name, ledger_id(lease.pool));
    names.push_back(name);
  }
  PoolClocks clocks;
  const auto transaction = [&]() -> Result<void> {
    TOLLGATE_TRY(connection_.script("BEGIN;SELECT pg_advisory_xact_lock(1416588396,1002)"));
    for (std::size_t i = 0; i < pools.size(); ++i) {
      TOLLGATE_TRY(lease_pool(pools[i], names[i], clocks));
    }
    return connection_.script("COMMIT");
  };
  if (const Result<void> done = transaction(); !done) {
    if (!connection_.lost()) {
      const Result<void> undone = connection_.script("ROLLBACK");
      (void)undone;
    }
    return done.error();
  }
  leased_ = pools;
  return clocks;
}

/// A part of the pool that nobody has, or that somebody has left behind: whoever takes that goes on with its bill.
Result<void> PostgresLedger::lease_pool(const PoolLease& lease, std::int64_t name, PoolClocks& clocks) {
  // Its session stands, or it was seen a moment ago: it may be on its way back. What left its configuration it bills no longer.
  TOLLGATE_TRY(const PgRows holders,
               connection_.run("SELECT c.gateway,g.host,(c.billed=1 OR c.run=0) AND NOT g.ended AND (g.seen_at>now()-" + std::string(pool_lease) +
                                   " OR EXISTS(SELECT 1 FROM pg_locks l WHERE l.locktype='advisory' AND l.granted AND l.database=(SELECT oid FROM "
                                   "pg_database WHERE datname=current_database()) AND l.classid::bigint=1416588396 AND "
                                   "l.objid::bigint=g.number)),c.run,c.take,c.at_ns,c.tail_ns,c.billed,c.gateways FROM pool_clock c JOIN gateway g "
                                   "ON g.id=c.gateway WHERE c.pool=$1 AND c.taken_over=0 ORDER BY c.billed DESC,c.at_ns",
                               {PgValue(name)}));
  std::int64_t others = 0, left = -1;
  PoolClock last;
  last.billed = false;
  bool ours = false;
  for (int row = 0; row < holders.count(); ++row) {
    if (holders.number(row, 0) == gateway_) {
      ours = true;
    } else if (holders.number(row, 2) == 0) {
      if (left >= 0) continue;
      left = holders.number(row, 0);
      last = clock_at(holders, row, 3);
    } else {
      ++others;
      const std::int64_t theirs = holders.number(row, 8);
      if (!ours && (theirs != lease.gateways || others >= lease.gateways)) return no_part_left(lease, theirs, holders.text(row, 1));
    }
  }
  if (ours) {
    TOLLGATE_TRY(connection_.run("UPDATE pool_clock SET gateways=$3 WHERE pool=$1 AND gateway=$2", {PgValue(name), PgValue(gateway_), PgValue(lease.gateways)}));
    return success();
  }
  if (left >= 0) {
    TOLLGATE_TRY(connection_.run("UPDATE pool_clock SET taken_over=1,billed=billed*$3 WHERE pool=$1 AND gateway=$2",
                                 {PgValue(name), PgValue(left), PgValue(std::int64_t{lease.billed_while_down ? 1 : 0})}));
  }
  if (last.billed) clocks[lease.pool] = last;
  TOLLGATE_TRY(connection_.run("INSERT INTO pool_clock(pool,gateway,run,take,at_ns,tail_ns,billed,gateways) VALUES($1,$2,0,0,$3,$4,$5,$6) ON "
                               "CONFLICT(pool,gateway) DO UPDATE SET taken_over=0,run=0,take=0,at_ns=excluded.at_ns,tail_ns=excluded.tail_ns,"
                               "billed=excluded.billed,gateways=excluded.gateways",
                               {PgValue(name), PgValue(gateway_), PgValue(last.at_ns), PgValue(last.tail_ns),
                                PgValue(std::int64_t{last.billed ? 1 : 0}), PgValue(lease.gateways)}));
  return success();
}

/// After the connection was lost: what another gateway has begun to bill meanwhile cannot be billed here any more.
Result<void> PostgresLedger::keep_pools() {
  for (const PoolLease& lease : leased_) {
    TOLLGATE_TRY(const std::int64_t name, ledger_id(lease.pool));
    TOLLGATE_TRY(const PgRows lost, connection_.run("SELECT 1 FROM pool_clock WHERE pool=$1 AND gateway=$2 AND taken_over=1",
                                                    {PgValue(name), PgValue(gateway_)}));
    if (lost.count() == 0) continue;
    return fail(Fault::bad_config, "another gateway bills the pool " + lease.pool +
                                       " since this one was cut off from the ledger; restart this one, with pools of its own");
  }
  return success();
}

}  // namespace tollgate
