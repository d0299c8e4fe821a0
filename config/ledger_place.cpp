#include "config/ledger_place.hpp"

#include <algorithm>
#include <fstream>

namespace tollgate {

namespace {
constexpr std::string_view sqlite_scheme = "sqlite:";
}

bool LedgerPlace::is_postgres_url(std::string_view text) noexcept {
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

// user:password@, or a parameter of that name.
bool LedgerPlace::holds_password(std::string_view url) noexcept {
  std::string_view rest = url.substr(std::min(url.find("//"), url.size()));
  const std::string_view parameters = rest.substr(std::min(rest.find('?'), rest.size()));
  rest = rest.substr(0, rest.size() - parameters.size());
  const std::size_t host = rest.rfind('@');
  if (host != std::string_view::npos && rest.substr(0, host).find(':') != std::string_view::npos) return true;
  return parameters.find("password=") != std::string_view::npos;
}

std::vector<std::string> LedgerPlace::hosts_of(std::string_view url) {
  std::vector<std::string> hosts;
  const auto add_all = [&hosts](std::string_view list) {
    while (!list.empty()) {
      const std::size_t end = std::min(list.find(','), list.size());
      std::string_view host = list.substr(0, end);
      if (host.starts_with('[')) {
        host = host.substr(1, host.find(']') - 1);
      } else {
        host = host.substr(0, host.find(':'));
      }
      if (!host.empty()) hosts.emplace_back(host);
      list.remove_prefix(std::min(end + 1, list.size()));
    }
  };
  std::string_view rest = url.substr(std::min(url.find("//") + 2, url.size()));
  std::string_view parameters = rest.substr(std::min(rest.find('?'), rest.size()));
  rest = rest.substr(0, std::min(rest.find_first_of("/?"), rest.size()));
  add_all(rest.substr(rest.rfind('@') + 1));
  while (!parameters.empty()) {
    parameters.remove_prefix(1);
    const std::string_view one = parameters.substr(0, parameters.find('&'));
    for (const std::string_view key : {"host=", "hostaddr="}) {
      if (one.starts_with(key)) add_all(one.substr(key.size()));
    }
    parameters.remove_prefix(one.size());
  }
  return hosts;
}

Result<Secret> LedgerPlace::password() const {
  if (password_file_.empty()) return password_;
  std::ifstream file(password_file_, std::ios::binary);
  std::string password;
  if (!std::getline(file, password)) {
    return fail(Fault::io_failed, "cannot read the ledger's password from " + password_file_ + " (ledger.password_file)");
  }
  if (!password.empty() && password.back() == '\r') password.pop_back();
  return Secret(std::move(password));
}

LedgerPlace::LedgerPlace(std::string_view text, std::string password_file, Secret password) {
  if (is_postgres_url(text)) {
    url_ = Secret(std::string(text));
    password_file_ = std::move(password_file);
    password_ = std::move(password);
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
