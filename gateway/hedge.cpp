// A first attempt that may get a second one beside it: hedge_race.hpp decides, hedge_leg.cpp does the asking, here is what stands between the
// two: books, breakers, budgets, constraints. docs/resilience.md says what a client and the ledger see of it.

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <chrono>

#include "backends/socket_poll.hpp"
#include "gateway/hedge_legs.hpp"
#include "gateway/hedges.hpp"
#include "gateway/log.hpp"

namespace tollgate {

namespace {

using std::chrono::milliseconds;

/// An answer that has begun: what was received of it is read once more, then the rest.
class BegunTransfer final : public Transfer {
 public:
  BegunTransfer(std::unique_ptr<Transfer> rest, std::string received, bool complete)
      : rest_(std::move(rest)), received_(std::move(received)), complete_(complete) {
    received_.reserve(received_.size() + ChatParser::padding);
  }
  Task<Result<AnswerHead>> start(const Call& call) override { co_return co_await rest_->start(call); }
  Task<Result<std::string_view>> read() override {
    if (!std::exchange(given_, true) && !received_.empty()) co_return std::string_view(received_);
    received_ = std::string();
    if (complete_) co_return std::string_view{};
    co_return co_await rest_->read();
  }
  bool ended() const noexcept override { return given_ && (complete_ || (received_.empty() && rest_->ended())); }
  void abort(Fault why) noexcept override { rest_->abort(why); }

 private:
  std::unique_ptr<Transfer> rest_;
  std::string received_;
  bool complete_, given_ = false;
};

}  // namespace

Exchange::~Exchange() = default;

/// Of a request, only the first attempt: what follows a failure is in a hurry already.
bool Exchange::may_hedge() const {
  return !passed_ && plan_->rule != nullptr && plan_->rule->hedge.is_on && plan_->steps.size() > 1 && record_->row.attempts == 0;
}

milliseconds Exchange::hedge_after(const Target& target) const {
  const HedgeRules& rules = plan_->rule->hedge;
  const TargetHealth& health = serving_->health_of(target);
  const FirstAnswerTimes& times = chat_.stream ? health.first_tokens : health.whole_answers;
  const auto learned = times.percentile(rules.percentile, rules.samples_min);
  const milliseconds after = learned ? std::chrono::ceil<milliseconds>(*learned) : rules.unlearned_after;
  return std::clamp(after, rules.after_min, rules.after_max);
}

/// Of an attempt that answered, or was waited for longer than most: else those that are cut off would make the target look quick.
void Exchange::learn_first_answer() {
  const AttemptRow& attempt = record_->attempts[number_ - 1U];
  TargetHealth& health = serving_->health_of(*plan_->steps[step_].target);
  const bool streamed = chat_.stream && attempt.first_token_us > 0;
  if (chat_.stream && !streamed) return;
  const std::int64_t until = streamed ? attempt.first_token_us : attempt.ended_us;
  (streamed ? health.first_tokens : health.whole_answers).add(std::chrono::microseconds{until - attempt.started_us});
}

Task<Result<void>> Exchange::attempt_hedged() {
  const Target& target = *plan_->steps[step_].target;
  const MonoTime began = std::chrono::steady_clock::now();
  reactor_.hedges().share_of(plan_->route).request(plan_->rule->hedge.share_max);
  race_ = std::make_unique<Race>(*this, began, hedge_after(target), serving_->config->server.keepalive_comment);
  begin_attempt(target);
  Leg& first = race_->legs[HedgeRace::first];
  first.ticket = note_begun(target);
  first.began = began;
  Within::swap(*this, first);
  step_ = first.step;
  start_leg(first);
  for (;;) {
    if (client_.gone()) co_return cut_race_short(fail(Fault::client_gone, ""));
    if (!total_.is_set()) co_return cut_race_short(fail(Fault::upstream_timeout, "no answer within the time limit of the whole request"));
    heed_legs();
    const MonoTime now = std::chrono::steady_clock::now();
    const HedgeRace::Move move = race_->policy.next(now);
    switch (move.what) {
      case HedgeRace::Do::hedge:
        if (!begin_second()) race_->policy.no_second();
        continue;
      case HedgeRace::Do::comment:
        comment_for(move.leg);
        continue;
      case HedgeRace::Do::give_up:
        co_return end_race(move.leg);
      case HedgeRace::Do::take: {
        const Result<void> outcome = co_await take_answer_of(move.leg);
        co_return outcome;
      }
      case HedgeRace::Do::wait:
        break;
    }
    if (move.until) {
      race_->due.set(std::max(std::chrono::ceil<milliseconds>(*move.until - now), milliseconds{1}));
    } else {
      race_->due.clear();
    }
    co_await race_->wakeup.wait();
  }
}

void Exchange::start_leg(Leg& leg) {
  leg.over = false;
  asio::co_spawn(reactor_.context(), run_leg(leg), [this, &leg](const std::exception_ptr& failed) {
    if (!failed) return;
    leg.outcome = fail(Fault::internal, "an attempt ended by an exception");
    leg.over = true;
    race_->wake();
  });
}

/// Tells the race what became of the attempts since it was asked last.
void Exchange::heed_legs() {
  for (Leg& leg : race_->legs) {
    if (!leg.over || leg.heeded || leg.settled || leg.number == 0) continue;
    leg.heeded = true;
    if (leg.outcome) {
      race_->policy.answered(leg.which);
      continue;
    }
    const Error error = leg.outcome.error();
    settle_leg(leg, error);
    if (leg.which == HedgeRace::second) count_hedge(&error);
    static_cast<void>(policy(race_->legs[HedgeRace::first].step));   // the plan before it was skipped; what is beside it was not
    const bool asks = leg.which == HedgeRace::second || race_->policy.both_run();   // else forward() asks it
    const bool is_final = asks && facts_of(error.fault).again == Again::no && !may_fit_elsewhere(leg.step, error);
    race_->policy.failed(leg.which, is_final);
  }
}

bool Exchange::may_hedge_at(std::size_t step, MaskOrder& order) {
  const Step& next = plan_->steps[step];
  const MonoTime now = std::chrono::steady_clock::now();
  const TargetHealth& health = serving_->health_of(*next.target);
  const std::size_t first = race_->legs[HedgeRace::first].step;
  if (next.target->id == plan_->steps[first].target->id || next.is_saturated) return false;
  if (would_wake(*next.target, now)) return false;
  const Permission permission = permits(facts(), *serving_->config, *next.target);
  if (permission.forbidden_by != NameId::none) return false;
  order = permission.mask;
  // No trial, and nothing to a target that has trouble of its own: that would not be quicker.
  const bool up = health.state(now) == BreakerState::closed && health.reachable() && !health.draining.load(std::memory_order_relaxed) &&
                  !health.ejected(now) && !health.connects.stuck(now);
  if (!up || limited_for(*next.target).count() > 0) return false;
  return !admitted_ || afford(step, &first).has_value();
}

/// Whether one more request there starts a worker of a serverless pool, or waits for one that boots: dear, and no quicker than waiting.
bool Exchange::would_wake(const Target& target, MonoTime now) const {
  const TargetState& state = reactor_.target_states(*serving_, now)[serving_->index_of(target)];
  return state.worker == TargetState::Worker::starts || state.boot_wait.count() > 0;
}

/// Starts the second attempt. False: nobody may take it, or there were too many.
bool Exchange::begin_second() {
  Hedges& hedges = reactor_.hedges();
  HedgeShare& share = hedges.share_of(plan_->route);
  if (!share.take()) {
    hedges.count(plan_->route, NameId::none, Hedges::What::no_share);
    return false;
  }
  MaskOrder order;
  std::size_t step = race_->legs[HedgeRace::first].step + 1;
  const bool may = record_->row.attempts < serving_->config->attempts_max;
  while (may && step < plan_->steps.size() && !may_hedge_at(step, order)) ++step;
  if (!may || step >= plan_->steps.size()) {
    hedges.count(plan_->route, NameId::none, Hedges::What::no_target);
    share.give_back();
    return false;
  }
  const Target& target = *plan_->steps[step].target;
  const MonoTime now = std::chrono::steady_clock::now();
  Leg& leg = race_->legs[HedgeRace::second];
  leg.which = HedgeRace::second;
  leg.began = now;
  {
    const Within here(*this, leg);
    step_ = step;
    const bool ready = prepare_mask(order).has_value();
    if (ready && masks_) reactor_.books().will_mask(*record_);
    if (!ready || !reactor_.books().begin_hedge(*record_, target, serving_->config->backend_of(target), now, chat_.service_tier)) {
      share.give_back();
      return false;
    }
    leg.ticket = note_begun(target);
  }
  race_->policy.second_began(now);
  start_leg(leg);
  return true;
}

/// The other one is cut off, and paid for; what became of the second is known. Once.
void Exchange::decide_for(HedgeRace::Leg which) {
  if (race_->answered_by != HedgeRace::none) return;
  race_->answered_by = which;
  Leg& other = race_->legs[1U - which];
  if (other.number != 0 && !other.settled) {
    settle_leg(other, fail(Fault::hedge_lost, ""));
    race_->policy.failed(other.which, false);
  }
  if (race_->policy.has_second() && race_->second_failed.empty()) count_hedge(nullptr);
}

/// Nothing came for so long that the client gets a comment, and with it the head: the other attempt can no longer answer.
void Exchange::comment_for(HedgeRace::Leg which) {
  decide_for(which);
  race_->policy.committed(which, std::chrono::steady_clock::now());
  const Within here(*this, race_->legs[which]);
  silence(this);
  silence_.clear();
}

/// `which` has its first token or its whole answer: the other is cut off and paid for, and the answer goes on as any other.
Task<Result<void>> Exchange::take_answer_of(HedgeRace::Leg which) {
  Leg& leg = race_->legs[which];
  decide_for(which);
  remember_failure(race_->legs[1U - which]);
  race_->is_open = false;
  race_->due.clear();
  Within::swap(*this, leg);                // for good
  leg.settled = true;
  leg.reader.reset();
  transfer_ = std::make_unique<BegunTransfer>(std::move(transfer_), std::move(leg.received), leg.complete);
  const Step& step = plan_->steps[step_];
  Result<void> outcome = co_await rest_of_answer(step, leg.event_stream, leg.end);
  finish_attempt(*step.target, leg.ticket, outcome, leg.end);
  co_return outcome;
}

/// So that the plan goes on behind it, should the other one not do either.
void Exchange::remember_failure(const Leg& leg) {
  if (leg.number == 0 || !leg.heeded || leg.outcome) return;
  const Error& error = leg.outcome.error();
  AttemptPolicy::Failure failure;
  failure.kind = race_->policy.is_final(leg.which) ? std::nullopt : retry_kind_of(error.fault);
  failure.retry_after = error.retry_after;
  failure.other_key = leg.other_key;
  policy(leg.step).failed(leg.step, failure, retry_rules(plan_->steps[leg.step]), std::chrono::steady_clock::now(), static_cast<std::uint64_t>(id_));
}

/// None of them answered; `which` speaks for both. What failed beside it is remembered, so that the plan goes on behind it.
Result<void> Exchange::end_race(HedgeRace::Leg which) {
  race_->is_open = false;
  race_->due.clear();
  Leg& leg = race_->legs[which];
  Leg& other = race_->legs[1U - which];
  if (other.number != 0 && !other.settled) {
    decide_for(which);
  } else {
    remember_failure(other);
  }
  const Error error = leg.outcome.error();
  Within::swap(*this, leg);                // whose failure is spoken of: forward() goes on from it
  return error;
}

/// The client left, or the time is up.
Result<void> Exchange::cut_race_short(const Error& why) {
  race_->is_open = false;
  race_->due.clear();
  bool second_ran = false;
  for (Leg& leg : race_->legs) {
    if (leg.number == 0 || leg.settled) continue;
    second_ran = second_ran || leg.which == HedgeRace::second;
    settle_leg(leg, why);
  }
  if (second_ran) reactor_.hedges().count(plan_->route, plan_->steps[race_->legs[HedgeRace::second].step].target->id, Hedges::What::cut_short);
  Within::swap(*this, race_->legs[HedgeRace::first]);
  return why;
}

/// Ends an attempt in the books and for everyone who counts it, and cuts its call off. Does not wait for its coroutine.
void Exchange::settle_leg(Leg& leg, const Error& why) {
  leg.settled = true;
  const Target& target = *plan_->steps[leg.step].target;
  note_leg_usage(leg, why);
  const bool lost = why.fault == Fault::hedge_lost;
  {
    const Within here(*this, leg);
    if (transfer_) transfer_->abort(why.fault);
    serving_->health_of(target).in_flight.fetch_sub(1, std::memory_order_relaxed);
    const Result<void> outcome = why;
    judge(target, outcome);
    leg.end.result = RowResult::of(why.fault);
    leave_engine(target, leg.ticket, leg.end);
    end_attempt(leg.end);
  }
  const auto waited = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - leg.began);
  TargetHealth& health = serving_->health_of(target);
  FirstAnswerTimes& times = chat_.stream ? health.first_tokens : health.whole_answers;
  // It was cut off, so nobody knows how long it would have taken; where that is longer than most, it is worth a sample.
  if (lost && waited >= hedge_after(target)) times.add(waited);
  if (leg.over) leg.transfer.reset();
  leg.reader.reset();
}

/// What was used of an attempt that does not answer: as of any that is cut off, and where its answer had not begun, its prompt.
void Exchange::note_leg_usage(Leg& leg, const Error& why) {
  const Within here(*this, leg);
  if (leg.reader) {
    take_usage(*leg.reader, false, why, leg.end);
    return;
  }
  if (why.fault != Fault::hedge_lost) return;
  const bool sent = leg.has_head || (transfer_ != nullptr && transfer_->sent());
  leg.end.usage = sent ? estimated(leg.received.size()) : Usage{};
  leg.end.usage_source = sent ? UsageSource::estimated : UsageSource::exact;
  if (!leg.over || leg.event_stream) return;
  const Dialect& dialect = dialect_for(serving_->config->backend_of(*plan_->steps[step_].target));
  leg.received.reserve(leg.received.size() + ChatParser::padding);
  const Result<Answer> answer = dialect.read_answer(surface_, leg.received);   // both came at once
  if (!answer || answer.value().usage_source == UsageSource::none) return;
  leg.end.usage = answer.value().usage;
  leg.end.usage_source = answer.value().usage_source;
}

/// What became of the second attempt: it failed so, or the one that answered is known.
void Exchange::count_hedge(const Error* failed) {
  const NameId target = plan_->steps[race_->legs[HedgeRace::second].step].target->id;
  Hedges::What what = race_->answered_by == HedgeRace::second ? Hedges::What::won : Hedges::What::lost;
  if (failed != nullptr) {
    what = Hedges::What::failed;
    race_->second_failed = std::string(facts_of(failed->fault).name);
  }
  reactor_.hedges().count(plan_->route, target, what);
}

bool Exchange::hedge_won() const { return race_ && race_->answered_by == HedgeRace::second; }

std::string Exchange::hedged() const {
  if (!race_ || !race_->policy.has_second()) return {};
  const auto name = [&](HedgeRace::Leg leg) {
    // The one that was taken has changed places with what the exchange had; nothing else of it is needed but its row.
    return std::string(text(record_->attempts[leg].target));
  };
  const std::string waited = std::to_string(race_->policy.waited().count()) + " ms";
  if (race_->answered_by == HedgeRace::second) return "hedged: " + name(HedgeRace::first) + " had not answered after " + waited + "; ";
  const std::string hedge = "hedge at " + name(HedgeRace::second) + " after " + waited;
  if (!race_->second_failed.empty()) return hedge + " failed (" + race_->second_failed + "); ";
  return hedge + " lost; ";
}

void Exchange::abort_race(Fault why) {
  if (!race_->is_open) return;
  for (Leg& leg : race_->legs) {
    if (!leg.settled && leg.transfer) leg.transfer->abort(why);
  }
  race_->wake();
}

/// No attempt's coroutine may outlive what it was given.
Task<void> Exchange::race_over() {
  while (!race_->legs[0].over || !race_->legs[1].over) co_await race_->wakeup.wait();
}

}  // namespace tollgate
