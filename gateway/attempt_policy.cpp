#include "gateway/attempt_policy.hpp"

#include <algorithm>

namespace tollgate {

using std::chrono::milliseconds;

std::optional<RetryOn> retry_kind_of(Fault fault) noexcept {
  switch (fault) {
    case Fault::upstream_busy:
      return RetryOn::busy;
    case Fault::upstream_status:
      return RetryOn::error;
    case Fault::upstream_unreachable:
      return RetryOn::unreachable;
    case Fault::upstream_broke_off:
      return RetryOn::broke_off;
    case Fault::upstream_timeout:
      return RetryOn::timeout;
    case Fault::upstream_garbage:
      return RetryOn::garbage;
    default:
      return std::nullopt;
  }
}

std::string_view name_of(RetryOn kind) noexcept {
  switch (kind) {
    case RetryOn::busy:
      return "busy";
    case RetryOn::error:
      return "error";
    case RetryOn::unreachable:
      return "unreachable";
    case RetryOn::broke_off:
      return "broke_off";
    case RetryOn::timeout:
      return "timeout";
    case RetryOn::garbage:
      return "garbage";
  }
  return "error";
}

milliseconds backoff(const RetryRules& rules, unsigned retry, std::uint64_t dice) noexcept {
  constexpr unsigned doublings_max = 20;
  const unsigned doublings = std::min(retry == 0 ? 0 : retry - 1, doublings_max);
  const std::int64_t whole = std::min<std::int64_t>(rules.first.count() << doublings, rules.longest.count());
  // Fibonacci hashing: ids that follow one another are spread.
  const std::uint64_t spread = (dice + retry) * 0x9E37'79B9'7F4A'7C15ULL >> 32;
  return milliseconds{whole - static_cast<std::int64_t>(spread % static_cast<std::uint64_t>(whole / 2 + 1))};
}

void AttemptPolicy::failed(std::size_t index, const Failure& failure, const RetryRules& rules, Time now, std::uint64_t dice) {
  Step& step = steps_[index];
  ++step.tries;
  step.at_once = failure.other_key;
  if (failure.other_key) return;
  if (!failure.kind || !rules.covers(*failure.kind) || step.tries > rules.retries) {
    step.closed = true;
    return;
  }
  milliseconds wait = backoff(rules, step.tries, dice);
  if (failure.retry_after) {
    if (*failure.retry_after > rules.longest) {
      step.closed = true;
      return;
    }
    const milliseconds scatter = backoff({.first = rules.first, .longest = rules.first}, step.tries, dice) / 4;
    wait = std::max(wait, *failure.retry_after + scatter);      // never sooner than asked, and not all at the same moment
  }
  step.stays = rules.same_first;
  step.not_before = now + wait;
}

void AttemptPolicy::postpone(std::size_t index, Time until) {
  Step& step = steps_[index];
  if (step.was_postponed) return;
  step.was_postponed = step.postponed = true;
  step.at_once = false;
  step.not_before = until;
}

bool AttemptPolicy::take_postponed(std::size_t index) {
  const bool was = steps_[index].postponed;
  steps_[index].postponed = false;
  return was;
}

bool AttemptPolicy::in_time(const Step& step, Time now) const noexcept { return std::max(step.not_before, now) < deadline_; }

AttemptPolicy::Move AttemptPolicy::next(Time now) const {
  const auto move_to = [&](const Step& step) {
    Move move;
    move.step = static_cast<std::size_t>(&step - steps_.data());
    move.again = step.tries > 0;
    if (!step.at_once && step.not_before > now) {
      move.wait = std::chrono::ceil<milliseconds>(step.not_before - now);
    }
    return move;
  };
  if (now >= deadline_) return {};
  const auto open = [](const Step& step) { return !step.closed; };
  for (const Step& step : steps_) {
    if (open(step) && step.at_once) return move_to(step);
  }
  for (const Step& step : steps_) {
    if (open(step) && step.tries > 0 && step.stays && in_time(step, now)) return move_to(step);
  }
  for (const Step& step : steps_) {
    if (open(step) && step.tries == 0 && step.not_before <= now) return move_to(step);
  }
  const Step* soonest = nullptr;
  for (const Step& step : steps_) {
    if (!open(step) || !in_time(step, now)) continue;
    if (soonest == nullptr || step.not_before < soonest->not_before) soonest = &step;
  }
  return soonest == nullptr ? Move{} : move_to(*soonest);
}

}  // namespace tollgate
