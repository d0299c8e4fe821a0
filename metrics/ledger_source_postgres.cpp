// A ledger in PostgreSQL, opened for reading (metrics/ledger_source.hpp).
#include <deque>
#include <optional>

#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_source.hpp"
#include "metrics/postgres.hpp"

namespace tollgate {
namespace {

constexpr int rows_per_fetch = 8192;

/// ?1 → $1, outside of quotes.
std::string with_dollars(const std::string& sql) {
  std::string out = sql;
  bool quoted = false;
  for (char& c : out) {
    if (c == '\'') quoted = !quoted;
    if (c == '?' && !quoted) c = '$';
  }
  return out;
}

class PostgresQuery final : public LedgerQuery {
 public:
  PostgresQuery(PgConnection& connection, const std::string& sql, std::string cursor)
      : connection_(connection), sql_(with_dollars(sql)), cursor_(std::move(cursor)) {}
  ~PostgresQuery() override { reset(); }

  void bind(int at, std::int64_t value) override { put(at, PgValue(value)); }
  void bind(int at, std::string_view text) override { put(at, PgValue(text)); }
  void reset() noexcept override {
    if (declared_ && !connection_.lost()) {
      const Result<void> closed = connection_.script("CLOSE " + cursor_);
      (void)closed;  // the transaction's end closes it, too
    }
    declared_ = false;
    rows_.reset();
    row_ = -1;
  }

  Result<bool> next() override {
    bytes_.clear();
    if (!rows_) {
      TOLLGATE_TRY(ask());
    } else if (row_ + 1 >= rows_->count() && declared_ && rows_->count() == rows_per_fetch) {
      TOLLGATE_TRY(fetch());
    }
    return ++row_ < rows_->count();
  }
  std::int64_t number(int column) const override { return rows_->number(row_, column); }
  bool is_null(int column) const override { return rows_->is_null(row_, column); }
  std::string_view text(int column) const override { return rows_->text(row_, column); }
  std::string_view bytes(int column) const override { return bytes_.emplace_back(rows_->bytes(row_, column)); }

 private:
  void put(int at, PgValue value) {
    if (values_.size() < static_cast<std::size_t>(at)) values_.resize(static_cast<std::size_t>(at));
    values_[static_cast<std::size_t>(at) - 1] = std::move(value);
  }
  Result<void> ask() {
    if (cursor_.empty()) {
      TOLLGATE_TRY(PgRows rows, connection_.run(sql_, values_));
      rows_ = std::move(rows);
      return success();
    }
    TOLLGATE_TRY(connection_.run("DECLARE " + cursor_ + " NO SCROLL CURSOR FOR " + sql_, values_));
    declared_ = true;
    return fetch();
  }
  Result<void> fetch() {
    TOLLGATE_TRY(PgRows rows, connection_.run("FETCH " + std::to_string(rows_per_fetch) + " FROM " + cursor_));
    rows_ = std::move(rows);
    row_ = -1;
    return success();
  }

  PgConnection& connection_;
  const std::string sql_, cursor_;
  std::vector<PgValue> values_;
  std::optional<PgRows> rows_;
  int row_ = -1;
  bool declared_ = false;
  mutable std::deque<std::string> bytes_;  // of the row
};

class PostgresSource final : public LedgerSource {
 public:
  PostgresSource(PgConnection connection, std::string shown) : connection_(std::move(connection)), shown_(std::move(shown)) {}

  Result<void> snapshot() override {
    release();
    TOLLGATE_TRY(connection_.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    begun_ = true;
    return success();
  }
  void release() noexcept override {
    if (!begun_) return;
    begun_ = false;
    const Result<void> ended = connection_.script("ROLLBACK");
    (void)ended;
  }
  std::unique_ptr<LedgerQuery> query(const std::string& sql, Bring bring = Bring::whole) override {
    const bool streamed = bring == Bring::streamed && begun_;
    return std::make_unique<PostgresQuery>(connection_, sql, streamed ? "rows_" + std::to_string(++cursors_) : "");
  }
  const SqlDialect& dialect() const noexcept override { return postgres_dialect; }
  Result<std::vector<std::string>> columns(const std::string& table) override {
    TOLLGATE_TRY(const PgRows rows, connection_.run("SELECT attname FROM pg_attribute WHERE attrelid=to_regclass($1) AND attnum>0 "
                                                    "AND NOT attisdropped ORDER BY attnum",
                                                    {PgValue(std::string(PgConnection::schema) + "." + table)}));
    std::vector<std::string> names;
    for (int row = 0; row < rows.count(); ++row) names.emplace_back(rows.text(row, 0));
    return names;
  }

 protected:
  Result<int> schema() override {
    TOLLGATE_TRY(const bool is_ledger, has_table("ledger"));
    if (!is_ledger) {
      return fail(Fault::bad_config,
                  shown_ + " holds no tollgate ledger, or none that this role may see; a gateway makes it at its first start");
    }
    TOLLGATE_TRY(const std::int64_t version, number("SELECT schema_version FROM ledger"));
    return static_cast<int>(version);
  }

 private:
  PgConnection connection_;
  const std::string shown_;
  bool begun_ = false;
  unsigned cursors_ = 0;
};

}  // namespace

Result<std::unique_ptr<LedgerSource>> open_postgres_source(const LedgerPlace& place) {
  TOLLGATE_TRY(PgConnection connection, PgConnection::open(place, PgRole::reader));
  return std::unique_ptr<LedgerSource>(std::make_unique<PostgresSource>(std::move(connection), place.shown()));
}

}  // namespace tollgate
