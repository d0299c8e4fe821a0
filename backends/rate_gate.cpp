#include "backends/rate_gate.hpp"

#include <algorithm>

#include "config/sha256.hpp"

namespace tollgate {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

std::int64_t count_of(RateGate::Now now) noexcept { return std::chrono::duration_cast<nanoseconds>(now.time_since_epoch()).count(); }
std::int64_t count_of(milliseconds time) noexcept { return std::chrono::duration_cast<nanoseconds>(time).count(); }

milliseconds doubled(milliseconds first, milliseconds most, std::uint32_t times) noexcept {
  constexpr std::uint32_t doublings_max = 20;
  return std::min(first * (1 << std::min(times, doublings_max)), most);
}

void raise(std::atomic<std::int64_t>& value, std::int64_t to) noexcept {
  if (value.load(std::memory_order_relaxed) < to) value.store(to, std::memory_order_relaxed);
}

}  // namespace

void RateGate::told(const RateHints& hints, Now now) noexcept {
  const std::int64_t now_ns = count_of(now);
  if (const RateHint& requests = hints.requests; requests.left == 0) {
    std::int64_t reset = requests.reset_ms < 0 ? count_of(unknown_reset) : count_of(milliseconds{requests.reset_ms});
    if (requests.limit > 0) reset /= requests.limit;            // until one of them is back
    raise(said_until_ns_, now_ns + reset);
  }
  const bool by_input = hints.input_tokens.known() && (!hints.tokens.known() || hints.input_tokens.left < hints.tokens.left);
  const RateHint& tokens = by_input ? hints.input_tokens : hints.tokens;
  if (!tokens.known()) return;
  tokens_at_ns_.store(now_ns, std::memory_order_relaxed);
  tokens_limit_.store(std::max(tokens.limit, tokens.left), std::memory_order_relaxed);
  tokens_reset_ns_.store(tokens.reset_ms < 0 ? count_of(unknown_reset) : count_of(milliseconds{tokens.reset_ms}), std::memory_order_relaxed);
  tokens_left_.store(tokens.left, std::memory_order_relaxed);
}

void RateGate::refused(std::optional<milliseconds> retry_after, Now now) noexcept {
  const std::uint32_t before = in_a_row_.fetch_add(1, std::memory_order_relaxed);
  if (retry_after) {
    raise(said_until_ns_, count_of(now + *retry_after));
  } else {
    guessed_until_ns_.store(count_of(now + doubled(guess_first, guess_most, before)), std::memory_order_relaxed);
  }
}

RateGate::Wait RateGate::wait(Now now) const noexcept {
  const std::int64_t now_ns = count_of(now);
  const std::int64_t said = said_until_ns_.load(std::memory_order_relaxed), guessed = guessed_until_ns_.load(std::memory_order_relaxed);
  const std::int64_t until = std::max(said, guessed);
  if (until <= now_ns) return {};
  return {std::chrono::ceil<microseconds>(nanoseconds{until - now_ns}), said > now_ns};
}

std::optional<std::int64_t> RateGate::tokens_left(Now now) const noexcept {
  const std::int64_t left = tokens_left_.load(std::memory_order_relaxed);
  if (left < 0) return std::nullopt;
  const std::int64_t reset = tokens_reset_ns_.load(std::memory_order_relaxed), limit = tokens_limit_.load(std::memory_order_relaxed);
  const std::int64_t since = count_of(now) - tokens_at_ns_.load(std::memory_order_relaxed);
  if (since >= reset) return std::nullopt;               // all of it is back, and what has been used since is not known
  return left + static_cast<std::int64_t>(static_cast<double>(limit - left) * (static_cast<double>(since) / static_cast<double>(reset)));
}

microseconds RateGate::wait_for_tokens(std::int64_t tokens, Now now) const noexcept {
  const std::optional<std::int64_t> left = tokens_left(now);
  if (!left || *left >= tokens) return microseconds{0};
  const std::int64_t reset = tokens_reset_ns_.load(std::memory_order_relaxed), limit = tokens_limit_.load(std::memory_order_relaxed);
  const std::int64_t until_all = reset - (count_of(now) - tokens_at_ns_.load(std::memory_order_relaxed));
  if (tokens >= limit || limit <= *left) return std::chrono::ceil<microseconds>(nanoseconds{std::max<std::int64_t>(until_all, 0)});
  const double share = static_cast<double>(tokens - *left) / static_cast<double>(limit - *left);
  return std::chrono::ceil<microseconds>(nanoseconds{static_cast<std::int64_t>(static_cast<double>(until_all) * share)});
}

void KeyHealth::refused(Now now) noexcept {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t before = in_a_row_.fetch_add(1, std::memory_order_relaxed);
  until_ns_.store(count_of(now + doubled(rest_first, rest_most, before)), std::memory_order_relaxed);
}

void KeyHealth::accepted() noexcept {
  if (in_a_row_.load(std::memory_order_relaxed) == 0) return;
  in_a_row_.store(0, std::memory_order_relaxed);
  until_ns_.store(0, std::memory_order_relaxed);
}

std::uint32_t fingerprint_of(std::string_view key) {
  if (key.empty()) return 0;
  const Sha256 hash = sha256(key);
  return static_cast<std::uint32_t>(hash[0]) << 24 | static_cast<std::uint32_t>(hash[1]) << 16 | static_cast<std::uint32_t>(hash[2]) << 8 | hash[3];
}

RateGate& KeyBoard::gate(NameId target, std::uint32_t key) {
  const std::lock_guard lock(mutex_);
  auto& gate = gates_[{target, key}];
  if (!gate) gate = std::make_unique<RateGate>();
  return *gate;
}

KeyHealth& KeyBoard::key(NameId backend, std::uint32_t key) {
  const std::lock_guard lock(mutex_);
  auto& health = keys_[{backend, key}];
  if (!health) health = std::make_unique<KeyHealth>();
  return *health;
}

}  // namespace tollgate
