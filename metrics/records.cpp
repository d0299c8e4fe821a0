#include "metrics/records.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>

namespace tollgate {
namespace {

constexpr std::int64_t epoch_ms = 1'735'689'600'000;  // 2025-01-01T00:00:00Z; 41 bits reach to 2094
constexpr int sequence_bits = 7;
constexpr int gateway_bits = 7;
constexpr int reactor_bits = 8;
constexpr int below_ms_bits = sequence_bits + gateway_bits + reactor_bits;
static_assert(reactors_max == 1U << reactor_bits && gateways_max == 1U << gateway_bits);

/// The last milliseconds and sequence of one reactor, as one number: (ms << 7) | sequence. Past 128 ids in a
/// millisecond it simply runs into the next.
struct alignas(64) LastId {
  std::atomic<std::int64_t> ticks{0};
};
std::array<LastId, reactors_max> last_ids;
std::atomic<unsigned> this_gateway{0};

}  // namespace

std::string_view name_of(Purpose purpose) noexcept {
  switch (purpose) {
    case Purpose::client: break;
    case Purpose::shadow: return "shadow";
    case Purpose::judge: return "judge";
    case Purpose::warm_up: return "warm-up";
  }
  return "client";
}

RequestId next_request_id(unsigned reactor, std::int64_t now_us) noexcept {
  reactor %= reactors_max;
  std::atomic<std::int64_t>& last = last_ids[reactor].ticks;
  const std::int64_t now = (now_us / 1000 - epoch_ms) * (std::int64_t{1} << sequence_bits);
  std::int64_t before = last.load(std::memory_order_relaxed);
  std::int64_t ticks = 0;
  do {
    ticks = now > before ? now : before + 1;
  } while (!last.compare_exchange_weak(before, ticks, std::memory_order_relaxed));
  const std::int64_t ms = ticks >> sequence_bits;
  const std::int64_t sequence = ticks & ((1 << sequence_bits) - 1);
  const auto gateway = static_cast<std::int64_t>(this_gateway.load(std::memory_order_relaxed));
  return RequestId{(ms << below_ms_bits) | (static_cast<std::int64_t>(reactor) << (sequence_bits + gateway_bits)) |
                   (gateway << sequence_bits) | sequence};
}

RequestId next_request_id(unsigned reactor) noexcept {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return next_request_id(reactor, std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

void set_request_gateway(unsigned gateway) noexcept {
  this_gateway.store(gateway % gateways_max, std::memory_order_relaxed);
}

unsigned gateway_of(RequestId id) noexcept {
  return static_cast<unsigned>(static_cast<std::int64_t>(id) >> sequence_bits) % gateways_max;
}

void raise_request_ids_above(RequestId used) noexcept {
  const std::int64_t ms = static_cast<std::int64_t>(used) >> below_ms_bits;
  const std::int64_t floor = ((ms + 1) << sequence_bits) - 1;  // the last id of that millisecond counts as given
  for (LastId& last : last_ids) {
    std::int64_t before = last.ticks.load(std::memory_order_relaxed);
    while (before < floor && !last.ticks.compare_exchange_weak(before, floor, std::memory_order_relaxed)) {
    }
  }
}

// The id is made just after the arrival is noted, from the same clock; a minute is ample.
RequestId lowest_request_id_at(std::int64_t time_us) noexcept {
  const std::int64_t ms = time_us / 1000 - epoch_ms - 60'000;
  if (ms <= 0) return RequestId{0};
  constexpr std::int64_t ms_max = (std::int64_t{1} << 41) - 1;
  return RequestId{std::min(ms, ms_max) << below_ms_bits};
}

RequestIdText text(RequestId id) noexcept {
  static constexpr std::string_view digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  RequestIdText text{{'r', 'e', 'q', '_'}};
  auto rest = static_cast<std::uint64_t>(id);
  for (std::size_t i = text.chars.size(); i-- > 4; rest >>= 5) text.chars[i] = digits[rest & 31];
  return text;
}

std::optional<RequestId> request_id_of(std::string_view text) noexcept {
  static constexpr std::string_view digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  constexpr std::string_view prefix = "req_";
  if (text.size() != RequestIdText{}.chars.size() || !text.starts_with(prefix)) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text.substr(prefix.size())) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos || value >> 59 != 0) return std::nullopt;
    value = value << 5 | digit;
  }
  if (value >> 63 != 0) return std::nullopt;
  return RequestId{static_cast<std::int64_t>(value)};
}

Usd OpenRequest::total() const noexcept {
  Usd sum;
  for (std::size_t i = 0; i < row.attempts; ++i) sum += attempts[i].charge.total();
  return sum;
}

}  // namespace tollgate
