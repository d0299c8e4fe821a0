// Clients that speak Anthropic's Messages or OpenAI's Responses: where the way of their requests differs from that of a chat completion.

#include <chrono>
#include <nlohmann/json.hpp>

#include "backends/answer_writer.hpp"
#include "backends/chat_request.hpp"
#include "backends/native.hpp"
#include "gateway/exchange.hpp"
#include "gateway/reply.hpp"
#include "router/forecast.hpp"

namespace tollgate {

namespace {

constexpr std::chrono::seconds count_wait_max{10};        // for a provider's count; then it is estimated
constexpr std::size_t count_bytes_max = 64 * 1024;
constexpr std::string_view count_path = "/v1/messages/count_tokens";

}  // namespace

Inbound::Inbound() = default;
Inbound::~Inbound() = default;

void Inbound::forget_text() {
  request.reset();
  text = std::string();
  marked = std::string();
  wire = std::string();
}

// What is screened, masked and sent is written anew from what was read here, so that no two readers can take it in two ways.
Result<void> Exchange::translate_request() {
  TOLLGATE_TRY(InboundRequest request, read_inbound(form_, body_, serving_->config->server.nesting_max));
  TOLLGATE_TRY(InboundChat chat, request.chat(routing_flavour));
  inbound_ = std::make_unique<Inbound>();
  inbound_->text = request.text();
  if (request.has_pictures()) inbound_->marked = request.screened();
  inbound_->request = std::make_unique<InboundRequest>(std::move(request));
  body_ = std::move(chat.body);
  body_.reserve(body_.size() + ChatParser::padding);
  return success();
}

// Placeholders go into the client's own words, and all that is sent is translated from those.
Result<void> Exchange::mask_inbound(PiiKinds kinds, Masked& masked, std::unique_ptr<InboundRequest>& made) const {
  masked = mask(inbound_->screened_text(), kinds, {}, ChatParser::padding);
  TOLLGATE_TRY(InboundRequest request, read_inbound(form_, masked.body, serving_->config->server.nesting_max));
  request.unmark_pictures();
  request.set_model(chat_.model);      // no personal datum, whatever it looks like
  masked.body = request.text();
  made = std::make_unique<InboundRequest>(std::move(request));
  return success();
}

/// Whom to speak how: the client's own protocol where the backend knows it, else the backend's.
const Dialect& Exchange::dialect_for(const Backend& backend) const noexcept {
  if (form_ == ClientForm::openai) return dialect_of(backend.dialect);
  const Dialect* const native = native_dialect(form_, backend);
  return native != nullptr ? *native : dialect_of(backend.dialect);
}

Result<void> Exchange::write_inbound(const Backend& backend, const Target& target, WireBody& wire) {
  const InboundRequest& request = masks_ ? *masked_->inbound : *inbound_->request;
  ClientBody map;
  if (const Dialect* const native = native_dialect(form_, backend); native != nullptr) {
    map.text = masks_ ? std::string_view(masked_->masked.body) : std::string_view(inbound_->text);
    TOLLGATE_TRY(native->write(map, backend, target, wire));
    const std::string_view beta = form_ == ClientForm::messages ? head_.field("anthropic-beta") : std::string_view{};
    if (!beta.empty()) wire.headers.emplace_back("anthropic-beta", beta);
    return success();
  }
  TOLLGATE_TRY(InboundChat chat, request.chat(flavour_of(backend.dialect)));
  Unsupported unsupported(backend.drop_unsupported);
  for (const std::string& member : chat.unsaid) unsupported.add(member);
  TOLLGATE_TRY(unsupported.verdict("the API of '" + std::string(text(backend.name)) + "'"));
  inbound_->wire = std::move(chat.body);
  inbound_->wire.reserve(inbound_->wire.size() + ChatParser::padding);
  ChatView view;
  TOLLGATE_TRY(reactor_.parser().parse(inbound_->wire, surface_, view, map));
  map.ask_metrics = body_map_.ask_metrics;
  TOLLGATE_TRY(dialect_of(backend.dialect).write(map, backend, target, wire));
  wire.dropped.insert(wire.dropped.begin(), chat.unsaid.begin(), chat.unsaid.end());
  return success();
}

/// What the target of the attempt under way, or the last, speaks with this client.
ClientForm Exchange::answered_in() const noexcept {
  const bool native = inbound_ && native_dialect(form_, serving_->config->backend_of(*plan_->steps[step_].target)) != nullptr;
  return native ? form_ : ClientForm::openai;
}

void Exchange::begin_writing() {
  inbound_->writer.reset();
  if (answered_in() != ClientForm::openai) return;
  inbound_->writer = make_answer_writer(*inbound_->request);
  inbound_->writer->expect_input(estimated(0).input);
}

/// Events of OpenAI's form become the client's; `memory` holds them. What is in the client's form already stays.
Result<void> Exchange::say(Pieces& events, std::string& memory) {
  if (copy_) {   // what is looked at afterwards: the chat completion where there is one
    for (const std::string_view event : events) copy_->add(event);
  }
  if (!inbound_->writer) return success();
  TOLLGATE_TRY(inbound_->writer->feed(events, memory));
  events.clear();
  if (!memory.empty()) events.push_back(memory);
  return success();
}

Result<void> Exchange::say_end(Pieces& events, const Usage& usage, std::string& memory) {
  TOLLGATE_TRY(say(events, memory));
  if (!inbound_->writer) return success();
  inbound_->writer->finish(usage, memory);
  events.clear();
  events.push_back(memory);
  return success();
}

Result<void> Exchange::send_inbound(std::string_view body, const Usage& usage) {
  if (copy_) copy_->add(body);
  if (answered_in() != ClientForm::openai) return send_whole(Answer{}, body);
  TOLLGATE_TRY(const std::string written, make_answer_writer(*inbound_->request)->whole(body, usage));
  return send_whole(Answer{}, written);
}

std::string Exchange::refusal_body(const Error& error) const {
  return form_ == ClientForm::messages ? messages_error_body(error, id_text_.view()) : error_body(error);
}

std::string Exchange::stream_error(const Error& error) const {
  std::string event;
  if (inbound_->writer) {
    inbound_->writer->fail(error, event);
  } else {
    make_error_event(form_, error, event);
  }
  return event;
}

void Exchange::list_models_as_anthropic() {
  const Config& config = *serving_->config;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  const auto add = [&](std::string_view id) {
    if (may_use(caller_, id)) all.push_back({{"type", "model"}, {"id", id}, {"display_name", id}, {"created_at", "1970-01-01T00:00:00Z"}});   // theirs for "unknown"
  };
  for (const std::string& name : config.virtual_models) add(name);
  for (const Target& target : config.targets) {
    if (target.has_model()) add(text(target.id));
  }
  constexpr std::string_view models = "/v1/models/";
  const std::string wanted = head_.path().size() > models.size() ? percent_decoded(head_.path().substr(models.size())) : std::string{};
  std::string lines;
  append_header(lines, "request-id", id_text_.view());
  if (wanted.empty()) {
    const nlohmann::ordered_json first = all.empty() ? nlohmann::ordered_json() : all.front()["id"], last = all.empty() ? nlohmann::ordered_json() : all.back()["id"];
    return reply_json(200, nlohmann::ordered_json{{"data", all}, {"has_more", false}, {"first_id", first}, {"last_id", last}}.dump(), lines);
  }
  for (const auto& model : all) {
    if (model["id"] == wanted) return reply_json(200, model.dump(), lines);
  }
  reply_json(404, refusal_body(fail(Fault::model_not_found, "the model '" + wanted + "' does not exist", "model")), lines);
}

// Nothing is generated, so nothing is charged and no row is written; the rules hold all the same for what goes to a provider.
Task<Result<void>> Exchange::count_tokens() {
  TOLLGATE_CO_TRY(read_request());
  TOLLGATE_CO_TRY(decide_route());
  Result<std::string> counted = co_await counted_upstream();
  transfer_.reset();
  total_.clear();
  if (client_.gone()) co_return fail(Fault::client_gone, "");
  std::string lines;
  if (!counted) {
    step_ = 0;
    TargetState state;
    state.input_bytes_per_token = reactor_.books().learned(plan_->steps.front().target->id).input_bytes_per_token;
    std::int64_t tokens = input_tokens_of(chat_, state).count();
    const nlohmann::ordered_json& request = inbound_->request->json();
    if (request.contains("tools")) tokens += static_cast<std::int64_t>(static_cast<double>(request["tools"].dump().size()) / state.input_bytes_per_token);
    counted = "{\"input_tokens\":" + std::to_string(std::max<std::int64_t>(tokens, 1)) + "}";
    append_header(lines, "x-tollgate-count", "estimated");
  }
  append_tollgate_headers(lines, false);
  reply_json(200, counted.value(), lines);
  co_return success();
}

/// The count of the target that would be asked, if it can count.
Task<Result<std::string>> Exchange::counted_upstream() {
  const Step& step = plan_->steps.front();
  const Backend& backend = serving_->config->backend_of(*step.target);
  const Permission permission = permits(facts(), *serving_->config, *step.target);
  const bool may = native_dialect(form_, backend) != nullptr && permission.forbidden_by == NameId::none &&
                   serving_->health_of(*step.target).usable(std::chrono::steady_clock::now());
  if (!may) co_return fail(Fault::unsupported, "the target cannot count");
  TOLLGATE_CO_TRY(prepare_mask(permission.mask));
  restorer_.reset();
  total_.set(std::min<std::chrono::milliseconds>(backend.timeouts.total, count_wait_max));
  co_return co_await ask_for_count(step);
}

Task<Result<std::string>> Exchange::ask_for_count(const Step& step) {
  const Backend& backend = serving_->config->backend_of(*step.target);
  const Endpoint& endpoint = serving_->endpoints[step.target->backend];
  WireBody wire;
  TOLLGATE_CO_TRY(write_inbound(backend, *step.target, wire));
  // What counts for an answer only is not asked for here, and refused.
  nlohmann::ordered_json body = nlohmann::ordered_json::parse(wire.pieces.front(), nullptr, false);
  for (const char* const member : {"max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier"}) body.erase(member);
  const std::string text = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  const std::string_view pieces[] = {text};
  Call call;
  call.path = count_path;
  call.headers = wire.headers;
  call.body = pieces;
  call.request_id = id_text_.view();
  transfer_ = reactor_.transport_for(backend, endpoint).open(endpoint);
  TOLLGATE_CO_TRY(const AnswerHead head, co_await transfer_->start(call));
  std::string answer;
  while (answer.size() < count_bytes_max) {
    const Result<std::string_view> bytes = co_await transfer_->read();
    if (!bytes) co_return bytes.error();
    if (bytes.value().empty()) break;
    answer.append(bytes.value());
  }
  const nlohmann::json count = nlohmann::json::parse(answer, nullptr, false);
  const bool counted = head.status == 200 && count.is_object() && count.contains("input_tokens") && count["input_tokens"].is_number_integer();
  if (!counted) co_return fail(Fault::upstream_garbage, "the upstream did not count");
  co_return answer;
}

}  // namespace tollgate
