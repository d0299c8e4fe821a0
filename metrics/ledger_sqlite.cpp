#include "metrics/ledger_sqlite.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <system_error>

#include "metrics/ledger_schema.hpp"

namespace tollgate {
namespace {

constexpr int plain_column_count = 22;
constexpr std::string_view plain_columns =
    "request,number,target,result,http_status,usage_source,pool_method,pricing,started_after_us,first_token_after_us,"
    "ended_after_us,input,cached_input,cache_write,output,reasoning,input_pusd,cached_input_pusd,cache_write_pusd,"
    "output_pusd,request_pusd,gpu_pusd";
/// What most attempts have nothing of: the tables' default is 0.
constexpr std::string_view rare_columns =
    "service_tier,web_searches,cache_write_1h,input_audio,cached_input_audio,input_image,cached_input_image,output_audio,"
    "output_image,reasoning_pusd,web_search_pusd,cache_write_1h_pusd,input_audio_pusd,cached_input_audio_pusd,"
    "input_image_pusd,cached_input_image_pusd,output_audio_pusd,output_image_pusd";

/// Another process may hold the ledger for so long (a reader that checkpoints, a backup) before a commit counts as
/// failed.
constexpr int busy_timeout_ms = 2'000;

void bind(sqlite3_stmt* statement, std::initializer_list<std::int64_t> values) noexcept {
  int at = 0;
  for (const std::int64_t value : values) sqlite3_bind_int64(statement, ++at, value);
}

}  // namespace

SqliteLedger::Statement::~Statement() { sqlite3_finalize(handle); }
SqliteLedger::Lock::~Lock() {
  if (file >= 0) ::close(file);
}
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
  TOLLGATE_TRY(ledger->take_lock());
  TOLLGATE_TRY(ledger->connect());
  TOLLGATE_TRY(ledger->migrate());
  TOLLGATE_TRY(ledger->prepare());
  ledger->results_.fill(-1);
  return ledger;
}

// A file of its own: closing any descriptor of the database file itself would drop SQLite's locks on it.
Result<void> SqliteLedger::take_lock() {
  const std::string lock_path = path_ + ".lock";
  lock_.file = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_.file < 0) {
    return fail(Fault::io_failed, "cannot open " + lock_path +
                                       ", which guards the ledger: " + std::generic_category().message(errno) +
                                       "; its folder must exist and be writable");
  }
  if (::flock(lock_.file, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t got = ::pread(lock_.file, holder, sizeof holder - 1, 0);
    const std::string pid = got > 0 ? " (process " + std::string(holder) + ")" : "";
    return fail(Fault::io_failed, "the ledger " + path_ + " is in use by another tollgate" + pid +
                                       "; stop it, or give this one a ledger of its own");
  }
  const std::string pid = std::to_string(::getpid());
  const bool noted = ::ftruncate(lock_.file, 0) == 0 && ::pwrite(lock_.file, pid.data(), pid.size(), 0) > 0;
  (void)noted;  // only for the message above
  return success();
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
    Result<void> renewed = run(("BEGIN IMMEDIATE;" + views_script() + "COMMIT;").c_str(), "renew the views of");
    if (!renewed) rollback();
    return renewed;
  }
  std::string script = "BEGIN IMMEDIATE;";
  for (auto from = static_cast<int>(version); from < ledger_schema_version; ++from) script += migration_from(from);
  script += views_script() + "PRAGMA application_id=" + std::to_string(ledger_application_id) +
            ";PRAGMA user_version=" + std::to_string(ledger_schema_version) + ";COMMIT;";
  Result<void> done = run(script.c_str(), "bring up to date");
  if (!done) rollback();
  return done;
}

Result<void> SqliteLedger::prepare() {
  const std::string columns = "INSERT OR IGNORE INTO attempt(" + std::string(plain_columns);
  const std::string plain = columns + ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
  const std::string rare = columns + "," + std::string(rare_columns) +
                           ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
  const std::pair<Statement*, const char*> wanted[] = {
      {&insert_request_, "INSERT OR IGNORE INTO request VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
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
    bind(insert_run_name_.handle, {process_id, id});
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
  TOLLGATE_TRY(const std::int64_t model, ledger_id(row.model));
  TOLLGATE_TRY(const std::int64_t route, ledger_id(row.route));
  TOLLGATE_TRY(const std::int64_t team, ledger_id(row.team));
  TOLLGATE_TRY(const std::int64_t key, ledger_id(row.key));
  TOLLGATE_TRY(const std::int64_t target, ledger_id(row.target));
  TOLLGATE_TRY(const std::int64_t result, ledger_id(row.result));
  const auto complexity_ppm = std::lround(static_cast<double>(row.complexity) * 1e6);
  bind(insert_request_.handle,
       {static_cast<std::int64_t>(row.id), row.arrived_us, row.ended_us - row.arrived_us, model, route, team, key,
        target, complexity_ppm, static_cast<std::int64_t>(row.tier), static_cast<std::int64_t>(row.surface),
        (row.stream ? 1 : 0) | (row.recovered ? 2 : 0) | static_cast<int>(row.purpose) << 2, result, row.http_status, row.attempts, row.input_bytes});
  TOLLGATE_TRY(step(insert_request_, "write"));
  if (sqlite3_changes(connection_.get()) == 0) return false;
  for (std::size_t i = 0; i < row.attempts; ++i) {
    TOLLGATE_TRY(insert_attempt(row, settled.attempts[i]));
  }
  if (row.rules != NameId::none) {
    TOLLGATE_TRY(const std::int64_t rules, ledger_id(row.rules));
    bind(insert_coverage_.handle,
         {static_cast<std::int64_t>(row.id), rules, static_cast<std::int64_t>(row.covered), row.masked});
    TOLLGATE_TRY(step(insert_coverage_, "write"));
  }
  if (row.cached_from != NameId::none) {
    TOLLGATE_TRY(const std::int64_t from, ledger_id(row.cached_from));
    bind(insert_cached_.handle, {static_cast<std::int64_t>(row.id), from, static_cast<std::int64_t>(row.cached_origin),
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
  if (facts.of != settled.row.id || facts.asked == NameId::none) return success();
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
  const Usage& usage = attempt.usage;
  const auto& lines = attempt.charge.lines;
  const bool has_rare = attempt.service_tier != NameId::none || usage.web_searches != 0 || usage.rare != Usage{}.rare ||
                        attempt.charge[ChargeKind::reasoning] != Usd{} || attempt.charge[ChargeKind::web_search] != Usd{};
  Statement& insert = has_rare ? insert_rare_attempt_ : insert_attempt_;
  bind(insert.handle, {static_cast<std::int64_t>(row.id),
                                attempt.number,
                                target,
                                result,
                                attempt.http_status,
                                static_cast<std::int64_t>(attempt.usage_source),
                                static_cast<std::int64_t>(attempt.pool_method),
                                static_cast<std::int64_t>(attempt.pricing),
                                attempt.started_us - row.arrived_us,
                                attempt.first_token_us - row.arrived_us,
                                attempt.ended_us - row.arrived_us,
                                usage.input.count(),
                                usage.cached_input.count(),
                                usage.cache_write.count(),
                                usage.output.count(),
                                usage.reasoning.count(),
                                lines[0].count(),
                                lines[1].count(),
                                lines[2].count(),
                                lines[3].count(),
                                lines[4].count(),
                                lines[5].count()});
  constexpr int first_token_column = 10;
  if (attempt.first_token_us == 0) sqlite3_bind_null(insert.handle, first_token_column);
  if (has_rare) {
    TOLLGATE_TRY(bind_rare(attempt));
  }
  return step(insert, "write");
}

Result<void> SqliteLedger::bind_rare(const AttemptRow& attempt) {
  int column = plain_column_count;
  const auto bind_next = [&](std::int64_t value) { sqlite3_bind_int64(insert_rare_attempt_.handle, ++column, value); };
  std::int64_t tier = 0;
  if (attempt.service_tier != NameId::none) {
    TOLLGATE_TRY(tier, ledger_id(attempt.service_tier));
  }
  bind_next(tier);
  bind_next(attempt.usage.web_searches);
  for (const std::int32_t tokens : attempt.usage.rare) bind_next(tokens);
  for (auto kind = static_cast<std::size_t>(ChargeKind::reasoning); kind < charge_kind_count; ++kind) {
    bind_next(attempt.charge.lines[kind].count());
  }
  return success();
}

Result<void> SqliteLedger::insert_baseline(RequestId request, NameId baseline, std::optional<Usd> usd) {
  const auto [known, is_new] = baseline_ids_.try_emplace(baseline);
  if (is_new) {
    // By text: the process's numbers are not those of the run that recovery speaks for.
    TOLLGATE_TRY(known->second, ledger_id(text(baseline)));
  }
  bind(insert_baseline_.handle, {static_cast<std::int64_t>(request), known->second, usd.value_or(Usd{}).count()});
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

Result<RequestId> SqliteLedger::highest_request() const {
  TOLLGATE_TRY(const std::int64_t id, number("SELECT max(id) FROM request"));
  return RequestId{id};
}

bool SqliteLedger::in_place() const noexcept {
  int moved = 0;
  const int code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code != SQLITE_OK || moved == 0;
}

}  // namespace tollgate
