// Old requests become sums per day: SqliteLedger's part that does it (metrics/ledger_sqlite.hpp).
//
// A batch of requests is added to the sums and deleted in one transaction, so that at every moment a request counts
// once. Sums are kept as two halves, high × 2^32 + low, which cannot overflow.
#include <sqlite3.h>

#include <algorithm>

#include "metrics/costs_query.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_sqlite.hpp"

namespace tollgate {
namespace {

/// Fewer unused pages than this are left for new rows.
constexpr std::int64_t pages_kept = 1000;

// CROSS JOIN keeps SQLite to this order: from the few to their rows, never through a whole table.
constexpr const char* of_requests = "temp.folding f CROSS JOIN request r ON r.id=f.id";
constexpr const char* of_attempts =
    "temp.folding f CROSS JOIN request r ON r.id=f.id CROSS JOIN attempt a ON a.request=f.id";
constexpr const char* of_baselines =
    "temp.folding f CROSS JOIN request r ON r.id=f.id CROSS JOIN baseline b ON b.request=f.id";
constexpr const char* of_cached =
    "temp.folding f CROSS JOIN request r ON r.id=f.id CROSS JOIN cached c ON c.request=f.id";

}  // namespace

Result<std::vector<std::string>> SqliteLedger::texts(const char* sql) {
  Statement statement;
  if (sqlite3_prepare_v2(connection_.get(), sql, -1, &statement.handle, nullptr) != SQLITE_OK) return refusal("read");
  std::vector<std::string> texts;
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement.handle)) == SQLITE_ROW) {
    texts.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement.handle, 0)));
  }
  if (code != SQLITE_DONE) return refusal("read");
  return texts;
}

Result<void> SqliteLedger::fold_measure(const std::string& measure, const std::string& sql_from,
                                        const std::string& target, const std::string& high, const std::string& low) {
  TOLLGATE_TRY(const std::int64_t name, ledger_id(std::string_view(measure)));
  const std::string sql = "INSERT INTO daily SELECT r.arrived_us/86400000000,r.team,r.model,r.route,r.key," + target +
                          ",r.tier,r.result," + std::to_string(name) + ",sum(" + high + ") AS high,sum(" + low +
                          ") AS low FROM " + sql_from + " WHERE true GROUP BY 1,2,3,4,5,6,7,8 HAVING sum(" + high +
                          ")<>0 OR sum(" + low +
                          ")<>0 ON CONFLICT DO UPDATE SET high=high+excluded.high,low=low+excluded.low";
  return run(sql.c_str(), "fold old rows of");
}

Result<void> SqliteLedger::fold_attempts() {
  TOLLGATE_TRY(fold_measure(std::string(daily_attempts), of_attempts, "a.target", "0", "1"));
  for (const auto& [measure, counted] : counted_attempts) {
    TOLLGATE_TRY(fold_measure(std::string(measure), of_attempts, "a.target", "0", "(" + std::string(counted) + ")"));
  }
  // Every column of money, and the tokens it is charged for: a later schema may have more of them.
  TOLLGATE_TRY(
      const std::vector<std::string> columns,
      texts("SELECT name FROM pragma_table_info('attempt') WHERE name LIKE '%\\_pusd' ESCAPE '\\' OR name='reasoning' "
            "OR name||'_pusd' IN (SELECT name FROM pragma_table_info('attempt')) AND name<>'request'"));
  for (const std::string& column : columns) {
    TOLLGATE_TRY(fold_measure(column, of_attempts, "a.target", high_half("a." + column), low_half("a." + column)));
  }
  return success();
}

Result<void> SqliteLedger::fold_cached() {
  for (const auto& [measure, counted] : counted_cached) {
    TOLLGATE_TRY(fold_measure(std::string(measure), of_cached, "c.target", "0", "(" + std::string(counted) + ")"));
  }
  const std::string saved = "coalesce(c.saved_pusd,0)";
  return fold_measure(std::string(daily_saved), of_cached, "c.target", high_half(saved), low_half(saved));
}

Result<void> SqliteLedger::fold_baselines() {
  TOLLGATE_TRY(const std::vector<std::string> columns,
               texts("SELECT name FROM pragma_table_info('attempt') WHERE name LIKE '%\\_pusd' ESCAPE '\\'"));
  TOLLGATE_TRY(
      const std::vector<std::string> names,
      texts("SELECT text FROM name WHERE id IN (SELECT b.baseline FROM temp.folding f CROSS JOIN baseline b ON "
            "b.request=f.id)"));
  std::string high, low;
  for (const std::string& column : columns) {
    high += (high.empty() ? "" : "+") + high_half("a." + column);
    low += (low.empty() ? "" : "+") + low_half("a." + column);
  }
  const std::string known(baseline_comparable);
  const auto if_known = [&](const std::string& value) { return "iif(" + known + "," + value + ",0)"; };
  const auto actual = [&](const std::string& half) {
    return if_known("(SELECT coalesce(sum(" + half + "),0) FROM attempt a WHERE a.request=r.id)");
  };
  for (const std::string& name : names) {
    TOLLGATE_TRY(const std::int64_t id, ledger_id(std::string_view(name)));
    const std::string from = std::string(of_baselines) + " AND b.baseline=" + std::to_string(id);
    const std::string measure = std::string(daily_baseline_prefix) + name + ":";
    const auto fold = [&](const char* what, const std::string& upper, const std::string& lower) {
      return fold_measure(measure + what, from, "r.target", upper, lower);
    };
    TOLLGATE_TRY(fold("compared", "0", "(" + known + ")"));
    TOLLGATE_TRY(fold("unknown", "0", "NOT (" + known + ")"));
    TOLLGATE_TRY(fold("pusd", if_known(high_half("b.pusd")), if_known(low_half("b.pusd"))));
    TOLLGATE_TRY(fold("actual_pusd", actual(high), actual(low)));
  }
  return success();
}

Result<std::size_t> SqliteLedger::fold(std::int64_t cutoff_us, std::size_t requests_max) {
  // Ids run at most ahead of the clock, so none that is old enough lies past this one.
  const std::string last_id = std::to_string(static_cast<std::int64_t>(lowest_request_id_at(cutoff_us)));
  const auto transaction = [&]() -> Result<std::size_t> {
    TOLLGATE_TRY(run("CREATE TABLE IF NOT EXISTS temp.folding(id INTEGER PRIMARY KEY)", "fold old rows of"));
    TOLLGATE_TRY(begin());
    const std::string choose = "DELETE FROM temp.folding;INSERT INTO temp.folding SELECT id FROM request WHERE id<" +
                               last_id + " AND id<(SELECT max(id) FROM request) AND arrived_us<" +
                               std::to_string(cutoff_us) + " ORDER BY id LIMIT " + std::to_string(requests_max);
    TOLLGATE_TRY(run(choose.c_str(), "fold old rows of"));
    TOLLGATE_TRY(const std::int64_t count, number("SELECT count(*) FROM temp.folding"));
    if (count == 0) {
      rollback();
      return std::size_t{0};
    }
    TOLLGATE_TRY(fold_measure(std::string(daily_requests), of_requests, "r.target", "0", "(((r.flags>>2)&3)=0)"));  // clients'
    TOLLGATE_TRY(fold_attempts());
    TOLLGATE_TRY(fold_baselines());
    TOLLGATE_TRY(fold_cached());
    TOLLGATE_TRY(
        run("DELETE FROM cached WHERE request IN (SELECT id FROM temp.folding);"
            "DELETE FROM decision WHERE request IN (SELECT id FROM temp.folding);"
            "DELETE FROM features WHERE request IN (SELECT id FROM temp.folding);"
            "DELETE FROM outcome WHERE request IN (SELECT id FROM temp.folding);"
            "DELETE FROM coverage WHERE request IN (SELECT id FROM temp.folding);"
            "DELETE FROM baseline WHERE request IN (SELECT id FROM temp.folding);"
            "DELETE FROM attempt WHERE request IN (SELECT id FROM temp.folding);"
            "DELETE FROM request WHERE id IN (SELECT id FROM temp.folding)",
            "fold old rows of"));
    TOLLGATE_TRY(commit());
    return static_cast<std::size_t>(count);
  };
  Result<std::size_t> folded = transaction();
  if (!folded) rollback();
  return folded;
}

Result<bool> SqliteLedger::shrink(std::size_t pages_max) {
  TOLLGATE_TRY(const std::int64_t unused, number("PRAGMA freelist_count"));
  TOLLGATE_TRY(const std::int64_t mode, number("PRAGMA auto_vacuum"));
  constexpr std::int64_t incremental = 2;
  if (mode != incremental || unused <= pages_kept) return false;  // an older ledger reuses them for new rows
  const std::int64_t pages = std::min<std::int64_t>(unused - pages_kept, static_cast<std::int64_t>(pages_max));
  TOLLGATE_TRY(run(("PRAGMA incremental_vacuum(" + std::to_string(pages) + ")").c_str(), "shrink"));
  return unused - pages > pages_kept;
}

}  // namespace tollgate
