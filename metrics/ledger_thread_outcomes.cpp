// LedgerThread's outcomes: in the next commit, with an answer to whoever waits for one (metrics/ledger_thread.hpp).
#include <algorithm>

#include "metrics/ledger_thread.hpp"

namespace tollgate {

bool LedgerThread::record(Outcome outcome, OutcomeDone done) {
  {
    const std::lock_guard lock(mutex_);
    if (recordings_waiting_.size() >= Books::outcomes_waiting_max) return false;
    recordings_waiting_.push_back({std::move(outcome), std::move(done), OutcomeResult::recorded, {}});
  }
  wake();
  return true;
}

bool LedgerThread::anything_to_record() const {
  const std::lock_guard lock(mutex_);
  return !recordings_waiting_.empty();
}

// They were fetched before the slots were taken up: a request that was settled before its outcome came is found.
Result<void> LedgerThread::write_outcomes() {
  for (Recording& recording : recordings_) {
    TOLLGATE_TRY(Ledger::OutcomeWritten written, ledger_->insert_outcome(recording.outcome));
    recording.result = written.result;
    recording.target = std::move(written.target);
  }
  return success();
}

// Who waits for an answer is told of a failure at once and may come again; the gateway's own outcomes stay for the next try.
void LedgerThread::answer_outcomes(const Result<void>& committed) {
  std::vector<Recording> kept;
  for (Recording& recording : recordings_) {
    if (!committed && !recording.done && kept.size() < Books::outcomes_waiting_max) {
      kept.push_back(std::move(recording));
      continue;
    }
    if (committed && recording.result == OutcomeResult::recorded) {
      const std::lock_guard lock(mutex_);
      ++outcome_totals_[{recording.target, recording.outcome.source, recording.outcome.verdict}];
    }
    if (recording.done) recording.done(committed ? recording.result : OutcomeResult::not_writable);
  }
  recordings_ = std::move(kept);
}

std::vector<OutcomeTotal> LedgerThread::outcome_totals() const {
  const std::lock_guard lock(mutex_);
  std::vector<OutcomeTotal> totals;
  for (const auto& [labels, count] : outcome_totals_) {
    const auto& [target, source, verdict] = labels;
    totals.push_back({target, source, verdict, count});
  }
  return totals;
}

}  // namespace tollgate
