#pragma once
// Where a ledger is: a SQLite file by its path, or a PostgreSQL database by its URL. What is printed of it never holds a
// password.
//
//    LedgerPlace place("tollgate.db");                              // also "sqlite:tollgate.db"
//    LedgerPlace place("postgresql://tollgate@db.internal/tollgate?sslmode=verify-full");
//
// Passwords come as libpq's users expect: PGPASSWORD, PGPASSFILE or ~/.pgpass, `passfile` in the URL; from a variable
// (`password`), or a file that holds nothing else (`password_file`, as secrets of containers are), read at every connection.
// A URL of a configuration holds none, so it can be shown.

#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"
#include "config/secret.hpp"

namespace tollgate {

class LedgerPlace {
 public:
  LedgerPlace() = default;
  // Implicit: most callers have a path and mean this.
  LedgerPlace(std::string_view text, std::string password_file = {}, Secret password = {});  // NOLINT(google-explicit-constructor)
  LedgerPlace(const std::string& text) : LedgerPlace(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  LedgerPlace(const char* text) : LedgerPlace(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool is_postgres() const noexcept { return !url_.empty(); }
  /// Of a SQLite ledger.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Of a PostgreSQL ledger; may hold a password.
  [[nodiscard]] const Secret& url() const noexcept { return url_; }
  [[nodiscard]] const std::string& password_file() const noexcept { return password_file_; }
  /// Of `password_file` or `password`; "": neither is given. Fails if the file cannot be read.
  [[nodiscard]] Result<Secret> password() const;
  /// For people: the path, or the URL without password and parameters.
  [[nodiscard]] std::string shown() const;

  [[nodiscard]] static bool is_postgres_url(std::string_view text) noexcept;
  [[nodiscard]] static bool holds_password(std::string_view url) noexcept;
  /// The servers that a URL of PostgreSQL names, without ports; paths are sockets. Empty: this machine's socket.
  [[nodiscard]] static std::vector<std::string> hosts_of(std::string_view url);

 private:
  std::string path_;
  Secret url_;
  std::string password_file_;
  Secret password_;
};

}  // namespace tollgate
