#include "gateway/shadow_run.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

#include "backends/inbound.hpp"
#include "gateway/answer_copy.hpp"
#include "gateway/log.hpp"
#include "gateway/reactor.hpp"
#include "gateway/unix_time.hpp"
#include "router/forecast.hpp"

namespace tollgate {
namespace {

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

/// Whether a member that cannot be said is part of what was asked: settings are left to the target anyway.
bool is_of_the_question(const std::string& member) noexcept {
  return member.find('[') != std::string::npos || member.starts_with("tool_choice") || member.starts_with("text.format");
}

/// Woken by the worker.
struct Waiting {
  explicit Waiting(asio::io_context& context) : told(context.get_executor(), Timer::time_point::max()) {}
  Timer told;
};

}  // namespace

ShadowRun::ShadowRun(Reactor& reactor, Shadows& shadows, std::unique_ptr<ShadowJob> job)
    : reactor_(reactor),
      shadows_(shadows),
      job_(std::move(job)),
      config_(*job_->serving->config),
      facts_{&chat_, job_->complexity, {}, job_->team, job_->key, nullptr},
      calls_(reactor, job_->serving, {job_->model, job_->team, job_->key, job_->complexity}) {}

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

  auto again = std::make_unique<OwnCall>(Purpose::shadow, strong, Names::global().intern(shadow_route), reactor_.guards());
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

  auto grading = std::make_unique<OwnCall>(Purpose::judge, grader, Names::global().intern(judge_route), reactor_.guards());
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
  screening_.emplace(chat_, job_->own_words.empty() ? job_->body : job_->own_words);
  facts_.headers = headers_;
  facts_.screening = &*screening_;
  facts_.arrived_us = job_->arrived_us;
  facts_.dice = static_cast<std::uint64_t>(job_->id);
  return success();
}

// On the worker. The text is also screened there, which takes long; what was found is remembered.
void ShadowRun::take_apart() {
  static_cast<void>(covered_by(facts_, config_));
  const std::string answer = whole_answer(job_->answer, job_->answered_in, job_->streamed);
  texts_ = shadow_texts(said_for(config_.targets[config_.shadow.target]), answer);
  job_->answer = std::string();
}

/// The request as a chat completion that this target understands; "": what the client asks cannot be said to it.
std::string ShadowRun::said_for(const Target& target) const {
  if (job_->form == ClientForm::openai) return job_->body;
  const Backend& backend = config_.backend_of(target);
  const Result<InboundRequest> request = read_inbound(job_->form, job_->own_words, config_.server.nesting_max);
  if (!request) return {};
  Result<InboundChat> chat = request.value().chat(flavour_of(backend.dialect));
  if (!chat) return {};
  const std::vector<std::string>& unsaid = chat.value().unsaid;
  if (!backend.drop_unsupported && std::any_of(unsaid.begin(), unsaid.end(), is_of_the_question)) return {};
  return std::move(chat.value().body);
}

Result<void> ShadowRun::may_leave_for(const Target& target) const {
  if (calls_.stopped() || reactor_.serving()->generation != job_->serving->generation) return Error(Fault::draining, "");
  if (!permits(facts_, config_, target)) return fail(Fault::constraint_unsatisfied, "");
  return success();
}

// An evaluation takes nobody's place: no half-open breaker's trial, and nothing where others would wait.
Result<void> ShadowRun::has_room(const Target& target) {
  const MonoTime now = std::chrono::steady_clock::now();
  const TargetHealth& health = job_->serving->health_of(target);
  const TargetState& state = reactor_.target_states(*job_->serving, now)[job_->serving->index_of(target)];
  const bool rests = state.availability != Availability::up || state.limited_for.count() > 0;   // drained, ejected, limited by its provider
  const bool up = !rests && health.state(now) == BreakerState::closed;
  if (!up || is_saturated(target, state, config_.spill_over)) return fail(Fault::no_target_up, "");
  return success();
}

Task<Result<void>> ShadowRun::ask(OwnCall& call) {
  Result<void> outcome = may_leave_for(*call.target);
  if (outcome) outcome = has_room(*call.target);
  if (outcome) outcome = co_await calls_.make(call, facts_);
  co_return outcome;
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
  reactor_.own_work_ended();
}

void ShadowRuns::stop() {
  shadows_.close();
  for (const std::shared_ptr<ShadowRun>& run : under_way_) run->stop();
}

}  // namespace tollgate
