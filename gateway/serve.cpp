// The path of a request, in order. See docs/architecture.md.

#include <boost/asio/as_tuple.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/hedge_legs.hpp"
#include "gateway/log.hpp"
#include "gateway/reply.hpp"
#include "gateway/unix_time.hpp"
#include "router/scoring.hpp"

namespace tollgate {

namespace {

constexpr std::size_t discard_bytes_max = 1024 * 1024;     // an unread body up to this is read and dropped to keep the connection
constexpr std::chrono::milliseconds slot_wait{2};          // when all ledger slots are taken: how often to ask again
constexpr std::chrono::seconds slot_wait_max{10};
constexpr std::string_view feedback_path = "/v1/feedback";

/// Of a path that knows another method.
std::string allowed_here(std::string_view path) {
  if (path.starts_with("/v1/models")) return "GET, HEAD";
  const std::string passed = passed_methods(path);
  return passed.empty() ? "POST" : passed;
}

}  // namespace

Exchange::Exchange(Session& session, ServingPtr serving, RequestHead& head)
    : session_(session),
      reactor_(session.reactor()),
      client_(session.connection()),
      serving_(std::move(serving)),
      head_(head),
      arrived_(std::chrono::steady_clock::now()),
      arrived_us_(unix_micros()),
      id_(next_request_id(reactor_.index())),
      id_text_(text(id_)),
      read_at_(arrived_),
      total_(reactor_.wheel(), &Exchange::out_of_time, this),
      silence_(reactor_.wheel(), &Exchange::silence, this) {}

Task<bool> Exchange::serve() {
  const Result<void> outcome = co_await answer();
  client_.unwatch();
  total_.clear();
  silence_.clear();
  give_back();
  if (!outcome) co_await refuse(outcome.error());
  if (cache_ && outcome) store_answer();   // before the answer's last bytes go: who asks again at once, elsewhere, is to find it
  if (client_.has_backlog()) co_await client_.flush(serving_->config->server.write_timeout);
  settle(outcome);
  if (outcome) review_answer();
  if (logs(LogLevel::info) && serving_->config->log.access) log_access(outcome);
  if (race_) co_await race_over();
  co_return keep_ && keeps_alive() && !client_.gone();
}

Task<Result<void>> Exchange::answer() {
  // What OpenAI's and Anthropic's SDKs send with each request: "0", then the number of the retry.
  if (const std::string_view retry = head_.field("x-stainless-retry-count"); !retry.empty() && retry != "0") reactor_.count_client_retry();
  const Result<Api> api = find_api();
  if (!api) {
    client_.keep_rest();
    co_return api.error();
  }
  const Result<Caller> caller = authenticate();
  if (!caller) {
    client_.keep_rest();
    co_return caller.error();
  }
  caller_ = caller.value();
  if (api.value() == Api::models) {
    client_.keep_rest();
    list_models();
    co_return success();
  }
  if (api.value() == Api::passthrough) co_return co_await pass_through();
  if (!client_.take_body(head_, serving_->config->server, ChatParser::padding, body_)) {
    TOLLGATE_CO_TRY(co_await client_.read_body(head_, serving_->config->server, ChatParser::padding, body_));
  }
  body_read_ = true;
  read_at_ = std::chrono::steady_clock::now();
  if (api.value() == Api::count_tokens) co_return co_await count_tokens();
  if (api.value() == Api::feedback) co_return co_await take_feedback();
  co_return co_await infer();
}

// Anthropic's SDKs send the key in a header of its own.
Result<Caller> Exchange::authenticate() {
  const std::string_view authorization = head_.field("authorization");
  if (!authorization.empty()) return session_.authenticate(*serving_, authorization);
  const std::string_view key = head_.field("x-api-key");
  if (key.empty()) return session_.authenticate(*serving_, {});
  return session_.authenticate(*serving_, "Bearer " + std::string(key));
}

// Its frame lives as long as the answer: what does not wait is done by functions of their own, whose locals end with them.
Task<Result<void>> Exchange::infer() {
  Result<void> outcome = read_request();
  if (!outcome) co_return outcome;
  if (!take_slot()) outcome = co_await wait_for_slot();
  if (outcome) outcome = decide_route();
  if (outcome && plan_->rule != nullptr && plan_->rule->cache) consult_cache();
  if (outcome && needs_admission()) outcome = co_await admit();
  note_decision();
  keep_for_sample();
  if (outcome && cache_ && cache_->answer) co_return reply_cached();
  if (outcome) outcome = co_await forward();
  co_return outcome;
}

Result<void> Exchange::read_request() {
  if (form_ != ClientForm::openai) {
    TOLLGATE_TRY(translate_request());
  }
  TOLLGATE_TRY(reactor_.parser().parse(body_, surface_, chat_, body_map_));
  if (may_use(caller_, chat_.model)) return success();
  return fail(Fault::forbidden_model, "this key may not use the model '" + std::string(chat_.model) + "'", "model");
}

Result<void> Exchange::decide_route() {
  screening_.emplace(chat_, inbound_ ? inbound_->screened_text() : std::string_view(body_));
  const Classified seen = classify(chat_, serving_->config->tiers, serving_->scoring);
  complexity_ = seen.complexity;
  if (record_ != nullptr) {                   // else tokens are counted, and nothing is recorded
    note_features(seen.features);
    choose_what_to_keep();
  }
  const MonoTime now = std::chrono::steady_clock::now();
  if (serving_->config->knows_conversations) {
    const std::int64_t ttl = std::max<std::int64_t>(serving_->config->sticky_ttl.count() / 1000, 1);
    conversation_ = conversation_of(head_.field("x-tollgate-session"), caller_, chat_);
    last_turn_ = reactor_.conversations().find(conversation_, arrived_us_ / 1'000'000, ttl);
  }
  if (const NameId rules = serving_->config->rules; rules != NameId::none && record_ != nullptr) {
    reactor_.books().covered(*record_, rules, covered_by(facts(), *serving_->config));
  }
  Result<Plan> plan = decide(facts(), *serving_->config, reactor_.target_states(*serving_, now));
  if (!plan) {
    const bool counts = record_ != nullptr && plan.error().fault == Fault::constraint_unsatisfied;
    if (counts) reactor_.constraint_counts().refused(*serving_->config, record_->row.covered);
    return plan.error();
  }
  plan_ = std::move(plan.value());
  TOLLGATE_TRY(keep_named_files());
  if (record_ == nullptr) return success();
  if (plan_->spilled_from != nullptr) reactor_.routing_counts().spilled(plan_->route, plan_->spilled_from->id, plan_->steps.front().target->id);
  if (plan_->rule != nullptr && plan_->rule->autopilot) reactor_.autopilot_counts().decided(*plan_, *serving_->config);
  reactor_.books().decided(*record_, plan_->route, complexity_.score, complexity_.tier);
  return success();
}

RequestFacts Exchange::facts() const {
  RequestFacts facts{&chat_, complexity_, head_.fields(), caller_.team, caller_.key, screening_ ? &*screening_ : nullptr};
  facts.arrived_us = arrived_us_;
  facts.dice = static_cast<std::uint64_t>(id_);
  facts.conversation = last_turn_;
  return facts;
}

bool Exchange::take_slot() {
  const bool unnamed = passed_ && chat_.model.empty();
  const NameId model = unnamed ? Names::global().intern(name_of(surface_)) : serving_->recorded_model(chat_.model);
  const std::size_t bytes = passed_ ? passed_->body.size() : body_.size();
  const RequestOpened opened{id_, arrived_us_, model, caller_.team, caller_.key, surface_, chat_.stream, static_cast<std::int32_t>(std::min<std::size_t>(bytes, INT32_MAX))};
  record_ = reactor_.books().open(opened);
  return record_ != nullptr;
}

// Nothing is served unrecorded: without a slot in the ledger the request waits, and in the end is refused.
Task<Result<void>> Exchange::wait_for_slot() {
  const MonoTime give_up = std::chrono::steady_clock::now() + slot_wait_max;
  while (!take_slot()) {
    if (!reactor_.books().can_record()) co_return fail(Fault::ledger_full, "the ledger cannot be written; requests are refused until it can (see /readyz)");
    if (std::chrono::steady_clock::now() > give_up) co_return fail(Fault::ledger_full, "too many requests are open; try again shortly");
    Timer pause(reactor_.context().get_executor(), slot_wait);
    co_await pause.async_wait(asio::as_tuple(use_task));
  }
  co_return success();
}

Result<Exchange::Api> Exchange::find_api() {
  struct Place {
    std::string_view path;
    Surface surface;
    ClientForm form = ClientForm::openai;
    Api api = Api::inference;
  };
  static constexpr Place places[] = {{"/v1/chat/completions", Surface::chat},
                                     {"/v1/completions", Surface::completions},
                                     {"/v1/embeddings", Surface::embeddings},
                                     {"/v1/messages", Surface::chat, ClientForm::messages},
                                     {"/v1/messages/count_tokens", Surface::chat, ClientForm::messages, Api::count_tokens},
                                     {"/v1/responses", Surface::chat, ClientForm::responses}};
  using boost::beast::http::verb;
  const std::string_view path = head_.path();
  for (const Place& place : places) {
    if (path != place.path) continue;
    surface_ = place.surface;
    form_ = place.form;
    if (head_.verb() != verb::post) return fail(Fault::method_not_allowed, "use POST on " + std::string(place.path));
    return place.api;
  }
  if (path == feedback_path) {
    if (head_.verb() != verb::post) return fail(Fault::method_not_allowed, "use POST on /v1/feedback");
    return Api::feedback;
  }
  if (!head_.field("anthropic-version").empty()) form_ = ClientForm::messages;   // errors and lists as its SDKs read them
  if (path == "/v1/models" || path.starts_with("/v1/models/")) {
    if (head_.verb() != verb::get && head_.verb() != verb::head) return fail(Fault::method_not_allowed, "use GET on /v1/models");
    return Api::models;
  }
  TOLLGATE_TRY(const std::optional<Api> passed, find_passed());
  if (passed) return *passed;
  if (path.starts_with("/v1/responses/")) {
    return fail(Fault::not_found, "this gateway keeps no answers: what /v1/responses answered can neither be fetched nor cancelled afterwards");
  }
  return fail(Fault::not_found, "there is nothing at '" + std::string(path.substr(0, 128)) +
                                    "'; this gateway serves /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/messages, /v1/responses, /v1/models and /v1/feedback, and passes on images, audio, moderations, files, uploads and batches");
}

void Exchange::list_models() {
  if (form_ == ClientForm::messages) return list_models_as_anthropic();
  const Config& config = *serving_->config;
  const auto describe = [&](std::string_view id, std::string_view owner) {
    return nlohmann::json{{"id", id}, {"object", "model"}, {"created", 0}, {"owned_by", owner}};
  };
  nlohmann::json all = nlohmann::json::array();
  for (const std::string& name : config.virtual_models) {
    if (may_use(caller_, name)) all.push_back(describe(name, "tollgate"));
  }
  for (const Target& target : config.targets) {
    if (target.has_model() && may_use(caller_, text(target.id))) all.push_back(describe(text(target.id), text(config.backend_of(target).name)));
  }
  constexpr std::string_view models = "/v1/models/";
  const std::string wanted = head_.path().size() > models.size() ? percent_decoded(head_.path().substr(models.size())) : std::string{};
  if (wanted.empty()) {
    reply_json(200, nlohmann::json{{"object", "list"}, {"data", all}}.dump(), {});
    return;
  }
  for (const auto& model : all) {
    if (model["id"] == wanted) return reply_json(200, model.dump(), {});
  }
  reply_json(404, error_body(fail(Fault::model_not_found, "the model '" + wanted + "' does not exist", "model")), {});
}

void Exchange::reply_json(int status, std::string_view body, std::string_view extra) {
  status_ = status;
  std::string reply;
  ReplyHead head;
  head.status = status;
  head.length = body.size();
  head.keep_alive = keep_ && keeps_alive();
  head.request_id = id_text_.view();
  head.extra = extra;
  append_head(reply, head, reactor_.date(arrived_us_ / 1'000'000));
  if (head_.verb() != boost::beast::http::verb::head) reply += body;
  client_.send(reply);
}

bool Exchange::keeps_alive() const { return head_.keep_alive() && !reactor_.draining(); }

// The body of a request refused by its head: dropped if it is small, so that the connection can go on; else the connection closes.
Task<void> Exchange::discard_body() {
  if (body_read_ || !head_.has_body()) co_return;
  const bool small = !head_.chunked() && head_.content_length().value_or(0) <= discard_bytes_max && !head_.expects_continue();
  keep_ = false;
  if (!small) co_return;
  std::string dropped;
  const Result<void> read = co_await client_.read_body(head_, serving_->config->server, 0, dropped);
  keep_ = read.has_value();
}

Task<void> Exchange::refuse(const Error& error) {
  if (error.fault == Fault::client_gone || client_.gone()) {
    keep_ = false;
    co_return;
  }
  if (replied_) {                      // half an answer is out: the protocol's error event and a proper end; without one, only closing tells
    keep_ = streaming_;                // its head said that the connection stays: a client that sends on it at once must not meet a close
    if (streaming_) send_stream_error(error);
    co_return;
  }
  if (error.fault == Fault::request_timeout || error.fault == Fault::too_large) keep_ = false;
  if (keep_) co_await discard_body();
  std::string extra = error_headers(error);
  if (error.fault == Fault::method_not_allowed) append_header(extra, "allow", allowed_here(head_.path()));
  append_tollgate_headers(extra, false);
  reply_json(http_status_of(error), refusal_body(error), extra);
}

void Exchange::settle(const Result<void>& outcome) {
  const RowResult result = outcome ? RowResult::ok() : RowResult::of(outcome.error().fault);
  if (record_ == nullptr) {
    if (!outcome) reactor_.books().refused(result);
    return;
  }
  const MonoTime now = std::chrono::steady_clock::now();
  RequestClosing closing;
  closing.result = result;
  closing.http_status = status_;
  closing.duration = now - arrived_;
  if (first_byte_at_ != MonoTime{}) closing.first_token = first_byte_at_ - arrived_;
  if (sent_at_ != MonoTime{}) {
    closing.overhead = sent_at_ - read_at_;
    if (answered_at_ != MonoTime{}) closing.overhead += now - answered_at_;
  }
  if (replied_ && number_ < record_->row.attempts) closing.answered_by = plan_->steps[step_].target->id;   // not the last that was begun: it was hedged
  if (kept_ && kept_->sent) closing.answered_by = plan_->steps[kept_->step].target->id;
  if (cache_ && cache_->served) note_cached(closing);
  if (cache_) count_cache();
  charge_unheld();
  std::unique_ptr<const OpenRequest> seen;
  if (sampled_body_) seen = std::make_unique<const OpenRequest>(*record_);
  reactor_.books().settle(*record_, closing);
  if (admitted_) admitted_->hold.settle();
  if (seen) sample_decision(*seen, outcome, closing);
}

void Exchange::log_access(const Result<void>& outcome) {
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - arrived_);
  std::vector<LogField> fields{{"request_id", std::string(id_text_.view())},
                               {"method", std::string(head_.method())},
                               {"path", std::string(head_.path().substr(0, 256))},
                               {"status", std::to_string(status_), false},
                               {"ms", decimal_text(duration.count(), 3), false}};
  if (caller_.record != nullptr) fields.push_back({"key", std::string(text(caller_.key))});
  if (plan_) {
    fields.push_back({"route", std::string(text(plan_->route))});
    fields.push_back({"tier", std::string(name_of(complexity_.tier))});
    if (cache_) fields.push_back({"cache", std::string(name_of(cache_->result))});
    if (cache_ && cache_->served) {
      fields.push_back({"cached_from", std::string(text(cache_->answer->target))});
    } else if (step_ < plan_->steps.size()) {
      fields.push_back({"target", std::string(text(plan_->steps[step_].target->id))});
    }
  }
  if (record_ != nullptr) fields.push_back({"cost_usd", cost_text_});
  if (!outcome) {
    fields.push_back({"error", std::string(facts_of(outcome.error().fault).name)});
  }
  log_event(LogLevel::info, "request", fields);
}

}  // namespace tollgate
