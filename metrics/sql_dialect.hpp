#pragma once
// What SQLite and PostgreSQL say differently. Everything else of the ledger's SQL is the same text for both: sums of
// conditions are CASE, not iif() or booleans; ON CONFLICT names its columns; parameters are ?1, ?2 …
//
// Both count in integers alone, so that a sum, a day and an amount come out as the same characters.

#include <string>

namespace tollgate {

class SqlDialect {
 public:
  enum class Of : bool { sqlite, postgres };
  explicit constexpr SqlDialect(Of of) noexcept : postgres_(of == Of::postgres) {}

  [[nodiscard]] constexpr bool is_postgres() const noexcept { return postgres_; }
  /// Joins in just this order: from the few to their rows. PostgreSQL finds that out by itself.
  [[nodiscard]] std::string ordered_join() const { return postgres_ ? " JOIN " : " CROSS JOIN "; }
  /// A text to be ordered by its bytes, whatever the database's collation.
  [[nodiscard]] std::string bytewise(const std::string& text) const { return postgres_ ? "(" + text + ") COLLATE \"C\"" : text; }
  /// The schema of tables that only this connection sees.
  [[nodiscard]] std::string temporary() const { return postgres_ ? "pg_temp" : "temp"; }
  /// An integer that may pass 64 bits.
  [[nodiscard]] std::string wide(const std::string& integer) const { return postgres_ ? "(" + integer + ")::numeric" : integer; }

  /// Picodollars as a decimal of dollars, in integers throughout.
  [[nodiscard]] std::string usd(const std::string& picodollars) const;
  /// Millionths as a decimal.
  [[nodiscard]] std::string millionths(const std::string& integer) const;
  [[nodiscard]] std::string iso_time(const std::string& microseconds) const;
  [[nodiscard]] std::string date(const std::string& day) const;
  [[nodiscard]] std::string hour(const std::string& hour) const;

 private:
  bool postgres_;
};

inline constexpr SqlDialect sqlite_dialect{SqlDialect::Of::sqlite}, postgres_dialect{SqlDialect::Of::postgres};

/// `condition` counted: 1 or 0.
[[nodiscard]] std::string one_if(const std::string& condition);
/// `value` where `condition` holds, else 0.
[[nodiscard]] std::string value_if(const std::string& condition, const std::string& value);

}  // namespace tollgate
