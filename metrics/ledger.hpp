#pragma once
// The ledger as its one writer sees it: what the ledger thread, a start and the pools put there. Two databases:
// metrics/ledger_sqlite.hpp for one gateway, metrics/ledger_postgres.hpp for several.
//
//    ledger->begin(); ledger->insert(request); …; ledger->commit();     // or rollback()
//
// Rows go in once: a request that is in the ledger already is left as it is and counted.
// Names: the process's NameIds are its own; the ledger has ids of its own and translates, so the order in which a run
// learns names does not matter and an id means the same name for ever. write_names() makes the translation durable
// before any slot uses it. Threads: one at a time; built on one thread and then handed to the ledger thread.

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/baselines.hpp"
#include "metrics/metrics.hpp"
#include "metrics/outcomes.hpp"
#include "metrics/pool_lines.hpp"
#include "metrics/records.hpp"

namespace tollgate {

/// Where a pool's clock stands: all time up to `at_ns` is in the ledger.
struct PoolClock {
  static constexpr std::uint64_t taken_in = INT64_MAX;  ///< a take: all of that run is in
  std::int64_t run = 0;
  std::uint64_t take = 0;
  std::int64_t at_ns = 0, tail_ns = 0;
  bool billed = true;       ///< false: it was billed no longer
  bool taken_over = false;  ///< another gateway bills it since; `billed`: also the time in between
};
using PoolClocks = std::map<std::string, PoolClock>;  ///< by pool

/// A pool that costs something whether it works or not: as many gateways bill it as it says, each its part.
struct PoolLease {
  std::string pool;
  bool billed_while_down = true;
  std::int64_t gateways = 1;
  friend bool operator==(const PoolLease&, const PoolLease&) = default;
};

class Ledger {
 public:
  virtual ~Ledger() = default;

  [[nodiscard]] virtual Result<void> begin() = 0;
  /// Requests that are about to be inserted and may be there already: asked for at once instead of one by one.
  [[nodiscard]] virtual Result<void> expect(std::span<const RequestId> requests);
  /// expect() is worth calling.
  [[nodiscard]] virtual bool wants_to_expect() const noexcept { return false; }
  [[nodiscard]] virtual Result<void> commit() = 0;
  virtual void rollback() noexcept = 0;
  /// True once, after a begin(): the transaction before it is in the ledger although its commit() failed, because the
  /// answer was lost. Requests of it that are inserted again count as new, once more.
  [[nodiscard]] virtual bool came_through() noexcept { return false; }
  /// True: new. False: the ledger held this request already.
  [[nodiscard]] virtual Result<bool> insert(const OpenRequest& settled) = 0;

  struct OutcomeWritten {
    OutcomeResult result = OutcomeResult::unknown;
    std::string target;  ///< whose answer it is about, unless unknown
  };
  /// Records an outcome unless the request is not in the ledger or did not come with the outcome's key.
  [[nodiscard]] virtual Result<OutcomeWritten> insert_outcome(const Outcome& outcome) = 0;

  /// What a request would have cost at a baseline; absent: not known. Once per request and baseline.
  [[nodiscard]] virtual Result<void> insert_baseline(RequestId request, NameId baseline, std::optional<Usd> usd) = 0;
  /// Keeps the baselines for the next start to price what this run leaves open; inside a transaction.
  [[nodiscard]] virtual Result<void> write_baselines(const BaselineSet& baselines) = 0;
  /// Those that the earlier run kept; empty if another program wrote them.
  [[nodiscard]] virtual Result<BaselineSet> last_baselines() = 0;

  /// Folds at most so many requests that arrived before `cutoff_us`, the beginning of a day, into sums per day, and
  /// deletes them: one transaction of its own. The youngest request always stays, for its id must not be given again.
  /// Returns how many: fewer than asked for means that none is left. (metrics/ledger_retention.hpp)
  [[nodiscard]] virtual Result<std::size_t> fold(std::int64_t cutoff_us, std::size_t requests_max) = 0;
  /// Gives at most so many unused pages back to the file system if there are plenty. False: there are not.
  [[nodiscard]] virtual Result<bool> shrink(std::size_t /*pages_max*/) { return false; }

  /// These pools are about to be billed by this gateway; outside of a transaction. Refused if one of them is billed by
  /// another gateway. Returns where the clocks stand of those that another gateway billed before.
  [[nodiscard]] virtual Result<PoolClocks> lease_pools(const std::vector<PoolLease>& pools);
  /// Adds to what the ledger has of a pool's hour (counted since 1970); inside a transaction.
  [[nodiscard]] virtual Result<void> add_pool_lines(std::string_view pool, std::int64_t hour, const PoolLines& lines) = 0;
  [[nodiscard]] virtual Result<void> set_pool_clock(std::string_view pool, const PoolClock& clock) = 0;
  [[nodiscard]] virtual Result<PoolClocks> pool_clocks() = 0;
  /// Makes every name that exists now known to the ledger; inside a transaction.
  [[nodiscard]] virtual Result<void> write_names() = 0;
  /// How many of the process's names are known.
  [[nodiscard]] virtual std::uint32_t names_written() const noexcept = 0;
  /// Until the next write_names(), NameIds are those of the run before this one.
  [[nodiscard]] virtual Result<void> speak_for_last_run() = 0;
  /// Ends that, and forgets the earlier run's numbers; inside a transaction.
  [[nodiscard]] virtual Result<void> speak_for_this_run() = 0;

  /// The highest request id in it that this gateway may have given, 0 if none.
  [[nodiscard]] virtual Result<RequestId> highest_request() = 0;
  /// False: the file was moved or deleted while in use; what is written now would be lost.
  [[nodiscard]] virtual bool in_place() const noexcept { return true; }
  /// So often an empty transaction shall show that the ledger is there; 0: no need.
  [[nodiscard]] virtual std::chrono::milliseconds pulse() const noexcept { return {}; }
  /// It is on the far side of a network: while a commit fails for io_failed, requests may be opened all the same, for so long.
  [[nodiscard]] virtual std::chrono::minutes rides_out() const noexcept { return std::chrono::minutes{0}; }
  /// All is written and nothing will happen any more.
  virtual void end() noexcept {}
};

/// Opens or makes the ledger that the configuration names and brings its schema up to date. Errors say what is in the
/// way and what to do.
[[nodiscard]] Result<std::unique_ptr<Ledger>> open_ledger(const LedgerConfig& config, const OnLedgerAway& on_away = {});

/// Guards a ledger's files (slots, pools): `<path>.lock` is locked for as long as this object lives.
class LedgerLock {
 public:
  LedgerLock() = default;
  LedgerLock(LedgerLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  LedgerLock& operator=(LedgerLock&&) = delete;
  ~LedgerLock();
  [[nodiscard]] Result<void> take(const std::string& path);

 private:
  int file_ = -1;
};

}  // namespace tollgate
