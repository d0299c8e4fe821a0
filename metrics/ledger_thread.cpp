#include "metrics/ledger_thread.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace tollgate {

LedgerThread::LedgerThread(std::unique_ptr<Ledger> ledger, std::vector<std::unique_ptr<LedgerSlots>> slots,
                           std::chrono::milliseconds commit_interval)
    : ledger_(std::move(ledger)),
      slots_(std::move(slots)),
      commit_interval_(commit_interval),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  taken_.reserve(requests_per_commit_max);
  held_.reserve(requests_per_commit_max);
  thread_ = std::thread([this] { run(); });
}

LedgerThread::~LedgerThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake();
  thread_.join();
  ::close(event_);
  bool all_written = true;
  for (const auto& slots : slots_) all_written = slots->remove_if_empty() && all_written;
  if (all_written) ledger_->end();
}

void LedgerThread::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t written = ::write(event_, &one, sizeof one);
}

// The reactor has counted the slot and asks whether the thread sleeps; rest() says that it sleeps and asks for the
// count. All four are sequentially consistent, so one of the two sees the other.
void LedgerThread::settled(const LedgerSlots& slots) noexcept {
  Sleep state = sleep_.load(std::memory_order_seq_cst);
  if (state == Sleep::awake) return;
  if (state == Sleep::until_urgent && !urgent(slots)) return;
  if (sleep_.compare_exchange_strong(state, Sleep::awake, std::memory_order_relaxed)) wake();
}

void LedgerThread::hurry() noexcept {
  hurried_.store(true, std::memory_order_seq_cst);
  Sleep state = sleep_.load(std::memory_order_seq_cst);
  if (state == Sleep::awake) return;
  if (sleep_.compare_exchange_strong(state, Sleep::awake, std::memory_order_relaxed)) wake();
}

void LedgerThread::sleep(std::chrono::milliseconds limit) noexcept {
  pollfd ready{event_, POLLIN, 0};
  const auto ms = static_cast<int>(std::min<std::int64_t>(limit.count(), 3'600'000));
  if (::poll(&ready, 1, limit.count() < 0 ? -1 : ms) > 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(event_, &count, sizeof count);
  }
  sleep_.store(Sleep::awake, std::memory_order_relaxed);
}

bool LedgerThread::anything_settled() const noexcept {
  return std::any_of(slots_.begin(), slots_.end(), [](const auto& slots) { return slots->settled_waiting() > 0; });
}

bool LedgerThread::urgent(const LedgerSlots& slots) noexcept {
  const std::int64_t many = std::clamp<std::int64_t>(slots.count() / 2, 1, requests_per_commit_max);
  return slots.settled_waiting() >= many;
}

// After a commit: give others an interval to join the next one. Without work: sleep until there is some, then give it
// that interval. After a failure: try again soon.
void LedgerThread::rest(bool committed) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_ || flush_wanted_ != flush_done_ || !recordings_waiting_.empty() || lease_wanted_) return;
  }
  if (failures_ > 0) return sleep(until_retry());  // as if awake: nobody but a flush or the end makes it try sooner
  if (!committed) {
    sleep_.store(Sleep::until_anything, std::memory_order_seq_cst);
    if (!anything_settled() && !hurried_.load(std::memory_order_seq_cst)) sleep(until_due());
    const std::lock_guard lock(mutex_);
    if (stop_ || flush_wanted_ != flush_done_ || !recordings_waiting_.empty() || lease_wanted_) return;
  }
  sleep_.store(Sleep::until_urgent, std::memory_order_seq_cst);
  const bool urgent_already =
      std::any_of(slots_.begin(), slots_.end(), [](const auto& slots) { return urgent(*slots); });
  if (urgent_already || hurried_.load(std::memory_order_seq_cst)) {
    sleep_.store(Sleep::awake, std::memory_order_relaxed);
    return;
  }
  sleep(commit_interval_);
}

// Twice as long after each failure, where it is another machine that must come back.
std::chrono::milliseconds LedgerThread::until_retry() const noexcept {
  if (ledger_->rides_out().count() == 0) return retry_interval;
  return std::min(retry_interval * (1 << std::min(failures_ - 1, 8)), retry_interval_max);
}

bool LedgerThread::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void LedgerThread::run() {
  std::chrono::steady_clock::time_point give_up{};
  for (;;) {
    std::uint64_t flush_wanted = 0;
    {
      const std::lock_guard lock(mutex_);
      flush_wanted = flush_wanted_;
      baselines_ = baselines_wanted_;
      std::move(recordings_waiting_.begin(), recordings_waiting_.end(), std::back_inserter(recordings_));
      recordings_waiting_.clear();
    }
    answer_lease();
    bool committed = false;
    const bool pulse_due = until_pulse().count() == 0;
    Result<void> outcome = success();
    do {  // until everything that was settled when the flush came is written
      take_up();
      const bool names_known = ledger_->names_written() >= Names::global().size();
      const bool nothing_new = names_known && baselines_ == baselines_written_ && recordings_.empty();
      if (taken_.empty() && nothing_new && failures_ == 0 && (!pulse_due || committed)) break;
      outcome = write_taken_up();
      answer_outcomes(outcome);
      committed = committed || outcome.has_value();
    } while (outcome && anything_settled() && (flush_wanted != flush_done_ || stopping()));
    if (hurried_.exchange(false) || flush_wanted != flush_done_ || stopping()) release_held();
    const bool recorded = !outcome || record(flush_wanted != flush_done_ || stopping());
    answer_flushes(flush_wanted, outcome);
    if (stopping()) {
      const auto now = std::chrono::steady_clock::now();
      if (give_up == decltype(give_up){}) give_up = now + last_tries;
      if (outcome && recorded && taken_.empty() && !anything_settled() && !anything_to_record()) return;
      if (now >= give_up) return;
      if (!outcome || !recorded) std::this_thread::sleep_for(retry_interval);
      continue;
    }
    if (outcome) fold_some();
    rest(committed);
  }
}

void LedgerThread::take_up() {
  for (const auto& slots : slots_) {
    while (taken_.size() < requests_per_commit_max) {
      LedgerSlot* const slot = slots->next_settled();
      if (slot == nullptr) break;
      taken_.push_back({slot, slots.get()});
    }
  }
}

void LedgerThread::release_held() noexcept {
  for (const Taken& held : held_) held.of->give_back(*held.slot);
  held_.clear();
}

// A transaction that came through although its commit failed, for the recorder: what it took is durable.
Result<void> LedgerThread::begin() {
  if (!ledger_->in_place()) {
    return fail(Fault::internal, "the ledger file was moved or deleted while in use; put it back and restart");
  }
  TOLLGATE_TRY(ledger_->begin());
  LedgerRecorder* const recorder = this->recorder();
  if (ledger_->came_through() && record_unsure_ && recorder != nullptr) recorder->written();
  record_unsure_ = false;
  if (!ledger_->wants_to_expect() || taken_.empty()) return success();
  expected_.clear();
  for (const Taken& taken : taken_) expected_.push_back(taken.slot->request.row.id);
  return ledger_->expect(expected_);
}

Result<void> LedgerThread::write_taken_up() {
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t rows = 0;
  new_duplicates_ = 0;
  new_baseline_totals_.clear();
  sums_.forget();
  const auto transaction = [&]() -> Result<void> {
    TOLLGATE_TRY(begin());
    TOLLGATE_TRY(ledger_->write_names());
    if (baselines_ != baselines_written_) {
      TOLLGATE_TRY(ledger_->write_baselines(baselines_ ? *baselines_ : BaselineSet{}));
    }
    for (const Taken& taken : taken_) {
      TOLLGATE_TRY(const bool is_new, ledger_->insert(taken.slot->request));
      if (is_new) {
        rows += 1U + taken.slot->request.row.attempts;
        sums_.add(taken.slot->request);
        TOLLGATE_TRY(write_baselines_of(taken.slot->request));
      } else {
        ++new_duplicates_;
      }
    }
    TOLLGATE_TRY(write_outcomes());
    return ledger_->commit();
  };
  Result<void> outcome = transaction();
  next_pulse_ = std::chrono::steady_clock::now() + ledger_->pulse();
  if (!outcome) {
    ledger_->rollback();
  } else {
    baselines_written_ = baselines_;
  }
  note(outcome, std::chrono::steady_clock::now() - began, rows);
  if (outcome) {
    release_held();
    held_.swap(taken_);
  }
  return outcome;
}

bool LedgerThread::rides_out(const Error& failure) const {
  if (failure.fault != Fault::io_failed) return false;
  if (std::chrono::steady_clock::now() - committed_at_ >= ledger_->rides_out()) return false;
  return std::all_of(slots_.begin(), slots_.end(), [this](const auto& slots) {
    const auto taken = std::count_if(taken_.begin(), taken_.end(), [&](const Taken& each) { return each.of == slots.get(); });
    return (slots->settled_waiting() + taken) * 4 < std::int64_t{slots->count()} * 3;
  });
}

void LedgerThread::note(const Result<void>& outcome, std::chrono::steady_clock::duration took, std::uint64_t rows) {
  const bool writable = outcome || rides_out(outcome.error());
  failures_ = outcome ? 0 : failures_ + 1;
  if (outcome) {
    committed_at_ = std::chrono::steady_clock::now();
  } else if (writable) {
    for (const auto& slots : slots_) slots->sync();
  }
  const std::lock_guard lock(mutex_);
  status_.writable = writable;
  status_.failing = !outcome;
  writable_.store(writable, std::memory_order_relaxed);
  if (!outcome) {
    status_.error = outcome.error().message;
    ++status_.commit_failures;
    return;
  }
  status_.error.clear();
  status_.rows_committed += rows;
  status_.duplicates += new_duplicates_;
  for (const auto& [labels, news] : new_baseline_totals_) {
    BaselineTotal& total = baseline_totals_[labels];
    total.baseline = news.baseline;
    total.team = news.team;
    total.usd += news.usd;
    total.unknown += news.unknown;
  }
  sums_.publish();
  status_.requests_committed += taken_.size();
  ++status_.commits;
  status_.last_commit = std::chrono::duration_cast<std::chrono::microseconds>(took);
}

void LedgerThread::answer_flushes(std::uint64_t up_to, const Result<void>& outcome) {
  const std::lock_guard lock(mutex_);
  if (flush_done_ == up_to) return;
  flush_done_ = up_to;
  flush_error_ = outcome ? std::string() : outcome.error().message;
  flushed_.notify_all();
}

Result<void> LedgerThread::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++flush_wanted_;
  wake();
  flushed_.wait(lock, [&] { return flush_done_ >= mine; });
  if (!flush_error_.empty()) return fail(Fault::ledger_full, flush_error_);
  return success();
}

Result<void> LedgerThread::write_baselines_of(const OpenRequest& settled) {
  if (!baselines_) return success();
  for (const BaselineRule& rule : baselines_->rules) {
    const std::optional<BaselineCost> cost = baseline_cost(rule, settled);
    if (!cost) continue;
    TOLLGATE_TRY(ledger_->insert_baseline(settled.row.id, rule.name, cost->usd));
    sums_.add(settled, rule.name, *cost);
    BaselineTotal& total = new_baseline_totals_[{rule.name, settled.row.team}];
    total.baseline = rule.name;
    total.team = settled.row.team;
    if (cost->usd) {
      total.usd += *cost->usd;
    } else {
      ++total.unknown;
    }
  }
  return success();
}

void LedgerThread::set_recorder(LedgerRecorder* recorder) {
  {
    const std::lock_guard lock(mutex_);
    recorder_ = recorder;
  }
  wake();
}

LedgerRecorder* LedgerThread::recorder() const {
  const std::lock_guard lock(mutex_);
  return recorder_;
}

// A transaction of its own: what it cannot write it keeps, and requests do not wait for it.
bool LedgerThread::record(bool at_once) {
  LedgerRecorder* const recorder = this->recorder();
  if (recorder == nullptr || !recorder->wanted()) return true;
  const auto now = std::chrono::steady_clock::now();
  if (!at_once && now < next_record_) return true;
  const auto transaction = [&]() -> Result<void> {
    TOLLGATE_TRY(begin());
    TOLLGATE_TRY(recorder->write(*ledger_));
    record_unsure_ = true;
    TOLLGATE_TRY(ledger_->commit());
    record_unsure_ = false;
    return success();
  };
  const Result<void> outcome = transaction();
  next_pulse_ = now + ledger_->pulse();
  if (outcome) {
    recorder->written();
  } else {
    ledger_->rollback();
  }
  next_record_ = now + record_interval;
  return outcome.has_value();
}

std::chrono::milliseconds LedgerThread::until_record() const {
  const LedgerRecorder* const recorder = this->recorder();
  if (recorder == nullptr || !recorder->wanted()) return std::chrono::milliseconds{-1};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_record_ - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds{0});
}

std::chrono::milliseconds LedgerThread::until_due() const {
  std::chrono::milliseconds soonest{-1};
  for (const std::chrono::milliseconds due : {until_fold(), until_record(), until_pulse()}) {
    if (due.count() >= 0 && (soonest.count() < 0 || due < soonest)) soonest = due;
  }
  return soonest;
}

std::chrono::milliseconds LedgerThread::until_pulse() const {
  if (ledger_->pulse().count() == 0) return std::chrono::milliseconds{-1};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_pulse_ - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds{0});
}

Result<PoolClocks> LedgerThread::lease_pools(std::vector<PoolLease> pools) {
  std::unique_lock lock(mutex_);
  lease_answer_.reset();
  lease_wanted_ = std::move(pools);
  wake();
  flushed_.wait(lock, [&] { return lease_answer_.has_value(); });
  return *lease_answer_;
}

void LedgerThread::answer_lease() {
  std::vector<PoolLease> pools;
  {
    const std::lock_guard lock(mutex_);
    if (!lease_wanted_) return;
    pools = *lease_wanted_;
  }
  const auto lease = [&]() -> Result<PoolClocks> {
    TOLLGATE_TRY(begin());  // connects, if it must
    return ledger_->lease_pools(pools);
  };
  Result<PoolClocks> clocks = lease();
  ledger_->rollback();
  const std::lock_guard lock(mutex_);
  lease_wanted_.reset();
  lease_answer_.emplace(std::move(clocks));
  flushed_.notify_all();
}

std::chrono::milliseconds LedgerThread::until_fold() const {
  {
    const std::lock_guard lock(mutex_);
    if (keep_days_ == 0) return std::chrono::milliseconds{-1};
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_fold_ - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds{0});
}

// A failure here loses nothing: what could not be folded stays, and commits tell whether the ledger can be written.
void LedgerThread::fold_some() {
  using namespace std::chrono;
  unsigned keep_days = 0;
  {
    const std::lock_guard lock(mutex_);
    keep_days = keep_days_;
  }
  const auto began = steady_clock::now();
  if (keep_days == 0 || began < next_fold_ || stopping() || failures_ > 0) return;
  if (std::any_of(slots_.begin(), slots_.end(), [](const auto& slots) { return urgent(*slots); })) return;
  const auto today = floor<days>(system_clock::now());
  const std::int64_t cutoff_us = duration_cast<microseconds>((today - days{keep_days}).time_since_epoch()).count();
  const Result<std::size_t> folded = ledger_->fold(cutoff_us, requests_per_fold);
  bool more = folded && folded.value() == requests_per_fold;
  if (folded && !more) {
    const Result<bool> shrunk = ledger_->shrink(pages_per_shrink);
    more = shrunk && shrunk.value();
  }
  const auto ended = steady_clock::now();
  next_fold_ = more ? ended + (ended - began) * (fold_share - 1) : ended + fold_interval;
  const std::lock_guard lock(mutex_);
  if (folded) {
    status_.folded += folded.value();
  } else {
    ++status_.fold_failures;
  }
}

void LedgerThread::set_baselines(std::shared_ptr<const BaselineSet> baselines) {
  const std::lock_guard lock(mutex_);
  baselines_wanted_ = std::move(baselines);
}

void LedgerThread::set_keep_days(unsigned keep_days) {
  {
    const std::lock_guard lock(mutex_);
    keep_days_ = keep_days;
  }
  wake();
}

std::vector<BaselineTotal> LedgerThread::baseline_totals() const {
  const std::lock_guard lock(mutex_);
  std::vector<BaselineTotal> totals;
  for (const auto& [labels, total] : baseline_totals_) totals.push_back(total);
  return totals;
}

CommittedSums LedgerThread::committed() const {
  const std::lock_guard lock(mutex_);
  return sums_.committed();
}

LedgerStatus LedgerThread::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace tollgate
