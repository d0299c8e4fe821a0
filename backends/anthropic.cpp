#include "backends/anthropic.hpp"

#include "backends/chat_request.hpp"
#include "backends/json_members.hpp"
#include "backends/upstream_error.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ContentBlock::Kind;
using json::at;
using json::count_at;
using json::dumped;
using json::text_at;

constexpr std::int64_t default_output_tokens = 4096;   // every model that the API still serves gives as many

bool blank(std::string_view text) noexcept { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

Json block_json(const ContentBlock& block) {
  Json json;
  switch (block.kind) {
    case Kind::text:
      json = {{"type", "text"}, {"text", block.text}};
      break;
    case Kind::image:
      json = {{"type", "image"}};
      json["source"] = block.data.empty() ? Json{{"type", "url"}, {"url", block.url}}
                                          : Json{{"type", "base64"}, {"media_type", block.media_type}, {"data", block.data}};
      break;
    case Kind::file:
      json = {{"type", "document"}, {"source", {{"type", "base64"}, {"media_type", block.media_type}, {"data", block.data}}}};
      if (!block.file_name.empty()) json["title"] = block.file_name;
      break;
    case Kind::tool_call:
      json = {{"type", "tool_use"}, {"id", block.id}, {"name", block.name}, {"input", block.arguments}};
      break;
    case Kind::tool_result:
      json = {{"type", "tool_result"}, {"tool_use_id", block.id}, {"content", block.text}};
      break;
    case Kind::thinking:
      json = {{"type", "thinking"}, {"thinking", block.text}, {"signature", block.signature}};
      break;
    case Kind::redacted_thinking:
      json = {{"type", "redacted_thinking"}, {"data", block.text}};
      break;
  }
  if (!block.cache_control.is_null()) json["cache_control"] = block.cache_control;
  return json;
}

Json messages_json(const ChatRequest& request) {
  Json messages = Json::array();
  for (const ChatTurn& turn : request.turns) {
    Json content = Json::array();
    for (const ContentBlock& block : turn.blocks) {
      // Blank text blocks are refused there.
      if (block.kind != Kind::text || !blank(block.text)) content.push_back(block_json(block));
    }
    if (!content.empty()) messages.push_back({{"role", turn.role == ChatTurn::Role::user ? "user" : "assistant"}, {"content", std::move(content)}});
  }
  return messages;
}

Json tools_json(const ChatRequest& request) {
  Json tools = Json::array();
  for (const ChatTool& tool : request.tools) {
    Json json{{"name", tool.name}};
    if (!tool.description.empty()) json["description"] = tool.description;
    json["input_schema"] = tool.parameters.is_object() ? tool.parameters : Json{{"type", "object"}, {"properties", Json::object()}};
    if (!json["input_schema"].contains("type")) json["input_schema"]["type"] = "object";
    if (tool.strict) json["strict"] = *tool.strict;
    if (!tool.cache_control.is_null()) json["cache_control"] = tool.cache_control;
    tools.push_back(std::move(json));
  }
  return tools;
}

Json tool_choice_json(const ChatRequest& request) {
  using Choice = ChatRequest::ToolChoice;
  Json json;
  switch (request.tool_choice) {
    case Choice::unset:
      if (request.parallel_tool_calls != false) return json;
      json = {{"type", "auto"}};
      break;
    case Choice::automatic:
      json = {{"type", "auto"}};
      break;
    case Choice::none:
      return {{"type", "none"}};
    case Choice::required:
      json = {{"type", "any"}};
      break;
    case Choice::named:
      json = {{"type", "tool"}, {"name", request.tool_name}};
      break;
  }
  if (request.parallel_tool_calls == false) json["disable_parallel_tool_use"] = true;
  return json;
}

// OpenAI's word → output_config.effort; "none" switches thinking off instead.
void put_effort(const ChatRequest& request, Json& body, Json& output_config, Unsupported& unsupported) {
  if (!request.thinking.is_null()) body["thinking"] = request.thinking;
  const std::string& effort = request.reasoning_effort;
  if (effort.empty()) return;
  if (effort == "none") {
    if (request.thinking.is_null()) body["thinking"] = {{"type", "disabled"}};
  } else if (effort == "minimal") {
    output_config["effort"] = "low";
  } else if (effort == "low" || effort == "medium" || effort == "high" || effort == "xhigh" || effort == "max") {
    output_config["effort"] = effort;
  } else {
    unsupported.add("reasoning_effort");
  }
}

void put_sampling(const ChatRequest& request, Json& body, Unsupported& unsupported) {
  if (request.temperature) {
    if (*request.temperature <= 1) {
      body["temperature"] = *request.temperature;
    } else {
      unsupported.add("temperature");   // theirs ends at 1, and 1.5 there is not what 1.5 is here
    }
  }
  if (request.top_p) body["top_p"] = *request.top_p;
  if (request.top_k) body["top_k"] = *request.top_k;
  Json stop = Json::array();
  for (const std::string& each : request.stop) {
    if (!blank(each)) {
      stop.push_back(each);
    } else if (!each.empty()) {
      unsupported.add("stop");          // of white space only: refused there
    }
  }
  if (!stop.empty()) body["stop_sequences"] = std::move(stop);
  if (request.presence_penalty.value_or(0) != 0) unsupported.add("presence_penalty");
  if (request.frequency_penalty.value_or(0) != 0) unsupported.add("frequency_penalty");
  if (request.seed) unsupported.add("seed");
  if (request.logprobs) unsupported.add("logprobs");
  if (request.choices != 1) unsupported.add("n");
}

std::string_view finish_reason(std::string_view stop_reason) noexcept {
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") return "length";
  if (stop_reason == "tool_use") return "tool_calls";
  if (stop_reason == "refusal") return "content_filter";
  return "stop";   // end_turn, stop_sequence, pause_turn
}

Fault fault_of_error(std::string_view type) noexcept {
  if (type == "overloaded_error" || type == "rate_limit_error") return Fault::upstream_busy;
  if (type == "timeout_error") return Fault::upstream_timeout;
  if (type == "authentication_error" || type == "permission_error" || type == "billing_error") return Fault::upstream_credentials;
  return Fault::upstream_status;
}

}  // namespace

std::optional<Usage> anthropic_usage(const Json& usage) {
  Usage out;
  TokenCount written, written_5m, written_1h, searches;
  if (!usage.is_object() || at(usage, "input_tokens").is_null()) return std::nullopt;
  const Json& split = at(usage, "cache_creation");
  const bool counts = count_at(usage, "input_tokens", out.input) && count_at(usage, "cache_read_input_tokens", out.cached_input) &&
                      count_at(usage, "cache_creation_input_tokens", written) && count_at(usage, "output_tokens", out.output) &&
                      count_at(split, "ephemeral_5m_input_tokens", written_5m) && count_at(split, "ephemeral_1h_input_tokens", written_1h) &&
                      count_at(at(usage, "output_tokens_details"), "thinking_tokens", out.reasoning) &&
                      count_at(at(usage, "server_tool_use"), "web_search_requests", searches);
  if (!counts || out.reasoning.count() > out.output.count()) return std::nullopt;
  // Without the split all was written for minutes; a split that does not add up is not believed.
  if (written_1h.count() > 0 && written_5m.count() + written_1h.count() != written.count()) return std::nullopt;
  out.cache_write = TokenCount{written.count() - written_1h.count()};
  out.rare[static_cast<std::size_t>(RareClass::cache_write_1h)] = static_cast<std::int32_t>(written_1h.count());
  out.web_searches = static_cast<std::int32_t>(searches.count());
  return out;
}

Result<void> AnthropicDialect::write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const {
  TOLLGATE_TRY(const ChatRequest request, read_chat_request(client.text));
  Unsupported unsupported(backend.drop_unsupported);
  Json body{{"model", target.upstream}};
  const std::int64_t room = target.output_tokens_max > 0 ? target.output_tokens_max : default_output_tokens;
  body["max_tokens"] = request.max_tokens.value_or(room);
  if (!request.system.empty()) {
    Json system = Json::array();
    for (const ContentBlock& block : request.system) {
      if (!blank(block.text)) system.push_back(block_json(block));
    }
    if (!system.empty()) body["system"] = std::move(system);
  }
  body["messages"] = messages_json(request);
  if (!request.tools.empty()) {
    body["tools"] = tools_json(request);
    if (Json choice = tool_choice_json(request); !choice.is_null()) body["tool_choice"] = std::move(choice);
  }
  put_sampling(request, body, unsupported);
  Json output_config = Json::object();
  put_effort(request, body, output_config, unsupported);
  if (request.format == ChatRequest::Format::json_schema) output_config["format"] = {{"type", "json_schema"}, {"schema", request.schema}};
  if (request.format == ChatRequest::Format::json_object) unsupported.add("response_format");   // there is no "any JSON" there
  if (!output_config.empty()) body["output_config"] = std::move(output_config);
  if (!request.user.empty()) body["metadata"] = {{"user_id", request.user}};
  if (request.service_tier == "default" || request.service_tier == "standard_only") {
    body["service_tier"] = "standard_only";
  } else if (request.service_tier == "auto" || request.service_tier == "priority") {
    body["service_tier"] = "auto";   // priority capacity where it is bought: there is no stronger word
  } else if (!request.service_tier.empty()) {
    unsupported.add("service_tier");
  }
  if (request.stream) body["stream"] = true;
  for (const std::string& other : request.others) unsupported.add(other);
  TOLLGATE_TRY(unsupported.verdict("Anthropic's API"));
  out.set(dumped(body), unsupported.members());
  return success();
}

std::unique_ptr<StreamReader> AnthropicDialect::stream_reader(const ClientBody& client) const {
  return std::make_unique<AnthropicStreamReader>(client);
}

Result<Answer> AnthropicDialect::read_answer(Surface, std::string_view body) const {
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return fail(Fault::upstream_garbage, "the upstream answered 200 with something that is not a JSON object");
  if (text_at(json, "type") == "error") return fail(Fault::upstream_status, "the upstream answered 200 with an error: " + read_error(500, body).message);
  if (!at(json, "content").is_array()) return fail(Fault::upstream_garbage, "the upstream's answer has no content");
  ChatAnswer answer;
  answer.id = text_at(json, "id");
  answer.model = text_at(json, "model");
  AnsweredChoice choice;
  for (const Json& block : json["content"]) {
    const std::string type = block.is_object() ? text_at(block, "type") : std::string();
    if (type == "text") {
      choice.text += text_at(block, "text");
    } else if (type == "tool_use") {
      const Json& input = at(block, "input");
      choice.calls.push_back({text_at(block, "id"), text_at(block, "name"), input.is_object() ? dumped(input) : "{}", ""});
    } else if (type == "thinking" || type == "redacted_thinking") {
      choice.reasoning += text_at(block, "thinking");
      choice.thinking_blocks.push_back(block);
    }
  }
  choice.finish_reason = finish_reason(text_at(json, "stop_reason"));
  answer.choices.push_back(std::move(choice));
  const Json& usage = at(json, "usage");
  if (const auto counts = anthropic_usage(usage); counts && !at(usage, "output_tokens").is_null()) {
    answer.usage = *counts;
    answer.usage_source = UsageSource::exact;
  }
  if (usage.is_object()) answer.service_tier = text_at(usage, "service_tier");
  return write_answer(answer);
}

Error AnthropicDialect::read_error(int status, std::string_view body) const { return read_upstream_error(status, body); }

std::size_t AnthropicStreamReader::memory_bytes() const noexcept {
  return sizeof *this + TranslatingReader::memory_bytes() + splitter_.memory_bytes() + blocks_.size() * sizeof(Block);
}

Result<void> AnthropicStreamReader::read(std::string_view bytes) {
  Result<void> outcome = success();
  TOLLGATE_TRY(splitter_.feed(bytes, [&](std::string_view raw) {
    if (outcome && !complete()) outcome = take(raw);
  }));
  return outcome;
}

Result<void> AnthropicStreamReader::take(std::string_view raw) {
  std::string joined;
  const std::string_view data = event_data(raw, joined);
  if (data.empty()) return success();
  const Json event = Json::parse(data, nullptr, false);
  if (!event.is_object()) return fail(Fault::upstream_garbage, "the upstream's stream holds an event that is not a JSON object");
  return take_event(event);
}

Result<void> AnthropicStreamReader::take_event(const Json& event) {
  const std::string type = text_at(event, "type");
  if (type == "message_start") {
    const Json& message = at(event, "message");
    if (!message.is_object()) return fail(Fault::upstream_garbage, "the upstream's message_start has no message");
    if (at(message, "usage").is_object()) usage_ = message["usage"];
    tell_service_tier(text_at(usage_, "service_tier"));
    identify(text_at(message, "id"), text_at(message, "model"));
    // output_tokens is a placeholder here: the input is known, the output is not.
    if (auto counts = anthropic_usage(usage_)) {
      counts->output = counts->reasoning = TokenCount{};
      tell_usage(*counts, UsageSource::estimated);
    }
  } else if (type == "content_block_start") {
    block_start(event);
  } else if (type == "content_block_delta") {
    block_delta(event);
  } else if (type == "content_block_stop") {
    block_stop(event);
  } else if (type == "message_delta") {
    message_delta(event);
  } else if (type == "message_stop") {
    tell_finish(0, finish_reason(stop_reason_));
    tell_end();
  } else if (type == "error") {
    const Json& error = at(event, "error");
    const std::string kind = error.is_object() ? text_at(error, "type") : std::string();
    return tell_error(fault_of_error(kind), error.is_object() ? text_at(error, "message") : std::string("the upstream sent an error"));
  }
  return success();   // ping, and what comes after this was written
}

void AnthropicStreamReader::block_start(const Json& event) {
  const Json& content = at(event, "content_block");
  if (!content.is_object() || !at(event, "index").is_number_integer()) return;
  Block& block = blocks_[event["index"].get<std::int64_t>()];
  const std::string type = text_at(content, "type");
  if (type == "text") {
    tell_text(0, text_at(content, "text"));
  } else if (type == "tool_use") {
    block.call = calls_++;
    tell_call(0, block.call, {text_at(content, "id"), text_at(content, "name"), "", ""});
  } else if (type == "thinking" || type == "redacted_thinking") {
    block.thinking = content;
    tell_reasoning(0, text_at(content, "thinking"));
  }
}

void AnthropicStreamReader::block_delta(const Json& event) {
  const Json& delta = at(event, "delta");
  if (!delta.is_object() || !at(event, "index").is_number_integer()) return;
  Block& block = blocks_[event["index"].get<std::int64_t>()];
  const std::string type = text_at(delta, "type");
  if (type == "text_delta") {
    tell_text(0, text_at(delta, "text"));
  } else if (type == "input_json_delta" && block.call >= 0) {
    const std::string piece = text_at(delta, "partial_json");
    block.arguments_told = block.arguments_told || !piece.empty();
    tell_arguments(0, block.call, piece);
  } else if (type == "thinking_delta" && block.thinking.is_object()) {
    const std::string piece = text_at(delta, "thinking");
    block.thinking["thinking"] = text_at(block.thinking, "thinking") + piece;
    tell_reasoning(0, piece);
  } else if (type == "signature_delta" && block.thinking.is_object()) {
    block.thinking["signature"] = text_at(delta, "signature");
  }
}

void AnthropicStreamReader::block_stop(const Json& event) {
  const Json& index = at(event, "index");
  const auto found = index.is_number_integer() ? blocks_.find(index.get<std::int64_t>()) : blocks_.end();
  if (found == blocks_.end()) return;
  // OpenAI's clients parse the arguments of every call: those of a call without any are {}.
  if (found->second.call >= 0 && !found->second.arguments_told) tell_arguments(0, found->second.call, "{}");
  if (found->second.thinking.is_object()) tell_thinking_block(0, found->second.thinking);
  blocks_.erase(found);
}

void AnthropicStreamReader::message_delta(const Json& event) {
  if (const Json& delta = at(event, "delta"); delta.is_object()) {
    if (const std::string reason = text_at(delta, "stop_reason"); !reason.empty()) stop_reason_ = reason;
  }
  const Json& usage = at(event, "usage");
  if (!usage.is_object()) return;
  for (const auto& [name, value] : usage.items()) {
    if (!value.is_null()) usage_[name] = value;
  }
  if (at(usage, "output_tokens").is_null()) return;
  if (const auto counts = anthropic_usage(usage_)) tell_usage(*counts, UsageSource::exact);
}

}  // namespace tollgate
