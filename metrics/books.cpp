#include "metrics/books.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>

namespace tollgate {
namespace {

/// How old the offset between the two clocks may be: an NTP step shows in the ledger's times after so long.
constexpr std::chrono::seconds wall_refresh{1};

std::int64_t micros(std::chrono::nanoseconds time) noexcept { return time.count() / 1000; }

/// All stores before it are made before all after it, as seen by a later process that reads the slots of this one. A
/// process that is killed leaves every store it has executed, so it is enough that the compiler keeps the order.
void then() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

void put(GpuPool::Value value, std::uint64_t& high, std::uint64_t& low) noexcept {
  high = static_cast<std::uint64_t>(value >> 64);
  low = static_cast<std::uint64_t>(value & ~std::uint64_t{0});
}
GpuPool::Value value_from(std::uint64_t high, std::uint64_t low) noexcept {
  return (static_cast<Int128>(static_cast<std::int64_t>(high)) * (static_cast<Int128>(1) << 64)) + low;
}

/// An attempt that nobody ended.
AttemptEnd cut_short() noexcept {
  AttemptEnd end;
  end.result = RowResult::of(Fault::internal);
  return end;
}

const TokenPrices& prices_at(const TokenPrices& prices, std::int64_t at_us) noexcept {
  return prices_at(prices, std::chrono::sys_seconds{std::chrono::seconds{at_us / 1'000'000}});
}

/// The rates of a service tier. A tier whose prices are not known leaves none.
void set_rates(const TokenPrices& now, std::string_view service_tier, RunningAttempt& running) noexcept {
  const TokenPrices* const served = prices_of_tier(now, service_tier);
  running.has_rates = served != nullptr;
  if (served != nullptr) running.rates = TokenRates(*served);
}

/// The standard tier is not worth a word; a tier without prices of its own could have any name.
NameId recorded_tier(const TokenPrices& prices, std::string_view service_tier) {
  const TokenPrices* const served = prices_of_tier(prices, service_tier);
  if (served == &prices) return NameId::none;
  return Names::global().intern(served == nullptr ? "other" : service_tier);
}

void note_seen(LedgerSlot& slot, NameId pool, GpuPool::Value value) noexcept {
  slot.seen.check = 0;
  then();
  slot.seen.pool = pool;
  put(value, slot.seen.high, slot.seen.low);
  slot.seen.check = check_of(slot.seen);
}

/// The run of the attempt under way, as its pool knows it now.
GpuPool::Run run_of(const LedgerSlot& slot) noexcept {
  const RunningAttempt& running = slot.running;
  const ReweighedRun& now = slot.reweighed;
  if (now.check == 0) {
    const GpuPool::Value began_at = value_from(running.pool_high, running.pool_low);
    return {began_at, running.gpu_began_at, running.weight, slot.decode.prefill_us};
  }
  return {value_from(now.pool_high, now.pool_low), now.gpu_began_at, now.weight, slot.decode.prefill_us};
}

// While it is written, a crash would find what the run began with: a share that is a little off, which recovery makes
// good on the line of rounding.
void keep_run(LedgerSlot& slot, const AttemptRow& attempt, RequestId id, const GpuPool::Run& run) noexcept {
  slot.decode.prefill_us = run.prefill_us;
  ReweighedRun& now = slot.reweighed;
  now.check = 0;
  then();
  put(run.began_at, now.pool_high, now.pool_low);
  now.gpu_began_at = run.gpu_began_at;
  now.weight = run.weight;
  now.check = check_of(now, id, attempt.number);
}

/// nullptr: there is none with this number, or it has ended. 0: the last begun.
AttemptRow* running_attempt(OpenRequest& request, std::uint8_t number) noexcept {
  if (request.row.attempts == 0 || number > request.row.attempts) return nullptr;
  AttemptRow& attempt = number == 0 ? request.current() : request.attempts[number - 1U];
  return attempt.ended ? nullptr : &attempt;
}

}  // namespace

ReactorBooks::ReactorBooks(LedgerThread& ledger, unsigned reactor, Pools& pools, const MonoClock& clock)
    : ledger_(ledger), slots_(ledger.slots(reactor)), pools_(pools), clock_(clock) {}

std::int64_t ReactorBooks::wall_us(MonoTime now) noexcept {
  if (wall_read_at_ == MonoTime{} || now - wall_read_at_ > wall_refresh) {
    wall_read_at_ = now;
    wall_minus_mono_us_ = micros(std::chrono::system_clock::now().time_since_epoch()) - micros(now.time_since_epoch());
  }
  return micros(now.time_since_epoch()) + wall_minus_mono_us_;
}

GpuPool& ReactorBooks::pool_of(const Pool& pool, MonoTime now) {
  GpuPool*& known = pools_known_[pool.name];
  if (known == nullptr) known = &pools_.of(pool, now);
  return *known;
}

OpenRequest* ReactorBooks::open(const RequestOpened& opened) noexcept {
  if (!ledger_.writable()) return nullptr;
  LedgerSlot* const slot = slots_.take();
  if (slot == nullptr) {
    ledger_.hurry();
    return nullptr;
  }
  RequestRow row;
  row.id = opened.id;
  row.arrived_us = opened.arrived_us;
  row.model = opened.model;
  row.team = opened.team;
  row.key = opened.key;
  row.surface = opened.surface;
  row.stream = opened.stream;
  row.input_bytes = opened.input_bytes;
  row.purpose = opened.purpose;
  slot->request.row = row;
  slot->running.pool_method = PoolMethod::none;
  slot->beside = nullptr;
  slot->state.store(SlotState::open, std::memory_order_release);
  return &slot->request;
}

void ReactorBooks::decided(OpenRequest& request, NameId route, float complexity, Tier tier) noexcept {
  request.row.complexity = complexity;
  request.row.tier = tier;
  request.row.route = route;
}

// Believed once `rules` is set.
void ReactorBooks::covered(OpenRequest& request, NameId rules, std::uint64_t covered) noexcept {
  request.row.covered = covered;
  then();
  request.row.rules = rules;
}

void ReactorBooks::will_mask(OpenRequest& request) noexcept {
  request.row.masked = static_cast<std::uint8_t>(request.row.masked | (1U << request.row.attempts));
  then();
}

// The attempt counts from the last store on; before that the row ends with the one before it.
void ReactorBooks::begin_attempt(OpenRequest& request, const Target& target, const Backend& backend, MonoTime now,
                                 std::string_view service_tier) noexcept {
  end_open_attempts(request, now);
  assert(request.row.attempts < attempts_per_request_max);
  if (request.row.attempts >= attempts_per_request_max) return;
  add_attempt(request, LedgerSlot::of(request), target, backend, now, service_tier);
}

bool ReactorBooks::begin_hedge(OpenRequest& request, const Target& target, const Backend& backend, MonoTime now,
                               std::string_view service_tier) noexcept {
  LedgerSlot& slot = LedgerSlot::of(request);
  const RequestRow& row = request.row;
  if (row.attempts >= attempts_per_request_max || running_attempt(request, 0) == nullptr || slot.beside != nullptr) return false;
  LedgerSlot* const beside = slots_.take();
  if (beside == nullptr) return false;
  beside->request.row.id = row.id;
  beside->running.check = 0;
  beside->progress.check = 0;
  beside->state.store(SlotState::beside, std::memory_order_release);
  slot.beside_number = static_cast<std::uint8_t>(row.attempts + 1);
  slot.beside = beside;
  add_attempt(request, *beside, target, backend, now, service_tier);
  return true;
}

// Of two at once the other is the one before: none begins while two are open.
void ReactorBooks::end_open_attempts(OpenRequest& request, MonoTime now) noexcept {
  const std::uint8_t last = request.row.attempts;
  for (std::uint8_t number = last > 1 ? static_cast<std::uint8_t>(last - 1) : std::uint8_t{1}; number <= last; ++number) {
    if (request.attempts[number - 1U].ended) continue;
    AttemptEnd end = cut_short();
    end.number = number;
    end_attempt(request, end, now);
  }
}

void ReactorBooks::add_attempt(OpenRequest& request, LedgerSlot& slot, const Target& target, const Backend& backend, MonoTime now,
                               std::string_view service_tier) noexcept {
  RequestRow& row = request.row;
  AttemptRow attempt;
  attempt.target = target.id;
  attempt.number = static_cast<std::uint8_t>(row.attempts + 1);
  attempt.started_us = wall_us(now);
  request.attempts[row.attempts] = attempt;
  LedgerSlot::of(request).attempt_checks[row.attempts] = 0;

  RunningAttempt& running = slot.running;
  running = RunningAttempt{};
  if (target.prices) set_rates(prices_at(*target.prices, attempt.started_us), service_tier, running);
  slot.reweighed.check = 0;
  slot.decode = DecodeSeen{};
  if (backend.pool) join_pool(row, slot, target, *backend.pool, now);
  running.check = check_of(running, row.id, attempt.number);
  slot.progress.check = 0;
  then();
  ++row.attempts;
}

void ReactorBooks::join_pool(const RequestRow& row, LedgerSlot& slot, const Target& target, const Pool& pool, MonoTime now) noexcept {
  const Learned known = learned(target.id);
  ExpectedWork work;
  work.prompt_tokens = static_cast<std::int64_t>(row.input_bytes / std::max(known.input_bytes_per_token, 0.1));
  if (generates_text(row.surface)) work.output_tokens = static_cast<std::int64_t>(known.output_tokens_mean);
  work.stream = row.stream;
  const GpuPool::Run run = pool_of(pool, now).begin(now, work);
  RunningAttempt& running = slot.running;
  running.pool_method = pool.billing == Billing::reported      ? PoolMethod::reported
                        : pool.token_weights.calibrated() ? PoolMethod::tokens
                                                          : PoolMethod::time;
  running.pool = pool.name;
  running.weight = run.weight;
  running.gpu_began_at = run.gpu_began_at;
  put(run.began_at, running.pool_high, running.pool_low);
  slot.decode.prefill_us = run.prefill_us;
  note_seen(slot, running.pool, run.began_at);
}

// Twice, one after the other: one of the two is whole whenever the process ends.
void ReactorBooks::note_usage(AttemptRow& attempt, LedgerSlot& slot, RequestId id, const Usage& usage, UsageSource source) noexcept {
  slot.progress.check = 0;
  then();
  slot.progress.usage = usage;
  slot.progress.source = source;
  slot.progress.check = check_of(slot.progress, id, attempt.number);
  then();
  attempt.usage = usage;
  attempt.usage_source = source;
}

void ReactorBooks::progress(OpenRequest& request, const Usage& usage, UsageSource source, std::uint8_t number) noexcept {
  AttemptRow* const attempt = running_attempt(request, number);
  if (attempt == nullptr || !plausible(usage)) return;
  LedgerSlot& slot = LedgerSlot::of(request).of_attempt(attempt->number);
  note_usage(*attempt, slot, request.row.id, usage, source);
  if (slot.running.pool_method != PoolMethod::none) progress_in_pool(slot, *attempt, request.row.id, usage.output.count(), clock_());
}

void ReactorBooks::first_token(OpenRequest& request, MonoTime now, std::uint8_t number) noexcept {
  const AttemptRow* const attempt = running_attempt(request, number);
  if (attempt == nullptr) return;
  LedgerSlot& slot = LedgerSlot::of(request).of_attempt(attempt->number);
  if (slot.running.pool_method == PoolMethod::tokens && slot.decode.prefill_us != 0) progress_in_pool(slot, *attempt, request.row.id, 1, now);
}

void ReactorBooks::progress_in_pool(LedgerSlot& slot, const AttemptRow& attempt, RequestId id, std::int64_t output_tokens, MonoTime now) noexcept {
  GpuPool& pool = *pools_known_.find(slot.running.pool)->second;
  DecodeSeen& seen = slot.decode;
  GpuPool::Run run = run_of(slot);
  bool reweighed = false;
  if (slot.running.pool_method == PoolMethod::tokens && output_tokens > 0) {
    const std::int64_t now_ns = now.time_since_epoch() / std::chrono::nanoseconds{1};
    if (seen.at_ns == 0) {
      reweighed = pool.first_token(run, now);
    } else if (output_tokens > seen.tokens && now_ns > seen.at_ns) {
      reweighed = pool.decoded(run, output_tokens - seen.tokens, std::chrono::nanoseconds{now_ns - seen.at_ns}, now);
    }
    seen.at_ns = now_ns;
    seen.tokens = static_cast<std::uint32_t>(std::min<std::int64_t>(output_tokens, UINT32_MAX));
  }
  if (reweighed) keep_run(slot, attempt, id, run);
  note_seen(slot, slot.running.pool, pool.touch(now));
}

std::optional<Usd> ReactorBooks::leave_pool(LedgerSlot& slot, const AttemptEnd& end, MonoTime now) noexcept {
  const RunningAttempt& running = slot.running;
  if (running.pool_method == PoolMethod::none) return Usd{};
  const auto pool = pools_known_.find(running.pool);
  assert(pool != pools_known_.end());
  const GpuPool::Run run = run_of(slot);
  if (nothing_sent(end.result)) {
    pool->second->withdraw(run, now);
    return Usd{};
  }
  if (running.pool_method == PoolMethod::reported) return pool->second->end_reported(run, end.billed, now);
  const GpuPool::Ended ended = pool->second->end(run, now);
  note_seen(slot, running.pool, ended.ended_at);
  return ended.charge;
}

const Charge& ReactorBooks::end_attempt(OpenRequest& request, const AttemptEnd& end, MonoTime now) noexcept {
  static const Charge nothing;
  if (request.row.attempts == 0) return nothing;
  assert(end.number <= request.row.attempts);
  AttemptRow& attempt = end.number == 0 ? request.current() : request.attempts[end.number - 1U];
  if (attempt.ended) return attempt.charge;
  LedgerSlot& own = LedgerSlot::of(request);
  LedgerSlot& slot = own.of_attempt(attempt.number);
  if (end.usage_source != UsageSource::none && plausible(end.usage)) {
    note_usage(attempt, slot, request.row.id, end.usage, end.usage_source);  // so that a crash between here and the end still knows it
  }
  const std::optional<Usd> gpu = leave_pool(slot, end, now);
  attempt.result = end.result;
  attempt.http_status = static_cast<std::int16_t>(end.http_status);
  attempt.first_token_us = end.first_token_us;
  attempt.ended_us = wall_us(now);
  if (!end.service_tier.empty() && end.prices != nullptr) {
    const TokenPrices& then_valid = prices_at(*end.prices, attempt.started_us);
    set_rates(then_valid, end.service_tier, slot.running);
    slot.running.check = check_of(slot.running, request.row.id, attempt.number);
    attempt.service_tier = recorded_tier(then_valid, end.service_tier);
  }
  const PoolMethod method = slot.running.pool_method;
  const AttemptPrices prices{slot.running.has_rates, method != PoolMethod::none, slot.running.rates, method, !gpu, end.by_units, end.reported};
  price(attempt, prices, gpu.value_or(Usd{}));
  if (end.reported) note_reported(attempt, prices);
  if (end.result.is_ok() && request.row.purpose == Purpose::client) learn_times(request.row, attempt, now);
  then();
  attempt.ended = true;
  own.attempt_checks[attempt.number - 1U] = check_of(attempt, request.row.id);
  if (&slot != &own) {
    own.beside = nullptr;
    slots_.put_back(slot);
  }
  return attempt.charge;
}

// Both or neither, so that their difference says something about the prices.
void ReactorBooks::note_reported(const AttemptRow& attempt, const AttemptPrices& prices) noexcept {
  if (!prices.has_rates || attempt.usage_source == UsageSource::none || !prices.rates.cover(attempt.usage)) return;
  shard_.reported(attempt.target, attempt.charge.total(), token_charge(attempt.usage, prices.rates).total());
}

// Only a stream tells when its first token came: a whole answer's first byte is its last.
void ReactorBooks::learn_times(const RequestRow& row, const AttemptRow& attempt, MonoTime now) noexcept {
  LearnedSums& learned = learned_[attempt.target];
  const bool streamed = row.stream && attempt.first_token_us > 0;
  if (streamed) learned.waited(attempt.first_token_us - attempt.started_us);
  learned.paced(attempt.ended_us - attempt.started_us, attempt.usage.output.count());
  learned.took(attempt.ended_us - attempt.started_us, streamed ? attempt.ended_us - attempt.first_token_us : 0,
               attempt.usage.output.count() - 1, now);
}

void ReactorBooks::settle(OpenRequest& request, const RequestClosing& closing) noexcept {
  RequestRow& row = request.row;
  if (row.attempts > 0) {
    const bool last_two_ended = request.current().ended && (row.attempts == 1 || request.attempts[row.attempts - 2U].ended);
    if (!last_two_ended) end_open_attempts(request, clock_());
    row.target = closing.answered_by != NameId::none ? closing.answered_by : request.current().target;
  }
  row.cached_from = closing.cached.from;
  row.cached_origin = closing.cached.origin;
  row.cached_masked = closing.cached.masked;
  row.saved_known = closing.cached.saved.has_value();
  row.saved = closing.cached.saved.value_or(Usd{});
  row.result = closing.result;
  row.http_status = static_cast<std::int16_t>(closing.http_status);
  row.ended_us = row.arrived_us + micros(closing.duration);
  shard_.settled(request, closing);
  slots_.settle(LedgerSlot::of(request));
  ledger_.settled(slots_);
}

bool ReactorBooks::record(Outcome outcome, OutcomeDone done) {
  return ledger_.record(std::move(outcome), std::move(done));
}

Books::Learned ReactorBooks::learned(NameId target) const noexcept {
  const auto found = learned_.find(target);
  return found == learned_.end() ? Learned{} : found->second.now();
}

void ReactorBooks::learn(NameId target, std::int64_t input_text_bytes, std::int64_t output_text_bytes,
                         const Usage& exact) noexcept {
  if (plausible(exact)) learned_[target].learn(input_text_bytes, output_text_bytes, exact);
}

}  // namespace tollgate
