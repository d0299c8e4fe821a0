#include "gateway/own_call.hpp"

#include <algorithm>
#include <chrono>

#include "backends/billed_time.hpp"
#include "backends/reported_cost.hpp"
#include "gateway/log.hpp"
#include "gateway/reactor.hpp"
#include "gateway/unix_time.hpp"
#include "metrics/pricing.hpp"
#include "router/constraints.hpp"
#include "router/worst_case.hpp"

namespace tollgate {
namespace {

constexpr std::size_t answer_bytes_max = 1024 * 1024;
constexpr std::size_t refusal_bytes_max = 64 * 1024;

}  // namespace

OwnCall::OwnCall(Purpose why, const Target& whom, NameId on_route, Guards& guards)
    : purpose(why), target(&whom), route(on_route), id_text{}, hold(guards.budgets) {}

OwnCalls::OwnCalls(Reactor& reactor, ServingPtr serving, const Account& account)
    : reactor_(reactor), serving_(std::move(serving)), config_(*serving_->config), account_(account), total_(reactor.wheel(), &OwnCalls::out_of_time, this) {}

Payer OwnCalls::payer(const OwnCall& call) const { return {account_.key, account_.team, account_.model, call.route}; }

Task<Result<void>> OwnCalls::make(OwnCall& call, const RequestFacts& facts) {
  Result<void> outcome = open(call, facts);
  if (!outcome) co_return outcome;
  const Backend& backend = config_.backend_of(*call.target);
  TargetHealth& health = serving_->health_of(*call.target);
  health.in_flight.fetch_add(1, std::memory_order_relaxed);
  EngineLoad& load = serving_->engines[call.target->backend]->load;
  const EngineLoad::Ticket ticket = load.begin(1, true);
  total_.set(backend.timeouts.total);
  outcome = co_await send(call);
  total_.clear();
  transfer_.reset();
  health.in_flight.fetch_sub(1, std::memory_order_relaxed);
  if (!outcome) call.end.result = RowResult::of(outcome.error().fault);
  const bool refused = call.end.http_status / 100 == 4 || nothing_sent(call.end.result);
  load.end(ticket, refused ? Usage{} : call.end.usage, refused || call.end.usage_source == UsageSource::exact);
  close(call, outcome);
  co_return outcome;
}

// All that must hold before anything is sent; the last of it is the ledger's slot.
Result<void> OwnCalls::open(OwnCall& call, const RequestFacts& facts) {
  if (stopped_) return Error(Fault::draining, "");
  call.body.reserve(call.body.size() + ChatParser::padding);
  TOLLGATE_TRY(reactor_.parser().parse(call.body, call.surface, call.chat, call.map));
  call.id = next_request_id(reactor_.index());
  call.id_text = text(call.id);
  TOLLGATE_TRY(take_hold(call));
  RequestOpened opened{call.id, unix_micros(), account_.model, account_.team, account_.key, call.surface, false, static_cast<std::int32_t>(call.body.size())};
  opened.purpose = call.purpose;
  call.began = std::chrono::steady_clock::now();
  Books& books = reactor_.books();
  call.record = books.open(opened);
  call.opened = call.record != nullptr;
  if (call.record == nullptr) return fail(Fault::ledger_full, "the ledger takes no more");
  if (config_.rules != NameId::none) books.covered(*call.record, config_.rules, covered_by(facts, config_));
  books.decided(*call.record, call.route, account_.complexity.score, account_.complexity.tier);
  reactor_.constraint_counts().attempted(config_, call.record->row.covered);
  books.begin_attempt(*call.record, *call.target, config_.backend_of(*call.target), call.began);
  return success();
}

// No client waits for it, so it waits for nobody: what does not fit now is left out, also of a budget that only warns.
Result<void> OwnCalls::take_hold(OwnCall& call) {
  if (!reactor_.guards().budgets.any()) return success();
  const Target& target = *call.target;
  const std::span<const TargetState> states = reactor_.target_states(*serving_, std::chrono::steady_clock::now());
  const WorstCase worst = worst_case_of(call.chat, call.body.size(), target, config_.backend_of(target),
                                        states[serving_->index_of(target)]);
  StepNeed need{target.id, worst.charge, worst.known, worst.charge, worst.known, NameId::none};
  const Admission admission = call.hold.admit(payer(call), call.id, unix_micros(), {&need, 1}, BudgetClock::now());
  if (admission.first_warning) {
    log_event(LogLevel::warn, "a soft budget is used up",
              {{"budget", std::string(text(admission.warning))}, {"request_id", std::string(call.id_text.view())}});
  }
  if (admission.outcome == Admission::Outcome::held && admission.warning == NameId::none) return success();
  call.hold.settle();
  return fail(Fault::over_budget, "a budget has no room for its worst case");
}

Task<Result<void>> OwnCalls::send(OwnCall& call) {
  const Serving& serving = *serving_;
  const Backend& backend = config_.backend_of(*call.target);
  const Endpoint& endpoint = serving.endpoints[call.target->backend];
  const Dialect& dialect = dialect_of(backend.dialect);
  WireBody wire;
  TOLLGATE_CO_TRY(dialect.write(call.map, backend, *call.target, wire));
  dialect.sign(endpoint, backend, std::chrono::system_clock::now(), wire);
  Call sent;
  sent.path = wire.path.empty() ? dialect.path(call.surface) : std::string_view(wire.path);
  sent.headers = wire.headers;
  sent.body = std::span<const std::string_view>(wire.pieces.data(), wire.pieces.size());
  sent.request_id = call.id_text.view();
  if (reactor_.poll().in_batch()) co_await reactor_.poll().batch_end();
  if (stopped_) co_return Error(Fault::draining, "");
  transfer_ = reactor_.transport_for(backend, endpoint).open(endpoint);
  TOLLGATE_CO_TRY(const AnswerHead head, co_await transfer_->start(sent));
  call.end.http_status = head.status;
  if (backend.pool && !head.billed_time.empty()) {
    call.end.billed = billed_time_of(head.billed_time, backend.pool->billed_seconds.milliseconds);
  }
  Result<void> outcome = co_await read_answer(call);
  if (!outcome) co_return outcome;
  if (head.status / 100 != 2) co_return dialect.read_error(head.status, call.answer);
  if (head.event_stream) co_return fail(Fault::upstream_garbage, "");
  TOLLGATE_CO_TRY(const Answer answer, dialect.read_answer(call.surface, call.answer));
  note_answer(call, answer);
  co_return success();
}

// All of it, into `call.answer`.
Task<Result<void>> OwnCalls::read_answer(OwnCall& call) {
  const std::size_t most = call.end.http_status / 100 == 2 ? answer_bytes_max : refusal_bytes_max;
  for (;;) {
    const Result<std::string_view> bytes = co_await transfer_->read();
    if (!bytes) co_return bytes.error();
    if (bytes.value().empty()) break;
    if (call.answer.size() + bytes.value().size() > most) co_return fail(Fault::upstream_garbage, "");
    call.answer.append(bytes.value());
  }
  call.answer.reserve(call.answer.size() + ChatParser::padding);
  co_return success();
}

void OwnCalls::note_answer(OwnCall& call, const Answer& answer) {
  AttemptEnd& end = call.end;
  end.usage = answer.usage;
  end.usage_source = answer.usage_source;
  if (end.usage_source == UsageSource::none) {
    end.usage = estimated(call, answer.content_bytes);
    end.usage_source = UsageSource::estimated;
  }
  end.first_token_us = unix_micros();
  call.owned_tier = answer.service_tier;
  end.service_tier = call.owned_tier;
  const Backend& backend = config_.backend_of(*call.target);
  end.reported = reported_cost(backend, answer.usage_object);
  if (backend.pool && !backend.pool->billed_seconds.json.empty()) {
    end.billed = billed_time_in(call.answer, backend.pool->billed_seconds);  // as the provider said it
  }
  if (!answer.owned.empty()) call.answer = answer.owned;  // translated
}

Usage OwnCalls::estimated(const OwnCall& call, std::uint64_t answer_bytes) const {
  const Books::Learned learned = reactor_.books().learned(call.target->id);
  const auto tokens = [](std::uint64_t bytes, double per_token) {
    return TokenCount{static_cast<std::int64_t>(static_cast<double>(bytes) / per_token + 0.5)};
  };
  Usage usage;
  usage.input = tokens(call.chat.input_bytes(), learned.input_bytes_per_token);
  usage.output = tokens(answer_bytes, learned.output_bytes_per_token);
  if (call.chat.output_tokens_max)
    usage.output = std::min(usage.output, TokenCount{*call.chat.output_tokens_max});
  return usage;
}

void OwnCalls::close(OwnCall& call, const Result<void>& outcome) {
  const MonoTime now = std::chrono::steady_clock::now();
  if (call.target->prices) call.end.prices = &*call.target->prices;
  reactor_.books().end_attempt(*call.record, call.end, now);
  pay(call);
  RequestClosing closing;
  closing.result = outcome ? RowResult::ok() : RowResult::of(outcome.error().fault);
  closing.duration = now - call.began;
  reactor_.books().settle(*call.record, closing);
  call.record = nullptr;
  call.hold.settle();
}

void OwnCalls::pay(OwnCall& call) {
  Budgets& budgets = reactor_.guards().budgets;
  const AttemptRow& attempt = call.record->current();
  AttemptCost cost;
  cost.target = attempt.target;
  cost.usd = attempt.charge.total();
  cost.known = attempt.pricing != Pricing::unpriced;
  if (cost.known) call.charge = attempt.charge.total();
  cost.request_bytes = call.record->row.input_bytes;
  if (call.target->prices) cost.priced = call.target;
  if (call.hold.is_held()) {
    call.hold.charge(cost);
    call.hold.release();
  } else if (budgets.any()) {  // they came into force meanwhile
    budgets.charge_unheld(payer(call), call.id, call.record->row.arrived_us, cost);
  }
}

void OwnCalls::stop() {
  stopped_ = true;
  if (transfer_) transfer_->abort(Fault::draining);
}

void OwnCalls::out_of_time(void* self) {
  auto& calls = *static_cast<OwnCalls*>(self);
  if (calls.transfer_) calls.transfer_->abort(Fault::upstream_timeout);
}

}  // namespace tollgate
