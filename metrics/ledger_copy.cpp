#include "metrics/ledger_copy.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "metrics/ledger.hpp"
#include "metrics/ledger_postgres.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_source.hpp"
#include "metrics/postgres.hpp"

namespace tollgate {
namespace {

constexpr std::size_t rows_per_commit = 20'000;

struct Table {
  const char* name;
  const char* key;                      ///< its primary key
  std::vector<std::string> names;       ///< columns that hold names by number
  std::vector<std::string> not_numbers; ///< texts and blobs
  std::vector<std::string> sums;        ///< columns that others may have added to
};

const std::vector<Table>& tables() {
  static const std::vector<Table> all{
      {"attempt", "request,number", {"target", "result", "service_tier"}, {}, {}},
      {"coverage", "request", {"rules"}, {}, {}},
      {"cached", "request", {"target"}, {}, {}},
      {"decision", "request", {"asked"}, {"facts"}, {}},
      {"features", "request", {}, {"blob"}, {}},
      {"outcome", "request,source", {}, {"comment"}, {}},
      {"baseline", "request,baseline", {"baseline"}, {}, {}},
      {"request", "id", {"model", "route", "team", "key", "target", "result"}, {}, {}},  // last: then the rest of it is there
      {"daily",
       "day,team,model,route,key,target,tier,result,measure",
       {"team", "model", "route", "key", "target", "result", "measure"},
       {},
       {"high::numeric*4294967296+{}.low"}},
      {"pool_hour", "pool,hour", {"pool"}, {}, {"billed_pusd", "attributed_pusd", "idle_pusd"}}};
  return all;
}

bool holds(const std::vector<std::string>& all, const std::string& one) { return std::find(all.begin(), all.end(), one) != all.end(); }

std::string list(const std::vector<std::string>& columns) {
  std::string text;
  for (const std::string& column : columns) text.append(text.empty() ? "" : ",").append(column);
  return text;
}

class Copier {
 public:
  Copier(LedgerSource& source, PgConnection& target, const LedgerPlace& to, const OnCopied& on_copied)
      : source_(source), target_(target), to_(to), on_copied_(on_copied) {}

  Result<LedgerCopy> run() {
    TOLLGATE_TRY(source_.snapshot());
    TOLLGATE_TRY(copy_names());
    for (const Table& table : tables()) {
      TOLLGATE_TRY(copy(table));
    }
    TOLLGATE_TRY(copy_ids());
    TOLLGATE_TRY(copy_clocks());
    return std::move(report_);
  }

 private:
  Result<void> copy_names() {
    const auto rows = source_.query("SELECT id,text FROM name ORDER BY id");
    for (;;) {
      TOLLGATE_TRY(const bool more, rows->next());
      if (!more) return success();
      const std::string text(rows->text(1));
      TOLLGATE_TRY(target_.run("INSERT INTO name(text) SELECT $1 WHERE NOT EXISTS(SELECT 1 FROM name WHERE text=$1) ON CONFLICT DO NOTHING", {PgValue(text)}));
      TOLLGATE_TRY(const PgRows found, target_.run("SELECT id FROM name WHERE text=$1", {PgValue(text)}));
      names_[rows->number(0)] = found.number(0, 0);
    }
  }

  /// A name that the ledger lacks stays 0: it reads as unknown in both.
  [[nodiscard]] std::int64_t name_of(std::int64_t id) const {
    const auto found = names_.find(id);
    return found == names_.end() ? 0 : found->second;
  }

  Result<void> copy(const Table& table) {
    TOLLGATE_TRY(const std::vector<std::string> columns, source_.columns(table.name));
    const std::string name = table.name;
    TOLLGATE_TRY(target_.script("DROP TABLE IF EXISTS pg_temp.copying;CREATE TEMP TABLE copying(LIKE tollgate." + name + ")"));
    const auto rows = source_.query("SELECT " + list(columns) + " FROM " + name + " ORDER BY " + table.key, LedgerSource::Bring::streamed);
    LedgerCopy::Table& done = report_.tables[name];
    PgCopy batch;
    for (bool more = true; more;) {
      TOLLGATE_TRY(more, rows->next());
      if (more) add(table, columns, *rows, batch);
      if (batch.rows() < rows_per_commit && (more || batch.empty())) continue;
      TOLLGATE_TRY(const std::int64_t written, bring_in(table, columns, batch));
      done.read += static_cast<std::int64_t>(batch.rows());
      done.written += written;
      if (on_copied_) on_copied_(name, done.read);
      batch.clear();
    }
    return success();
  }

  void add(const Table& table, const std::vector<std::string>& columns, const LedgerQuery& row, PgCopy& batch) const {
    batch.begin_row(static_cast<int>(columns.size()));
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const int at = static_cast<int>(i);
      if (row.is_null(at)) {
        batch.add_null();
      } else if (columns[i] == "comment") {
        const std::string text = storable(row.text(at));
        batch.add_bytes(text.data(), text.size());
      } else if (holds(table.not_numbers, columns[i])) {
        batch.add_bytes(row.bytes(at).data(), row.bytes(at).size());
      } else {
        batch.add(holds(table.names, columns[i]) ? name_of(row.number(at)) : row.number(at));
      }
    }
  }

  Result<std::int64_t> bring_in(const Table& table, const std::vector<std::string>& columns, const PgCopy& batch) {
    const std::string all = list(columns), name = table.name;
    const auto transaction = [&]() -> Result<std::int64_t> {
      TOLLGATE_TRY(target_.script("BEGIN;TRUNCATE copying"));
      TOLLGATE_TRY(target_.copy_in("copying(" + all + ")", batch));
      TOLLGATE_TRY(const PgRows inserted,
                   target_.run("INSERT INTO " + name + "(" + all + ") SELECT " + all + " FROM copying ON CONFLICT DO NOTHING"));
      for (std::string sum : table.sums) {
        const std::size_t other = sum.find("{}");
        const auto of = [&](const char* alias) { return std::string(alias) + "." + (other == std::string::npos ? sum : std::string(sum).replace(other, 2, alias)); };
        TOLLGATE_TRY(const PgRows differ, target_.run("SELECT count(*) FROM copying c JOIN " + name + " t USING(" + table.key + ") WHERE " + of("c") + "<>" + of("t")));
        if (differ.number(0, 0) == 0) continue;
        return fail(Fault::bad_config, "the ledger " + to_.shown() + " has sums of its own where the copy has some (" + name +
                                           "), and both cannot be told apart; copy before gateways write there");
      }
      TOLLGATE_TRY(target_.script("COMMIT"));
      return inserted.changed();
    };
    Result<std::int64_t> written = transaction();
    if (!written && !target_.lost()) {
      const Result<void> undone = target_.script("ROLLBACK");
      (void)undone;
    }
    return written;
  }

  /// Ids of a ledger of one gateway have no number: the first gateway on the copy has them (PostgresLedger::begin_ids).
  Result<void> copy_ids() {
    TOLLGATE_TRY(target_.run("INSERT INTO gateway(identity,host,ended,highest) VALUES('copied','copied',true,(SELECT coalesce(max(id),0) FROM request)) "
                             "ON CONFLICT(identity) DO UPDATE SET highest=greatest(gateway.highest,excluded.highest)"));
    TOLLGATE_TRY(target_.run("INSERT INTO gateway_ids(gateway,number,above,up_to) SELECT id,-1,0,highest FROM gateway WHERE identity='copied' "
                             "ON CONFLICT(number,above) DO UPDATE SET up_to=excluded.up_to"));
    return success();
  }

  /// Where the pools' clocks stood, as those of a gateway that has ended: whoever bills them next goes on from there.
  Result<void> copy_clocks() {
    const auto rows = source_.query("SELECT pool,run,take,at_ns,tail_ns,billed FROM pool_clock ORDER BY pool");
    for (;;) {
      TOLLGATE_TRY(const bool more, rows->next());
      if (!more) return success();
      std::vector<PgValue> values{PgValue(name_of(rows->number(0)))};
      for (int column = 1; column < 6; ++column) values.emplace_back(rows->number(column));
      // Only where nobody bills the pool yet.
      TOLLGATE_TRY(target_.run("INSERT INTO pool_clock(pool,gateway,run,take,at_ns,tail_ns,billed) SELECT $1,(SELECT id FROM gateway WHERE identity='copied'),"
                               "$2,$3,$4,$5,$6 WHERE NOT EXISTS(SELECT 1 FROM pool_clock WHERE pool=$1)",
                               values));
    }
  }

  LedgerSource& source_;
  PgConnection& target_;
  const LedgerPlace& to_;
  const OnCopied& on_copied_;
  std::unordered_map<std::int64_t, std::int64_t> names_;
  LedgerCopy report_;
};

}  // namespace

Result<LedgerCopy> copy_ledger(const LedgerPlace& from, const LedgerPlace& to, const OnCopied& on_copied) {
  if (from.is_postgres() || !to.is_postgres()) {
    return fail(Fault::bad_config, "ledgers are copied from SQLite to PostgreSQL only");
  }
  TOLLGATE_TRY(const std::unique_ptr<LedgerSource> source, LedgerSource::open(from, ledger_schema_version));
  LedgerLock lock;
  TOLLGATE_TRY(lock.take(from.path()));
  TOLLGATE_TRY(PgConnection target, PgConnection::open(to, PgRole::writer));
  TOLLGATE_TRY(target.script("SET statement_timeout=0"));
  TOLLGATE_TRY(make_postgres_ledger(target, to));
  return Copier(*source, target, to, on_copied).run();
}

}  // namespace tollgate
