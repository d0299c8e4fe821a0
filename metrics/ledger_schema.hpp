#pragma once
// The ledger's tables and views, and how a ledger of an older program becomes one of this.
//
// Tables hold small integers: names by number (table `name`), times in microseconds, money in picodollars (1e-12 USD).
// They carry no secondary index: it would cost the writer five times as much. The views `requests` and `attempts` are
// what a person reads: names as text, USD as exact decimal text, times in ISO 8601. A request that is still open is in
// its slot file, not here (metrics/ledger_slots.hpp).

#include <string>
#include <string_view>
#include <utility>

#include "metrics/sql_dialect.hpp"

namespace tollgate {

inline constexpr int ledger_schema_version = 9;           ///< PRAGMA user_version
inline constexpr int ledger_application_id = 0x546F6C6C;  ///< PRAGMA application_id: "Toll"

// Names of measures in the table `daily`, beside the names of the columns of `attempt` that are summed there. For a
// baseline NAME: "baseline:NAME:compared", ":unknown", ":pusd", ":actual_pusd".
inline constexpr std::string_view daily_requests = "requests", daily_attempts = "attempts", daily_unpriced = "unpriced",
                                  daily_billed = "billed", daily_inexact = "inexact",
                                  daily_baseline_prefix = "baseline:", daily_cached = "cached", daily_cached_unknown = "cached_unknown",
                                  daily_saved = "cached_saved_pusd";
/// Attempts that are counted apart, each with its condition on a row `a` of the table `attempt`.
inline constexpr std::pair<std::string_view, std::string_view> counted_attempts[] = {
    {daily_unpriced, "a.pricing=1"},
    {daily_billed, "a.pricing<>2"},
    {daily_inexact, "a.pricing<>2 AND a.usage_source<>3"}};

/// Requests that the response cache answered, each with its condition on a row `c` of the table `cached`.
inline constexpr std::pair<std::string_view, std::string_view> counted_cached[] = {
    {daily_cached, "true"}, {daily_cached_unknown, "c.saved_pusd IS NULL"}};

/// Of a request `r` and its row `b` of the table `baseline`: what it cost and what it would have cost are both known.
inline constexpr std::string_view baseline_comparable =
    "b.pusd IS NOT NULL AND NOT EXISTS(SELECT 1 FROM attempt a WHERE a.request=r.id AND a.pricing=1)";

/// The script that brings a ledger from `version` to `version + 1`. Tables only; never changed once released.
[[nodiscard]] const char* migration_from(int version) noexcept;
/// Drops and makes the views; run after every migration.
[[nodiscard]] std::string views_script(const SqlDialect& dialect);

/// The same step for PostgreSQL, made of the same script. Its tables are those of SQLite but for what is of one gateway
/// among several (metrics/ledger_schema_postgres.cpp).
[[nodiscard]] std::string postgres_migration_from(int version);

}  // namespace tollgate
