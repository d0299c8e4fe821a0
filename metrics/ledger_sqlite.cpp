#include "metrics/ledger_sqlite.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "metrics/ledger_rows.hpp"
#include "metrics/ledger_schema.hpp"

namespace tollgate {
namespace {

/// Another process may hold the ledger for so long (a reader that checkpoints, a backup) before a commit counts as
/// failed.
constexpr int busy_timeout_ms = 2'000;

/// Fewer unused pages than this are left for new rows.
constexpr std::int64_t pages_kept = 1000;

// Not `bind`: the standard library has one that would be found as well, and do nothing.
template <class Values>
void bind_all(sqlite3_stmt* statement, const Values& values, int at = 0) noexcept {
  for (const std::int64_t value : values) sqlite3_bind_int64(statement, ++at, value);
}
void bind_all(sqlite3_stmt* statement, std::initializer_list<std::int64_t> values) noexcept {
  bind_all<std::initializer_list<std::int64_t>>(statement, values);
}

std::string insert_into(std::string_view table, std::string columns, std::size_t count) {
  std::string marks = "?";
  while (--count > 0) marks += ",?";
  return "INSERT OR IGNORE INTO " + std::string(table) + "(" + columns + ") VALUES(" + marks + ")";
}

}  // namespace

SqliteLedger::Statement::~Statement() { sqlite3_finalize(handle); }
void SqliteLedger::Closer::operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
SqliteLedger::~SqliteLedger() = default;

Error SqliteLedger::refusal(const char* what) const {
  const int code = connection_ ? sqlite3_extended_errcode(connection_.get()) : SQLITE_NOMEM;
  std::string message = std::string("cannot ") + what + " the ledger " + path_ + ": " +
                        (connection_ ? sqlite3_errmsg(connection_.get()) : "out of memory");
  switch (code & 0xFF) {
    case SQLITE_FULL:
      message += "; make room on its disk";
      break;
    case SQLITE_CANTOPEN:
      message += "; does its folder exist, and may this user write there?";
      break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      message += "; this user must be allowed to write the file and its folder";
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      message += "; another program holds it (an open transaction in a shell, a backup?)";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      message += "; restore it from a backup, or move it away to begin a new one";
      break;
    default:
      break;
  }
  return fail(Fault::io_failed, std::move(message));
}

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open(const std::string& path) {
  auto ledger = std::unique_ptr<SqliteLedger>(new SqliteLedger(path));
  TOLLGATE_TRY(ledger->lock_.take(path));
  TOLLGATE_TRY(ledger->connect());
  TOLLGATE_TRY(ledger->migrate());
  TOLLGATE_TRY(ledger->prepare());
  ledger->results_.fill(-1);
  return ledger;
}

Result<void> SqliteLedger::connect() {
  sqlite3* opened = nullptr;
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path_.c_str(), &opened, flags, nullptr);
  connection_.reset(opened);
  if (code != SQLITE_OK) return refusal("open");
  sqlite3_busy_timeout(opened, busy_timeout_ms);
  // Takes effect in a new file only, and must come first: pages that retention frees can then be given back.
  TOLLGATE_TRY(run("PRAGMA auto_vacuum=INCREMENTAL", "open"));
  TOLLGATE_TRY(run("PRAGMA journal_mode=WAL", "open"));
  TOLLGATE_TRY(const std::int64_t is_wal, number("SELECT journal_mode='wal' FROM pragma_journal_mode"));
  if (is_wal == 0) {
    return fail(Fault::bad_config,
                "the ledger " + path_ +
                    " cannot be kept in WAL mode here; put it on a local disk (WAL does not work on network file "
                    "systems)");
  }
  return run(
      "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864; "
      "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF",
      "set up");
}

Result<void> SqliteLedger::migrate() {
  TOLLGATE_TRY(const std::int64_t application, number("PRAGMA application_id"));
  TOLLGATE_TRY(const std::int64_t version, number("PRAGMA user_version"));
  TOLLGATE_TRY(const std::int64_t tables, number("SELECT count(*) FROM sqlite_schema"));
  if (application != ledger_application_id && (tables != 0 || application != 0)) {
    return fail(Fault::bad_config,
                path_ + " is a database of another program, not a tollgate ledger; give another path");
  }
  if (version > ledger_schema_version) {
    return fail(Fault::bad_config, "the ledger " + path_ + " has schema " + std::to_string(version) +
                                       ", written by a newer tollgate; this one knows up to " +
                                       std::to_string(ledger_schema_version));
  }
  if (version == ledger_schema_version) {
    // Views are text that a later program may say better; the tables are the same.
    TOLLGATE_TRY(const std::int64_t current, number("SELECT count(*) FROM sqlite_schema WHERE type='view' AND name='requests' AND instr(sql,'batches')>0"));
    if (current == 1) return success();
    Result<void> renewed = run(("BEGIN IMMEDIATE;" + views_script(sqlite_dialect) + "COMMIT;").c_str(), "renew the views of");
    if (!renewed) rollback();
    return renewed;
  }
  std::string script = "BEGIN IMMEDIATE;";
  for (auto from = static_cast<int>(version); from < ledger_schema_version; ++from) script += migration_from(from);
  script += views_script(sqlite_dialect) + "PRAGMA application_id=" + std::to_string(ledger_application_id) +
            ";PRAGMA user_version=" + std::to_string(ledger_schema_version) + ";COMMIT;";
  Result<void> done = run(script.c_str(), "bring up to date");
  if (!done) rollback();
  return done;
}

Result<void> SqliteLedger::prepare() {
  const std::string request = insert_into("request", std::string(request_columns), request_column_count);
  const std::string plain = insert_into("attempt", std::string(tollgate::attempt_columns), attempt_column_count);
  const std::string rare = insert_into("attempt", std::string(tollgate::attempt_columns) + "," + std::string(rare_columns),
                                       attempt_column_count + rare_column_count);
  const std::pair<Statement*, const char*> wanted[] = {
      {&insert_request_, request.c_str()},
      {&insert_attempt_, plain.c_str()},
      {&insert_rare_attempt_, rare.c_str()},
      {&insert_name_, "INSERT INTO name(text) VALUES(?) ON CONFLICT DO NOTHING"},
      {&find_name_, "SELECT id FROM name WHERE text=?"},
      {&insert_run_name_, "INSERT OR REPLACE INTO run_name VALUES(?,?)"},
      {&insert_baseline_, "INSERT OR IGNORE INTO baseline VALUES(?,?,?)"},
      {&insert_coverage_, "INSERT OR IGNORE INTO coverage VALUES(?,?,?,?)"},
      {&insert_cached_, "INSERT OR IGNORE INTO cached VALUES(?,?,?,?,?)"},
      {&insert_decision_, "INSERT OR IGNORE INTO decision VALUES(?,?,?)"}};
  for (const auto& [statement, sql] : wanted) {
    if (sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle, nullptr) !=
        SQLITE_OK) {
      return refusal("prepare");
    }
  }
  return prepare_learning();
}

Result<void> SqliteLedger::run(const char* sql, const char* what) {
  if (sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return refusal(what);
  return success();
}

Result<std::int64_t> SqliteLedger::number(const char* sql) const {
  Statement statement;
  if (sqlite3_prepare_v2(connection_.get(), sql, -1, &statement.handle, nullptr) != SQLITE_OK) return refusal("read");
  const int code = sqlite3_step(statement.handle);
  if (code != SQLITE_ROW && code != SQLITE_DONE) return refusal("read");
  return code == SQLITE_ROW ? sqlite3_column_int64(statement.handle, 0) : 0;
}

Result<void> SqliteLedger::begin() { return run("BEGIN IMMEDIATE", "write"); }

Result<void> SqliteLedger::commit() {
  TOLLGATE_TRY(run("COMMIT", "write"));
  ids_durable_ = ids_.size();
  return success();
}

void SqliteLedger::rollback() noexcept {
  sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  if (!last_run_) ids_.resize(ids_durable_);
  results_.fill(-1);  // their names may have gone with it
  baseline_ids_.clear();
}

Result<void> SqliteLedger::step(Statement& statement, const char* what) {
  const int code = sqlite3_step(statement.handle);
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement.handle);
    return success();
  }
  const Error error = refusal(what);
  sqlite3_reset(statement.handle);
  return error;
}

Result<std::int64_t> SqliteLedger::ledger_id(std::string_view text) {
  const auto size = static_cast<int>(text.size());
  const char* const bytes = size == 0 ? "" : text.data();  // a null pointer would be NULL, not ''
  sqlite3_bind_text(insert_name_.handle, 1, bytes, size, SQLITE_STATIC);
  TOLLGATE_TRY(step(insert_name_, "write names to"));
  sqlite3_bind_text(find_name_.handle, 1, bytes, size, SQLITE_STATIC);
  if (sqlite3_step(find_name_.handle) != SQLITE_ROW) {
    const Error error = refusal("read names of");
    sqlite3_reset(find_name_.handle);
    return error;
  }
  const std::int64_t id = sqlite3_column_int64(find_name_.handle, 0);
  sqlite3_reset(find_name_.handle);
  return id;
}

Result<std::int64_t> SqliteLedger::ledger_id(NameId name) {
  const auto index = static_cast<std::uint32_t>(name);
  if (index >= ids_.size() && !last_run_) {
    TOLLGATE_TRY(write_names());
  }
  if (index < ids_.size()) return ids_[index];
  return ledger_id(std::string_view("unknown"));
}

Result<std::int64_t> SqliteLedger::ledger_id(RowResult result) {
  std::int64_t& id = results_[result.value];
  if (id < 0) {
    TOLLGATE_TRY(id, ledger_id(result.name()));
  }
  return id;
}

Result<void> SqliteLedger::write_names() {
  const std::uint32_t wanted = Names::global().size();
  while (ids_.size() < wanted) {
    const auto process_id = static_cast<std::uint32_t>(ids_.size());
    TOLLGATE_TRY(const std::int64_t id, ledger_id(text(NameId{process_id})));
    bind_all(insert_run_name_.handle, {process_id, id});
    TOLLGATE_TRY(step(insert_run_name_, "write names to"));
    ids_.push_back(id);
  }
  return success();
}

Result<void> SqliteLedger::speak_for_last_run() {
  Statement statement;
  const char* const sql = "SELECT process_id,name FROM run_name ORDER BY process_id";
  if (sqlite3_prepare_v2(connection_.get(), sql, -1, &statement.handle, nullptr) != SQLITE_OK) return refusal("read");
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement.handle)) == SQLITE_ROW &&
         sqlite3_column_int64(statement.handle, 0) == std::ssize(ids_)) {
    ids_.push_back(sqlite3_column_int64(statement.handle, 1));
  }
  if (code != SQLITE_ROW && code != SQLITE_DONE) return refusal("read");
  last_run_ = true;
  return success();
}

Result<void> SqliteLedger::speak_for_this_run() {
  last_run_ = false;
  ids_.clear();
  ids_durable_ = 0;
  return run("DELETE FROM run_name", "write names to");
}

Result<bool> SqliteLedger::insert(const OpenRequest& settled) {
  const RequestRow& row = settled.row;
  TOLLGATE_TRY(const RequestNames names, names_of(row, [this](auto name) { return ledger_id(name); }));
  bind_all(insert_request_.handle, values_of(row, names));
  TOLLGATE_TRY(step(insert_request_, "write"));
  if (sqlite3_changes(connection_.get()) == 0) return false;
  for (std::size_t i = 0; i < row.attempts; ++i) {
    TOLLGATE_TRY(insert_attempt(row, settled.attempts[i]));
  }
  if (row.rules != NameId::none) {
    TOLLGATE_TRY(const std::int64_t rules, ledger_id(row.rules));
    bind_all(insert_coverage_.handle,
         {static_cast<std::int64_t>(row.id), rules, static_cast<std::int64_t>(row.covered), row.masked});
    TOLLGATE_TRY(step(insert_coverage_, "write"));
  }
  if (row.cached_from != NameId::none) {
    TOLLGATE_TRY(const std::int64_t from, ledger_id(row.cached_from));
    bind_all(insert_cached_.handle, {static_cast<std::int64_t>(row.id), from, static_cast<std::int64_t>(row.cached_origin),
                                 row.saved.count(), row.cached_masked ? 1 : 0});
    if (!row.saved_known) sqlite3_bind_null(insert_cached_.handle, 4);
    TOLLGATE_TRY(step(insert_cached_, "write"));
  }
  TOLLGATE_TRY(insert_notes(settled));
  TOLLGATE_TRY(insert_decision(settled));
  return true;
}

Result<void> SqliteLedger::insert_decision(const OpenRequest& settled) {
  const DecisionFacts& facts = settled.facts;
  if (!keeps_decision(settled)) return success();
  TOLLGATE_TRY(const std::int64_t asked, ledger_id(facts.asked));
  const std::string bytes = packed(facts);
  sqlite3_stmt* const insert = insert_decision_.handle;
  sqlite3_bind_int64(insert, 1, static_cast<std::int64_t>(settled.row.id));
  sqlite3_bind_int64(insert, 2, asked);
  sqlite3_bind_blob(insert, 3, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
  const Result<void> done = step(insert_decision_, "write");
  sqlite3_clear_bindings(insert);  // the bytes end here
  return done;
}

Result<void> SqliteLedger::insert_attempt(const RequestRow& row, const AttemptRow& attempt) {
  TOLLGATE_TRY(const std::int64_t target, ledger_id(attempt.target));
  TOLLGATE_TRY(const std::int64_t result, ledger_id(attempt.result));
  const bool rare = has_rare(attempt);
  Statement& insert = rare ? insert_rare_attempt_ : insert_attempt_;
  bind_all(insert.handle, values_of(row, attempt, target, result));
  if (attempt.first_token_us == 0) sqlite3_bind_null(insert.handle, static_cast<int>(first_token_column) + 1);
  if (rare) {
    std::int64_t tier = 0;
    if (attempt.service_tier != NameId::none) {
      TOLLGATE_TRY(tier, ledger_id(attempt.service_tier));
    }
    bind_all(insert.handle, rare_values_of(attempt, tier), static_cast<int>(attempt_column_count));
  }
  return step(insert, "write");
}

Result<void> SqliteLedger::insert_baseline(RequestId request, NameId baseline, std::optional<Usd> usd) {
  const auto [known, is_new] = baseline_ids_.try_emplace(baseline);
  if (is_new) {
    // By text: the process's numbers are not those of the run that recovery speaks for.
    TOLLGATE_TRY(known->second, ledger_id(text(baseline)));
  }
  bind_all(insert_baseline_.handle, {static_cast<std::int64_t>(request), known->second, usd.value_or(Usd{}).count()});
  if (!usd) sqlite3_bind_null(insert_baseline_.handle, 3);
  return step(insert_baseline_, "write");
}

Result<void> SqliteLedger::write_baselines(const BaselineSet& baselines) {
  static_assert(std::is_trivially_copyable_v<BaselineHost>);
  TOLLGATE_TRY(run("DELETE FROM run_baseline", "write"));
  Statement insert;
  const char* const sql = "INSERT INTO run_baseline(baseline,host) VALUES(?,?)";
  if (sqlite3_prepare_v2(connection_.get(), sql, -1, &insert.handle, nullptr) != SQLITE_OK) return refusal("write");
  for (const BaselineRule& rule : baselines.rules) {
    TOLLGATE_TRY(const std::int64_t name, ledger_id(text(rule.name)));
    for (const BaselineHost& host : rule.hosts) {
      sqlite3_bind_int64(insert.handle, 1, name);
      sqlite3_bind_blob(insert.handle, 2, &host, sizeof host, SQLITE_TRANSIENT);
      TOLLGATE_TRY(step(insert, "write"));
    }
  }
  return success();
}

Result<BaselineSet> SqliteLedger::last_baselines() {
  BaselineSet set;
  Statement rows;
  const char* const sql = "SELECT n.text,b.host FROM run_baseline b JOIN name n ON n.id=b.baseline ORDER BY b.position";
  if (sqlite3_prepare_v2(connection_.get(), sql, -1, &rows.handle, nullptr) != SQLITE_OK) return refusal("read");
  int code = SQLITE_OK;
  while ((code = sqlite3_step(rows.handle)) == SQLITE_ROW) {
    if (static_cast<std::size_t>(sqlite3_column_bytes(rows.handle, 1)) != sizeof(BaselineHost)) return BaselineSet{};
    const NameId name = Names::global().intern(reinterpret_cast<const char*>(sqlite3_column_text(rows.handle, 0)));
    if (set.rules.empty() || set.rules.back().name != name) set.rules.push_back({name, {}, {}});
    BaselineHost host;
    std::memcpy(&host, sqlite3_column_blob(rows.handle, 1), sizeof host);
    set.rules.back().hosts.push_back(host);
  }
  if (code != SQLITE_DONE) return refusal("read");
  return set;
}

Result<std::size_t> SqliteLedger::fold(std::int64_t cutoff_us, std::size_t requests_max) {
  const auto transaction = [&]() -> Result<std::size_t> {
    TOLLGATE_TRY(prepare_fold(*this));
    TOLLGATE_TRY(begin());
    TOLLGATE_TRY(const std::size_t folded, fold_requests(*this, cutoff_us, requests_max));
    if (folded == 0) {
      rollback();
    } else {
      TOLLGATE_TRY(commit());
    }
    return folded;
  };
  Result<std::size_t> folded = transaction();
  if (!folded) rollback();
  return folded;
}

Result<void> SqliteLedger::run_fold(const std::string& sql) { return run(sql.c_str(), "fold old rows of"); }
Result<std::int64_t> SqliteLedger::fold_number(const std::string& sql) { return number(sql.c_str()); }
Result<std::int64_t> SqliteLedger::fold_name(std::string_view text) { return ledger_id(text); }
Result<std::vector<std::string>> SqliteLedger::attempt_columns() {
  return fold_texts("SELECT name FROM pragma_table_info('attempt')");
}

Result<std::vector<std::string>> SqliteLedger::fold_texts(const std::string& sql) {
  Statement statement;
  if (sqlite3_prepare_v2(connection_.get(), sql.c_str(), -1, &statement.handle, nullptr) != SQLITE_OK) return refusal("read");
  std::vector<std::string> texts;
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement.handle)) == SQLITE_ROW) {
    texts.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement.handle, 0)));
  }
  if (code != SQLITE_DONE) return refusal("read");
  return texts;
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

Result<RequestId> SqliteLedger::highest_request() {
  TOLLGATE_TRY(const std::int64_t id, number("SELECT max(id) FROM request"));
  return RequestId{id};
}

bool SqliteLedger::in_place() const noexcept {
  int moved = 0;
  const int code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code != SQLITE_OK || moved == 0;
}

}  // namespace tollgate
