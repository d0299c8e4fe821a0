#include "metrics/ledger_postgres.hpp"

#include <algorithm>

#include "metrics/ledger_rows.hpp"

namespace tollgate {

Result<std::unique_ptr<PostgresLedger>> PostgresLedger::open(const LedgerPlace& place, const std::string& files, const OnLedgerAway& on_away) {
  auto ledger = std::unique_ptr<PostgresLedger>(new PostgresLedger(place, files));
  TOLLGATE_TRY(ledger->lock_.take(files));
  TOLLGATE_TRY(ledger->identify());
  for (;;) {
    Result<void> connected = ledger->connect();
    if (connected) return ledger;
    const bool away = connected.error().fault == Fault::io_failed && ledger->connection_.lost();
    if (!away || !on_away || !on_away(connected.error())) return connected.error();
  }
}

Result<void> PostgresLedger::begin() {
  forget_transaction();
  connection_.look();
  if (!connection_.lost()) return success();
  Result<void> connected = connect();
  if (!connected) connection_.close();
  return connected;
}

void PostgresLedger::forget_transaction() noexcept {
  for (PgCopy* const rows : {&requests_, &attempts_, &coverage_, &cached_, &decisions_, &features_, &baselines_}) rows->clear();
  statements_.clear();
  fresh_.clear();
  known_.clear();
  expected_.clear();
  highest_fresh_ = 0;
}

// Nothing was sent yet, or the commit failed and its transaction is over.
void PostgresLedger::rollback() noexcept {
  forget_transaction();
  if (!last_run_) ids_.resize(ids_durable_);
  check_ = true;
}

Result<void> PostgresLedger::expect(std::span<const RequestId> requests) {
  std::vector<std::int64_t> ids;
  for (const RequestId id : requests) {
    ids.push_back(static_cast<std::int64_t>(id));
    expected_.insert(ids.back());
  }
  TOLLGATE_TRY(const PgRows rows, connection_.run("SELECT id FROM request WHERE id=ANY($1)", {PgValue::numbers(ids)}));
  for (int row = 0; row < rows.count(); ++row) known_.insert(rows.number(row, 0));
  return success();
}

Result<bool> PostgresLedger::insert(const OpenRequest& settled) {
  const RequestRow& row = settled.row;
  const auto id = static_cast<std::int64_t>(row.id);
  if (through_.contains(id)) return true;  // written by the transaction that came through
  if (check_ && !expected_.contains(id)) {
    const RequestId one[] = {row.id};
    TOLLGATE_TRY(expect(one));
  }
  if (known_.contains(id) || fresh_.contains(id)) return false;
  TOLLGATE_TRY(const RequestNames names, names_of(row, [this](auto name) { return ledger_id(name); }));
  TOLLGATE_TRY(insert_attempts(settled));
  if (row.rules != NameId::none) {
    TOLLGATE_TRY(const std::int64_t rules, ledger_id(row.rules));
    coverage_.begin_row(4);
    for (const std::int64_t value : {id, rules, static_cast<std::int64_t>(row.covered), std::int64_t{row.masked}}) coverage_.add(value);
  }
  if (row.cached_from != NameId::none) {
    TOLLGATE_TRY(const std::int64_t from, ledger_id(row.cached_from));
    cached_.begin_row(5);
    for (const std::int64_t value : {id, from, static_cast<std::int64_t>(row.cached_origin)}) cached_.add(value);
    row.saved_known ? cached_.add(row.saved.count()) : cached_.add_null();
    cached_.add(row.cached_masked ? 1 : 0);
  }
  if (keeps_features(settled)) {
    const RequestNotes& notes = settled.notes;
    features_.begin_row(6);
    for (const std::int64_t value : {id, std::int64_t{notes.features.version}, std::int64_t{notes.flags}, std::int64_t{notes.input_tokens}}) features_.add(value);
    notes.output_tokens_max < 0 ? features_.add_null() : features_.add(notes.output_tokens_max);
    features_.add_bytes(notes.features.bytes.data(), notes.features.size);
  }
  if (keeps_decision(settled)) {
    TOLLGATE_TRY(const std::int64_t asked, ledger_id(settled.facts.asked));
    const std::string bytes = packed(settled.facts);
    decisions_.begin_row(3);
    decisions_.add(id);
    decisions_.add(asked);
    decisions_.add_bytes(bytes.data(), bytes.size());
  }
  requests_.begin_row(request_column_count);
  for (const std::int64_t value : values_of(row, names)) requests_.add(value);
  fresh_.emplace(id, Fresh{names.key, row.target});
  highest_fresh_ = std::max(highest_fresh_, gateway_of(row.id) == number_ ? id : 0);
  return true;
}

Result<void> PostgresLedger::insert_attempts(const OpenRequest& settled) {
  for (std::size_t i = 0; i < settled.row.attempts; ++i) {
    const AttemptRow& attempt = settled.attempts[i];
    TOLLGATE_TRY(const std::int64_t target, ledger_id(attempt.target));
    TOLLGATE_TRY(const std::int64_t result, ledger_id(attempt.result));
    std::int64_t tier = 0;
    if (attempt.service_tier != NameId::none) {
      TOLLGATE_TRY(tier, ledger_id(attempt.service_tier));
    }
    attempts_.begin_row(static_cast<int>(attempt_column_count + rare_column_count));
    const auto values = values_of(settled.row, attempt, target, result);
    for (std::size_t column = 0; column < values.size(); ++column) {
      if (column == first_token_column && attempt.first_token_us == 0) {
        attempts_.add_null();
      } else {
        attempts_.add(values[column]);
      }
    }
    for (const std::int64_t value : rare_values_of(attempt, tier)) attempts_.add(value);
  }
  return success();
}

Result<void> PostgresLedger::insert_baseline(RequestId request, NameId baseline, std::optional<Usd> usd) {
  // A request that came through before has its baselines; one that is not of this transaction has none to get.
  if (!fresh_.contains(static_cast<std::int64_t>(request))) return success();
  TOLLGATE_TRY(const std::int64_t name, ledger_id(text(baseline)));
  baselines_.begin_row(3);
  baselines_.add(static_cast<std::int64_t>(request));
  baselines_.add(name);
  usd ? baselines_.add(usd->count()) : baselines_.add_null();
  return success();
}

// Up to here nothing but names has reached the database. What fails before COMMIT is sent is undone.
Result<void> PostgresLedger::send() {
  TOLLGATE_TRY(connection_.script("BEGIN"));
  const std::string attempt_table = "attempt(" + std::string(tollgate::attempt_columns) + "," + std::string(rare_columns) + ")";
  const std::pair<std::string, const PgCopy*> copies[] = {{"request(" + std::string(request_columns) + ")", &requests_},
                                                          {attempt_table, &attempts_},
                                                          {"coverage(request,rules,covered,masked)", &coverage_},
                                                          {"cached(request,target,origin,saved_pusd,masked)", &cached_},
                                                          {"decision(request,asked,facts)", &decisions_},
                                                          {"features(request,version,flags,input_tokens,output_tokens_max,blob)", &features_},
                                                          {"baseline(request,baseline,pusd)", &baselines_}};
  for (const auto& [table, rows] : copies) {
    TOLLGATE_TRY(connection_.copy_in(table, *rows));
  }
  for (const Statement& statement : statements_) {
    TOLLGATE_TRY(connection_.run(statement.sql, statement.values));
  }
  TOLLGATE_TRY(const PgRows counted,
               connection_.run("UPDATE gateway SET commits=commits+1,highest=greatest(highest,$1),seen_at=now(),ended=false "
                               "WHERE id=$2 AND commits=$3 AND number=$4",
                               {PgValue(highest_fresh_), PgValue(gateway_), PgValue(commits_), PgValue(number_)}));
  if (counted.changed() != 1) {
    connection_.close();
    // Not a matter of waiting: ids that both give would be the same.
    return fail(Fault::bad_config, "the ledger " + place_.shown() + ": another gateway has taken the number of this one, or has its files (" +
                                       files_ + ".*); each gateway needs files of its own");
  }
  return success();
}

Result<void> PostgresLedger::commit() {
  if (const Result<void> sent = send(); !sent) {
    if (!connection_.lost()) {
      const Result<void> undone = connection_.script("ROLLBACK");
      if (!undone) connection_.close();
    }
    return sent;
  }
  if (const Result<void> committed = connection_.script("COMMIT"); !committed) {
    if (connection_.lost()) {
      unsure_.emplace();
      unsure_->commits = commits_ + 1;
      for (const auto& [id, fresh] : fresh_) unsure_->requests.insert(id);
    }
    return committed;
  }
  ++commits_;
  highest_ = std::max(highest_, highest_fresh_);
  ids_durable_ = ids_.size();
  check_ = false;
  through_.clear();
  forget_transaction();
  return success();
}

void PostgresLedger::end() noexcept {
  if (connection_.lost()) return;
  const auto ended = connection_.run("UPDATE gateway SET ended=true,seen_at=now() WHERE id=$1", {PgValue(gateway_)});
  (void)ended;  // else the lease runs out
}

}  // namespace tollgate
