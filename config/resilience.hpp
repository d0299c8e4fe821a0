#pragma once
// What the configuration says about failures of upstreams: when an attempt is made again, and when a target is left alone for a while
// (docs/resilience.md).

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tollgate {

/// Failures after which the same target may be asked again; a set of them is the sum of their bits.
enum class RetryOn : std::uint8_t {
  busy = 1,          ///< 429, 503, 529, and what else says "later"
  error = 2,         ///< another 5xx
  unreachable = 4,   ///< no connection: nothing was sent
  broke_off = 8,     ///< the connection was lost before the answer's first byte
  timeout = 16,      ///< no answer within the backend's timeouts
  garbage = 32       ///< an answer that is not of the protocol
};
inline constexpr std::uint8_t usual_retries = 1 | 2 | 4 | 8;

struct RetryRules {
  unsigned retries = 2;                              ///< of one target for one request, beyond its first attempt
  std::chrono::milliseconds first{250};              ///< before the first retry; doubles with each
  std::chrono::milliseconds longest{5'000};          ///< the longest wait; who asks for a longer one is not asked again
  std::uint8_t on = usual_retries;                   ///< of RetryOn
  bool same_first = false;                           ///< the same target is asked again before the next one is

  [[nodiscard]] bool covers(RetryOn what) const noexcept { return (on & static_cast<std::uint8_t>(what)) != 0; }
  friend bool operator==(const RetryRules&, const RetryRules&) = default;
};

/// The keys that a route writes, over those of the backend.
struct RetryOverride {
  std::optional<unsigned> retries;
  std::optional<std::chrono::milliseconds> first, longest;
  std::optional<std::uint8_t> on;
  std::optional<bool> same_first;

  [[nodiscard]] RetryRules over(const RetryRules& below) const noexcept {
    RetryRules rules{retries.value_or(below.retries), first.value_or(below.first), longest.value_or(below.longest), on.value_or(below.on),
                     same_first.value_or(below.same_first)};
    rules.longest = std::max(rules.longest, rules.first);
    return rules;
  }
};

/// When a target that fails is left alone, and for how long.
struct BreakerRules {
  unsigned failures = 5;                             ///< in a row, then it opens
  unsigned unreachable_failures = 1;                 ///< the same, of those of which nothing was sent
  std::chrono::milliseconds open{2'000};             ///< doubles while trials fail …
  std::chrono::milliseconds open_max{60'000};        ///< … up to this
};

/// Targets that fail much more often than their peers on a route are left out for a while.
struct OutlierRules {
  bool is_on = false;
  std::chrono::milliseconds window{30'000};          ///< over which failures are counted
  unsigned attempts_min = 20;                        ///< in it; fewer say nothing
  double failed_share = 0.5;                         ///< of a target's attempts, from which it may be ejected
  std::chrono::milliseconds eject{30'000};           ///< how long
  double ejected_share_max = 0.5;                    ///< of a route's targets, ejected at once
};

/// When a second attempt is made beside one that is slow (a hedge), and how many of them there may be.
struct HedgeRules {
  bool is_on = false;
  double percentile = 0.95;                          ///< of the target's time to its first token, or to its whole answer: what is slow
  std::chrono::milliseconds after_min{200}, after_max{10'000};   ///< whatever was learned
  std::chrono::milliseconds unlearned_after{2'000};  ///< until samples_min are known
  unsigned samples_min = 20;
  double share_max = 0.05;                           ///< hedges per request of the route
};

/// What a route does when a provider's filter refuses a request.
enum class OnFilter : std::uint8_t { refuse, next_target };

}  // namespace tollgate
