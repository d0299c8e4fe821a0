// Keys and rate limits of providers: which key an attempt takes, what its answer says about both, and whether a target may be asked now.

#include <algorithm>
#include <chrono>

#include "gateway/exchange.hpp"
#include "gateway/log.hpp"
#include "gateway/resilience_counts.hpp"

namespace tollgate {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// "2 (9f86d081)": its place in the configuration and its fingerprint.
std::string shown(const Serving::UpstreamKeys& keys, std::size_t key) { return key_text(key, keys.fingerprints[key]); }

bool is_overload(const Error& error) noexcept { return error.http_status == 503; }   // also of a 529: it is not the key's doing

}  // namespace

/// The next usable key from where this request's conversation, or its id, points: turns are spread, a conversation stays with the
/// account that has its prompt cached. Where none is usable, the one that will be soonest.
void Exchange::choose_key(const Target& target) {
  key_ = 0;
  const Serving::UpstreamKeys& keys = serving_->upstream_keys[target.backend];
  const std::size_t count = keys.health.size();
  if (count == 1 || (passed_ && !names_model(surface_))) return;   // what is kept is kept under the first: another may belong to another account
  const std::vector<RateGate*>& gates = serving_->gates[serving_->index_of(target)];
  const MonoTime now = std::chrono::steady_clock::now();
  const std::uint64_t start = conversation_ != 0 ? conversation_ : static_cast<std::uint64_t>(id_);
  microseconds least = microseconds::max();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t key = (start + i) % count;
    const microseconds wait = gates[key]->wait(now).time + (keys.health[key]->usable(now) ? microseconds{0} : microseconds{KeyHealth::rest_most});
    if (wait >= least) continue;
    least = wait;
    key_ = static_cast<std::uint8_t>(key);
    if (wait.count() == 0) return;
  }
}

bool Exchange::has_other_key(const Target& target) const {
  if (passed_ && !names_model(surface_)) return false;
  const Serving::UpstreamKeys& keys = serving_->upstream_keys[target.backend];
  const std::vector<RateGate*>& gates = serving_->gates[serving_->index_of(target)];
  const MonoTime now = std::chrono::steady_clock::now();
  for (std::size_t key = 0; key < keys.health.size(); ++key) {
    if (key != key_ && keys.health[key]->usable(now) && gates[key]->wait(now).time.count() == 0) return true;
  }
  return false;
}

void Exchange::note_limits(const Target& target, const AnswerHead& head) {
  TargetHealth& health = serving_->health_of(target);
  RateGate& gate = *serving_->gates[serving_->index_of(target)][key_];
  if (head.rates.any()) {
    gate.told(head.rates, std::chrono::steady_clock::now());
    if (!health.rate_noted.load(std::memory_order_relaxed)) health.rate_noted.store(true, std::memory_order_relaxed);
  }
  if (head.status / 100 != 2) return;
  if (health.rate_noted.load(std::memory_order_relaxed)) gate.served();
  const Serving::UpstreamKeys& keys = serving_->upstream_keys[target.backend];
  if (keys.health.size() > 1) keys.health[key_]->accepted();
}

/// What a refusal says of the key and the limits. True: it was the key's, and another one may be tried at once; the target is not blamed.
bool Exchange::blames_key(const Target& target, const Error& error) {
  constexpr int too_many_requests = 429;
  // An overload that says no time may be over with the next request: nothing is guessed of it.
  const bool overload = is_overload(error) && error.retry_after.has_value();
  const bool busy = error.fault == Fault::upstream_busy && (error.http_status == too_many_requests || overload);
  const bool refused = error.fault == Fault::upstream_credentials;
  if (!busy && !refused) return false;
  const Serving::UpstreamKeys& keys = serving_->upstream_keys[target.backend];
  const std::vector<RateGate*>& gates = serving_->gates[serving_->index_of(target)];
  const MonoTime now = std::chrono::steady_clock::now();
  if (busy) {
    for (std::size_t key = 0; key < gates.size(); ++key) {
      if (key == key_ || is_overload(error)) gates[key]->refused(error.retry_after, now);
    }
    serving_->health_of(target).rate_noted.store(true, std::memory_order_relaxed);
  }
  if (refused || error.code == "insufficient_quota") {
    if (keys.health.size() > 1 && keys.health[key_]->usable(now)) {
      log_event(LogLevel::warn, "a provider refused one of its keys; the others go on",
                {{"backend", std::string(text(serving_->config->backend_of(target).name))}, {"key", shown(keys, key_)}});
    }
    keys.health[key_]->refused(now);
  }
  return keys.health.size() > 1 && has_other_key(target);
}

/// Nothing may be sent there for so long, as its provider says itself; what is only guessed does not keep a request from its last target.
microseconds Exchange::limited_for(const Target& target) const {
  if (!serving_->health_of(target).rate_noted.load(std::memory_order_relaxed)) return microseconds{0};
  const MonoTime now = std::chrono::steady_clock::now();
  microseconds least = microseconds::max();
  for (const RateGate* gate : serving_->gates[serving_->index_of(target)]) {
    const RateGate::Wait wait = gate->wait(now);
    least = std::min(least, wait.said ? wait.time : microseconds{0});
  }
  return least;
}

/// False: the step waits for its provider's limit, or is closed because that takes too long; then `why` says so.
bool Exchange::heed_limit(std::size_t step, Error& why) {
  const Target& target = *plan_->steps[step].target;
  const microseconds wait = limited_for(target);
  if (wait.count() == 0) return true;
  const auto whole = std::chrono::ceil<milliseconds>(wait);
  why = fail(Fault::upstream_busy, "the provider's rate limit for " + std::string(text(target.id)) + " is used up; it says to come back in " +
                                       std::to_string((whole.count() + 999) / 1000) + " s");
  constexpr int too_many_requests = 429;
  why.http_status = too_many_requests;
  why.retry_after = whole;
  const RetryRules rules = retry_rules(plan_->steps[step]);
  if (rules.retries > 0 && whole <= rules.longest) policy(step).postpone(step, std::chrono::steady_clock::now() + whole);
  return false;
}

/// For routing: what the key with the most room has left.
void note_limits(const Serving& serving, std::size_t target, MonoTime now, TargetState& state) noexcept {
  state.limited_for = microseconds{0};
  state.tokens_left = -1;
  state.tokens_per_second = 0;
  if (!serving.health[target]->rate_noted.load(std::memory_order_relaxed)) return;
  microseconds least = microseconds::max();
  bool unbounded = false;
  const Serving::UpstreamKeys& keys = serving.upstream_keys[serving.config->targets[target].backend];
  for (std::size_t key = 0; key < keys.health.size(); ++key) {
    if (keys.health.size() > 1 && !keys.health[key]->usable(now)) continue;
    const RateGate& gate = *serving.gates[target][key];
    const microseconds wait = gate.wait(now).time;
    least = std::min(least, wait);
    if (wait.count() > 0) continue;
    const std::optional<std::int64_t> left = gate.tokens_left(now);
    unbounded = unbounded || !left;
    if (!left || *left < state.tokens_left) continue;
    state.tokens_left = *left;
    constexpr std::int64_t probe = 1'000;       // how fast they come back, from the time that so many more take
    const microseconds until = gate.wait_for_tokens(*left + probe, now);
    state.tokens_per_second = until.count() > 0 ? probe * 1'000'000 / until.count() : 0;
  }
  if (unbounded) state.tokens_left = -1;
  if (least != microseconds::max()) state.limited_for = least;
}

std::string key_text(std::size_t key, std::uint32_t fingerprint) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string said = std::to_string(key + 1) + " (";
  for (int shift = 28; shift >= 0; shift -= 4) said += digits[fingerprint >> shift & 0xF];
  return said + ")";
}

}  // namespace tollgate
