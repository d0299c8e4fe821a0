#pragma once
// The ledger in SQLite: WAL, synchronous=FULL, prepared statements. Rows go in once: a request that is in the ledger
// already is left as it is and counted.
//
//    Result<std::unique_ptr<SqliteLedger>> ledger = SqliteLedger::open("tollgate.db");
//    ledger->begin(); ledger->insert(request); …; ledger->commit();     // or rollback()
//
// One process at a time writes a ledger: `<path>.lock` is locked for as long as this object lives. Others may read.
// Names: the process's NameIds are its own; the ledger has ids of its own and translates, so the order in which a run
// learns names does not matter and an id means the same name for ever. write_names() makes the translation durable
// before any slot uses it. Threads: one at a time; built on one thread and then handed to the ledger thread.

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/baselines.hpp"
#include "metrics/outcomes.hpp"
#include "metrics/pool_lines.hpp"
#include "metrics/records.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace tollgate {

/// Where a pool's clock stands: all time up to `at_ns` is in the ledger.
struct PoolClock {
  static constexpr std::uint64_t taken_in = INT64_MAX;  ///< a take: all of that run is in
  std::int64_t run = 0;
  std::uint64_t take = 0;
  std::int64_t at_ns = 0, tail_ns = 0;
  bool billed = true;  ///< false: it was billed no longer
};
using PoolClocks = std::map<std::string, PoolClock>;  ///< by pool

class SqliteLedger {
 public:
  /// Opens or makes the ledger and brings its schema up to date. Errors say what is in the way and what to do.
  [[nodiscard]] static Result<std::unique_ptr<SqliteLedger>> open(const std::string& path);
  ~SqliteLedger();
  SqliteLedger(const SqliteLedger&) = delete;
  SqliteLedger& operator=(const SqliteLedger&) = delete;

  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> commit();
  void rollback() noexcept;
  /// True: new. False: the ledger held this request already.
  [[nodiscard]] Result<bool> insert(const OpenRequest& settled);

  struct OutcomeWritten {
    OutcomeResult result = OutcomeResult::unknown;
    std::string target;  ///< whose answer it is about, unless unknown
  };
  /// Records an outcome unless the request is not in the ledger or did not come with the outcome's key.
  [[nodiscard]] Result<OutcomeWritten> insert_outcome(const Outcome& outcome);  // metrics/ledger_outcomes.cpp

  /// What a request would have cost at a baseline; absent: not known. Once per request and baseline.
  [[nodiscard]] Result<void> insert_baseline(RequestId request, NameId baseline, std::optional<Usd> usd);
  /// Keeps the baselines for the next start to price what this run leaves open; inside a transaction.
  [[nodiscard]] Result<void> write_baselines(const BaselineSet& baselines);
  /// Those that the earlier run kept; empty if another program wrote them.
  [[nodiscard]] Result<BaselineSet> last_baselines();

  /// Folds at most so many requests that arrived before `cutoff_us`, the beginning of a day, into sums per day, and
  /// deletes them: one transaction of its own. The youngest request always stays, for its id must not be given again.
  /// Returns how many: fewer than asked for means that none is left. (metrics/ledger_retention.cpp)
  [[nodiscard]] Result<std::size_t> fold(std::int64_t cutoff_us, std::size_t requests_max);
  /// Gives at most so many unused pages back to the file system if there are plenty. False: there are not.
  [[nodiscard]] Result<bool> shrink(std::size_t pages_max);

  /// Adds to what the ledger has of a pool's hour (counted since 1970); inside a transaction. (metrics/ledger_pools.cpp)
  [[nodiscard]] Result<void> add_pool_lines(std::string_view pool, std::int64_t hour, const PoolLines& lines);
  [[nodiscard]] Result<void> set_pool_clock(std::string_view pool, const PoolClock& clock);
  [[nodiscard]] Result<PoolClocks> pool_clocks();

  /// Makes every name that exists now known to the ledger; inside a transaction.
  [[nodiscard]] Result<void> write_names();
  /// How many of the process's names are known.
  [[nodiscard]] std::uint32_t names_written() const noexcept { return static_cast<std::uint32_t>(ids_.size()); }
  /// Until the next write_names(), NameIds are those of the run before this one.
  [[nodiscard]] Result<void> speak_for_last_run();
  /// Ends that, and forgets the earlier run's numbers; inside a transaction.
  [[nodiscard]] Result<void> speak_for_this_run();

  /// The highest request id in it, 0 if none.
  [[nodiscard]] Result<RequestId> highest_request() const;
  /// False: the file was moved or deleted while in use; what is written now would be lost.
  [[nodiscard]] bool in_place() const noexcept;

 private:
  struct Statement {
    sqlite3_stmt* handle = nullptr;
    ~Statement();
  };
  /// The lock file, held until the end.
  struct Lock {
    int file = -1;
    ~Lock();
  };

  explicit SqliteLedger(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<void> take_lock();
  [[nodiscard]] Result<void> connect();
  [[nodiscard]] Result<void> migrate();
  [[nodiscard]] Result<void> prepare();
  [[nodiscard]] Result<void> run(const char* sql, const char* what);
  [[nodiscard]] Result<std::int64_t> number(const char* sql) const;
  [[nodiscard]] Result<std::int64_t> ledger_id(std::string_view text);
  [[nodiscard]] Result<std::int64_t> ledger_id(NameId name);
  [[nodiscard]] Result<std::int64_t> ledger_id(RowResult result);
  [[nodiscard]] Result<void> fold_measure(const std::string& measure, const std::string& sql_from,
                                          const std::string& target, const std::string& high, const std::string& low);
  [[nodiscard]] Result<void> fold_attempts();
  [[nodiscard]] Result<void> fold_baselines();
  [[nodiscard]] Result<void> fold_cached();
  [[nodiscard]] Result<std::vector<std::string>> texts(const char* sql);
  [[nodiscard]] Result<void> insert_decision(const OpenRequest& settled);
  [[nodiscard]] Result<void> insert_attempt(const RequestRow& row, const AttemptRow& attempt);
  [[nodiscard]] Result<void> prepare_learning();
  [[nodiscard]] Result<void> insert_notes(const OpenRequest& settled);
  [[nodiscard]] Result<void> insert_features(const RequestNotes& notes);
  [[nodiscard]] Result<void> write_outcome(const Outcome& outcome);
  [[nodiscard]] Result<void> bind_rare(const AttemptRow& attempt);
  [[nodiscard]] Result<void> step(Statement& statement, const char* what);
  [[nodiscard]] Error refusal(const char* what) const;

  const std::string path_;
  Lock lock_;  // first to be taken, last to go
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
