#pragma once
// The ledger in PostgreSQL, which several gateways write at the same time (docs/decisions/0007-postgres-ledger.md).
//
// What a transaction writes is kept here until commit(), and then sent: COPY for the rows, a few statements, one commit. A
// connection is made again when it is lost, at the next begin(). What each call means stands in metrics/ledger.hpp.
//
// Who writes: a gateway has an identity, in the file `<files>.gateway`, and by it a number, which is part of its requests'
// ids. While it is connected it holds an advisory lock on the number, so a second connection of the same gateway waits for
// the first to be over, and with it whatever that was doing.
//
// A commit whose answer is lost: each transaction counts the gateway's commits up by one. Once the lock is had again, the
// count says whether it went through (came_through()).

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "metrics/ledger.hpp"
#include "metrics/ledger_retention.hpp"
#include "metrics/postgres.hpp"

namespace tollgate {

/// Makes the tables, or brings them up to date.
[[nodiscard]] Result<void> make_postgres_ledger(PgConnection& connection, const LedgerPlace& place);

/// By which the ledger knows the gateway whose files these are; "": no gateway has run with them yet.
[[nodiscard]] std::string gateway_identity(const std::string& files);

class PostgresLedger final : public Ledger, private FoldPort {
 public:
  /// `files`: what the paths of this gateway's own files begin with.
  [[nodiscard]] static Result<std::unique_ptr<PostgresLedger>> open(const LedgerPlace& place, const std::string& files,
                                                                    const OnLedgerAway& on_away = {});
  ~PostgresLedger() override = default;
  PostgresLedger(const PostgresLedger&) = delete;
  PostgresLedger& operator=(const PostgresLedger&) = delete;

  // metrics/ledger_postgres.cpp
  [[nodiscard]] Result<void> begin() override;
  [[nodiscard]] Result<void> expect(std::span<const RequestId> requests) override;
  [[nodiscard]] bool wants_to_expect() const noexcept override { return check_; }
  [[nodiscard]] Result<void> commit() override;
  void rollback() noexcept override;
  [[nodiscard]] bool came_through() noexcept override { return std::exchange(came_through_, false); }
  [[nodiscard]] Result<bool> insert(const OpenRequest& settled) override;
  [[nodiscard]] Result<void> insert_baseline(RequestId request, NameId baseline, std::optional<Usd> usd) override;
  [[nodiscard]] Result<RequestId> highest_request() override { return RequestId{highest_}; }
  [[nodiscard]] std::chrono::milliseconds pulse() const noexcept override { return pulse_interval; }
  [[nodiscard]] std::chrono::minutes rides_out() const noexcept override { return ride_max; }
  void end() noexcept override;
  // metrics/ledger_postgres_tables.cpp
  [[nodiscard]] Result<OutcomeWritten> insert_outcome(const Outcome& outcome) override;
  [[nodiscard]] Result<void> write_baselines(const BaselineSet& baselines) override;
  [[nodiscard]] Result<BaselineSet> last_baselines() override;
  [[nodiscard]] Result<std::size_t> fold(std::int64_t cutoff_us, std::size_t requests_max) override;
  [[nodiscard]] Result<void> write_names() override;
  [[nodiscard]] std::uint32_t names_written() const noexcept override { return static_cast<std::uint32_t>(ids_.size()); }
  [[nodiscard]] Result<void> speak_for_last_run() override;
  [[nodiscard]] Result<void> speak_for_this_run() override;
  // metrics/ledger_postgres_pools.cpp
  [[nodiscard]] Result<PoolClocks> lease_pools(const std::vector<PoolLease>& pools) override;
  [[nodiscard]] Result<void> add_pool_lines(std::string_view pool, std::int64_t hour, const PoolLines& lines) override;
  [[nodiscard]] Result<void> set_pool_clock(std::string_view pool, const PoolClock& clock) override;
  [[nodiscard]] Result<PoolClocks> pool_clocks() override;

  static constexpr std::chrono::milliseconds pulse_interval{15'000};
  /// A gateway that was not seen for so long has lost its number and its pools, should another want them.
  static constexpr std::string_view number_lease = "interval '60 minutes'", pool_lease = "interval '2 minutes'";
  /// So long ids are given under a number that the database was not asked about: less than the lease of numbers.
  static constexpr std::chrono::minutes ride_max{45};

 private:
  struct Statement {
    std::string sql;
    std::vector<PgValue> values;
  };
  /// A request of the transaction under way, for outcomes that come with it.
  struct Fresh {
    std::int64_t key = 0;
    NameId target{};
  };
  /// A transaction whose commit had no answer.
  struct Unsure {
    std::int64_t commits = 0;
    std::unordered_set<std::int64_t> requests;
  };

  PostgresLedger(LedgerPlace place, std::string files) : place_(std::move(place)), files_(std::move(files)) {}

  // metrics/ledger_postgres_lease.cpp
  [[nodiscard]] Result<void> identify();
  [[nodiscard]] Result<void> connect();
  [[nodiscard]] Result<void> lease_number();
  [[nodiscard]] Result<bool> take_number();
  [[nodiscard]] Result<bool> lock_number(std::int64_t number);
  [[nodiscard]] Result<std::int64_t> free_number();
  [[nodiscard]] Result<void> begin_ids(std::int64_t number);
  void end_old_session(std::int64_t number);
  [[nodiscard]] Result<void> settle_unsure();

  [[nodiscard]] Result<void> lease_pool(const PoolLease& lease, std::int64_t name, PoolClocks& clocks);
  [[nodiscard]] Result<void> keep_pools();

  void forget_transaction() noexcept;
  [[nodiscard]] Result<void> send();
  [[nodiscard]] Result<void> insert_attempts(const OpenRequest& settled);
  void later(std::string sql, std::vector<PgValue> values) { statements_.push_back({std::move(sql), std::move(values)}); }
  [[nodiscard]] Result<std::int64_t> ledger_id(std::string_view text);
  [[nodiscard]] Result<std::int64_t> ledger_id(NameId name);
  [[nodiscard]] Result<std::int64_t> ledger_id(RowResult result) { return ledger_id(result.name()); }
  [[nodiscard]] Result<void> intern(const std::vector<std::string>& texts);

  // FoldPort
  [[nodiscard]] const SqlDialect& dialect() const noexcept override { return postgres_dialect; }
  [[nodiscard]] Result<void> run_fold(const std::string& sql) override { return connection_.script(sql); }
  [[nodiscard]] Result<std::int64_t> fold_number(const std::string& sql) override;
  [[nodiscard]] Result<std::vector<std::string>> fold_texts(const std::string& sql) override;
  [[nodiscard]] Result<std::vector<std::string>> attempt_columns() override;
  [[nodiscard]] Result<std::int64_t> fold_name(std::string_view text) override;

  const LedgerPlace place_;
  const std::string files_;
  LedgerLock lock_;
  std::string identity_;
  PgConnection connection_;
  int old_backend_ = 0;  // of the session before this one, until that is over
  std::int64_t gateway_ = 0, number_ = -1, commits_ = 0, highest_ = 0;
  std::vector<PoolLease> leased_;

  // The transaction under way.
  PgCopy requests_, attempts_, coverage_, cached_, decisions_, features_, baselines_;
  std::vector<Statement> statements_;
  std::unordered_map<std::int64_t, Fresh> fresh_;
  std::int64_t highest_fresh_ = 0;

  bool check_ = true;  // what is inserted may be there already
  std::unordered_set<std::int64_t> known_, expected_;
  std::optional<Unsure> unsure_;
  std::unordered_set<std::int64_t> through_;  // requests of the transaction that came through
  bool came_through_ = false;

  std::unordered_map<std::string, std::int64_t> names_;  // the ledger's, for ever
  std::vector<std::int64_t> ids_;                        // process NameId → ledger id
  std::size_t ids_durable_ = 0;
  bool last_run_ = false;  // ids_ are those of the earlier run
};

}  // namespace tollgate
