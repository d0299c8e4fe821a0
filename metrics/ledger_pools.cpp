// The ledger's tables of pools: lines by the hour, and where each pool's clock stands.
#include <sqlite3.h>

#include <string>

#include "metrics/ledger_sqlite.hpp"

namespace tollgate {
namespace {

constexpr const char* add_lines_sql = R"sql(
INSERT INTO pool_hour VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET
  billed_pusd=billed_pusd+excluded.billed_pusd, attributed_pusd=attributed_pusd+excluded.attributed_pusd,
  idle_pusd=idle_pusd+excluded.idle_pusd, cold_start_pusd=cold_start_pusd+excluded.cold_start_pusd,
  minimum_pusd=minimum_pusd+excluded.minimum_pusd, down_pusd=down_pusd+excluded.down_pusd,
  rounding_pusd=rounding_pusd+excluded.rounding_pusd, busy_gpu_us=busy_gpu_us+excluded.busy_gpu_us,
  idle_gpu_us=idle_gpu_us+excluded.idle_gpu_us, cold_start_gpu_us=cold_start_gpu_us+excluded.cold_start_gpu_us,
  minimum_gpu_us=minimum_gpu_us+excluded.minimum_gpu_us, down_gpu_us=down_gpu_us+excluded.down_gpu_us)sql";

std::int64_t narrow(UsdSum sum) noexcept { return static_cast<std::int64_t>(sum.picodollars()); }

}  // namespace

Result<void> SqliteLedger::add_pool_lines(std::string_view pool, std::int64_t hour, const PoolLines& lines) {
  if (lines == PoolLines{}) return success();
  TOLLGATE_TRY(const std::int64_t name, ledger_id(pool));
  Statement add;
  if (sqlite3_prepare_v2(connection_.get(), add_lines_sql, -1, &add.handle, nullptr) != SQLITE_OK) {
    return refusal("write");
  }
  const std::int64_t values[] = {name,
                                 hour,
                                 narrow(lines.billed),
                                 narrow(lines.attributed),
                                 narrow(lines.idle),
                                 narrow(lines.cold_start),
                                 narrow(lines.minimum),
                                 narrow(lines.down),
                                 narrow(lines.rounding),
                                 lines.busy_gpu_time.count(),
                                 lines.idle_gpu_time.count(),
                                 lines.cold_start_gpu_time.count(),
                                 lines.minimum_gpu_time.count(),
                                 lines.down_gpu_time.count()};
  int at = 0;
  for (const std::int64_t value : values) sqlite3_bind_int64(add.handle, ++at, value);
  return step(add, "write");
}

Result<void> SqliteLedger::set_pool_clock(std::string_view pool, const PoolClock& clock) {
  TOLLGATE_TRY(const std::int64_t name, ledger_id(pool));
  Statement set;
  const char* const sql = "INSERT OR REPLACE INTO pool_clock VALUES(?,?,?,?,?,?)";
  if (sqlite3_prepare_v2(connection_.get(), sql, -1, &set.handle, nullptr) != SQLITE_OK) return refusal("write");
  const std::int64_t values[] = {name,        clock.run,     static_cast<std::int64_t>(clock.take),
                                 clock.at_ns, clock.tail_ns, clock.billed ? 1 : 0};
  int at = 0;
  for (const std::int64_t value : values) sqlite3_bind_int64(set.handle, ++at, value);
  return step(set, "write");
}

Result<PoolClocks> SqliteLedger::pool_clocks() {
  PoolClocks clocks;
  Statement rows;
  const char* const sql =
      "SELECT n.text,c.run,c.take,c.at_ns,c.tail_ns,c.billed FROM pool_clock c JOIN name n ON n.id=c.pool";
  if (sqlite3_prepare_v2(connection_.get(), sql, -1, &rows.handle, nullptr) != SQLITE_OK) return refusal("read");
  int code = SQLITE_OK;
  while ((code = sqlite3_step(rows.handle)) == SQLITE_ROW) {
    PoolClock& clock = clocks[reinterpret_cast<const char*>(sqlite3_column_text(rows.handle, 0))];
    clock.run = sqlite3_column_int64(rows.handle, 1);
    clock.take = static_cast<std::uint64_t>(sqlite3_column_int64(rows.handle, 2));
    clock.at_ns = sqlite3_column_int64(rows.handle, 3);
    clock.tail_ns = sqlite3_column_int64(rows.handle, 4);
    clock.billed = sqlite3_column_int64(rows.handle, 5) != 0;
  }
  if (code != SQLITE_DONE) return refusal("read");
  return clocks;
}

}  // namespace tollgate
