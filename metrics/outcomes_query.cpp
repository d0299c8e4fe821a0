#include "metrics/outcomes_query.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "metrics/ledger_schema.hpp"

namespace tollgate {
namespace {

constexpr int busy_timeout_ms = 10'000;
constexpr std::int64_t learning_schema = 6;  // the first that has features and outcomes

struct CloseConnection {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;
using Query = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

Error refusal(sqlite3* connection, const std::string& path) {
  return fail(Fault::io_failed, "cannot read the ledger " + path + ": " +
                                    (connection != nullptr ? sqlite3_errmsg(connection) : "out of memory"));
}

Result<Query> prepared(sqlite3* connection, const char* sql, const std::string& path) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(connection, sql, -1, &statement, nullptr) != SQLITE_OK) return refusal(connection, path);
  return Query(statement);
}

Result<std::int64_t> number(sqlite3* connection, const char* sql, const std::string& path) {
  TOLLGATE_TRY(const Query query, prepared(connection, sql, path));
  if (sqlite3_step(query.get()) != SQLITE_ROW) return refusal(connection, path);
  return sqlite3_column_int64(query.get(), 0);
}

Result<Connection> opened(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) {
    return fail(Fault::io_failed,
                "there is no ledger at " + path + "; --ledger names another, or --config a configuration");
  }
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(handle);
  if (code != SQLITE_OK) return refusal(handle, path);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  if (sqlite3_exec(handle, "PRAGMA query_only=ON; PRAGMA trusted_schema=OFF", nullptr, nullptr, nullptr) != SQLITE_OK) {
    return refusal(handle, path);
  }
  TOLLGATE_TRY(const std::int64_t application, number(handle, "PRAGMA application_id", path));
  if (application != ledger_application_id) return fail(Fault::bad_config, path + " is not a tollgate ledger");
  TOLLGATE_TRY(const std::int64_t version, number(handle, "PRAGMA user_version", path));
  if (version < learning_schema) {
    return fail(
        Fault::bad_config,
        "the ledger " + path +
            " was written by a tollgate that did not keep features and outcomes yet; serve with this one first");
  }
  return connection;
}

std::optional<OutcomeVerdict> verdict_in(sqlite3_stmt* row, int column) {
  if (sqlite3_column_type(row, column) == SQLITE_NULL) return std::nullopt;
  const std::int64_t value = sqlite3_column_int64(row, column);
  if (value < 0 || value >= static_cast<std::int64_t>(verdict_count)) return std::nullopt;
  return static_cast<OutcomeVerdict>(value);
}

std::string text_in(sqlite3_stmt* row, int column) {
  const auto* const found = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
  return found == nullptr ? "" : found;
}

void bind_period(sqlite3_stmt* query, const OutcomePeriod& period) {
  sqlite3_bind_int64(query, 1, static_cast<std::int64_t>(lowest_request_id_at(period.since_us)));
  sqlite3_bind_int64(query, 2, period.since_us);
  sqlite3_bind_int64(query, 3, period.until_us);
}

JudgedRequest read_row(sqlite3_stmt* row) {
  JudgedRequest judged;
  judged.id = RequestId{sqlite3_column_int64(row, 0)};
  judged.target = text_in(row, 1);
  judged.features.version = static_cast<std::uint8_t>(sqlite3_column_int(row, 2));
  const auto size = std::min(static_cast<std::size_t>(sqlite3_column_bytes(row, 3)), feature_bytes_max);
  judged.features.size = static_cast<std::uint8_t>(size);
  if (size > 0) std::memcpy(judged.features.bytes.data(), sqlite3_column_blob(row, 3), size);
  judged.feedback = verdict_in(row, 4);
  judged.format = verdict_in(row, 5);
  judged.judge = verdict_in(row, 6);
  return judged;
}

}  // namespace

Result<std::vector<JudgedRequest>> judged_requests(const std::string& path, std::int64_t since_us,
                                                   std::size_t rows_max) {
  TOLLGATE_TRY(const Connection connection, opened(path));
  constexpr const char* sql =
      "SELECT o.request,n.text,f.version,f.blob,max(iif(o.source=0,o.verdict,NULL)),"
      "max(iif(o.source=1,o.verdict,NULL)),max(iif(o.source=2,o.verdict,NULL)) "
      "FROM outcome o JOIN request r ON r.id=o.request JOIN features f ON f.request=o.request "
      "LEFT JOIN name n ON n.id=r.target WHERE r.attempts>0 AND o.request>=? AND r.arrived_us>=? "
      "GROUP BY o.request ORDER BY o.request DESC LIMIT ?";
  TOLLGATE_TRY(const Query query, prepared(connection.get(), sql, path));
  sqlite3_bind_int64(query.get(), 1, static_cast<std::int64_t>(lowest_request_id_at(since_us)));
  sqlite3_bind_int64(query.get(), 2, since_us);
  sqlite3_bind_int64(query.get(), 3, static_cast<std::int64_t>(rows_max));
  std::vector<JudgedRequest> rows;
  int code = SQLITE_OK;
  while ((code = sqlite3_step(query.get())) == SQLITE_ROW) rows.push_back(read_row(query.get()));
  if (code != SQLITE_DONE) return refusal(connection.get(), path);
  std::reverse(rows.begin(), rows.end());
  return rows;
}

Result<std::vector<OutcomeSum>> outcome_sums(const std::string& path, const OutcomePeriod& period) {
  TOLLGATE_TRY(const Connection connection, opened(path));
  constexpr const char* sql =
      "SELECT iif(q.attempts=0 AND r.result='ok','(cache)',coalesce(r.target,'')),o.source,o.verdict,count(*),"
      "CASE WHEN count(t.score_ppm)=0 THEN NULL ELSE (2*sum(t.score_ppm)+count(t.score_ppm))/(2*count(t.score_ppm)) "
      "END "
      "FROM outcomes o JOIN requests r ON r.id=o.request_id JOIN request q ON q.id=o.request_id "
      "JOIN outcome t ON t.request=o.request_id AND t.source=CASE o.source WHEN 'feedback' THEN 0 WHEN 'format' THEN 1 "
      "ELSE 2 END"
      " WHERE q.id>=? AND q.arrived_us>=? AND q.arrived_us<? GROUP BY 1,2,3 ORDER BY 1,2,4 DESC,3";
  TOLLGATE_TRY(const Query query, prepared(connection.get(), sql, path));
  bind_period(query.get(), period);
  std::vector<OutcomeSum> sums;
  int code = SQLITE_OK;
  while ((code = sqlite3_step(query.get())) == SQLITE_ROW) {
    OutcomeSum sum{text_in(query.get(), 0), text_in(query.get(), 1), text_in(query.get(), 2),
                   sqlite3_column_int64(query.get(), 3), std::nullopt};
    if (sqlite3_column_type(query.get(), 4) != SQLITE_NULL) sum.score_ppm_mean = sqlite3_column_int64(query.get(), 4);
    sums.push_back(std::move(sum));
  }
  if (code != SQLITE_DONE) return refusal(connection.get(), path);
  return sums;
}

Result<std::vector<ListedOutcome>> list_outcomes(const std::string& path, const OutcomePeriod& period,
                                                 std::size_t rows_max) {
  TOLLGATE_TRY(const Connection connection, opened(path));
  constexpr const char* sql =
      "SELECT o.request,o.at,r.arrived,iif(q.attempts=0 AND r.result='ok','(cache)',r.target),r.team,r.tier,o.source,o.verdict,o.comment,o.score FROM outcomes o "
      "JOIN requests r ON r.id=o.request_id JOIN request q ON q.id=o.request_id "
      "WHERE q.id>=? AND q.arrived_us>=? AND q.arrived_us<? ORDER BY o.request_id DESC,o.source LIMIT ?";
  TOLLGATE_TRY(const Query query, prepared(connection.get(), sql, path));
  bind_period(query.get(), period);
  sqlite3_bind_int64(query.get(), 4, static_cast<std::int64_t>(rows_max));
  std::vector<ListedOutcome> rows;
  int code = SQLITE_OK;
  while ((code = sqlite3_step(query.get())) == SQLITE_ROW) {
    ListedOutcome row;
    int column = 0;
    for (std::string* const cell : {&row.request, &row.at, &row.arrived, &row.target, &row.team, &row.tier, &row.source,
                                    &row.verdict, &row.comment, &row.score}) {
      *cell = text_in(query.get(), column++);
    }
    rows.push_back(std::move(row));
  }
  if (code != SQLITE_DONE) return refusal(connection.get(), path);
  return rows;
}

}  // namespace tollgate
