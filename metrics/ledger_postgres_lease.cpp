// PostgresLedger's connection, schema, and the number that it leases (metrics/ledger_postgres.hpp).
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <random>
#include <thread>

#include "metrics/ledger_postgres.hpp"
#include "metrics/ledger_schema.hpp"

namespace tollgate {
namespace {

/// Advisory locks are pairs of numbers: this, and a gateway's number or one of the others.
constexpr const char* lock_class = "1416588396";  // ledger_application_id
static_assert(ledger_application_id == 1'416'588'396);
constexpr const char* lease_lock = "1416588396,1000";

/// For as long the session of an earlier connection may be about to end before it counts as in the way.
constexpr std::chrono::seconds patience_at_start{40}, patience{3};
constexpr std::chrono::milliseconds look_again{100};

constexpr std::size_t identity_size = 32;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string random_identity() {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;
  std::string identity;
  while (identity.size() < identity_size) identity += digits[random() % digits.size()];
  return identity;
}

}  // namespace

std::string gateway_identity(const std::string& files) {
  std::string identity;
  std::ifstream file(files + ".gateway");
  if (!std::getline(file, identity) || identity.size() != identity_size) identity.clear();
  return identity;
}

Result<void> PostgresLedger::identify() {
  const std::string path = files_ + ".gateway";
  identity_ = gateway_identity(files_);
  if (!identity_.empty()) return success();
  identity_ = random_identity();
  std::ofstream file(path + ".new", std::ios::trunc);
  file << identity_ << '\n' << std::flush;
  file.close();
  if (!file || std::rename((path + ".new").c_str(), path.c_str()) != 0) {
    return fail(Fault::io_failed, "cannot write " + path + ", by which the ledger knows this gateway again");
  }
  return success();
}

Result<void> PostgresLedger::connect() {
  if (connection_.backend() != 0) old_backend_ = connection_.backend();
  connection_.close();
  TOLLGATE_TRY(connection_, PgConnection::open(place_, PgRole::writer));
  TOLLGATE_TRY(make_postgres_ledger(connection_, place_));
  TOLLGATE_TRY(lease_number());
  old_backend_ = 0;
  // A server that was restored, or one that took over, may number names differently.
  names_.clear();
  if (!last_run_) {
    ids_.clear();
    ids_durable_ = 0;
  }
  TOLLGATE_TRY(settle_unsure());
  return keep_pools();
}

// One gateway at a time: who comes second finds it done.
Result<void> make_postgres_ledger(PgConnection& connection, const LedgerPlace& place) {
  const auto version_now = [&]() -> Result<std::int64_t> {
    // Not to_regclass(): that may answer from what this session knew before it waited for another gateway to make the tables.
    TOLLGATE_TRY(const PgRows there, connection.run("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace "
                                                    "WHERE n.nspname='tollgate' AND c.relname='ledger'"));
    if (there.number(0, 0) == 0) return std::int64_t{0};
    TOLLGATE_TRY(const PgRows rows, connection.run("SELECT schema_version FROM tollgate.ledger"));
    return rows.count() == 0 ? std::int64_t{0} : rows.number(0, 0);
  };
  TOLLGATE_TRY(std::int64_t version, version_now());
  if (version == ledger_schema_version) return success();
  const auto transaction = [&]() -> Result<void> {
    TOLLGATE_TRY(connection.script("BEGIN;SET LOCAL lock_timeout='60s';SET LOCAL statement_timeout='0'"));
    TOLLGATE_TRY(connection.run("SELECT pg_advisory_xact_lock(" + std::string(lock_class) + ",1001)"));
    TOLLGATE_TRY(version, version_now());
    if (version > ledger_schema_version) {
      return fail(Fault::bad_config, "the ledger " + place.shown() + " has schema " + std::to_string(version) +
                                         ", written by a newer tollgate; this one knows up to " +
                                         std::to_string(ledger_schema_version));
    }
    if (version == ledger_schema_version) return connection.script("COMMIT");
    std::string script = "CREATE SCHEMA IF NOT EXISTS tollgate;";
    for (auto from = static_cast<int>(version); from < ledger_schema_version; ++from) script += postgres_migration_from(from);
    script += views_script(postgres_dialect) + "UPDATE ledger SET schema_version=" + std::to_string(ledger_schema_version) + ";COMMIT";
    return connection.script(script);
  };
  Result<void> done = transaction();
  if (!done && !connection.lost()) {
    const Result<void> undone = connection.script("ROLLBACK");
    (void)undone;
  }
  return done;
}

Result<void> PostgresLedger::lease_number() {
  const auto give_up = std::chrono::steady_clock::now() + (number_ < 0 ? patience_at_start : patience);
  for (;;) {
    TOLLGATE_TRY(connection_.script("BEGIN"));
    Result<bool> taken = take_number();
    if (taken && taken.value()) {
      TOLLGATE_TRY(connection_.script("COMMIT"));
      return success();
    }
    if (!connection_.lost()) {
      TOLLGATE_TRY(connection_.script("ROLLBACK"));
    }
    if (!taken) return taken.error();
    if (std::chrono::steady_clock::now() > give_up) {
      return fail(Fault::io_failed, "the ledger " + place_.shown() + " still has a session of this gateway (" + files_ +
                                         ".gateway), or another gateway has a copy of its files; each needs its own");
    }
    std::this_thread::sleep_for(look_again);
  }
}

/// False: an earlier session of this gateway is not over yet.
Result<bool> PostgresLedger::take_number() {
  TOLLGATE_TRY(connection_.run("SELECT pg_advisory_xact_lock(" + std::string(lease_lock) + ")"));
  TOLLGATE_TRY(connection_.run("INSERT INTO gateway(identity,host) VALUES($1,$2) ON CONFLICT(identity) DO NOTHING",
                               {PgValue(identity_), PgValue(host_name())}));
  TOLLGATE_TRY(const PgRows own,
               connection_.run("SELECT id,coalesce(number,-1),commits,highest FROM gateway WHERE identity=$1", {PgValue(identity_)}));
  gateway_ = own.number(0, 0);
  std::int64_t number = own.number(0, 1);
  if (number >= 0) {
    TOLLGATE_TRY(const bool locked, lock_number(number));
    if (!locked) {
      end_old_session(number);
      return false;
    }
  } else {
    TOLLGATE_TRY(number, free_number());
  }
  TOLLGATE_TRY(const PgRows rows,
               connection_.run("UPDATE gateway SET number=$1,host=$2,started_at=CASE WHEN $4=1 THEN now() ELSE started_at END,"
                               "seen_at=now(),ended=false WHERE id=$3 RETURNING commits,highest",
                               {PgValue(number), PgValue(host_name()), PgValue(gateway_), PgValue(std::int64_t{number_ < 0 ? 1 : 0})}));
  number_ = number;
  commits_ = rows.number(0, 0);
  // Ids of a ledger that was copied have no gateway's number.
  TOLLGATE_TRY(const PgRows copied, connection_.run("SELECT coalesce(max(highest),0) FROM gateway WHERE identity='copied'"));
  highest_ = std::max({highest_, rows.number(0, 1), copied.number(0, 0)});
  set_request_gateway(static_cast<unsigned>(number_));
  return true;
}

Result<bool> PostgresLedger::lock_number(std::int64_t number) {
  TOLLGATE_TRY(const PgRows rows, connection_.run("SELECT pg_try_advisory_lock(" + std::string(lock_class) + "," + std::to_string(number) + ")"));
  return rows.number(0, 0) != 0;
}

/// A number that nobody has; else one whose gateway ended in order or was not seen for long, whose ids are continued.
Result<std::int64_t> PostgresLedger::free_number() {
  TOLLGATE_TRY(const PgRows rows,
               connection_.run("SELECT n,coalesce(g.id,0),coalesce(g.highest,0) FROM generate_series(0," + std::to_string(gateways_max - 1) +
                               ") n LEFT JOIN gateway g ON g.number=n WHERE g.id IS NULL OR g.ended OR g.seen_at<now()-" +
                               std::string(number_lease) + " ORDER BY g.id IS NOT NULL,NOT coalesce(g.ended,true),n"));
  for (int row = 0; row < rows.count(); ++row) {
    const std::int64_t number = rows.number(row, 0);
    TOLLGATE_TRY(const bool locked, lock_number(number));
    if (!locked) continue;
    highest_ = std::max(highest_, rows.number(row, 2));
    TOLLGATE_TRY(connection_.run("UPDATE gateway SET number=NULL WHERE id=$1", {PgValue(rows.number(row, 1))}));
    TOLLGATE_TRY(connection_.run("UPDATE gateway SET highest=greatest(highest,$1) WHERE id=$2", {PgValue(highest_), PgValue(gateway_)}));
    TOLLGATE_TRY(begin_ids(number));
    return number;
  }
  return fail(Fault::io_failed, "the ledger " + place_.shown() + " has " + std::to_string(gateways_max) +
                                     " gateways already; a number is free again an hour after its gateway was killed");
}

/// From now on ids with this number are this gateway's, and what was copied from a ledger of one gateway, if nobody has that yet:
/// whoever comes first goes on with its budgets.
Result<void> PostgresLedger::begin_ids(std::int64_t number) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto earliest = lowest_request_id_at(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  const std::int64_t above = std::max(highest_, static_cast<std::int64_t>(earliest));
  TOLLGATE_TRY(connection_.run("UPDATE gateway_ids SET up_to=$1 WHERE number=$2 AND up_to>$1", {PgValue(above), PgValue(number)}));
  TOLLGATE_TRY(connection_.run("INSERT INTO gateway_ids(gateway,number,above) VALUES($1,$2,$3)", {PgValue(gateway_), PgValue(number), PgValue(above)}));
  TOLLGATE_TRY(connection_.run("UPDATE gateway_ids SET gateway=$1 WHERE gateway=(SELECT id FROM gateway WHERE identity='copied')", {PgValue(gateway_)}));
  return success();
}

// The server may wait long for a client that it cannot reach any more.
void PostgresLedger::end_old_session(std::int64_t number) {
  if (old_backend_ == 0) return;
  const auto ended = connection_.run(
      "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype='advisory' AND database=(SELECT oid FROM pg_database WHERE "
      "datname=current_database()) AND classid::bigint=" + std::string(lock_class) + " AND objid::bigint=$1 AND pid=$2 AND granted",
      {PgValue(number), PgValue(std::int64_t{old_backend_})});
  (void)ended;  // it is looked again
}

Result<void> PostgresLedger::settle_unsure() {
  if (!unsure_) return success();
  came_through_ = commits_ == unsure_->commits;
  if (came_through_) through_ = std::move(unsure_->requests);
  unsure_.reset();
  return success();
}

}  // namespace tollgate
