#include "backends/engine_board.hpp"

#include <algorithm>
#include <limits>

namespace tollgate {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

std::uint64_t tokens(TokenCount count) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count.count(), 0));
}

std::int32_t narrow(std::optional<std::int64_t> value) noexcept {
  if (!value) return -1;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(*value, 0, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace

EngineLoad::Ticket EngineLoad::begin(std::uint32_t sequences, bool sure) noexcept {
  const Ticket ticket{sequences, phase_.load(std::memory_order_acquire), sure};
  in_flight_[ticket.phase].fetch_add(1, std::memory_order_acq_rel);
  sequences_.fetch_add(sequences, relaxed);
  sequences_begun_.fetch_add(sequences, relaxed);
  if (!sure) unsure_.fetch_add(1, relaxed);
  begun_.fetch_add(1, std::memory_order_acq_rel);
  return ticket;
}

// The tokens are there before the attempt is no longer in flight: who sees none in flight sees all tokens.
void EngineLoad::end(const Ticket& ticket, const Usage& usage, bool exact) noexcept {
  Tokens& sums = tokens_[ticket.phase];
  sums.prompt.fetch_add(tokens(usage.total_input()), relaxed);
  sums.uncached_prompt.fetch_add(tokens(usage.input + usage.cache_write), relaxed);
  sums.generation.fetch_add(tokens(usage.output), relaxed);
  if (!exact) inexact_.fetch_add(1, relaxed);
  if (!ticket.sure) unsure_.fetch_sub(1, relaxed);
  sequences_.fetch_sub(ticket.sequences, relaxed);
  ended_.fetch_add(1, relaxed);
  in_flight_[ticket.phase].fetch_sub(1, std::memory_order_acq_rel);
}

OwnCounts EngineLoad::counts() const noexcept {
  OwnCounts counts;
  counts.begun = begun_.load(std::memory_order_acquire);
  counts.in_flight = {in_flight_[0].load(std::memory_order_acquire), in_flight_[1].load(std::memory_order_acquire)};
  counts.ended = ended_.load(relaxed);
  counts.inexact = inexact_.load(relaxed);
  counts.sequences_begun = sequences_begun_.load(relaxed);
  counts.sequences = sequences_.load(relaxed);
  counts.unsure = unsure_.load(relaxed);
  for (std::size_t phase = 0; phase < tokens_.size(); ++phase) {
    counts.tokens[phase] = {tokens_[phase].prompt.load(relaxed), tokens_[phase].uncached_prompt.load(relaxed),
                            tokens_[phase].generation.load(relaxed)};
  }
  return counts;
}

void TimingHistogram::observe(std::chrono::microseconds time) noexcept {
  const std::int64_t micros = std::max<std::int64_t>(time.count(), 0);
  const auto bucket = std::lower_bound(timing_bounds.begin(), timing_bounds.end(), micros) - timing_bounds.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, relaxed);
  sum_us_.fetch_add(static_cast<std::uint64_t>(micros), relaxed);
}

TimingTotals TimingHistogram::totals() const noexcept {
  TimingTotals totals;
  for (std::size_t i = 0; i < counts_.size(); ++i) totals.counts[i] = counts_[i].load(relaxed);
  totals.sum = static_cast<Int128>(sum_us_.load(relaxed));
  return totals;
}

bool TimingHistogram::empty() const noexcept {
  return std::all_of(counts_.begin(), counts_.end(), [](const auto& count) { return count.load(relaxed) == 0; });
}

void TimingsSeen::observe(const EngineTimings& timings) noexcept {
  if (timings.first_token) first_token.observe(*timings.first_token);
  if (timings.generation) generation.observe(*timings.generation);
  if (timings.queue) queue.observe(*timings.queue);
}

void EngineState::publish(const EngineSample& sample) noexcept {
  load.running.store(narrow(sample.running), relaxed);
  load.waiting.store(narrow(sample.waiting), relaxed);
  load.kv_cache_usage.store(static_cast<float>(sample.kv_cache_usage.value_or(-1)), relaxed);
}

void EngineState::unknown() noexcept {
  publish(EngineSample{});
  account_.lost();
  status_.running.reset();
  status_.waiting.reset();
  status_.foreign_requests.reset();
  status_.kv_cache_usage.reset();
}

void EngineState::succeeded(const EngineSample& sample, const OwnCounts& before, const OwnCounts& after, Now now) {
  const std::lock_guard lock(mutex_);
  if (!status_.scraped) return;  // a reload switched it off while it was asked
  if (account_.take(sample, before, after)) load.turn_phase();
  publish(sample);
  ++status_.scrapes;
  status_.last_success = now;
  status_.error.clear();
  status_.kind = name_of(sample.kind);
  status_.running = sample.running;
  status_.waiting = sample.waiting;
  status_.kv_cache_usage = sample.kv_cache_usage;
  status_.foreign_requests = account_.foreign_requests();
  status_.prompt = account_.tokens(TokenSide::prompt);
  status_.generation = account_.tokens(TokenSide::generation);
  status_.restarts = account_.restarts();
}

bool EngineState::failed(const std::string& why) {
  const std::lock_guard lock(mutex_);
  ++status_.scrapes;
  ++status_.failures;
  unknown();
  const bool news = status_.error != why;
  status_.error = why;
  return news;
}

void EngineState::watch(const std::string& url, bool scraped) {
  const std::lock_guard lock(mutex_);
  if (url != url_ && !url_.empty()) account_.forget();
  if (!scraped) {
    unknown();
    account_.forget();
    status_.error.clear();
  }
  url_ = url;
  status_.scraped = scraped;
}

EngineStatus EngineState::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

EngineState& EngineBoard::of(NameId backend) {
  const std::lock_guard lock(mutex_);
  auto& engine = engines_[backend];
  if (!engine) engine = std::make_unique<EngineState>(backend);
  return *engine;
}

TimingsSeen& EngineBoard::timings_of(NameId target) {
  const std::lock_guard lock(mutex_);
  auto& seen = timings_[target];
  if (!seen) seen = std::make_unique<TimingsSeen>();
  return *seen;
}

}  // namespace tollgate
