// The section `ledger`.
#include "config/address.hpp"
#include "config/draft.hpp"

namespace tollgate {
namespace {

/// Of a ledger in PostgreSQL, which has no file of its own to name them after.
constexpr std::string_view default_files = "tollgate";

bool load_place(MapReader& section, LedgerConfig& ledger) {
  const Cursor url = section.at("url");
  if (!url.present()) return true;
  constexpr std::string_view scheme = "sqlite:";
  const std::optional<std::string> text = url.text();
  if (!text) return false;
  if (text->starts_with(scheme) && text->size() > scheme.size()) {
    ledger.path = text->substr(scheme.size());
  } else if (!LedgerPlace::is_postgres_url(*text)) {
    url.report(
        "write sqlite: and a path, such as sqlite:tollgate.db, or postgresql://USER@HOST/DATABASE for a ledger that "
        "several gateways share");
    return false;
  } else if (LedgerPlace::holds_password(*text)) {
    url.report("a password must not stand in the URL, which is shown; write password: ${VARIABLE} or password_file beside it");
    return false;
  } else {
    ledger.path = default_files;
    ledger.postgres = *text;
  }
  return true;
}

void check_air_gap(const Cursor& place, const std::string& url) {
  for (const std::string& host : LedgerPlace::hosts_of(url)) {
    const bool is_socket = host.starts_with('/') || host.starts_with("%2F");
    if (!is_socket && !is_private(host)) place.report("air_gap is on, and " + host + " is no private address");
  }
}

void load_password(MapReader& section, LedgerConfig& ledger) {
  const Cursor password = section.at("password"), file = section.at("password_file");
  if (password.present()) {
    if (auto text = password.secret()) ledger.password = Secret(std::move(*text));
  }
  section.text("password_file", ledger.password_file);
  if (password.present() && file.present()) file.report("password is there as well; keep one of the two");
}

}  // namespace

void load_ledger(MapReader section, Config& config) {
  LedgerConfig& ledger = config.ledger;
  const bool understood = load_place(section, ledger);
  section.text("files", ledger.path);
  load_password(section, ledger);
  if (understood && ledger.postgres.empty()) {
    for (const char* const key : {"files", "password", "password_file", "start_wait_seconds"}) {
      const Cursor place = section.at(key);
      if (place.present()) place.report("this is for ledgers in PostgreSQL; a SQLite ledger has its files beside it and no password");
    }
  }
  if (config.air_gap) check_air_gap(section.at("url"), ledger.postgres);
  section.seconds("start_wait_seconds", ledger.start_wait, milliseconds(0), std::chrono::hours(24));
  section.millis("commit_interval_ms", ledger.commit_interval, std::chrono::milliseconds(1), std::chrono::seconds(1));
  section.integer("open_requests_max", ledger.open_requests_max, 16, 1'000'000);
  section.integer("keep_days", ledger.keep_days, 0, 36'500);
  section.flag("features", ledger.features);
}

}  // namespace tollgate
