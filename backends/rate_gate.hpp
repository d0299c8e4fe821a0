#pragma once
// What is known of a provider's rate limits for one target and one key: from the headers of its answers before it refuses, and from its
// refusals. And whether a key is accepted at all. Lock-free; written by all reactors; a value that two write at once is one of the two.
//
// Providers refill continuously (token buckets): of what is used up, the share comes back that the time since bears to the reset.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "backends/rate_hints.hpp"
#include "config/names.hpp"

namespace tollgate {

class RateGate {
 public:
  using Now = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds guess_first{1'000}, guess_most{30'000};
  static constexpr std::chrono::milliseconds unknown_reset{60'000};   ///< taken where nothing is left and no reset is said

  /// The headers of an answer.
  void told(const RateHints& hints, Now now) noexcept;
  /// It refused for a rate limit or an overload. Without a time of its own: a guess that doubles with each refusal in a row.
  void refused(std::optional<std::chrono::milliseconds> retry_after, Now now) noexcept;
  void served() noexcept { in_a_row_.store(0, std::memory_order_relaxed); }

  struct Wait {
    std::chrono::microseconds time{0};      ///< 0: a request may be sent
    bool said = false;                      ///< by the provider; else guessed
  };
  [[nodiscard]] Wait wait(Now now) const noexcept;
  /// Tokens that are left by now; nullopt: not known.
  [[nodiscard]] std::optional<std::int64_t> tokens_left(Now now) const noexcept;
  /// How long until so many are.
  [[nodiscard]] std::chrono::microseconds wait_for_tokens(std::int64_t tokens, Now now) const noexcept;

 private:
  std::atomic<std::int64_t> said_until_ns_{0}, guessed_until_ns_{0};
  std::atomic<std::uint32_t> in_a_row_{0};
  std::atomic<std::int64_t> tokens_left_{-1}, tokens_limit_{-1}, tokens_at_ns_{0}, tokens_reset_ns_{0};
};

/// One key of a backend: refused by the provider (401, 402, 403, no quota), it rests: a minute first, doubling to an hour.
class KeyHealth {
 public:
  using Now = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds rest_first{60'000}, rest_most{3'600'000};
  void refused(Now now) noexcept;
  void accepted() noexcept;
  [[nodiscard]] bool usable(Now now) const noexcept { return now.time_since_epoch().count() >= until_ns_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t refusals() const noexcept { return refusals_.load(std::memory_order_relaxed); }   ///< since the start

 private:
  std::atomic<std::int64_t> until_ns_{0};
  std::atomic<std::uint32_t> in_a_row_{0};
  std::atomic<std::uint64_t> refusals_{0};
};

/// Names a key without telling it: the first 8 hexadecimal digits of its SHA-256; 0 for no key.
[[nodiscard]] std::uint32_t fingerprint_of(std::string_view key);

/// All of them; entries live as long as the board, so that a reload keeps what was learned of keys that stay.
class KeyBoard {
 public:
  [[nodiscard]] RateGate& gate(NameId target, std::uint32_t key);    ///< takes a lock: resolve once per snapshot
  [[nodiscard]] KeyHealth& key(NameId backend, std::uint32_t key);

 private:
  std::mutex mutex_;
  std::map<std::pair<NameId, std::uint32_t>, std::unique_ptr<RateGate>> gates_;
  std::map<std::pair<NameId, std::uint32_t>, std::unique_ptr<KeyHealth>> keys_;
};

}  // namespace tollgate
