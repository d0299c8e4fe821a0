#include "config/ledger_place.hpp"

#include <algorithm>

namespace tollgate {

namespace {
constexpr std::string_view sqlite_scheme = "sqlite:";
}

bool LedgerPlace::is_postgres_url(std::string_view text) noexcept {
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

LedgerPlace::LedgerPlace(std::string_view text, std::string password_file) {
  if (is_postgres_url(text)) {
    url_ = Secret(std::string(text));
    password_file_ = std::move(password_file);
    return;
  }
  path_ = text.starts_with(sqlite_scheme) ? text.substr(sqlite_scheme.size()) : text;
}

std::string LedgerPlace::shown() const {
  if (!is_postgres()) return path_;
  std::string text = url_.reveal();
  text.resize(std::min(text.find('?'), text.size()));
  const std::size_t user = text.find("//") + 2;
  // The last one: an @ in a password ought to be escaped, but what is not must not be shown either.
  const std::size_t host = text.rfind('@');
  if (host == std::string::npos || host < user) return text;
  const std::size_t password = text.find(':', user);
  if (password < host) text.erase(password, host - password);
  return text;
}

}  // namespace tollgate
