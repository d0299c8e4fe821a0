#pragma once
// A ledger opened for reading, whichever database it is in. Reads only, also while gateways write.
//
//    TOLLGATE_TRY(const std::unique_ptr<LedgerSource> ledger, LedgerSource::open(place));
//    TOLLGATE_TRY(ledger->snapshot());                         // one state of the ledger, however it grows meanwhile
//    const auto rows = ledger->query("SELECT id,arrived_us FROM request WHERE id>=?1");
//    rows->bind(1, first);
//    for (;;) {
//      TOLLGATE_TRY(const bool more, rows->next());
//      if (!more) break;
//      … rows->number(0) …
//    }
//
// The SQL is one text for both (metrics/sql_dialect.hpp). Texts and bytes of a row are valid until the next one.
// Threads: one at a time.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/ledger_place.hpp"
#include "config/result.hpp"
#include "metrics/sql_dialect.hpp"

namespace tollgate {

class LedgerQuery {
 public:
  virtual ~LedgerQuery() = default;
  virtual void bind(int at, std::int64_t value) = 0;
  virtual void bind(int at, std::string_view text) = 0;
  /// To be asked again, with other values.
  virtual void reset() noexcept = 0;
  /// False: there are no more rows.
  [[nodiscard]] virtual Result<bool> next() = 0;
  [[nodiscard]] virtual std::int64_t number(int column) const = 0;  ///< 0 if NULL
  [[nodiscard]] virtual bool is_null(int column) const = 0;
  [[nodiscard]] virtual std::string_view text(int column) const = 0;  ///< "" if NULL
  [[nodiscard]] virtual std::string_view bytes(int column) const = 0;
};

class LedgerSource {
 public:
  /// Refuses what is no ledger, one that a newer program wrote, and one of a schema before `oldest_schema`.
  [[nodiscard]] static Result<std::unique_ptr<LedgerSource>> open(const LedgerPlace& place, int oldest_schema = 0);
  virtual ~LedgerSource() = default;

  [[nodiscard]] virtual Result<void> snapshot() = 0;
  virtual void release() noexcept = 0;
  /// How the answer is brought: `whole` at once, or `streamed`, for many rows, and then only within a snapshot.
  enum class Bring : bool { whole, streamed };
  /// What is wrong with the SQL is said by next().
  [[nodiscard]] virtual std::unique_ptr<LedgerQuery> query(const std::string& sql, Bring bring = Bring::whole) = 0;
  [[nodiscard]] virtual const SqlDialect& dialect() const noexcept = 0;
  /// In their order; none: there is no such table.
  [[nodiscard]] virtual Result<std::vector<std::string>> columns(const std::string& table) = 0;
  [[nodiscard]] Result<bool> has_table(const std::string& table);
  /// The first number of the first row; 0: none.
  [[nodiscard]] Result<std::int64_t> number(const std::string& sql);

 protected:
  [[nodiscard]] virtual Result<int> schema() = 0;
};

[[nodiscard]] Result<std::unique_ptr<LedgerSource>> open_sqlite_source(const LedgerPlace& place);
[[nodiscard]] Result<std::unique_ptr<LedgerSource>> open_postgres_source(const LedgerPlace& place);

}  // namespace tollgate
