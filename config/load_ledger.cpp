// The section `ledger`.
#include "config/draft.hpp"

namespace tollgate {
namespace {

/// Of a ledger in PostgreSQL, which has no file of its own to name them after.
constexpr std::string_view default_files = "tollgate";

bool load_place(MapReader& section, LedgerConfig& ledger) {
  const Cursor url = section.at("url");
  if (!url.present()) return true;
  constexpr std::string_view scheme = "sqlite:";
  std::optional<std::string> text = url.secret();
  if (!text) return false;
  if (text->starts_with(scheme) && text->size() > scheme.size()) {
    ledger.path = text->substr(scheme.size());
  } else if (LedgerPlace::is_postgres_url(*text)) {
    ledger.path = default_files;
    ledger.postgres = Secret(std::move(*text));
  } else {
    url.report(
        "write sqlite: and a path, such as sqlite:tollgate.db, or postgresql://USER@HOST/DATABASE for a ledger that "
        "several gateways share");
    return false;
  }
  return true;
}

}  // namespace

void load_ledger(MapReader section, LedgerConfig& ledger) {
  const bool understood = load_place(section, ledger);
  for (const auto& [key, into] : {std::pair("files", &ledger.path), std::pair("password_file", &ledger.password_file)}) {
    const Cursor place = section.at(key);
    if (!place.present()) continue;
    const std::optional<std::string> text = place.text();
    if (!text) continue;
    if (understood && ledger.postgres.empty()) {
      place.report("this is for ledgers in PostgreSQL; a SQLite ledger has its files beside it and no password");
    } else {
      *into = *text;
    }
  }
  section.millis("commit_interval_ms", ledger.commit_interval, std::chrono::milliseconds(1), std::chrono::seconds(1));
  section.integer("open_requests_max", ledger.open_requests_max, 16, 1'000'000);
  section.integer("keep_days", ledger.keep_days, 0, 36'500);
  section.flag("features", ledger.features);
}

}  // namespace tollgate
