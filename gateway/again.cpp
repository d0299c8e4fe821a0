// What follows a failed attempt of a request: where the next one goes and how long it waits. attempt_policy.hpp decides.

#include <bit>
#include <boost/asio/as_tuple.hpp>
#include <chrono>

#include "backends/upstream_error.hpp"
#include "gateway/exchange.hpp"
#include "gateway/resilience_counts.hpp"

namespace tollgate {

RetryRules Exchange::retry_rules(const Step& step) const {
  const RetryRules& below = serving_->config->backend_of(*step.target).retry;
  return plan_->rule == nullptr ? below : plan_->rule->retry.over(below);
}

/// The steps before the first that is attempted were skipped, and would be again.
AttemptPolicy& Exchange::policy(std::size_t step) {
  if (!policy_) {
    const auto total = serving_->config->backend_of(*plan_->steps.front().target).timeouts.total;
    policy_ = std::make_unique<AttemptPolicy>(plan_->steps.size(), read_at_ + total);
    for (std::size_t skipped = 0; skipped < step; ++skipped) policy_->close(skipped);
  }
  return *policy_;
}

/// The step after one that may not be attempted.
AttemptPolicy::Move Exchange::after_skip(std::size_t step) {
  if (!policy_) {
    AttemptPolicy::Move move;
    move.step = step + 1;
    return move;
  }
  if (!policy_->take_postponed(step)) policy_->close(step);
  return policy_->next(std::chrono::steady_clock::now());
}

/// By what the target's last attempt ended with.
void Exchange::count_retry(NameId target, bool with_other_key) {
  using What = ResilienceCounts::What;
  What what = What::key;
  for (unsigned i = record_->row.attempts; i > 0 && !with_other_key; --i) {
    const AttemptRow& attempt = record_->attempts[i - 1];
    if (attempt.target != target) continue;
    const auto kind = retry_kind_of(static_cast<Fault>(attempt.result.value));
    what = static_cast<What>(std::countr_zero(static_cast<unsigned>(kind.value_or(RetryOn::error))));
    break;
  }
  reactor_.resilience_counts().count(target, what);
}

/// The step after an attempt that failed with `error`.
AttemptPolicy::Move Exchange::after_failure(std::size_t step, const Error& error) {
  const MonoTime now = std::chrono::steady_clock::now();
  AttemptPolicy::Failure failure;
  failure.kind = retry_kind_of(error.fault);
  failure.retry_after = error.retry_after;
  failure.other_key = other_key_;
  AttemptPolicy& known = policy(step);
  known.failed(step, failure, retry_rules(plan_->steps[step]), now, static_cast<std::uint64_t>(id_));
  AttemptPolicy::Move move = known.next(now);
  if (kept_ && move.wait.count() > 0) move = {};      // an answer is at hand: the client does not wait for a better one to be possible
  if (move.again) count_retry(plan_->steps[move.step].target->id, move.step == step && other_key_);
  return move;
}

/// What a target refused for what the request holds may suit another one: a longer context, a larger body, or another provider's content
/// filter if the route says so; and a model that is not there is not the request's fault. Closes the steps that it would not suit. False: none is left.
bool Exchange::may_fit_elsewhere(std::size_t step, const Error& error) {
  if (error.fault != Fault::upstream_refused) return false;
  const bool too_long = error.code == context_length_code, filtered = error.code == content_filter_code;
  if (filtered && (plan_->rule == nullptr || plan_->rule->on_filter == OnFilter::refuse)) return false;
  constexpr int content_too_large = 413;
  const bool too_large = error.http_status == content_too_large, unknown = error.code == model_unknown_code;
  if (!too_long && !filtered && !too_large && !unknown) return false;
  const Target& refused = *plan_->steps[step].target;
  const auto suits = [&](const Target& target) {
    if (filtered) return target.backend != refused.backend;
    const bool longer = target.context_tokens == 0 || refused.context_tokens == 0 || target.context_tokens > refused.context_tokens;
    return target.id != refused.id && (longer || too_large || unknown);
  };
  AttemptPolicy& known = policy(step);
  for (std::size_t other = 0; other < plan_->steps.size(); ++other) {
    if (other != step && !suits(*plan_->steps[other].target)) known.close(other);
  }
  known.close(step);
  if (known.next(std::chrono::steady_clock::now()).step == AttemptPolicy::Move::give_up) return false;
  using What = ResilienceCounts::What;
  What what = too_long ? What::context_length : What::content_filter;
  if (too_large) what = What::too_large;
  if (unknown) what = What::model_unknown;
  reactor_.resilience_counts().count(refused.id, what);
  return true;
}

/// Of this request at the target of the current attempt: how many, and how the last of them ended.
std::pair<unsigned, RowResult> Exchange::earlier_attempts() const {
  unsigned before = 0;
  RowResult result;
  if (record_ == nullptr) return {before, result};      // counting tokens has no row
  const OpenRequest& open = *record_;
  for (unsigned i = 0; i + 1U < number_; ++i) {
    if (open.attempts[i].target != plan_->steps[step_].target->id) continue;
    ++before;
    result = open.attempts[i].result;
  }
  return {before, result};
}

/// "retry 1 after upstream_busy; ": for the reason of an attempt that is not its target's first.
std::string Exchange::retried() const {
  const auto [before, result] = earlier_attempts();
  if (before == 0) return {};
  return "retry " + std::to_string(before) + " after " + std::string(result.name()) + "; ";
}

/// Nothing is under way meanwhile; ends early when the client leaves.
Task<void> Exchange::pause(std::chrono::milliseconds time) {
  Timer timer(reactor_.context().get_executor(), time);
  pause_ = &timer;
  co_await timer.async_wait(asio::as_tuple(use_task));
  pause_ = nullptr;
}

}  // namespace tollgate
