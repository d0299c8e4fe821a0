#include "gateway/shadow_run.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

#include "backends/billed_time.hpp"
#include "gateway/guards.hpp"
#include "gateway/log.hpp"
#include "gateway/reactor.hpp"
#include "metrics/pricing.hpp"
#include "router/forecast.hpp"
#include "router/worst_case.hpp"

namespace tollgate {
namespace {

constexpr std::size_t answer_bytes_max = 1024 * 1024;
constexpr std::size_t refusal_bytes_max = 64 * 1024;

std::int64_t unix_micros() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

ShadowEnd end_of(Fault fault) noexcept {
  switch (fault) {
    case Fault::constraint_unsatisfied:
      return ShadowEnd::forbidden;
    case Fault::over_budget:
      return ShadowEnd::over_budget;
    case Fault::no_target_up:
    case Fault::ledger_full:
      return ShadowEnd::unavailable;
    case Fault::draining:
      return ShadowEnd::stopped;
    case Fault::bad_request:
    case Fault::unsupported:
      return ShadowEnd::unsuitable;
    default:
      return ShadowEnd::failed;
  }
}

/// Woken by the worker.
struct Waiting {
  explicit Waiting(asio::io_context& context) : told(context.get_executor(), Timer::time_point::max()) {}
  Timer told;
};

}  // namespace

ShadowRun::Question::Question(Purpose why, const Target& whom, Guards& guards)
    : purpose(why),
      target(&whom),
      route(Names::global().intern(why == Purpose::shadow ? shadow_route : judge_route)),
      id_text{},
      hold(guards.budgets) {}

ShadowRun::ShadowRun(Reactor& reactor, Shadows& shadows, std::unique_ptr<ShadowJob> job)
    : reactor_(reactor),
      shadows_(shadows),
      job_(std::move(job)),
      config_(*job_->serving->config),
      facts_{&chat_, job_->complexity, {}, job_->team, job_->key, nullptr},
      total_(reactor.wheel(), &ShadowRun::out_of_time, this) {}

Task<ShadowEnd> ShadowRun::evaluate() {
  const Result<void> outcome = co_await judge();
  if (!outcome) co_return end_of(outcome.error().fault);
  if (!score_) co_return ShadowEnd::unreadable;
  record_score(*score_);
  co_return ShadowEnd::judged;
}

Task<Result<void>> ShadowRun::judge() {
  const Target& strong = config_.targets[config_.shadow.target];
  const Target& grader = config_.targets[config_.shadow.judge];
  Result<void> outcome = read_request();
  if (!outcome) co_return outcome;
  std::function<void()> work = [self = shared_from_this()] { self->take_apart(); };
  co_await on_worker(std::move(work));
  if (!texts_) co_return fail(Fault::unsupported, "");
  // Both before the first costs anything.
  outcome = may_leave_for(strong);
  if (outcome) outcome = may_leave_for(grader);
  if (outcome) outcome = has_room(grader);
  if (!outcome) co_return outcome;

  auto again = std::make_unique<Question>(Purpose::shadow, strong, reactor_.guards());
  again->body = shadow_request(texts_->request, text(strong.id), config_.backend_of(strong).dialect);
  outcome = co_await ask(*again);
  if (!outcome) co_return outcome;
  work = [self = shared_from_this(), &grader, answer = std::move(again->answer)] {
    self->strong_text_ = answer_text(answer);
    const JudgedPair pair{self->texts_->answer, self->strong_text_};
    const ShadowConfig& rules = self->config_.shadow;
    self->judge_body_ = judge_request(pair, self->texts_->question, text(self->job_->id).view(), text(grader.id),
                                      rules.judge_output_tokens, self->config_.backend_of(grader).dialect);
  };
  again.reset();
  co_await on_worker(std::move(work));
  if (strong_text_.empty()) co_return fail(Fault::upstream_garbage, "");

  auto grading = std::make_unique<Question>(Purpose::judge, grader, reactor_.guards());
  grading->body = std::move(judge_body_);
  outcome = co_await ask(*grading);
  if (outcome) score_ = score_in(answer_text(grading->answer));
  co_return outcome;
}

// Texts of hundreds of kilobytes are taken apart there; whoever is served on this reactor goes on meanwhile.
Task<void> ShadowRun::on_worker(std::function<void()> work) {
  const auto waiting = std::make_shared<Waiting>(reactor_.context());
  asio::post(shadows_.worker(), [waiting, &context = reactor_.context(), work = std::move(work)]() mutable {
    work();
    work = nullptr;
    asio::post(context, [waiting] { waiting->told.cancel(); });
  });
  co_await waiting->told.async_wait(asio::as_tuple(use_task));
}

Result<void> ShadowRun::read_request() {
  TOLLGATE_TRY(reactor_.parser().parse(job_->body, Surface::chat, chat_, map_));
  if (chat_.images > 0 || chat_.audio > 0) return fail(Fault::unsupported, "");
  for (const auto& [name, value] : job_->headers) headers_.push_back({name, value});
  screening_.emplace(chat_, job_->body);
  facts_.headers = headers_;
  facts_.screening = &*screening_;
  facts_.arrived_us = job_->arrived_us;
  facts_.dice = static_cast<std::uint64_t>(job_->id);
  return success();
}

// On the worker. The text is also screened there, which takes long; what was found is remembered.
void ShadowRun::take_apart() {
  static_cast<void>(covered_by(facts_, config_));
  texts_ = shadow_texts(job_->body, job_->answer, job_->streamed);
  job_->answer = std::string();
}

Result<void> ShadowRun::may_leave_for(const Target& target) const {
  if (stopped_ || reactor_.serving()->generation != job_->serving->generation) return Error(Fault::draining, "");
  if (!permits(facts_, config_, target)) return fail(Fault::constraint_unsatisfied, "");
  return success();
}

// An evaluation takes nobody's place: no half-open breaker's trial, and nothing where others would wait.
Result<void> ShadowRun::has_room(const Target& target) {
  const MonoTime now = std::chrono::steady_clock::now();
  const TargetHealth& health = job_->serving->health_of(target);
  const TargetState& state = reactor_.target_states(*job_->serving, now)[job_->serving->index_of(target)];
  const bool up = health.reachable() && health.state(now) == BreakerState::closed;
  if (!up || is_saturated(target, state, config_.spill_over)) return fail(Fault::no_target_up, "");
  return success();
}

Payer ShadowRun::payer(const Question& question) const { return {job_->key, job_->team, job_->model, question.route}; }

Task<Result<void>> ShadowRun::ask(Question& question) {
  Result<void> outcome = open(question);
  if (!outcome) co_return outcome;
  const Backend& backend = config_.backend_of(*question.target);
  TargetHealth& health = job_->serving->health_of(*question.target);
  health.in_flight.fetch_add(1, std::memory_order_relaxed);
  EngineLoad& load = job_->serving->engines[question.target->backend]->load;
  const EngineLoad::Ticket ticket = load.begin(1, true);
  total_.set(backend.timeouts.total);
  outcome = co_await send(question);
  total_.clear();
  transfer_.reset();
  health.in_flight.fetch_sub(1, std::memory_order_relaxed);
  if (!outcome) question.end.result = RowResult::of(outcome.error().fault);
  const bool refused = question.end.http_status / 100 == 4 || nothing_sent(question.end.result);
  load.end(ticket, refused ? Usage{} : question.end.usage, refused || question.end.usage_source == UsageSource::exact);
  close(question, outcome);
  co_return outcome;
}

// All that must hold before anything is sent; the last of it is the ledger's slot.
Result<void> ShadowRun::open(Question& question) {
  TOLLGATE_TRY(may_leave_for(*question.target));
  TOLLGATE_TRY(has_room(*question.target));
  question.body.reserve(question.body.size() + ChatParser::padding);
  TOLLGATE_TRY(reactor_.parser().parse(question.body, Surface::chat, question.chat, question.map));
  question.id = next_request_id(reactor_.index());
  question.id_text = text(question.id);
  TOLLGATE_TRY(take_hold(question));
  RequestOpened opened{question.id, unix_micros(), job_->model, job_->team,
                       job_->key,   Surface::chat, false,       static_cast<std::int32_t>(question.body.size())};
  opened.purpose = question.purpose;
  question.began = std::chrono::steady_clock::now();
  Books& books = reactor_.books();
  question.record = books.open(opened);
  if (question.record == nullptr) return fail(Fault::ledger_full, "");
  if (config_.rules != NameId::none) books.covered(*question.record, config_.rules, covered_by(facts_, config_));
  books.decided(*question.record, question.route, job_->complexity.score, job_->complexity.tier);
  reactor_.constraint_counts().attempted(config_, question.record->row.covered);
  books.begin_attempt(*question.record, *question.target, config_.backend_of(*question.target), question.began);
  return success();
}

// Nobody waits for an evaluation, so it waits for nobody: what does not fit now is left out, also of a budget that only
// warns.
Result<void> ShadowRun::take_hold(Question& question) {
  if (!reactor_.guards().budgets.any()) return success();
  const Target& target = *question.target;
  const std::span<const TargetState> states = reactor_.target_states(*job_->serving, std::chrono::steady_clock::now());
  const WorstCase worst = worst_case_of(question.chat, question.body.size(), target, config_.backend_of(target),
                                        states[job_->serving->index_of(target)]);
  StepNeed need{target.id, worst.charge, worst.known, worst.charge, worst.known, NameId::none};
  const Admission admission =
      question.hold.admit(payer(question), question.id, unix_micros(), {&need, 1}, BudgetClock::now());
  if (admission.first_warning) {
    log_event(LogLevel::warn, "a soft budget is used up",
              {{"budget", std::string(text(admission.warning))}, {"request_id", std::string(question.id_text.view())}});
  }
  if (admission.outcome == Admission::Outcome::held && admission.warning == NameId::none) return success();
  question.hold.settle();
  return fail(Fault::over_budget, "");
}

Task<Result<void>> ShadowRun::send(Question& question) {
  const Serving& serving = *job_->serving;
  const Backend& backend = config_.backend_of(*question.target);
  const Endpoint& endpoint = serving.endpoints[question.target->backend];
  const Dialect& dialect = dialect_of(backend.dialect);
  WireBody wire;
  TOLLGATE_CO_TRY(dialect.write(question.map, backend, *question.target, wire));
  dialect.sign(endpoint, backend, std::chrono::system_clock::now(), wire);
  Call call;
  call.path = wire.path.empty() ? dialect.path(Surface::chat) : std::string_view(wire.path);
  call.headers = wire.headers;
  call.body = std::span<const std::string_view>(wire.pieces.data(), wire.pieces.size());
  call.request_id = question.id_text.view();
  if (reactor_.poll().in_batch()) co_await reactor_.poll().batch_end();
  if (stopped_) co_return Error(Fault::draining, "");
  transfer_ = reactor_.transport_for(backend, endpoint).open(endpoint);
  TOLLGATE_CO_TRY(const AnswerHead head, co_await transfer_->start(call));
  question.end.http_status = head.status;
  if (backend.pool && !head.billed_time.empty()) {
    question.end.billed = billed_time_of(head.billed_time, backend.pool->billed_seconds.milliseconds);
  }
  Result<void> outcome = co_await read_answer(question);
  if (!outcome) co_return outcome;
  if (head.status / 100 != 2) co_return dialect.read_error(head.status, question.answer);
  if (head.event_stream) co_return fail(Fault::upstream_garbage, "");
  TOLLGATE_CO_TRY(const Answer answer, dialect.read_answer(Surface::chat, question.answer));
  note_answer(question, answer);
  co_return success();
}

// All of it, into `question.answer`.
Task<Result<void>> ShadowRun::read_answer(Question& question) {
  const std::size_t most = question.end.http_status / 100 == 2 ? answer_bytes_max : refusal_bytes_max;
  for (;;) {
    const Result<std::string_view> bytes = co_await transfer_->read();
    if (!bytes) co_return bytes.error();
    if (bytes.value().empty()) break;
    if (question.answer.size() + bytes.value().size() > most) co_return fail(Fault::upstream_garbage, "");
    question.answer.append(bytes.value());
  }
  question.answer.reserve(question.answer.size() + ChatParser::padding);
  co_return success();
}

void ShadowRun::note_answer(Question& question, const Answer& answer) {
  AttemptEnd& end = question.end;
  end.usage = answer.usage;
  end.usage_source = answer.usage_source;
  if (end.usage_source == UsageSource::none) {
    end.usage = estimated(question, answer.content_bytes);
    end.usage_source = UsageSource::estimated;
  }
  end.first_token_us = unix_micros();
  question.owned_tier = answer.service_tier;
  end.service_tier = question.owned_tier;
  const Backend& backend = config_.backend_of(*question.target);
  const std::string_view body =
      answer.owned.empty() ? std::string_view(question.answer) : std::string_view(answer.owned);
  if (backend.pool && !backend.pool->billed_seconds.json.empty()) {
    end.billed = billed_time_in(body, backend.pool->billed_seconds);
  }
  if (!answer.owned.empty()) question.answer = answer.owned;  // translated
}

Usage ShadowRun::estimated(const Question& question, std::uint64_t answer_bytes) const {
  const Books::Learned learned = reactor_.books().learned(question.target->id);
  const auto tokens = [](std::uint64_t bytes, double per_token) {
    return TokenCount{static_cast<std::int64_t>(static_cast<double>(bytes) / per_token + 0.5)};
  };
  Usage usage;
  usage.input = tokens(question.chat.text_bytes, learned.input_bytes_per_token);
  usage.output = tokens(answer_bytes, learned.output_bytes_per_token);
  if (question.chat.output_tokens_max)
    usage.output = std::min(usage.output, TokenCount{*question.chat.output_tokens_max});
  return usage;
}

void ShadowRun::close(Question& question, const Result<void>& outcome) {
  const MonoTime now = std::chrono::steady_clock::now();
  if (question.target->prices) question.end.prices = &*question.target->prices;
  reactor_.books().end_attempt(*question.record, question.end, now);
  charge(question);
  RequestClosing closing;
  closing.result = outcome ? RowResult::ok() : RowResult::of(outcome.error().fault);
  closing.duration = now - question.began;
  reactor_.books().settle(*question.record, closing);
  question.record = nullptr;
  question.hold.settle();
}

void ShadowRun::charge(Question& question) {
  Budgets& budgets = reactor_.guards().budgets;
  const AttemptRow& attempt = question.record->current();
  AttemptCost cost;
  cost.target = attempt.target;
  cost.usd = attempt.charge.total();
  cost.known = attempt.pricing != Pricing::unpriced;
  cost.request_bytes = question.record->row.input_bytes;
  if (question.target->prices) cost.priced = question.target;
  if (question.hold.is_held()) {
    question.hold.charge(cost);
    question.hold.release();
  } else if (budgets.any()) {  // they came into force meanwhile
    budgets.charge_unheld(payer(question), question.id, question.record->row.arrived_us, cost);
  }
}

void ShadowRun::record_score(std::int32_t ppm) {
  Outcome outcome;
  outcome.request = job_->id;
  outcome.source = OutcomeSource::judge;
  outcome.verdict = ppm >= 500'000 ? OutcomeVerdict::good : OutcomeVerdict::bad;
  outcome.score_ppm = ppm;
  outcome.at_us = unix_micros();
  if (!reactor_.books().record(std::move(outcome), {})) {
    log_event(LogLevel::warn, "a judge's score was not recorded, for too many wait to be written",
              {{"request_id", std::string(text(job_->id).view())}});
  }
}

void ShadowRun::stop() {
  stopped_ = true;
  if (transfer_) transfer_->abort(Fault::draining);
}

void ShadowRun::out_of_time(void* self) {
  auto& run = *static_cast<ShadowRun*>(self);
  if (run.transfer_) run.transfer_->abort(Fault::upstream_timeout);
}

void ShadowRuns::start(std::unique_ptr<ShadowJob> job) {
  if (reactor_.draining()) return shadows_.ended(ShadowEnd::stopped);
  auto run = std::make_shared<ShadowRun>(reactor_, shadows_, std::move(job));
  ShadowRun& running = *run;
  under_way_.push_back(std::move(run));
  asio::co_spawn(reactor_.context(), running.evaluate(),
                 [this, &running](const std::exception_ptr& failed, ShadowEnd end) {
                   if (failed) {
                     try {
                       std::rethrow_exception(failed);
                     } catch (const std::exception& bug) {
                       log_event(LogLevel::error, "a shadow evaluation ended by an exception: please report this",
                                 {{"what", bug.what()}});
                     }
                   }
                   finish(&running, failed ? ShadowEnd::failed : end);
                 });
}

void ShadowRuns::finish(const ShadowRun* run, ShadowEnd end) {
  std::erase_if(under_way_, [run](const std::shared_ptr<ShadowRun>& each) { return each.get() == run; });
  shadows_.ended(end);
  reactor_.evaluation_ended();
}

void ShadowRuns::stop() {
  shadows_.close();
  for (const std::shared_ptr<ShadowRun>& run : under_way_) run->stop();
}

}  // namespace tollgate
