// PostgresLedger's names, baselines, outcomes and daily sums (metrics/ledger_postgres.hpp).
#include <algorithm>
#include <cstring>

#include "metrics/ledger_postgres.hpp"

namespace tollgate {

// Outside of the transaction, so that two gateways that learn the same names do not wait for each other's commits. A name
// that nobody uses does no harm, and none is ever deleted: what is known stays so.
Result<void> PostgresLedger::intern(const std::vector<std::string>& texts) {
  if (texts.empty()) return success();
  const char* const find = "SELECT id,text FROM name WHERE text=ANY($1)";
  for (const bool make : {false, true}) {
    std::vector<std::string> missing;
    for (const std::string& text : texts) {
      if (!names_.contains(text)) missing.push_back(storable(text));
    }
    if (missing.empty()) return success();
    if (make) {
      // In one order, so that two gateways cannot wait for each other.
      TOLLGATE_TRY(connection_.run("INSERT INTO name(text) SELECT DISTINCT t FROM unnest($1::text[]) t ORDER BY t ON CONFLICT DO NOTHING",
                                   {PgValue::texts(missing)}));
    }
    TOLLGATE_TRY(const PgRows rows, connection_.run(find, {PgValue::texts(missing)}));
    for (int row = 0; row < rows.count(); ++row) names_[std::string(rows.text(row, 1))] = rows.number(row, 0);
  }
  for (const std::string& text : texts) {
    if (names_.contains(text)) continue;
    const auto stored = names_.find(storable(text));
    if (stored == names_.end()) return fail(Fault::io_failed, "the ledger " + place_.shown() + " does not keep a name that was written");
    names_[text] = stored->second;
  }
  return success();
}

Result<std::int64_t> PostgresLedger::ledger_id(std::string_view text) {
  const std::string key(text);
  auto known = names_.find(key);
  if (known == names_.end()) {
    TOLLGATE_TRY(intern({key}));
    known = names_.find(key);
    if (known == names_.end()) known = names_.find(storable(key));
  }
  return known->second;
}

Result<std::int64_t> PostgresLedger::ledger_id(NameId name) {
  const auto index = static_cast<std::uint32_t>(name);
  if (index >= ids_.size() && !last_run_) {
    TOLLGATE_TRY(write_names());
  }
  if (index < ids_.size()) return ids_[index];
  return ledger_id(std::string_view("unknown"));
}

Result<void> PostgresLedger::write_names() {
  const std::uint32_t wanted = Names::global().size();
  if (ids_.size() >= wanted) return success();
  std::vector<std::string> texts;
  for (auto id = static_cast<std::uint32_t>(ids_.size()); id < wanted; ++id) texts.emplace_back(text(NameId{id}));
  TOLLGATE_TRY(intern(texts));
  std::vector<std::int64_t> process_ids, ids;
  for (const std::string& each : texts) {
    TOLLGATE_TRY(const std::int64_t id, ledger_id(std::string_view(each)));
    process_ids.push_back(static_cast<std::int64_t>(ids_.size()));
    ids.push_back(id);
    ids_.push_back(id);
  }
  later("INSERT INTO run_name SELECT $1,* FROM unnest($2::bigint[],$3::bigint[]) ON CONFLICT(gateway,process_id) DO UPDATE SET name=excluded.name",
        {PgValue(gateway_), PgValue::numbers(process_ids), PgValue::numbers(ids)});
  return success();
}

Result<void> PostgresLedger::speak_for_last_run() {
  TOLLGATE_TRY(const PgRows rows, connection_.run("SELECT process_id,name FROM run_name WHERE gateway=$1 ORDER BY process_id", {PgValue(gateway_)}));
  for (int row = 0; row < rows.count() && rows.number(row, 0) == std::ssize(ids_); ++row) ids_.push_back(rows.number(row, 1));
  last_run_ = true;
  return success();
}

Result<void> PostgresLedger::speak_for_this_run() {
  last_run_ = false;
  ids_.clear();
  ids_durable_ = 0;
  later("DELETE FROM run_name WHERE gateway=$1", {PgValue(gateway_)});
  return success();
}

Result<void> PostgresLedger::write_baselines(const BaselineSet& baselines) {
  static_assert(std::is_trivially_copyable_v<BaselineHost>);
  later("DELETE FROM run_baseline WHERE gateway=$1", {PgValue(gateway_)});
  std::int64_t position = 0;
  for (const BaselineRule& rule : baselines.rules) {
    TOLLGATE_TRY(const std::int64_t name, ledger_id(text(rule.name)));
    for (const BaselineHost& host : rule.hosts) {
      later("INSERT INTO run_baseline VALUES($1,$2,$3,$4)",
            {PgValue(gateway_), PgValue(++position), PgValue(name),
             PgValue::bytes({reinterpret_cast<const char*>(&host), sizeof host})});
    }
  }
  return success();
}

Result<BaselineSet> PostgresLedger::last_baselines() {
  TOLLGATE_TRY(const PgRows rows, connection_.run("SELECT n.text,b.host FROM run_baseline b JOIN name n ON n.id=b.baseline WHERE b.gateway=$1 "
                                                  "ORDER BY b.position",
                                                  {PgValue(gateway_)}));
  BaselineSet set;
  for (int row = 0; row < rows.count(); ++row) {
    const std::string bytes = rows.bytes(row, 1);
    if (bytes.size() != sizeof(BaselineHost)) return BaselineSet{};
    const NameId name = Names::global().intern(rows.text(row, 0));
    if (set.rules.empty() || set.rules.back().name != name) set.rules.push_back({name, {}, {}});
    BaselineHost host;
    std::memcpy(&host, bytes.data(), sizeof host);
    set.rules.back().hosts.push_back(host);
  }
  return set;
}

// The request may be of this transaction, of an earlier one, or of another gateway.
Result<Ledger::OutcomeWritten> PostgresLedger::insert_outcome(const Outcome& outcome) {
  const auto id = static_cast<std::int64_t>(outcome.request);
  const auto source = static_cast<std::int64_t>(outcome.source), verdict = static_cast<std::int64_t>(outcome.verdict);
  std::int64_t key = 0;
  if (outcome.key) {
    TOLLGATE_TRY(key, ledger_id(*outcome.key));
  }
  OutcomeWritten written;
  const PgValue score = outcome.score_ppm ? PgValue(std::int64_t{*outcome.score_ppm}) : PgValue();
  const PgValue comment = outcome.comment.empty() ? PgValue() : PgValue(outcome.comment);
  if (const auto fresh = fresh_.find(id); fresh != fresh_.end()) {
    if (outcome.key && fresh->second.key != key) return written;
    written.target = text(fresh->second.target);
    written.result = OutcomeResult::recorded;
  } else {
    TOLLGATE_TRY(const PgRows rows,
                 connection_.run("SELECT r.key,n.text,o.request IS NOT NULL AND o.verdict=$3 AND o.score_ppm IS NOT DISTINCT FROM $4 AND "
                                 "o.comment IS NOT DISTINCT FROM $5 FROM request r LEFT JOIN name n ON n.id=r.target LEFT JOIN outcome o ON "
                                 "o.request=r.id AND o.source=$2 WHERE r.id=$1",
                                 {PgValue(id), PgValue(source), PgValue(verdict), score, comment}));
    if (rows.count() == 0 || (outcome.key && rows.number(0, 0) != key)) return written;
    written.target = rows.text(0, 1);
    written.result = rows.number(0, 2) != 0 ? OutcomeResult::unchanged : OutcomeResult::recorded;
  }
  if (written.result == OutcomeResult::recorded) {
    later("INSERT INTO outcome(request,source,verdict,score_ppm,at_us,comment) VALUES($1,$2,$3,$4,$5,$6) ON CONFLICT(request,source) DO UPDATE "
          "SET verdict=excluded.verdict,score_ppm=excluded.score_ppm,at_us=excluded.at_us,comment=excluded.comment",
          {PgValue(id), PgValue(source), PgValue(verdict), score, PgValue(outcome.at_us), comment});
  }
  return written;
}

// One gateway at a time: the others have nothing to do meanwhile.
Result<std::size_t> PostgresLedger::fold(std::int64_t cutoff_us, std::size_t requests_max) {
  if (connection_.lost()) return fail(Fault::io_failed, "the ledger " + place_.shown() + " is not connected");
  const auto transaction = [&]() -> Result<std::size_t> {
    TOLLGATE_TRY(prepare_fold(*this));
    TOLLGATE_TRY(connection_.script("BEGIN"));
    TOLLGATE_TRY(const std::int64_t mine, fold_number("SELECT pg_try_advisory_xact_lock(1416588396,1003)"));
    std::size_t folded = 0;
    if (mine != 0) {
      TOLLGATE_TRY(folded, fold_requests(*this, cutoff_us, requests_max));
    }
    TOLLGATE_TRY(connection_.script("COMMIT"));
    return folded;
  };
  Result<std::size_t> folded = transaction();
  if (!folded && !connection_.lost()) {
    const Result<void> undone = connection_.script("ROLLBACK");
    if (!undone) connection_.close();
  }
  return folded;
}

Result<std::int64_t> PostgresLedger::fold_number(const std::string& sql) {
  TOLLGATE_TRY(const PgRows rows, connection_.run(sql));
  return rows.count() == 0 ? std::int64_t{0} : rows.number(0, 0);
}

Result<std::vector<std::string>> PostgresLedger::fold_texts(const std::string& sql) {
  TOLLGATE_TRY(const PgRows rows, connection_.run(sql));
  std::vector<std::string> texts;
  for (int row = 0; row < rows.count(); ++row) texts.emplace_back(rows.text(row, 0));
  return texts;
}

Result<std::vector<std::string>> PostgresLedger::attempt_columns() {
  return fold_texts("SELECT attname FROM pg_attribute WHERE attrelid='attempt'::regclass AND attnum>0 AND NOT attisdropped ORDER BY attnum");
}

// Within the transaction: it may be undone, so it is not remembered.
Result<std::int64_t> PostgresLedger::fold_name(std::string_view text) {
  TOLLGATE_TRY(connection_.run("INSERT INTO name(text) SELECT $1 WHERE NOT EXISTS(SELECT 1 FROM name WHERE text=$1) ON CONFLICT DO NOTHING",
                               {PgValue(text)}));
  TOLLGATE_TRY(const PgRows rows, connection_.run("SELECT id FROM name WHERE text=$1", {PgValue(text)}));
  if (rows.count() == 0) return fail(Fault::io_failed, "the ledger " + place_.shown() + ": another gateway is making the same name");
  return rows.number(0, 0);
}

}  // namespace tollgate
