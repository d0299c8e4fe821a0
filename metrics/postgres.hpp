#pragma once
// The little of libpq that the ledger needs: a connection, statements with their results, COPY in binary.
//
//    TOLLGATE_TRY(PgConnection connection, PgConnection::open(place, PgRole::writer));
//    TOLLGATE_TRY(const PgRows rows, connection.run("SELECT id FROM request WHERE id>$1", {PgValue(17)}));
//
// Texts are made storable before they are sent: PostgreSQL takes neither NUL nor broken UTF-8, and a row that it will
// not take would hold up every row behind it. Errors never hold a password. Threads: one at a time.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/ledger_place.hpp"
#include "config/result.hpp"

struct pg_conn;
struct pg_result;

namespace tollgate {

/// Text as PostgreSQL stores it: what it cannot is replaced.
[[nodiscard]] std::string storable(std::string_view text);

/// A parameter: a number, a text, bytes, or nothing.
class PgValue {
 public:
  PgValue() = default;                                 // NULL
  PgValue(std::int64_t number);                        // NOLINT(google-explicit-constructor)
  PgValue(std::string_view text);                      // NOLINT(google-explicit-constructor)
  PgValue(const std::string& text) : PgValue(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  PgValue(const char* text) : PgValue(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
  [[nodiscard]] static PgValue bytes(std::string_view bytes);
  [[nodiscard]] static PgValue numbers(const std::vector<std::int64_t>& numbers);   ///< bigint[]
  [[nodiscard]] static PgValue texts(const std::vector<std::string>& texts);        ///< text[]

 private:
  friend class PgConnection;
  [[nodiscard]] static PgValue array(unsigned type, const std::vector<std::string>& items);
  unsigned type_ = 0;
  bool present_ = false, binary_ = false;
  std::string value_;
};

class PgRows {
 public:
  explicit PgRows(pg_result* result) noexcept : result_(result) {}
  [[nodiscard]] pg_result* raw() const noexcept { return result_.get(); }
  [[nodiscard]] int count() const noexcept;
  /// Rows that the statement changed.
  [[nodiscard]] std::int64_t changed() const;
  [[nodiscard]] bool is_null(int row, int column) const noexcept;
  /// 0 if NULL. Of numeric, bigint, boolean.
  [[nodiscard]] std::int64_t number(int row, int column) const;
  [[nodiscard]] std::string_view text(int row, int column) const noexcept;
  [[nodiscard]] std::string bytes(int row, int column) const;  ///< of bytea

 private:
  struct Clear {
    void operator()(pg_result* result) const noexcept;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

/// Rows for COPY … (FORMAT binary). A field is a bigint or bytes; a row begins with the number of its fields.
class PgCopy {
 public:
  void begin_row(int fields);
  void add(std::int64_t number);
  void add_null();
  void add_bytes(const void* bytes, std::size_t size);
  void clear() noexcept;
  [[nodiscard]] bool empty() const noexcept { return rows_ == 0; }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }

 private:
  friend class PgConnection;
  std::string data_;
  std::size_t rows_ = 0;
};

enum class PgRole : std::uint8_t { writer, reader };

class PgConnection {
 public:
  /// Connects and sets the session up: time limits, UTF-8, the schema.
  [[nodiscard]] static Result<PgConnection> open(const LedgerPlace& place, PgRole role);
  /// Fails, but leaves the transaction and the connection as the server says.
  [[nodiscard]] Result<PgRows> run(const std::string& sql, const std::vector<PgValue>& values = {});
  /// One or more statements without parameters.
  [[nodiscard]] Result<void> script(const std::string& sql);
  [[nodiscard]] Result<void> copy_in(const std::string& table_and_columns, const PgCopy& rows);
  /// Notices that the server has ended an idle session.
  void look() noexcept;
  /// The connection is gone, or was never there.
  [[nodiscard]] bool lost() const noexcept;
  /// Of the server's process for it.
  [[nodiscard]] int backend() const noexcept;
  /// The last failure's SQLSTATE, "" if the server said none.
  [[nodiscard]] const std::string& state() const noexcept { return state_; }
  void close() noexcept { handle_.reset(); }

  static constexpr std::string_view schema = "tollgate";

 private:
  struct Finish {
    void operator()(pg_conn* connection) const noexcept;
  };
  [[nodiscard]] Error refusal(const pg_result* result);
  [[nodiscard]] Result<void> set_up(PgRole role);

  LedgerPlace place_;
  std::unique_ptr<pg_conn, Finish> handle_;
  std::string state_;
  bool ended_ = false;
};

}  // namespace tollgate
