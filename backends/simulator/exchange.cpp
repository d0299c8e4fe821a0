#include "backends/simulator/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "backends/simulator/foreign_wire.hpp"
#include "backends/simulator/service.hpp"
#include "backends/simulator/tokens.hpp"
#include "config/dialects.hpp"

namespace tollgate::simulator {
namespace {

constexpr std::size_t sequences_max = 4096;  // of one request: prompts times choices
constexpr std::size_t request_id_max = 128;

bool is_plain(std::string_view id) noexcept {
  return !id.empty() && id.size() <= request_id_max &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::optional<Surface> surface_at(std::string_view path) noexcept {
  if (path == "/v1/chat/completions") return Surface::chat;
  if (path == "/v1/completions") return Surface::completions;
  if (path == "/v1/embeddings") return Surface::embeddings;
  return std::nullopt;
}

std::string_view id_prefix(Surface surface) noexcept {
  return surface == Surface::chat ? "chatcmpl-" : surface == Surface::completions ? "cmpl-" : "embd-";
}

}  // namespace

Exchange::Exchange(Service& service, Connection& connection, HttpRequest request)
    : service_(service),
      connection_(connection),
      request_(std::move(request)),
      arrived_(std::chrono::steady_clock::now()) {}

// Only running out of memory could throw here, and nothing could be told of it.
Exchange::~Exchange() { connection_over(); }  // NOLINT(bugprone-exception-escape)

bool Exchange::answers_vllm() const noexcept { return service_.options().engine.personality == DialectName::vllm; }

void Exchange::begin() {
  service_.step();
  record_.started_at = unix_now();
  record_.id = answers_vllm() && is_plain(request_.request_id) ? request_.request_id : service_.new_id();
  const std::string path = request_.target.substr(0, request_.target.find('?'));
  record_.endpoint = path;
  const bool guarded = path.starts_with("/v1/") || path.starts_with("/v1beta/") || path.starts_with("/model/") ||
                       (facts_of(service_.options().engine.personality).form == WireForm::job && !path.starts_with("/sim/") && path != "/health" && path != "/metrics");
  if (guarded && !service_.is_authorized(request_)) {
    settled_ = true;
    if (answers_vllm()) return answer_whole(401, "application/json", R"({"error":"Unauthorized"})");
    return fail_with({401, "Incorrect API key provided. Check the key the simulator was started with (--api-key).", "",
                      "invalid_api_key"});
  }
  const DialectName personality = service_.options().engine.personality;
  foreign_ = request_.method == "POST" ? foreign_call(personality, request_.target) : std::nullopt;
  if (personality == DialectName::anthropic && path == "/v1/messages/count_tokens" && request_.method == "POST") return count_tokens();
  if (foreign_) foreign_->betas = request_.betas;
  if (foreign_ && foreign_->queued) return queue_job();
  if (foreign_) return generate(Surface::chat);
  if (personality == DialectName::fal) {
    if (const auto call = queue_call(path)) return answer_queue(*call);
  }
  const std::optional<Surface> surface = speaks_openai(personality) ? surface_at(path) : std::nullopt;
  if (surface && request_.method == "POST") return generate(*surface);
  settled_ = true;  // pages leave no record
  if (surface) return fail_with({405, "Method Not Allowed: use POST"});
  if (path.starts_with("/sim/")) request_.fault.clear();  // what tells the truth does not misbehave
  if (!choose_fault(request_.method == "POST" ? fault_mark(request_.body) : std::string())) return;
  act();
}

/// Counted by the rule that the answer's usage is counted by.
void Exchange::count_tokens() {
  settled_ = true;  // nothing is generated
  if (!choose_fault({})) return;
  if (plan_.status != 0) return fail_with({plan_.status, fmt::format("This error was asked for by the fault \"{}\".", plan_.text)});
  ForeignCall call;
  call.betas = request_.betas;
  const Result<std::string> body = counted_body(call, request_.body);
  if (!body) return fail_with({400, body.error().message, body.error().param});
  const Result<Ask> ask = read_ask(Surface::chat, DialectName::vllm, body.value());
  if (!ask) return fail_with({400, ask.error().message, ask.error().param});
  if (!service_.knows_model(ask.value().model)) return fail_with({404, "model: " + ask.value().model, "model"});
  answer_whole(200, "application/json", fmt::format(R"({{"input_tokens":{}}})", ask.value().prompts.front().tokens));
}

void Exchange::queue_job() {
  settled_ = true;
  const std::string id = service_.keep_job(request_);
  answer_whole(200, "application/json", fmt::format(R"({{"request_id":"{}","status":"IN_QUEUE","queue_position":0}})", id));
}

// A job is worked on while its result is fetched: what the client waits for is the same.
void Exchange::answer_queue(const QueueCall& call) {
  if (!service_.has_job(call.id)) {
    settled_ = true;
    return fail_with({404, "Request not found"});
  }
  if (call.what == QueueCall::What::result) {
    HttpRequest job = std::move(*service_.take_job(call.id));
    job.request_id = request_.request_id;
    job.keep_alive = request_.keep_alive;
    request_ = std::move(job);
    foreign_ = foreign_call(service_.options().engine.personality, request_.target);
    return generate(Surface::chat);
  }
  settled_ = true;
  if (call.what == QueueCall::What::status) {
    return answer_whole(200, "application/json", fmt::format(R"({{"request_id":"{}","status":"COMPLETED","logs":null}})", call.id));
  }
  (void)service_.take_job(call.id);
  answer_whole(202, "application/json", R"({"status":"CANCELLATION_REQUESTED"})");
}

void Exchange::generate(Surface surface) {
  service_.count_request();
  service_.open(*this);
  const DialectName personality = service_.options().engine.personality;
  if (foreign_) {
    Result<std::string> body = openai_body(personality, *foreign_, request_.body);
    if (!body) return fail_with({400, body.error().message, body.error().param});
    request_.body = std::move(body.value());
  }
  // A foreign body in OpenAI's words has members that OpenAI's own API refuses (top_k): it is read as vLLM reads it.
  Result<Ask> ask = read_ask(surface, foreign_ ? DialectName::vllm : personality, request_.body);
  request_.body = std::string();
  if (!ask) return fail_with({400, ask.error().message, ask.error().param, ask.error().code});
  if (const auto error = take(std::move(ask.value()))) return fail_with(*error);
  if (!choose_fault(ask_->directives.fault)) return;
  if (!plan_.any()) {
    if (const FaultPlan* common = service_.common_fault()) plan_ = *common;
  }
  if (plan_.any()) service_.count_fault();
  record_.fault = plan_.text;
  Identity identity{service_.options().engine.personality,
                    surface,
                    record_.response_id,
                    std::time(nullptr),
                    record_.model,
                    "",
                    plan_.usage,
                    record_.prompt_tokens,
                    ask_->directives.usage};
  if (service_.options().announce_simulated) {
    identity.fingerprint = "simulated";
  } else if (!answers_vllm()) {
    identity.fingerprint = fmt::format("fp_{:010x}", hash_text(record_.model) >> 24);
  }
  wire_ = !foreign_               ? std::make_unique<Wire>(std::move(identity))
          : foreign_->responses ? make_responses_wire(std::move(identity))
                                : make_foreign_wire(std::move(identity));
  wire_->set_null_usage(!answers_vllm() && ask_->include_usage);
  act();
}

/// Checks the ask against the model and composes its answers.
std::optional<Exchange::Error> Exchange::take(Ask ask) {
  record_.model = ask.model;
  record_.stream = ask.stream;
  record_.choices = ask.choices;
  record_.response_id = std::string(id_prefix(ask.surface)) + record_.id;
  if (!service_.knows_model(ask.model)) {
    return Error{404, "The model `" + ask.model + "` does not exist.", "model", "model_not_found"};
  }
  const std::size_t context = service_.context_tokens();
  if (ask.prompts.size() * ask.choices > sequences_max) {
    return Error{400, fmt::format("at most {} answers at once: prompts times n", sequences_max), "n"};
  }
  for (const Prompt& prompt : ask.prompts) {
    const std::size_t wanted = ask.surface == Surface::embeddings ? 0 : ask.max_tokens.value_or(1);
    if (prompt.tokens + wanted <= context) continue;
    return Error{
        400,
        fmt::format(
            "This model's maximum context length is {} tokens. However, you requested {} tokens ({} in the prompt, "
            "{} in the completion). Please reduce the length of the prompt or the completion.",
            context, prompt.tokens + wanted, prompt.tokens, wanted),
        ask.surface == Surface::chat          ? "messages"
        : ask.surface == Surface::completions ? "prompt"
                                              : "input",
        "context_length_exceeded"};
  }
  for (std::size_t p = 0; p < ask.prompts.size(); ++p) {
    record_.prompt_tokens += ask.prompts[p].tokens;
    if (ask.surface == Surface::embeddings) continue;
    const SimulatedConfig& engine = service_.options().engine;
    const AnswerLimits limits{engine.seed, engine.output_tokens_mean,
                              static_cast<std::uint32_t>(context - ask.prompts[p].tokens)};
    for (std::uint32_t c = 0; c < ask.choices; ++c) answers_.push_back(compose(ask, p, c, limits));
  }
  ask_ = std::make_unique<Ask>(std::move(ask));
  return std::nullopt;
}

/// Reads the fault that the header or the prompt asks for. False if it was refused: the answer is given then.
bool Exchange::choose_fault(const std::string& prompt_fault) {
  Result<FaultPlan> plan = parse_faults(request_.fault.empty() ? prompt_fault : request_.fault);
  if (!plan) {
    fail_with({400, plan.error().message, plan.error().param});
    return false;
  }
  plan_ = std::move(plan.value());
  if (plan_.drip.count() > 0) connection_.set_drip(plan_.drip);
  return true;
}

/// Does what was asked, after the fault's delay and if no fault answers instead.
void Exchange::act() {
  if (plan_.delay.count() > 0 && !delay_) {
    delay_ = std::make_unique<Timer>(service_.context(), plan_.delay);
    delay_->async_wait([this, keep = connection_.shared_from_this()](const boost::system::error_code& stopped) {
      if (!stopped && !ended_) act();
    });
    return;
  }
  if (plan_.reset_head) return connection_.reset();
  if (plan_.status != 0) {
    return fail_with({plan_.status, fmt::format("This error was asked for by the fault \"{}\".", plan_.text)});
  }
  if (!ask_) {
    Page page = service_.page(request_);
    return answer_whole(page.status, page.content_type, std::move(page.body));
  }
  if (!ask_->stream && plan_.error_event) return fail_with({500, "This error was asked for by a fault."});
  if (plan_.drip.count() > 0) connection_.set_drip(plan_.drip);
  submit();
  // vLLM sends the head of a stream when it takes the request, the managed API with the first token.
  if (ask_->stream && answers_vllm()) begin_stream();
}

void Exchange::submit() {
  service_.step();
  std::vector<Job> jobs;
  const bool embeds = ask_->surface == Surface::embeddings;
  const std::uint32_t choices = embeds ? 1 : ask_->choices;
  for (const Prompt& prompt : ask_->prompts) {
    for (std::uint32_t c = 0; c < choices; ++c) {
      Job job{.prompt_tokens = prompt.tokens,
              .prefix_hash = prompt.prefix_hash,
              .prefix_tokens = prompt.prefix_tokens,
              .shares_prompt = c > 0,
              .max_tokens = ask_->max_tokens.value_or(0),
              .choices = choices};
      if (!embeds) {
        job.output_tokens = answers_[jobs.size()].tokens;
        job.reason = answers_[jobs.size()].engine_reason;
      }
      jobs.push_back(job);
    }
  }
  progress_.resize(jobs.size());
  unfinished_ = jobs.size();
  first_sequence_ = service_.submit(jobs, *this);
}

void Exchange::on_token(SequenceId id) {
  const auto choice = static_cast<std::uint32_t>(id - first_sequence_);
  Progress& progress = progress_[choice];
  const Delta delta = progress.reader.next(answers_[choice]);
  const bool first = progress.generated == 0;
  if (!ask_->stream || ended_ || silent_) {
    ++progress.generated;
    return;
  }
  if (!head_sent_) begin_stream();
  if (first && ask_->surface == Surface::chat) {
    UsageCounts counts;
    std::string json;
    wire_->append_role(json, choice, running(choice, counts));
    emit(json);
  }
  ++progress.generated;
  tell(choice, delta);
}

void Exchange::tell(std::uint32_t choice, const Delta& delta) {
  UsageCounts counts;
  const UsageCounts* so_far = running(choice, counts);
  std::string json;
  switch (delta.kind) {
    case Delta::Kind::nothing:
      return;  // of a stop sequence: it is counted with the next chunk
    case Delta::Kind::text:
      if (plan_.huge_event > 0) {
        wire_->append_text(json, choice, std::string(std::exchange(plan_.huge_event, 0), 'x'), so_far);
      } else {
        wire_->append_text(json, choice, delta.piece, so_far);
      }
      break;
    case Delta::Kind::call_begin:
      wire_->append_call(json, choice, delta.call, answers_[choice].calls[delta.call], so_far);
      break;
    case Delta::Kind::call_arguments:
      wire_->append_arguments(json, choice, delta.call, delta.piece, so_far);
      break;
  }
  emit(json);
}

/// The count of one choice, as vLLM gives it: with n > 1 a chunk counts its own choice only.
const UsageCounts* Exchange::running(std::uint32_t choice, UsageCounts& counts) const {
  if (!ask_->continuous_usage) return nullptr;
  counts = {ask_->prompts[choice / ask_->choices].tokens, progress_[choice].generated, 0};
  return &counts;
}

UsageCounts Exchange::usage() const {
  UsageCounts counts{record_.prompt_tokens, 0, record_.cached_tokens};
  for (const Progress& progress : progress_) counts.completion += progress.generated;
  return counts;
}

void Exchange::on_finished(SequenceId id) {
  const auto choice = static_cast<std::uint32_t>(id - first_sequence_);
  progress_[choice].finished = true;
  if (const SequenceTruth* truth = service_.truth(id)) {
    add_truth(record_, *truth, choice % std::max(ask_->choices, 1U) == 0);
    note_timings(*truth);
  }
  --unfinished_;
  if (ask_->stream) {
    UsageCounts counts;
    std::string json;
    wire_->append_finish(json, choice, answers_[choice].finish_reason, running(choice, counts));
    emit(json);
  }
  if (unfinished_ > 0) return;
  if (plan_.stall != Stall::head) record_.status = 200;
  settle(answers_.empty() ? "stop" : answers_.front().finish_reason, false);
  if (ask_->stream) return emit_done();
  finish_whole();
}

void Exchange::finish_whole() {
  std::string body;
  if (ask_->surface == Surface::embeddings) {
    const std::uint32_t own = answers_vllm() ? 1024 : 1536;
    body = embeddings_body(*ask_, ask_->dimensions == 0 ? own : ask_->dimensions, wire_->usage_object(usage()));
  } else {
    const bool job = facts_of(service_.options().engine.personality).form == WireForm::job;
    if (job) metrics_ = fmt::format("{}", std::max(0.0, unix_now() - record_.started_at - record_.queue_seconds));
    body = wire_->whole(answers_, usage(), metrics_);
  }
  answer_whole(200, "application/json", std::move(body));
}

void Exchange::add_truth(Record& record, const SequenceTruth& truth, bool first_of_prompt) const {
  record.generated_tokens += truth.generated;
  record.gpu_seconds += truth.gpu_seconds;
  record.work_seconds += truth.work_seconds;
  record.preemptions += truth.preemptions;
  if (!first_of_prompt) return;
  record.cached_tokens += truth.cached_tokens;
  record.prompt_processed = truth.prompt_done;
  const auto seconds = [](EngineTime time) { return std::chrono::duration<double>(time).count(); };
  const EngineTime left_queue = truth.admitted.count() < 0 ? service_.engine_now() : truth.admitted;
  record.queue_seconds = std::max(record.queue_seconds, seconds(left_queue - truth.arrived));
  if (truth.first_token.count() >= 0 && !record.ttft_seconds)
    record.ttft_seconds = seconds(truth.first_token - truth.arrived);
}

/// As vLLM gives them: time to the first token without the queue, null for more than one sequence.
void Exchange::note_timings(const SequenceTruth& truth) {
  if (!ask_->include_metrics || ask_->surface == Surface::embeddings) return;
  metrics_ = "null";
  if (progress_.size() != 1 || truth.first_token.count() < 0 || truth.admitted.count() < 0) return;
  const auto ms = [](EngineTime time) { return std::chrono::duration<double, std::milli>(time).count(); };
  const EngineTime last = truth.finished.count() < 0 ? service_.engine_now() : truth.finished;
  const double generation = ms(last - truth.first_token);
  const double intervals = std::max(truth.generated, 2U) - 1.0;
  metrics_ = fmt::format(
      R"({{"time_to_first_token_ms":{},"generation_time_ms":{},"queue_time_ms":{},"mean_itl_ms":{},"tokens_per_second":{}}})",
      ms(truth.first_token - truth.admitted), generation, ms(truth.admitted - truth.arrived), generation / intervals,
      generation > 0 ? fmt::format("{}", intervals * 1000 / generation) : "null");
}

Record Exchange::truth_now() {
  Record record = record_;
  for (std::size_t i = 0; i < progress_.size(); ++i) {
    if (progress_[i].finished) continue;
    if (const SequenceTruth* truth = service_.truth(first_sequence_ + i))
      add_truth(record, *truth, i % ask_->choices == 0);
  }
  return record;
}

void Exchange::settle(std::string_view finish_reason, bool aborted) {
  settled_ = true;
  record_.finish_reason = finish_reason;
  record_.finished_at = unix_now();
  if (aborted) record_.aborted_at = record_.finished_at;
  service_.close(*this, record_);
}

void Exchange::connection_over() {
  if (delay_) delay_->cancel();
  ended_ = true;
  if (settled_) return;
  service_.step();
  if (settled_) return;  // it had just finished
  for (std::size_t i = 0; i < progress_.size(); ++i) {
    if (progress_[i].finished) continue;
    if (const auto truth = service_.abort(first_sequence_ + i)) add_truth(record_, *truth, i % ask_->choices == 0);
  }
  settle("abort", true);
}

}  // namespace tollgate::simulator
