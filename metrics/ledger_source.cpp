#include "metrics/ledger_source.hpp"

#include "metrics/ledger_schema.hpp"

namespace tollgate {

Result<std::unique_ptr<LedgerSource>> LedgerSource::open(const LedgerPlace& place, int oldest_schema) {
  TOLLGATE_TRY(std::unique_ptr<LedgerSource> source,
               place.is_postgres() ? open_postgres_source(place) : open_sqlite_source(place));
  TOLLGATE_TRY(const int version, source->schema());
  if (version > ledger_schema_version) {
    return fail(Fault::bad_config, "the ledger " + place.shown() + " has schema " + std::to_string(version) +
                                       ", written by a newer tollgate; this one knows up to " +
                                       std::to_string(ledger_schema_version));
  }
  if (version < oldest_schema) {
    return fail(Fault::bad_config,
                "the ledger " + place.shown() +
                    " was written by an older tollgate; serve with this one first, which brings it up to date");
  }
  return source;
}

Result<bool> LedgerSource::has_table(const std::string& table) {
  TOLLGATE_TRY(const std::vector<std::string> found, columns(table));
  return !found.empty();
}

Result<std::int64_t> LedgerSource::number(const std::string& sql) {
  const std::unique_ptr<LedgerQuery> rows = query(sql);
  TOLLGATE_TRY(const bool found, rows->next());
  return found ? rows->number(0) : std::int64_t{0};
}

}  // namespace tollgate
