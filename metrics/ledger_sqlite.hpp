#pragma once
// The ledger in SQLite: WAL, synchronous=FULL, prepared statements.
//
//    Result<std::unique_ptr<SqliteLedger>> ledger = SqliteLedger::open("tollgate.db");
//    ledger->begin(); ledger->insert(request); …; ledger->commit();     // or rollback()
//
// One process at a time writes a ledger: `<path>.lock` is locked for as long as this object lives. Others may read.
// What each call means stands in metrics/ledger.hpp.

#include <array>

#include "metrics/ledger.hpp"
#include "metrics/ledger_retention.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace tollgate {

class SqliteLedger final : public Ledger, private FoldPort {
 public:
  /// Opens or makes the ledger and brings its schema up to date. Errors say what is in the way and what to do.
  [[nodiscard]] static Result<std::unique_ptr<SqliteLedger>> open(const std::string& path);
  ~SqliteLedger() override;
  SqliteLedger(const SqliteLedger&) = delete;
  SqliteLedger& operator=(const SqliteLedger&) = delete;

  [[nodiscard]] Result<void> begin() override;
  [[nodiscard]] Result<void> commit() override;
  void rollback() noexcept override;
  [[nodiscard]] Result<bool> insert(const OpenRequest& settled) override;
  [[nodiscard]] Result<OutcomeWritten> insert_outcome(const Outcome& outcome) override;  // metrics/ledger_outcomes.cpp
  [[nodiscard]] Result<void> insert_baseline(RequestId request, NameId baseline, std::optional<Usd> usd) override;
  [[nodiscard]] Result<void> write_baselines(const BaselineSet& baselines) override;
  [[nodiscard]] Result<BaselineSet> last_baselines() override;
  [[nodiscard]] Result<std::size_t> fold(std::int64_t cutoff_us, std::size_t requests_max) override;
  [[nodiscard]] Result<bool> shrink(std::size_t pages_max) override;
  // metrics/ledger_pools.cpp
  [[nodiscard]] Result<void> add_pool_lines(std::string_view pool, std::int64_t hour, const PoolLines& lines) override;
  [[nodiscard]] Result<void> set_pool_clock(std::string_view pool, const PoolClock& clock) override;
  [[nodiscard]] Result<PoolClocks> pool_clocks() override;
  [[nodiscard]] Result<void> write_names() override;
  [[nodiscard]] std::uint32_t names_written() const noexcept override { return static_cast<std::uint32_t>(ids_.size()); }
  [[nodiscard]] Result<void> speak_for_last_run() override;
  [[nodiscard]] Result<void> speak_for_this_run() override;
  [[nodiscard]] Result<RequestId> highest_request() override;
  [[nodiscard]] bool in_place() const noexcept override;

 private:
  struct Statement {
    sqlite3_stmt* handle = nullptr;
    ~Statement();
  };
  explicit SqliteLedger(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<void> connect();
  [[nodiscard]] Result<void> migrate();
  [[nodiscard]] Result<void> prepare();
  [[nodiscard]] Result<void> run(const char* sql, const char* what);
  [[nodiscard]] Result<std::int64_t> number(const char* sql) const;
  [[nodiscard]] Result<std::int64_t> ledger_id(std::string_view text);
  [[nodiscard]] Result<std::int64_t> ledger_id(NameId name);
  [[nodiscard]] Result<std::int64_t> ledger_id(RowResult result);
  // FoldPort
  [[nodiscard]] const SqlDialect& dialect() const noexcept override { return sqlite_dialect; }
  [[nodiscard]] Result<void> run_fold(const std::string& sql) override;
  [[nodiscard]] Result<std::int64_t> fold_number(const std::string& sql) override;
  [[nodiscard]] Result<std::vector<std::string>> fold_texts(const std::string& sql) override;
  [[nodiscard]] Result<std::vector<std::string>> attempt_columns() override;
  [[nodiscard]] Result<std::int64_t> fold_name(std::string_view text) override;
  [[nodiscard]] Result<void> insert_decision(const OpenRequest& settled);
  [[nodiscard]] Result<void> insert_attempt(const RequestRow& row, const AttemptRow& attempt);
  [[nodiscard]] Result<void> prepare_learning();
  [[nodiscard]] Result<void> insert_notes(const OpenRequest& settled);
  [[nodiscard]] Result<void> insert_features(const RequestNotes& notes);
  [[nodiscard]] Result<void> write_outcome(const Outcome& outcome);
  [[nodiscard]] Result<void> step(Statement& statement, const char* what);
  [[nodiscard]] Error refusal(const char* what) const;

  const std::string path_;
  LedgerLock lock_;  // first to be taken, last to go
  struct Closer {
    void operator()(sqlite3* connection) const noexcept;
  };
  std::unique_ptr<sqlite3, Closer> connection_;
  Statement insert_request_, insert_attempt_, insert_rare_attempt_, insert_name_, find_name_, insert_run_name_, insert_baseline_,
      insert_coverage_, insert_decision_, insert_cached_;
  Statement insert_features_, find_request_, insert_outcome_;
  std::vector<std::int64_t> ids_;                // process NameId → ledger id
  std::size_t ids_durable_ = 0;                  // of which a rollback cannot take any more
  std::array<std::int64_t, 256> results_{};      // RowResult → ledger id; -1: not looked up yet
  std::map<NameId, std::int64_t> baseline_ids_;  // ledger ids of baselines, by the process's names
  bool last_run_ = false;                        // ids_ are those of the earlier run
};

}  // namespace tollgate
