#pragma once
// Whether a target is up, as all reactors see it: a breaker fed by attempts (passive) and by probes (active), and how many requests
// are under way. One TargetHealth per target and process; lock-free.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "backends/connect_watch.hpp"
#include "backends/first_answer_times.hpp"
#include "config/config.hpp"

namespace tollgate {

enum class BreakerState : std::uint8_t { closed, half_open, open };  ///< exported as 0, 1, 2

/// closed → open after `failures_max` failures in a row, or `unreachable_max` that prove that it cannot be reached; open → half open after
/// `open_for`: one request is let through, the trial; its success closes, its failure opens again for longer (doubling to open_for_max). What
/// attempts that were under way when it opened end with changes nothing: a window costs at most the one trial. Now is an argument.
class TargetHealth {
 public:
  static constexpr int failures_max = 5, unreachable_max = 1;
  static constexpr std::chrono::milliseconds open_for{2'000}, open_for_max{60'000};
  using Now = std::chrono::steady_clock::time_point;

  /// May a request be planned on it? In half open only until one is let through. Does not change state.
  [[nodiscard]] bool usable(Now now) const noexcept;
  /// May an attempt be made now; if so, which one is it? A trial's verdict must name it.
  enum class Pass : std::uint8_t { none, usual, trial };
  [[nodiscard]] Pass admit(Now now) noexcept;
  void succeeded() noexcept;
  struct Failed {
    Pass pass = Pass::usual;
    bool unreachable = false;     ///< nothing was sent: refused, no name, no TLS, no connection in time
    bool others = true;           ///< the request may go elsewhere; else a single failure does not keep its retries from the target
  };
  /// A failure of the upstream (not of the client's request).
  void failed(Now now, Failed how) noexcept;
  /// The attempt ended without a verdict (its client left, another answered first): a trial gives its place back.
  void abandoned(Pass pass) noexcept;
  [[nodiscard]] BreakerState state(Now now) const noexcept;

  /// When it opens and for how long; those above unless it is said. Any thread.
  void adopt(const BreakerRules& rules) noexcept;

  /// The last probe's word; a target without probes is always reachable. A probe that succeeds makes a breaker that opened because the target
  /// could not be reached half open at once.
  void probed(bool reachable) noexcept;
  [[nodiscard]] bool reachable() const noexcept { return reachable_.load(std::memory_order_relaxed); }

  /// Left out for a while because it fails more often than its peers (gateway/outliers.hpp).
  void eject(Now until) noexcept { ejected_until_ns_.store(until.time_since_epoch().count(), std::memory_order_relaxed); }
  [[nodiscard]] bool ejected(Now now) const noexcept { return now.time_since_epoch().count() < ejected_until_ns_.load(std::memory_order_relaxed); }

  std::atomic<bool> draining{false};             ///< an operator wants nothing new sent there
  std::atomic<bool> rate_noted{false};           ///< its provider said something of rate limits, or refused: its gates are worth asking
  std::atomic<std::uint32_t> window_attempts{0}, window_failures{0};   ///< since the last look; counted only where outliers are looked for
  std::atomic<std::uint32_t> in_flight{0};
  ConnectWatch connects;
  FirstAnswerTimes first_tokens, whole_answers;  ///< of streams and of the others; learned only where some route hedges
  std::atomic<bool> saturated{false};            ///< as routing last saw it: it takes no requests of others' overflow until it has room again

 private:
  std::atomic<int> failures_{0}, unreachable_{0};
  std::atomic<std::int64_t> open_until_ns_{0};   // 0: closed
  std::atomic<std::int64_t> open_for_ms_{open_for.count()};
  std::atomic<int> failures_allowed_{failures_max}, unreachable_allowed_{unreachable_max};
  std::atomic<std::int64_t> open_first_ms_{open_for.count()}, open_most_ms_{open_for_max.count()};
  std::atomic<bool> trial_under_way_{false}, opened_unreachable_{false};
  std::atomic<bool> reachable_{true};
  std::atomic<std::int64_t> ejected_until_ns_{0};
};

/// All targets' health by id; entries are made on demand and live as long as the board, so that a reload keeps what was learned.
class HealthBoard {
 public:
  [[nodiscard]] TargetHealth& of(NameId target);   ///< takes a lock: resolve once per snapshot
 private:
  std::mutex mutex_;
  std::map<NameId, std::unique_ptr<TargetHealth>> targets_;
};

}  // namespace tollgate
