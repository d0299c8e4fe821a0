// A ledger in SQLite, opened for reading (metrics/ledger_source.hpp).
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_source.hpp"

namespace tollgate {
namespace {

constexpr int busy_timeout_ms = 10'000;

struct Close {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

Error refusal(sqlite3* connection, const std::string& path) {
  const int code = connection != nullptr ? sqlite3_extended_errcode(connection) : SQLITE_NOMEM;
  std::string message = "cannot read the ledger " + path + ": " +
                        (connection != nullptr ? sqlite3_errmsg(connection) : "out of memory");
  switch (code & 0xFF) {
    case SQLITE_CANTOPEN:
      message += "; check the path, and that this user may read the file and its folder";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      message += "; it is damaged or not a ledger: see 'When the ledger is damaged' in docs/money/ledger.md";
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      message += "; another program holds it, try again";
      break;
    default:
      break;
  }
  return fail(Fault::io_failed, std::move(message));
}

class SqliteQuery final : public LedgerQuery {
 public:
  SqliteQuery(sqlite3* connection, const std::string& path, const std::string& sql)
      : connection_(connection), path_(path) {
    sqlite3_stmt* prepared = nullptr;
    failed_ = sqlite3_prepare_v2(connection, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK;
    handle_.reset(prepared);
  }
  void bind(int at, std::int64_t value) override { sqlite3_bind_int64(handle_.get(), at, value); }
  void bind(int at, std::string_view text) override {
    sqlite3_bind_text(handle_.get(), at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
  void reset() noexcept override { sqlite3_reset(handle_.get()); }
  Result<bool> next() override {
    if (failed_) return refusal(connection_, path_);
    const int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return refusal(connection_, path_);
  }
  std::int64_t number(int column) const override { return sqlite3_column_int64(handle_.get(), column); }
  bool is_null(int column) const override { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }
  std::string_view text(int column) const override {
    const auto* const found = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
    if (found == nullptr) return {};
    return {found, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
  }
  std::string_view bytes(int column) const override {
    const auto* const found = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
    if (found == nullptr) return {};
    return {found, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
  }

 private:
  sqlite3* const connection_;
  const std::string& path_;
  std::unique_ptr<sqlite3_stmt, Close> handle_;
  bool failed_ = false;
};

class SqliteSource final : public LedgerSource {
 public:
  explicit SqliteSource(std::string path) : path_(std::move(path)) {}

  Result<void> open() {
    if (::access(path_.c_str(), F_OK) != 0) {
      return fail(Fault::io_failed,
                  "there is no ledger at " + path_ + "; --ledger names another, or --config a configuration");
    }
    if (!connect(path_, 0)) return refusal(connection_.get(), path_);
    Result<std::int64_t> application = number("PRAGMA application_id");
    // A copy on a read-only disk has no write-ahead log, and SQLite cannot make one there: such a file does not change.
    const bool no_log = ::access((path_ + "-wal").c_str(), F_OK) != 0;
    if (!application && no_log && (sqlite3_errcode(connection_.get()) & 0xFF) == SQLITE_CANTOPEN) {
      std::string uri = "file:";
      for (const char c : path_) uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02x}", c) : std::string(1, c);
      if (!connect(uri + "?immutable=1", SQLITE_OPEN_URI)) return refusal(connection_.get(), path_);
      application = number("PRAGMA application_id");
    }
    if (!application) return application.error();
    if (application.value() != ledger_application_id) return fail(Fault::bad_config, path_ + " is not a tollgate ledger");
    return success();
  }

  Result<void> snapshot() override {
    release();
    if (sqlite3_exec(connection_.get(), "BEGIN", nullptr, nullptr, nullptr) == SQLITE_OK) return success();
    return refusal(connection_.get(), path_);
  }
  void release() noexcept override {
    if (sqlite3_get_autocommit(connection_.get()) == 0) sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  std::unique_ptr<LedgerQuery> query(const std::string& sql, Bring /*all is streamed*/ = Bring::whole) override {
    return std::make_unique<SqliteQuery>(connection_.get(), path_, sql);
  }
  const SqlDialect& dialect() const noexcept override { return sqlite_dialect; }
  Result<std::vector<std::string>> columns(const std::string& table) override {
    const auto rows = query("SELECT name FROM pragma_table_info(?1) ORDER BY cid");
    rows->bind(1, table);
    std::vector<std::string> names;
    for (;;) {
      TOLLGATE_TRY(const bool more, rows->next());
      if (!more) return names;
      names.emplace_back(rows->text(0));
    }
  }

 protected:
  Result<int> schema() override {
    TOLLGATE_TRY(const std::int64_t version, number("PRAGMA user_version"));
    return static_cast<int>(version);
  }

 private:
  bool connect(const std::string& name, int flags) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | flags, nullptr);
    connection_.reset(opened);
    if (opened != nullptr) sqlite3_busy_timeout(opened, busy_timeout_ms);
    return code == SQLITE_OK;
  }

  const std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace

Result<std::unique_ptr<LedgerSource>> open_sqlite_source(const LedgerPlace& place) {
  auto source = std::make_unique<SqliteSource>(place.path());
  TOLLGATE_TRY(source->open());
  return std::unique_ptr<LedgerSource>(std::move(source));
}

}  // namespace tollgate
