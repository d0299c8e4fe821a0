// SqliteLedger's part for learning: what routing saw of a request, and outcomes
// (metrics/ledger_sqlite.hpp).
#include <sqlite3.h>

#include "metrics/ledger_rows.hpp"
#include "metrics/ledger_sqlite.hpp"

namespace tollgate {

Result<void> SqliteLedger::prepare_learning() {
  const std::pair<Statement*, const char*> wanted[] = {
      {&insert_features_, "INSERT OR IGNORE INTO features VALUES(?,?,?,?,?,?)"},
      {&find_request_, "SELECT key,(SELECT text FROM name WHERE name.id=target) FROM request WHERE id=?"},
      {&insert_outcome_,
       "INSERT INTO outcome VALUES(?,?,?,?,?,?) ON CONFLICT(request,source) DO UPDATE SET verdict=excluded.verdict,"
       "score_ppm=excluded.score_ppm,at_us=excluded.at_us,comment=excluded.comment "
       "WHERE verdict<>excluded.verdict OR score_ppm IS NOT excluded.score_ppm OR comment IS NOT excluded.comment"}};
  for (const auto& [statement, sql] : wanted) {
    if (sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle, nullptr) !=
        SQLITE_OK) {
      return refusal("prepare");
    }
  }
  return success();
}

Result<void> SqliteLedger::insert_notes(const OpenRequest& settled) {
  if (!keeps_features(settled)) return success();
  return insert_features(settled.notes);
}

Result<void> SqliteLedger::insert_features(const RequestNotes& notes) {
  sqlite3_stmt* const insert = insert_features_.handle;
  sqlite3_bind_int64(insert, 1, static_cast<std::int64_t>(notes.of));
  sqlite3_bind_int(insert, 2, notes.features.version);
  sqlite3_bind_int(insert, 3, notes.flags);
  sqlite3_bind_int(insert, 4, notes.input_tokens);
  if (notes.output_tokens_max < 0) {
    sqlite3_bind_null(insert, 5);
  } else {
    sqlite3_bind_int(insert, 5, notes.output_tokens_max);
  }
  sqlite3_bind_blob(insert, 6, notes.features.bytes.data(), notes.features.size, SQLITE_STATIC);
  const Result<void> done = step(insert_features_, "write");
  sqlite3_clear_bindings(insert);  // the slot's bytes are given back
  return done;
}

Result<void> SqliteLedger::write_outcome(const Outcome& outcome) {
  sqlite3_stmt* const insert = insert_outcome_.handle;
  sqlite3_bind_int64(insert, 1, static_cast<std::int64_t>(outcome.request));
  sqlite3_bind_int(insert, 2, static_cast<int>(outcome.source));
  sqlite3_bind_int(insert, 3, static_cast<int>(outcome.verdict));
  if (outcome.score_ppm) {
    sqlite3_bind_int(insert, 4, *outcome.score_ppm);
  } else {
    sqlite3_bind_null(insert, 4);
  }
  sqlite3_bind_int64(insert, 5, outcome.at_us);
  if (outcome.comment.empty()) {
    sqlite3_bind_null(insert, 6);
  } else {
    sqlite3_bind_text(insert, 6, outcome.comment.data(), static_cast<int>(outcome.comment.size()), SQLITE_STATIC);
  }
  const Result<void> done = step(insert_outcome_, "write");
  sqlite3_clear_bindings(insert);
  return done;
}

Result<SqliteLedger::OutcomeWritten> SqliteLedger::insert_outcome(const Outcome& outcome) {
  OutcomeWritten written;
  std::int64_t key = 0;
  if (outcome.key) {
    TOLLGATE_TRY(key, ledger_id(*outcome.key));
  }
  sqlite3_bind_int64(find_request_.handle, 1, static_cast<std::int64_t>(outcome.request));
  const int code = sqlite3_step(find_request_.handle);
  if (code == SQLITE_ROW && (!outcome.key || sqlite3_column_int64(find_request_.handle, 0) == key)) {
    const auto* const target = reinterpret_cast<const char*>(sqlite3_column_text(find_request_.handle, 1));
    written.target = target == nullptr ? "" : target;
    written.result = OutcomeResult::recorded;
  }
  const bool failed = code != SQLITE_ROW && code != SQLITE_DONE;
  const Error error = failed ? refusal("read") : fail(Fault::internal, "");
  sqlite3_reset(find_request_.handle);
  if (failed) return error;
  if (written.result == OutcomeResult::recorded) {
    TOLLGATE_TRY(write_outcome(outcome));
    if (sqlite3_changes(connection_.get()) == 0) written.result = OutcomeResult::unchanged;
  }
  return written;
}

}  // namespace tollgate
