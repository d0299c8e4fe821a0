// The attempts: the plan's targets in order, until one answers. The only place that tries again.

#include <algorithm>
#include <chrono>

#include "backends/upstream_error.hpp"
#include "config/decimal.hpp"
#include "gateway/exchange.hpp"
#include "metrics/pricing.hpp"
#include "router/forecast.hpp"

namespace tollgate {

namespace {
constexpr std::size_t refusal_bytes_max = 64 * 1024;       // of an upstream's error body

/// A 503, or a 529: what the target cannot do now, whoever asks.
bool is_overload(const Error& error) noexcept { return error.fault == Fault::upstream_busy && error.http_status == 503; }

Error no_attempt() { return fail(Fault::no_target_up, "every target that may take this request is down or was just taken out of service"); }
}  // namespace

Task<Result<void>> Exchange::forward() {
  const Config& config = *serving_->config;
  client_.watch(&Exchange::client_left, this);
  total_.set(config.backend_of(*plan_->steps.front().target).timeouts.total);
  Error last = no_attempt();
  AttemptPolicy::Move move;
  for (move.step = 0; move.step < plan_->steps.size() && record_->row.attempts < config.attempts_max;) {
    if (move.wait.count() > 0) co_await pause(move.wait);
    if (client_.gone() || !total_.is_set()) break;
    if (record_->row.attempts > 0 && admitted_ && reactor_.guards().sharing) {
      const Result<void> leased = co_await wait_for_lease(move.step);
      if (!leased) {
        last = leased.error();
        break;                             // an answer that was kept is sent all the same
      }
    }
    const Result<bool> may = may_attempt(move.step, last);
    if (!may) last = may.error();
    if (!may) break;
    if (!may.value()) {
      move = after_skip(move.step);
      continue;
    }
    step_ = move.step;
    Result<void> outcome = success();
    if (may_hedge()) {
      outcome = co_await attempt_hedged();
    } else {
      outcome = co_await attempt(plan_->steps[step_]);
    }
    if (outcome) co_return success();
    last = outcome.error();
    const bool over = replied_ || client_.gone() || !total_.is_set();
    if (over || record_->row.attempts >= config.attempts_max) break;
    if (facts_of(last.fault).again == Again::no && !may_fit_elsewhere(step_, last)) break;
    if (passed_ && !may_repeat(last)) break;
    move = after_failure(step_, last);
  }
  if (client_.gone()) co_return fail(Fault::client_gone, "");
  if (kept_ && !replied_) co_return reply_kept();
  co_return last;
}

/// Asked before every attempt, the first and each one after it. False: not this step (now), and `last` says why if nothing was attempted
/// yet; an error: no step at all.
Result<bool> Exchange::may_attempt(std::size_t next, Error& last) {
  const Step& step = plan_->steps[next];
  const TargetHealth& health = serving_->health_of(*step.target);
  if (kept_ && step.target->capability < plan_->steps[kept_->step].target->capability) return false;   // no better hope there
  const Permission permission = permits(facts(), *serving_->config, *step.target);
  if (permission.forbidden_by != NameId::none || (passed_ && permission.mask.kinds.any())) return false;
  const bool is_first = record_->row.attempts == 0;
  if (admitted_) {
    if (const Result<void> affordable = afford(next); !affordable) {
      if (is_first) last = affordable.error();
      return false;
    }
  }
  if (health.draining.load(std::memory_order_relaxed)) return false;
  if (Error why = no_attempt(); !heed_limit(next, why)) {
    if (is_first) last = std::move(why);
    return false;
  }
  TOLLGATE_TRY(prepare_mask(permission.mask));
  pass_ = serving_->health_of(*step.target).admit(std::chrono::steady_clock::now());   // last: it takes the place of a trial
  return pass_ != TargetHealth::Pass::none;
}

// What the next target may see of the request: all of it, or its masked form.
Result<void> Exchange::prepare_mask(const MaskOrder& order) {
  masks_ = order.kinds.any();
  restorer_.reset();
  if (!masks_) return success();
  if (!masked_ || masked_->kinds != order.kinds) {
    auto made = std::make_unique<MaskedRequest>();
    made->kinds = order.kinds;
    if (inbound_) {
      TOLLGATE_TRY(mask_inbound(order.kinds, made->masked, made->inbound));
    } else {
      made->masked = mask(body_, order.kinds, body_map_.model_value.of(body_), ChatParser::padding);
      TOLLGATE_TRY(reactor_.parser().parse(made->masked.body, surface_, made->chat, made->map));
    }
    masked_ = std::move(made);
  }
  if (order.restore) restorer_ = std::make_unique<Restorer>(masked_->masked.swaps);
  return success();
}

Task<Result<void>> Exchange::attempt(const Step& step) {
  begin_attempt(*step.target);
  const EngineLoad::Ticket ticket = note_begun(*step.target);
  AttemptEnd end;
  Result<void> outcome = co_await answer_from(step, end);
  finish_attempt(*step.target, ticket, outcome, end);
  co_return outcome;
}

void Exchange::begin_attempt(const Target& target) {
  if (masks_) reactor_.books().will_mask(*record_);
  reactor_.books().begin_attempt(*record_, target, serving_->config->backend_of(target), std::chrono::steady_clock::now(), chat_.service_tier);
}

/// What follows from its row: of a first attempt, and of one beside another.
EngineLoad::Ticket Exchange::note_begun(const Target& target) {
  serving_->health_of(target).in_flight.fetch_add(1, std::memory_order_relaxed);
  attempt_open_ = true;
  number_ = record_->row.attempts;
  choose_key(target);
  reactor_.constraint_counts().attempted(*serving_->config, record_->row.covered);
  return enter_engine(target);
}

void Exchange::finish_attempt(const Target& target, const EngineLoad::Ticket& ticket, Result<void>& outcome, AttemptEnd& end) {
  transfer_.reset();                     // an unfinished call is cut off here: the upstream stops working for nobody
  serving_->health_of(target).in_flight.fetch_sub(1, std::memory_order_relaxed);
  if (!outcome && client_.gone()) outcome = fail(Fault::client_gone, "");
  judge(target, outcome);
  if (!outcome) end.result = RowResult::of(outcome.error().fault);
  leave_engine(target, ticket, end);
  end_attempt(end);
  if (outcome) remember_turn(end);
}

// What the engine calls a request is one sequence: n of them for each prompt. Prompts given as token ids are not counted here.
EngineLoad::Ticket Exchange::enter_engine(const Target& target) const {
  if (passed_) return serving_->engines[target.backend]->load.begin(1, false);
  const std::size_t prompts = surface_ == Surface::chat ? 1 : chat_.texts.size();
  const auto sequences = static_cast<std::uint32_t>(std::max<std::size_t>(prompts, 1) * static_cast<std::size_t>(chat_.choices));
  return serving_->engines[target.backend]->load.begin(sequences, prompts > 0);
}

// Exact: the usage is what the engine's own counters must say of it. It counts the prompt once for each of n choices, the usage once;
// and it refused what it answered with a 4xx.
void Exchange::leave_engine(const Target& target, const EngineLoad::Ticket& ticket, const AttemptEnd& end) const {
  const bool refused = end.http_status / 100 == 4 || nothing_sent(end.result);
  const bool exact = !passed_ && (refused || (end.usage_source == UsageSource::exact && chat_.choices == 1));
  serving_->engines[target.backend]->load.end(ticket, refused ? Usage{} : end.usage, exact);
}

void Exchange::judge(const Target& target, const Result<void>& outcome) {
  TargetHealth& health = serving_->health_of(target);
  const MonoTime now = std::chrono::steady_clock::now();
  other_key_ = false;
  // What was under way when the breaker opened does not close it again: its answer is of an earlier time.
  const auto answered = [&] {
    if (pass_ == TargetHealth::Pass::trial || health.state(now) == BreakerState::closed) health.succeeded();
  };
  if (outcome) {
    count_outcome(health, false);
    return answered();
  }
  other_key_ = blames_key(target, outcome.error());
  switch (outcome.error().fault) {
    case Fault::client_gone:
    case Fault::hedge_lost:
    case Fault::unsupported:             // nothing was sent: nothing was learned
      return health.abandoned(pass_);
    case Fault::escalated:
    case Fault::upstream_busy:
    case Fault::upstream_refused:
      count_outcome(health, is_overload(outcome.error()));
      return answered();                 // it answers; that it refuses this request says nothing about the next
    default:
      if (other_key_ || outcome.error().ours) return health.abandoned(pass_);
      count_outcome(health, true);
      // One request counts once, however often it is made again: else what no target can answer would close them all in two.
      if (earlier_attempts().first > 0 && health.state(now) == BreakerState::closed) return health.abandoned(pass_);
      TargetHealth::Failed how;
      how.pass = pass_;
      how.unreachable = outcome.error().fault == Fault::upstream_unreachable;
      how.others = how.unreachable && may_go_elsewhere(now);
      return health.failed(now, how);
  }
}

/// Whether another target of the plan than the current one is up.
bool Exchange::may_go_elsewhere(MonoTime now) const {
  const NameId here = plan_->steps[step_].target->id;
  return std::any_of(plan_->steps.begin(), plan_->steps.end(), [&](const Step& step) {
    const TargetHealth& health = serving_->health_of(*step.target);
    return step.target->id != here && health.usable(now) && health.reachable() && !health.draining.load(std::memory_order_relaxed);
  });
}

void Exchange::count_outcome(TargetHealth& health, bool failed) const {
  if (!serving_->config->outliers.is_on) return;
  health.window_attempts.fetch_add(1, std::memory_order_relaxed);
  if (failed) health.window_failures.fetch_add(1, std::memory_order_relaxed);
}

void Exchange::end_attempt(AttemptEnd& end) {
  if (!attempt_open_) return;
  attempt_open_ = false;
  const Target& target = *plan_->steps[step_].target;
  if (target.prices) end.prices = &*target.prices;
  end.number = number_;
  reactor_.books().end_attempt(*record_, end, std::chrono::steady_clock::now());
  if (serving_->config->hedges && end.result.is_ok()) learn_first_answer();
  charge_budgets(end.result.is_ok());
  if (plan_->steering && plan_->steering->target == &target && end.result.is_ok()) note_service(target);
  bool known = true;
  for (unsigned i = 0; i < record_->row.attempts; ++i) known = known && record_->attempts[i].pricing != Pricing::unpriced;
  cost_text_ = known ? decimal_text(record_->total()) : "unknown";
}

// How long a serverless pool takes, for the autopilot.
void Exchange::note_service(const Target& target) {
  const AttemptRow& attempt = record_->attempts[record_->row.attempts - 1];
  const std::optional<PoolStance>& stance = plan_->steering->stance;
  reactor_.autopilot_counts().served(serving_->config->backend_of(target).name, stance && stance->warm, attempt.ended_us - attempt.started_us);
}

Task<Result<void>> Exchange::answer_from(const Step& step, AttemptEnd& end) {
  bool event_stream = false;
  Result<void> outcome = co_await begin_answer(step, end, event_stream);
  if (outcome) outcome = co_await rest_of_answer(step, event_stream, end);
  co_return outcome;
}

Task<Result<void>> Exchange::rest_of_answer(const Step& step, bool event_stream, AttemptEnd& end) {
  if (passed_) co_return co_await relay_passed(end);
  const Dialect& dialect = dialect_for(serving_->config->backend_of(*step.target));
  if (!event_stream) co_return co_await whole(dialect, end);
  const std::unique_ptr<StreamReader> reader = dialect.stream_reader(body_map_);
  if (inbound_) begin_writing();
  const Result<void> outcome = co_await relay(*reader, end);
  co_return outcome;
}

// Ends with the head: what it takes is freed before a long stream begins.
Task<Result<void>> Exchange::begin_answer(const Step& step, AttemptEnd& end, bool& event_stream) {
  TOLLGATE_CO_TRY(AnswerHead head, co_await start_call(step));
  const Backend& backend = serving_->config->backend_of(*step.target);
  end.http_status = head.status;
  note_billed_header(backend, head, end);
  note_limits(*step.target, head);
  if (head.status / 100 != 2) {
    const std::string said = co_await refusal_text(*transfer_);
    co_return refusal(head, dialect_for(backend), said);
  }
  event_stream = head.event_stream;
  if (passed_) passed_->answer = std::move(head);
  co_return success();
}

void Exchange::note_billed_header(const Backend& backend, const AnswerHead& head, AttemptEnd& end) const {
  if (backend.pool && !head.billed_time.empty()) end.billed = billed_time_of(head.billed_time, backend.pool->billed_seconds.milliseconds);
}

// A function of its own so that what is only needed for sending is freed before a long stream begins.
Task<Result<AnswerHead>> Exchange::start_call(const Step& step) {
  Outgoing out;
  TOLLGATE_CO_TRY(write_call(step, out));
  if (reactor_.poll().in_batch()) co_await reactor_.poll().batch_end();
  if (client_.gone()) co_return fail(Fault::client_gone, "");
  open_call(step);
  co_return co_await transfer_->start(out.call);
}

Result<void> Exchange::write_call(const Step& step, Outgoing& out) {
  if (passed_) return write_passed(step, out);
  const Backend& backend = serving_->config->backend_of(*step.target);
  const Endpoint& endpoint = serving_->endpoint(step.target->backend, key_);
  const Dialect& dialect = dialect_for(backend);
  WireBody& wire = out.wire;
  body_map_.ask_metrics = backend.engine.per_request_metrics && surface_ != Surface::embeddings;
  if (masks_) masked_->map.ask_metrics = body_map_.ask_metrics;
  const Result<void> written = inbound_ ? write_inbound(backend, *step.target, wire) : dialect.write(masks_ ? masked_->map : body_map_, backend, *step.target, wire);
  if (!written) return written.error();
  if (inbound_) out.translated = std::move(inbound_->wire);   // the pieces view it; another attempt may write its own meanwhile
  dialect.sign(endpoint, backend, std::chrono::system_clock::now(), wire);
  note_dropped(wire);
  Call& call = out.call;
  call.path = wire.path.empty() ? dialect.path(surface_) : std::string_view(wire.path);
  call.headers = wire.headers;
  call.body = std::span<const std::string_view>(wire.pieces.data(), wire.pieces.size());
  call.request_id = id_text_.view();
  call.connects = &serving_->health_of(*step.target).connects;
  call.stream = body_map_.stream;
  return success();
}

void Exchange::open_call(const Step& step) {
  const Endpoint& endpoint = serving_->endpoint(step.target->backend, key_);
  transfer_ = reactor_.transport_for(serving_->config->backend_of(*step.target), endpoint).open(endpoint);
  if (sent_at_ == MonoTime{}) sent_at_ = std::chrono::steady_clock::now();
}

void Exchange::note_dropped(const WireBody& wire) {
  dropped_.clear();
  for (const std::string& member : wire.dropped) dropped_.append(dropped_.empty() ? "" : ", ").append(member);
}

Task<std::string> Exchange::refusal_text(Transfer& transfer) {
  std::string body;
  while (body.size() < refusal_bytes_max) {
    const Result<std::string_view> bytes = co_await transfer.read();
    if (!bytes || bytes.value().empty()) break;      // what came is enough to say what is wrong
    body.append(bytes.value().substr(0, refusal_bytes_max - body.size()));
  }
  body.reserve(body.size() + ChatParser::padding);
  co_return body;
}

/// `body` as refusal_text() made it.
Error Exchange::refusal(const AnswerHead& head, const Dialect& dialect, const std::string& body) const {
  constexpr int not_found = 404, bad_request = 400;
  // Of a file or a batch it says that there is none; of anything else, that the model or the address is wrong.
  const bool none_there = passed_ && !passed_->place.id.empty() && head.status == not_found;
  Error error = dialect.read_error(none_there ? bad_request : head.status, body);
  if (none_there) error.http_status = not_found;
  hide_credentials(error.message, serving_->endpoint(plan_->steps[step_].target->backend, key_).headers);
  error.retry_after = head.retry_after;
  return error;
}

// The next turn's prompt begins with what this target has just read.
void Exchange::remember_turn(const AttemptEnd& end) {
  if (conversation_ == 0 || end.usage_source == UsageSource::none) return;
  if (hedge_won() && last_turn_.target != NameId::none) return;   // one slow answer does not move a conversation from where it is cached
  Conversations::Turn turn;
  turn.target = plan_->steps[step_].target->id;
  turn.input = end.usage.total_input();
  // A cache that was expected and not read is not there, for this provider or this prompt, until one is read after all.
  const bool same = last_turn_.target == turn.target;
  const bool missed = last_turn_.cached >= cached_prefix_min && end.usage_source == UsageSource::exact;
  const bool none_known = last_turn_.cached.count() == 0;
  turn.caches = end.usage.cached_input.count() > 0 || !same || (!missed && !none_known);
  reactor_.conversations().note(conversation_, turn, arrived_us_ / 1'000'000);
}

Usage Exchange::estimated(std::uint64_t answer_bytes) const {
  const Books::Learned learned = reactor_.books().learned(plan_->steps[step_].target->id);
  Usage usage;
  usage.input = TokenCount{static_cast<std::int64_t>(static_cast<double>(chat_.input_bytes()) / learned.input_bytes_per_token + 0.5)};
  usage.output = TokenCount{static_cast<std::int64_t>(static_cast<double>(answer_bytes) / learned.output_bytes_per_token + 0.5)};
  // Long words are few tokens: no estimate is more than the client allowed.
  const std::int64_t choices = std::clamp<std::int64_t>(chat_.choices, 1, 100'000);
  if (chat_.output_tokens_max) usage.output = std::min(usage.output, TokenCount{std::max<std::int64_t>(*chat_.output_tokens_max, 0) * choices});
  return usage;
}

void Exchange::client_left(void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  if (exchange.race_) exchange.abort_race(Fault::client_gone);
  if (exchange.transfer_) exchange.transfer_->abort(Fault::client_gone);
  if (exchange.pause_ != nullptr) exchange.pause_->cancel();
}

void Exchange::out_of_time(void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  if (exchange.race_) exchange.abort_race(Fault::upstream_timeout);
  if (exchange.transfer_) exchange.transfer_->abort(Fault::upstream_timeout);
}

}  // namespace tollgate
