#pragma once
// The one thread that writes the ledger: takes settled slots from every reactor, writes their rows in one transaction
// per commit interval (or sooner, when a reactor's slots run short), and gives the slots back once the rows are
// durable.
//
// While nothing happens it sleeps without a timer; the first request settled after that wakes it (one write to an event
// descriptor, about a microsecond), and all that settle within the next interval join that commit.
//
// The slots of the last commit are held until the next one is durable too, or somebody needs them: should the end of
// the write-ahead log be damaged (a torn write, a truncated file), the next start finds their rows in the slot files
// and writes them again.
//
// When a commit fails (disk full, I/O error) the rows stay in their slots, writable() turns false with the reason in
// status(), and the same transaction is tried again until it goes through. Meanwhile no request is opened, so no slot
// can run out. A ledger across a network may be away without anything being wrong here: requests go on being opened
// (Ledger::rides_out) until three quarters of a reactor's slots wait for it, and what waits is flushed to the slots' disk.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "metrics/day_sums.hpp"
#include "metrics/ledger_recorder.hpp"
#include "metrics/ledger_slots.hpp"
#include "metrics/ledger.hpp"
#include "metrics/metrics.hpp"

namespace tollgate {

class LedgerThread {
 public:
  LedgerThread(std::unique_ptr<Ledger> ledger, std::vector<std::unique_ptr<LedgerSlots>> slots,
               std::chrono::milliseconds commit_interval);
  /// Commits everything settled. If that does not work within `last_tries`, the slot files stay for the next start.
  ~LedgerThread();
  LedgerThread(const LedgerThread&) = delete;
  LedgerThread& operator=(const LedgerThread&) = delete;
  static constexpr std::chrono::milliseconds last_tries{2'000};
  static constexpr std::chrono::milliseconds retry_interval{250};
  static constexpr std::chrono::milliseconds retry_interval_max{4'000};  ///< of a ledger that is away: each try waits twice as long
  static constexpr std::uint32_t requests_per_commit_max = 8192;
  static constexpr std::size_t requests_per_fold = 250;
  static constexpr std::size_t pages_per_shrink = 256;
  static constexpr std::chrono::minutes fold_interval{10};
  static constexpr std::chrono::seconds record_interval{30};
  static constexpr int fold_share = 4;  ///< folding takes at most one in so many parts of the thread's time

  [[nodiscard]] LedgerSlots& slots(unsigned reactor) noexcept { return *slots_[reactor]; }
  /// Requests may be opened.
  [[nodiscard]] bool writable() const noexcept { return writable_.load(std::memory_order_relaxed); }
  /// A reactor has settled something. One load, unless the thread sleeps.
  void settled(const LedgerSlots& slots) noexcept;
  /// A reactor found no free slot: what waits for its interval is committed now.
  void hurry() noexcept;
  /// Returns when all that was settled before, and every name that exists, is durable; or with why it is not.
  Result<void> flush();
  [[nodiscard]] LedgerStatus status() const;

  /// Outcomes go into the next commit; `done` is called on the ledger thread when that is over. False: too many wait.
  [[nodiscard]] bool record(Outcome outcome, OutcomeDone done);
  [[nodiscard]] std::vector<OutcomeTotal> outcome_totals() const;

  /// From the next commit on. Durable with it, as names are.
  void set_baselines(std::shared_ptr<const BaselineSet> baselines);
  /// What is kept; older requests are folded into sums per day, a few at a time, while nothing urgent waits.
  void set_keep_days(unsigned keep_days);
  [[nodiscard]] std::vector<BaselineTotal> baseline_totals() const;
  [[nodiscard]] CommittedSums committed() const;
  /// These pools are about to be billed; returns once the ledger has said whether they may (Ledger::lease_pools).
  [[nodiscard]] Result<PoolClocks> lease_pools(std::vector<PoolLease> pools);
  /// Asked from now on; must live as long as this.
  void set_recorder(LedgerRecorder* recorder);

 private:
  enum class Sleep : int { awake, until_anything, until_urgent };

  void run();
  void wake() noexcept;
  /// Sleeps until woken, or for so long; negative: no limit.
  void sleep(std::chrono::milliseconds limit) noexcept;
  void rest(bool committed);
  void take_up();
  void release_held() noexcept;
  [[nodiscard]] bool anything_settled() const noexcept;
  /// So many wait that the commit should not wait for its interval.
  [[nodiscard]] static bool urgent(const LedgerSlots& slots) noexcept;
  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> write_taken_up();
  void answer_lease();
  void note(const Result<void>& outcome, std::chrono::steady_clock::duration took, std::uint64_t rows);
  /// Nothing can be committed, but requests may be opened and wait in their slots.
  [[nodiscard]] bool rides_out(const Error& failure) const;
  [[nodiscard]] std::chrono::milliseconds until_retry() const noexcept;
  [[nodiscard]] bool stopping() const;
  [[nodiscard]] Result<void> write_baselines_of(const OpenRequest& settled);
  void fold_some();
  /// False: it could not be written, and is tried again.
  bool record(bool at_once);
  [[nodiscard]] std::chrono::milliseconds until_fold() const;
  [[nodiscard]] std::chrono::milliseconds until_record() const;
  [[nodiscard]] std::chrono::milliseconds until_pulse() const;
  /// The soonest of the three; negative: nothing is.
  [[nodiscard]] std::chrono::milliseconds until_due() const;
  [[nodiscard]] LedgerRecorder* recorder() const;
  void answer_flushes(std::uint64_t up_to, const Result<void>& outcome);

  /// An outcome on its way, and what became of it.
  struct Recording {
    Outcome outcome;
    OutcomeDone done;
    OutcomeResult result = OutcomeResult::recorded;
    std::string target;
  };
  [[nodiscard]] Result<void> write_outcomes();
  [[nodiscard]] bool anything_to_record() const;
  void answer_outcomes(const Result<void>& committed);

  struct Taken {
    LedgerSlot* slot;
    LedgerSlots* of;
  };

  const std::unique_ptr<Ledger> ledger_;
  const std::vector<std::unique_ptr<LedgerSlots>> slots_;
  const std::chrono::milliseconds commit_interval_;
  const int event_;  // eventfd

  // The ledger thread's own.
  std::vector<Taken> taken_;  // of the transaction under way or to be tried again
  std::uint64_t new_duplicates_ = 0;

  std::vector<Recording> recordings_;             // outcomes of the commit under way
  using OutcomeTotals = std::map<std::tuple<std::string, OutcomeSource, OutcomeVerdict>, std::uint64_t>;

  std::vector<Taken> held_;                       // of the last commit, not given back yet
  std::shared_ptr<const BaselineSet> baselines_;  // in force
  std::shared_ptr<const BaselineSet> baselines_written_;
  using BaselineTotals = std::map<std::pair<NameId, NameId>, BaselineTotal>;  // by baseline and team
  BaselineTotals new_baseline_totals_;                                        // of the commit under way
  std::chrono::steady_clock::time_point next_fold_{}, next_record_{}, next_pulse_{};
  bool record_unsure_ = false;  // the recorder's last transaction failed at its commit
  std::vector<RequestId> expected_;
  int failures_ = 0;  // commits in a row
  std::chrono::steady_clock::time_point committed_at_ = std::chrono::steady_clock::now();

  // Shared with the reactors.
  std::atomic<Sleep> sleep_{Sleep::awake};
  std::atomic<bool> writable_{true};
  std::atomic<bool> hurried_{false};  // a reactor waits for a slot

  // Shared with whoever asks.
  mutable std::mutex mutex_;
  std::condition_variable flushed_;
  std::uint64_t flush_wanted_ = 0, flush_done_ = 0;
  std::string flush_error_;  // of the last flush that was answered, "" if it worked
  bool stop_ = false;
  LedgerStatus status_;
  std::vector<Recording> recordings_waiting_;
  OutcomeTotals outcome_totals_;
  std::shared_ptr<const BaselineSet> baselines_wanted_;
  BaselineTotals baseline_totals_;
  SumsByDay sums_;  // what is pending in it is the ledger thread's own
  unsigned keep_days_ = 0;
  LedgerRecorder* recorder_ = nullptr;
  std::optional<std::vector<PoolLease>> lease_wanted_;
  std::optional<Result<PoolClocks>> lease_answer_;

  std::thread thread_;  // last: starts when all the rest is there
};

}  // namespace tollgate
