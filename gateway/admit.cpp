// Admission: rate limits, the client's own bound on cost, budgets; and what they are told when attempts and the request
// are over. A request that none of them concerns costs two relaxed loads and a look at its headers.

#include <boost/asio/as_tuple.hpp>
#include <chrono>

#include "config/decimal.hpp"
#include "gateway/exchange.hpp"
#include "gateway/log.hpp"
#include "gateway/reply.hpp"
#include "router/worst_case.hpp"

namespace tollgate {

namespace {

constexpr std::string_view cost_max_header = "x-tollgate-max-cost-usd";
constexpr std::chrono::milliseconds hold_wait_first{2}, hold_wait_most{50};  // how often a waiting request asks again
constexpr std::int64_t second_us = 1'000'000;

std::string quoted(NameId name) { return "'" + std::string(text(name)) + "'"; }

/// "2026-12-01T00:00:00Z"
std::string time_of(std::int64_t us) {
  const std::time_t seconds = (us + second_us - 1) / second_us;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char written[32];
  return {written, std::strftime(written, sizeof written, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

/// When a refused request may be sent again.
std::string wait_text(const BudgetRefusal& refusal) {
  if (refusal.resets_us == BudgetWindows::never) return "no reset of the budget will allow it";
  return std::string(refusal.rolling ? "enough comes free at " : "it resets at ") + time_of(refusal.resets_us);
}

Error budget_error(const BudgetRefusal& refusal, bool waited, std::int64_t now_us) {
  std::string message = "the budget " + quoted(refusal.budget) + " of $" + decimal_text(refusal.limit);
  if (!refusal.needed_known) {
    message += " allows no attempt whose cost is not known, and what " + std::string(text(refusal.target)) +
               " costs for this request is not: give it prices, or the budget an unpriced_usd";
    return fail(Fault::over_budget, std::move(message));
  }
  const UsdSum used = refusal.spent + refusal.held;
  const UsdSum left = used >= UsdSum{refusal.limit} ? UsdSum{} : UsdSum{refusal.limit} - used;
  message += " has $" + decimal_text(left) + " left ($" + decimal_text(refusal.spent) + " spent, $" +
             decimal_text(refusal.held) + " reserved by requests under way); this request may cost up to $" +
             decimal_text(refusal.needed) + " at " + std::string(text(refusal.target)) + "; ";
  if (waited) {
    message += "it waited for others to end in vain";
    Error error = fail(Fault::over_budget, std::move(message));
    error.retry_after = std::chrono::seconds{1};
    return error;
  }
  Error error = fail(Fault::over_budget, message + wait_text(refusal));
  if (refusal.resets_us != BudgetWindows::never && refusal.resets_us > now_us) {
    error.retry_after = std::chrono::milliseconds{(refusal.resets_us - now_us + 999) / 1000};
  }
  return error;
}

/// A shared budget of which nobody can say what is left.
Error store_error(const BudgetRefusal& refusal) {
  Error error = fail(Fault::over_budget, "what is left of the budget " + quoted(refusal.budget) +
                                             " is not known: the store that the gateways share it in does not answer, and what this one had leased is used up");
  error.http_status = 503;
  error.retry_after = std::chrono::seconds{1};
  return error;
}

Error rate_error(const RateRefusal& refusal) {
  const std::string limit = "the limit " + quoted(refusal.limit) + " allows " + std::to_string(refusal.allowed) + " ";
  if (!refusal.retry_after) {
    return fail(Fault::rate_limited, limit + std::string(name_of(refusal.kind)) +
                                         " per minute, and this request alone asks for up to " +
                                         std::to_string(refusal.asked) + ": send less, or a smaller max_tokens");
  }
  const std::string what =
      refusal.kind == LimitKind::concurrent ? "requests at once" : std::string(name_of(refusal.kind)) + " per minute";
  Error error = fail(Fault::rate_limited, limit + what + "; try again in " + duration_text(*refusal.retry_after));
  error.retry_after = std::chrono::ceil<std::chrono::milliseconds>(*refusal.retry_after);
  return error;
}

/// Whether a request goes on waiting for what others hold, or for a lease.
bool is_worth_waiting(const BudgetRefusal& refusal, MonoTime begun, MonoTime now) {
  if (refusal.for_lease) return now - begun < refusal.grant_wait;
  if (refusal.unreachable) return false;
  const bool store_has_said = !refusal.shared || refusal.asked_at > begun || now - begun >= refusal.grant_wait;
  return now - begun < refusal.wait_max || !store_has_said;
}

// What is used up is 402; what nobody can tell, for the store does not answer, is not.
Error refusal_error(const BudgetRefusal& refusal, MonoTime begun, bool waited, std::int64_t now_us) {
  const bool unknown = refusal.for_lease || (refusal.shared && waited && (refusal.unreachable || refusal.asked_at < begun));
  return unknown ? store_error(refusal) : budget_error(refusal, waited, now_us);
}

void append_rate(std::string& lines, std::string_view what, const RateState& state) {
  if (state.limit == 0) return;
  const auto add = [&](std::string_view kind, const std::string& value) {
    append_header(lines, "x-ratelimit-" + std::string(kind) + "-" + std::string(what), value);
  };
  add("limit", std::to_string(state.limit));
  add("remaining", std::to_string(state.remaining));
  add("reset", duration_text(state.reset));
}

}  // namespace

bool Exchange::needs_admission() const {
  const Guards& guards = reactor_.guards();
  return guards.limits.any() || guards.budgets.any() || !head_.field(cost_max_header).empty();
}

Payer Exchange::payer() const { return {caller_.key, caller_.team, record_->row.model, plan_->route}; }

Task<Result<void>> Exchange::admit() {
  Guards& guards = reactor_.guards();
  admitted_ = std::make_unique<Admitted>(guards);
  if (guards.limits.any()) {
    TOLLGATE_CO_TRY(co_await take_rate());
  }
  if (cache_ && cache_->answer) co_return success();   // it costs nothing, and gives its tokens back
  weigh_steps(std::chrono::steady_clock::now());
  TOLLGATE_CO_TRY(heed_cost_max());
  if (guards.budgets.any()) co_return co_await take_hold();
  co_return success();
}

/// A pause of a request that waits for others or for the store; each is longer than the one before.
Task<Result<void>> Exchange::look_again_in(std::chrono::milliseconds& pause) {
  client_.watch(&Exchange::client_left, this);
  Timer timer(reactor_.context().get_executor(), pause);
  co_await timer.async_wait(asio::as_tuple(use_task));
  if (client_.gone()) co_return fail(Fault::client_gone, "");
  pause = std::min(pause * 2, hold_wait_most);
  co_return success();
}

// Of a limit that is shared this gateway may have leased too little; then the store is asked, and the request looks again.
Task<Result<void>> Exchange::take_rate() {
  RateLimits& limits = reactor_.guards().limits;
  const MonoTime begun = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause = hold_wait_first;
  for (;;) {
    const MonoTime now = std::chrono::steady_clock::now();
    const std::optional<RateRefusal> refused = admitted_->permit.admit(payer(), tokens_to_reserve(chat_), now);
    const bool waits = refused && refused->for_lease && now - begun < reactor_.guards().grant_wait;
    if (waits) {
      TOLLGATE_CO_TRY(co_await look_again_in(pause));
      continue;
    }
    admitted_->rates = limits.states_of(payer(), now);
    if (refused) co_return rate_error(*refused);
    co_return success();
  }
}

void Exchange::weigh_steps(MonoTime now) {
  const std::span<const TargetState> states = reactor_.target_states(*serving_, now);
  for (const Step& step : plan_->steps) {
    const Target& target = *step.target;
    const WorstCase worst = worst_case_of(chat_, passed_ ? passed_->body.size() : body_.size(), target, serving_->config->backend_of(target),
                                          states[serving_->index_of(target)]);
    admitted_->needs.push_back(
        {target.id, worst.charge, worst.known, step.forecast, step.forecast_known, NameId::none});
  }
}

void Exchange::rule_out(std::size_t step, Why why, NameId by) {
  rule_out_step(*plan_, step, why, by);
  admitted_->needs.erase(admitted_->needs.begin() + static_cast<std::ptrdiff_t>(step));
}

Result<void> Exchange::heed_cost_max() {
  const std::string_view said = head_.field(cost_max_header);
  if (said.empty()) return success();
  const Result<Usd> most = parse_usd(said);
  if (!most || most.value() < Usd{}) {
    return fail(Fault::bad_request,
                "the header x-tollgate-max-cost-usd must be a decimal number of USD that is not negative, such as 0.05",
                std::string(cost_max_header));
  }
  admitted_->cost_max = most.value();
  std::optional<StepNeed> nearest;
  for (std::size_t i = plan_->steps.size(); i-- > 0;) {
    const StepNeed need = admitted_->needs[i];
    if (need.worst_known && need.worst <= most.value()) continue;
    if (!nearest || (need.worst_known && (!nearest->worst_known || need.worst < nearest->worst))) nearest = need;
    rule_out(i, Why::max_cost, NameId::none);
  }
  if (!plan_->steps.empty()) return success();
  const std::string least = nearest->worst_known ? "may cost up to $" + decimal_text(nearest->worst) + " at " +
                                                       std::string(text(nearest->target)) + ", the least of its targets"
                                                 : "may cost an amount that is not known";
  return fail(Fault::over_budget,
              "this request " + least + "; x-tollgate-max-cost-usd allows $" + decimal_text(most.value()) +
                  ": allow more, or set a smaller max_tokens",
              std::string(cost_max_header));
}

// Where only what other requests hold stands in the way, the request waits for them: they will need less than they
// hold.
Task<Result<void>> Exchange::take_hold() {
  Budgets& budgets = reactor_.guards().budgets;
  const MonoTime begun = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause = hold_wait_first;
  for (;;) {
    const BudgetClock now = BudgetClock::now();
    const Admission admission =
        admitted_->hold.admit(payer(), id_, arrived_us_, {admitted_->needs.data(), admitted_->needs.size()}, now);
    if (admission.outcome == Admission::Outcome::held) {
      heed_budgets(admission);
      co_return success();
    }
    const bool waits = admission.outcome == Admission::Outcome::wait;
    if (!waits || !is_worth_waiting(*admission.refusal, begun, now.mono)) {
      budgets.note_refused(admission.refusal->budget);
      for (std::size_t i = plan_->steps.size(); i-- > 0;) rule_out(i, Why::budget, admitted_->needs[i].dropped_by);
      co_return refusal_error(*admission.refusal, begun, waits, now.wall_us);
    }
    TOLLGATE_CO_TRY(co_await look_again_in(pause));
  }
}

/// Before an attempt that needs more than is held, as after one that failed: the budget may have it where the lease has not.
Task<Result<void>> Exchange::wait_for_lease(std::size_t step) {
  const MonoTime begun = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause = hold_wait_first;
  for (;;) {
    const BudgetClock now = BudgetClock::now();
    if (!admitted_->hold.must_lease(admitted_->needs[step], now)) co_return success();
    if (now.mono - begun >= reactor_.guards().grant_wait) co_return success();   // afford() says what is the matter
    TOLLGATE_CO_TRY(co_await look_again_in(pause));
  }
}

void Exchange::heed_budgets(const Admission& admission) {
  for (std::size_t i = plan_->steps.size(); i-- > 0;) {
    if (const NameId by = admitted_->needs[i].dropped_by; by != NameId::none) rule_out(i, Why::budget, by);
  }
  admitted_->warning = admission.warning;
  if (!admission.first_warning) return;
  log_event(LogLevel::warn, "a soft budget is used up",
            {{"budget", std::string(text(admission.warning))}, {"request_id", std::string(id_text_.view())}});
}

/// Before every attempt: what came before it has taken its part, and what is under way (`beside`, a step) may still take its own.
Result<void> Exchange::afford(std::size_t step, const std::size_t* beside) {
  const StepNeed& need = admitted_->needs[step];
  const StepNeed* const other = beside == nullptr ? nullptr : &admitted_->needs[*beside];
  const UsdSum under_way = other == nullptr ? UsdSum{} : UsdSum{other->worst};
  if (admitted_->cost_max && UsdSum{record_->total()} + under_way + need.worst > UsdSum{*admitted_->cost_max}) {
    return fail(Fault::over_budget, "another attempt might pass what x-tollgate-max-cost-usd allows",
                std::string(cost_max_header));
  }
  if (const std::optional<NameId> budget = admitted_->hold.cover(need, BudgetClock::now(), other)) {
    if (beside == nullptr) reactor_.guards().budgets.note_refused(*budget);
    return fail(Fault::over_budget, "the budget " + quoted(*budget) + " has not enough left for another attempt");
  }
  return success();
}

AttemptCost Exchange::cost_of(const AttemptRow& attempt) const {
  AttemptCost cost;
  cost.target = attempt.target;
  cost.usd = attempt.charge.total();
  cost.known = attempt.pricing != Pricing::unpriced;
  cost.request_bytes = record_->row.input_bytes;
  for (const Target& target : serving_->config->targets) {
    if (target.id == attempt.target && target.prices) cost.priced = &target;
  }
  return cost;
}

void Exchange::charge_budgets(bool is_last) {
  if (!admitted_) return;
  admitted_->hold.charge(cost_of(record_->attempts[number_ - 1U]));
  if (is_last) give_back();
}

/// No other attempt will come. Before the client can know, so that its next request finds what this one no longer
/// needs.
void Exchange::give_back() {
  if (!admitted_) return;
  admitted_->hold.release();
  admitted_->permit.settle(tokens_used(), std::chrono::steady_clock::now());
}

/// Budgets that came into force while a request was under way count it too; before the ledger has it.
void Exchange::charge_unheld() {
  Budgets& budgets = reactor_.guards().budgets;
  if (!plan_ || !budgets.any() || (admitted_ && admitted_->hold.is_held())) return;
  for (unsigned i = 0; i < record_->row.attempts; ++i) {
    budgets.charge_unheld(payer(), id_, arrived_us_, cost_of(record_->attempts[i]));
  }
}

std::int64_t Exchange::tokens_used() const {
  std::int64_t sum = 0;
  for (unsigned i = 0; i < record_->row.attempts; ++i) {
    const Usage& usage = record_->attempts[i].usage;
    sum += usage.total_input().count() + usage.total_output().count();
  }
  return sum;
}

void Exchange::append_admission_headers(std::string& lines) const {
  if (!admitted_) return;
  append_rate(lines, "requests", admitted_->rates.requests);
  append_rate(lines, "tokens", admitted_->rates.tokens);
  if (admitted_->warning != NameId::none) append_header(lines, "x-tollgate-budget-warning", text(admitted_->warning));
}

}  // namespace tollgate
