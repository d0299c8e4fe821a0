#pragma once
// What follows a failed attempt: the next target at once, the same or an earlier one after a while, or the end. Decides only; no I/O,
// no clock. One per request, made when its first attempt fails: requests that succeed at once never have one.
//
//    AttemptPolicy policy(steps, deadline);
//    policy.failed(step, {RetryOn::busy, retry_after}, rules, now, dice);
//    AttemptPolicy::Move move = policy.next(now);      // wait move.wait, then attempt move.step; or give up
//
// Law: no wait ends past the deadline, and none is longer than the rules' longest; a target that asks for a longer one is not asked again.

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <cstdint>
#include <optional>

#include "config/resilience.hpp"
#include "config/result.hpp"

namespace tollgate {

/// What kind of failure it was, for RetryRules::on; nullopt: asking the same target again would not help.
[[nodiscard]] std::optional<RetryOn> retry_kind_of(Fault fault) noexcept;
[[nodiscard]] std::string_view name_of(RetryOn kind) noexcept;

/// The wait before retry number `retry` (1 …): first x 2^(retry-1), at most longest, of which `dice` takes off up to half: clients that
/// failed together do not come back together.
[[nodiscard]] std::chrono::milliseconds backoff(const RetryRules& rules, unsigned retry, std::uint64_t dice) noexcept;

class AttemptPolicy {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Failure {
    std::optional<RetryOn> kind;                                   ///< nullopt: not to be asked again
    std::optional<std::chrono::milliseconds> retry_after{};        ///< as the upstream asked
    bool other_key = false;                                        ///< another key of the same backend may be tried at once
  };
  struct Move {
    static constexpr std::size_t give_up = SIZE_MAX;
    std::size_t step = give_up;
    std::chrono::milliseconds wait{0};
    bool again = false;                                            ///< this target was asked before
  };

  AttemptPolicy(std::size_t steps, Time deadline) : steps_(steps), deadline_(deadline) {}

  /// An attempt at `step` ended so.
  void failed(std::size_t step, const Failure& failure, const RetryRules& rules, Time now, std::uint64_t dice);
  /// `step` may not be attempted in this request (any more).
  void close(std::size_t step) { steps_[step].closed = true; }
  /// `step` may be attempted from then on, but not sooner; once: a second time closes it. Whether it is postponed is told by the next
  /// take_postponed().
  void postpone(std::size_t step, Time until);
  [[nodiscard]] bool take_postponed(std::size_t step);
  [[nodiscard]] Move next(Time now) const;

 private:
  struct Step {
    std::uint8_t tries = 0;      // attempts that failed
    bool closed = false;
    bool at_once = false;        // with another key
    bool stays = false;          // the rules want the same target before others
    bool postponed = false, was_postponed = false;
    Time not_before{};
  };
  [[nodiscard]] bool in_time(const Step& step, Time now) const noexcept;

  boost::container::small_vector<Step, 4> steps_;
  Time deadline_;
};

}  // namespace tollgate
