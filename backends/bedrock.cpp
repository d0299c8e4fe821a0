#include "backends/bedrock.hpp"

#include <algorithm>
#include <array>

#include "backends/aws_signature.hpp"
#include "backends/chat_request.hpp"
#include "backends/json_members.hpp"
#include "backends/percent.hpp"
#include "backends/transfer.hpp"
#include "backends/upstream_error.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ContentBlock::Kind;
using json::at;
using json::count_at;
using json::dumped;
using json::text_at;

bool blank(std::string_view text) noexcept { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// "png" of "image/png"; documents have their own words.
std::string format_of(std::string_view media_type) {
  static constexpr std::pair<std::string_view, std::string_view> words[] = {
      {"application/pdf", "pdf"}, {"text/plain", "txt"}, {"text/markdown", "md"}, {"text/csv", "csv"}, {"text/html", "html"}};
  for (const auto& [type, word] : words) {
    if (media_type == type) return std::string(word);
  }
  return std::string(media_type.substr(media_type.find('/') + 1));
}

Json block_json(const ContentBlock& block, Unsupported& unsupported) {
  switch (block.kind) {
    case Kind::text:
      return blank(block.text) ? Json() : Json{{"text", block.text}};
    case Kind::image:
      if (block.data.empty()) {
        unsupported.add("image_url");   // by address: it takes the image itself
        return {};
      }
      return {{"image", {{"format", format_of(block.media_type)}, {"source", {{"bytes", block.data}}}}}};
    case Kind::file:
      return {{"document", {{"format", format_of(block.media_type)}, {"name", block.file_name.empty() ? "document" : block.file_name}, {"source", {{"bytes", block.data}}}}}};
    case Kind::tool_call:
      return {{"toolUse", {{"toolUseId", block.id}, {"name", block.name}, {"input", block.arguments}}}};
    case Kind::tool_result:
      return {{"toolResult", {{"toolUseId", block.id}, {"content", Json::array({Json{{"text", block.text}}})}}}};
    case Kind::thinking:
      return {{"reasoningContent", {{"reasoningText", {{"text", block.text}, {"signature", block.signature}}}}}};
    case Kind::redacted_thinking:
      return {{"reasoningContent", {{"redactedContent", block.text}}}};
  }
  return {};
}

// A block, and behind it the point up to which the client wants its conversation cached.
void put_block(const ContentBlock& block, Json& out, Unsupported& unsupported) {
  Json json = block_json(block, unsupported);
  if (json.is_null()) return;
  out.push_back(std::move(json));
  if (block.cache_control.is_null()) return;
  Json point{{"type", "default"}};
  if (const std::string ttl = text_at(block.cache_control, "ttl"); !ttl.empty()) point["ttl"] = ttl;
  out.push_back({{"cachePoint", std::move(point)}});
}

void put_tools(const ChatRequest& request, Json& body, Unsupported& unsupported) {
  using Choice = ChatRequest::ToolChoice;
  if (request.parallel_tool_calls == false) unsupported.add("parallel_tool_calls");
  // "none" is said by offering nothing, which only works where no call was made before.
  if (request.tools.empty() || request.tool_choice == Choice::none) return;
  Json tools = Json::array();
  for (const ChatTool& tool : request.tools) {
    Json spec{{"name", tool.name}};
    if (!tool.description.empty()) spec["description"] = tool.description;
    spec["inputSchema"] = {{"json", tool.parameters.is_object() ? tool.parameters : Json{{"type", "object"}, {"properties", Json::object()}}}};
    if (tool.strict) spec["strict"] = *tool.strict;
    tools.push_back({{"toolSpec", std::move(spec)}});
    if (!tool.cache_control.is_null()) tools.push_back({{"cachePoint", {{"type", "default"}}}});
  }
  Json config{{"tools", std::move(tools)}};
  if (request.tool_choice == Choice::automatic) config["toolChoice"] = {{"auto", Json::object()}};
  if (request.tool_choice == Choice::required) config["toolChoice"] = {{"any", Json::object()}};
  if (request.tool_choice == Choice::named) config["toolChoice"] = {{"tool", {{"name", request.tool_name}}}};
  body["toolConfig"] = std::move(config);
}

void put_inference(const ChatRequest& request, const Target& target, Json& body, Unsupported& unsupported) {
  Json config = Json::object();
  if (request.max_tokens) {
    config["maxTokens"] = *request.max_tokens;
  } else if (target.output_tokens_max > 0) {
    config["maxTokens"] = target.output_tokens_max;
  }
  if (request.temperature) config["temperature"] = *request.temperature;
  if (request.top_p) config["topP"] = *request.top_p;
  if (!request.stop.empty()) config["stopSequences"] = request.stop;
  if (!config.empty()) body["inferenceConfig"] = std::move(config);
  if (!request.thinking.is_null()) body["additionalModelRequestFields"]["thinking"] = request.thinking;
  if (request.top_k) body["additionalModelRequestFields"]["top_k"] = *request.top_k;
  if (!request.reasoning_effort.empty()) unsupported.add("reasoning_effort");
  if (request.presence_penalty.value_or(0) != 0) unsupported.add("presence_penalty");
  if (request.frequency_penalty.value_or(0) != 0) unsupported.add("frequency_penalty");
  if (request.seed) unsupported.add("seed");
  if (request.logprobs) unsupported.add("logprobs");
  if (request.choices != 1) unsupported.add("n");
  if (request.format == ChatRequest::Format::json_object) unsupported.add("response_format");
  if (request.format == ChatRequest::Format::json_schema) {
    Json schema{{"schema", dumped(request.schema)}, {"name", "answer"}};
    body["outputConfig"] = {{"textFormat", {{"type", "json_schema"}, {"structure", {{"jsonSchema", std::move(schema)}}}}}};
  }
  if (request.service_tier == "priority" || request.service_tier == "flex" || request.service_tier == "default") {
    body["serviceTier"] = {{"type", request.service_tier}};
  } else if (!request.service_tier.empty() && request.service_tier != "auto") {
    unsupported.add("service_tier");
  }
}

std::string_view finish_reason(std::string_view stop_reason) noexcept {
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") return "length";
  if (stop_reason == "tool_use") return "tool_calls";
  if (stop_reason == "guardrail_intervened" || stop_reason == "content_filtered") return "content_filter";
  return "stop";
}

Json thinking_block(const Json& reasoning) {
  if (const Json& text = at(reasoning, "reasoningText"); text.is_object()) {
    return {{"type", "thinking"}, {"thinking", text_at(text, "text")}, {"signature", text_at(text, "signature")}};
  }
  return {{"type", "redacted_thinking"}, {"data", text_at(reasoning, "redactedContent")}};
}

std::string tier_of(const Json& answer) {
  const std::string tier = text_at(at(answer, "serviceTier"), "type");
  return tier;
}

}  // namespace

std::optional<Usage> bedrock_usage(const Json& usage) {
  Usage out;
  TokenCount written, hour;
  if (at(usage, "inputTokens").is_null() || at(usage, "outputTokens").is_null()) return std::nullopt;
  const bool counts = count_at(usage, "inputTokens", out.input) && count_at(usage, "outputTokens", out.output) &&
                      count_at(usage, "cacheReadInputTokens", out.cached_input) && count_at(usage, "cacheWriteInputTokens", written);
  if (!counts) return std::nullopt;
  for (const Json& detail : at(usage, "cacheDetails")) {
    TokenCount tokens;
    if (text_at(detail, "ttl") == "1h" && count_at(detail, "inputTokens", tokens)) hour = hour + tokens;
  }
  if (hour.count() > written.count()) return std::nullopt;
  out.cache_write = TokenCount{written.count() - hour.count()};
  out.rare[static_cast<std::size_t>(RareClass::cache_write_1h)] = static_cast<std::int32_t>(hour.count());
  return out;
}

Result<void> BedrockDialect::write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const {
  TOLLGATE_TRY(const ChatRequest request, read_chat_request(client.text));
  Unsupported unsupported(backend.drop_unsupported);
  Json body = Json::object();
  Json messages = Json::array();
  for (const ChatTurn& turn : request.turns) {
    Json content = Json::array();
    for (const ContentBlock& block : turn.blocks) put_block(block, content, unsupported);
    if (!content.empty()) messages.push_back({{"role", turn.role == ChatTurn::Role::user ? "user" : "assistant"}, {"content", std::move(content)}});
  }
  body["messages"] = std::move(messages);
  Json system = Json::array();
  for (const ContentBlock& block : request.system) put_block(block, system, unsupported);
  if (!system.empty()) body["system"] = std::move(system);
  put_tools(request, body, unsupported);
  put_inference(request, target, body, unsupported);
  for (const std::string& other : request.others) unsupported.add(other);
  TOLLGATE_TRY(unsupported.verdict("Bedrock's Converse API"));
  out.set(dumped(body), unsupported.members());
  out.path = "/model/" + percent_encoded(target.upstream) + (request.stream ? "/converse-stream" : "/converse");
  return success();
}

void BedrockDialect::sign(const Endpoint& endpoint, const Backend& backend, std::chrono::system_clock::time_point now, WireBody& out) const {
  if (backend.aws.access_key_id.empty()) return;
  const bool usual_port = endpoint.port == (endpoint.tls ? 443 : 80);
  const std::string host = usual_port ? endpoint.host : endpoint.host + ":" + std::to_string(endpoint.port);
  const std::string path = endpoint.prefix + out.path;
  SignedRequest request;
  request.host = host;
  request.path = path;
  request.body = std::span<const std::string_view>(out.pieces.data(), out.pieces.size());
  request.service = "bedrock";
  out.headers = aws_headers(request, backend.aws, now);
}

std::unique_ptr<StreamReader> BedrockDialect::stream_reader(const ClientBody& client) const {
  return std::make_unique<BedrockStreamReader>(client, std::string(client.model_value.of(client.text)));
}

Result<Answer> BedrockDialect::read_answer(Surface, std::string_view body) const {
  const Json json = Json::parse(body, nullptr, false);
  const Json& content = at(at(at(json, "output"), "message"), "content");
  if (json.is_discarded() || !content.is_array()) return fail(Fault::upstream_garbage, "the upstream answered 200 with something that is not a message");
  ChatAnswer answer;
  answer.id = "chatcmpl-" + new_call_id().substr(5);   // answers have no id there
  AnsweredChoice choice;
  for (const Json& block : content) {
    if (const Json& call = at(block, "toolUse"); call.is_object()) {
      choice.calls.push_back({text_at(call, "toolUseId"), text_at(call, "name"), at(call, "input").is_object() ? dumped(call["input"]) : "{}", ""});
    } else if (const Json& reasoning = at(block, "reasoningContent"); reasoning.is_object()) {
      choice.reasoning += text_at(at(reasoning, "reasoningText"), "text");
      choice.thinking_blocks.push_back(thinking_block(reasoning));
    } else {
      choice.text += text_at(block, "text");
    }
  }
  choice.finish_reason = finish_reason(text_at(json, "stopReason"));
  answer.choices.push_back(std::move(choice));
  if (const auto usage = bedrock_usage(at(json, "usage"))) {
    answer.usage = *usage;
    answer.usage_source = UsageSource::exact;
  }
  answer.service_tier = tier_of(json);
  return write_answer(answer);
}

Error BedrockDialect::read_error(int status, std::string_view body) const {
  Error error = read_upstream_error(status, body);
  constexpr int model_stream_error = 424;
  if (status == model_stream_error) error.fault = Fault::upstream_status;
  return error;
}

BedrockStreamReader::BedrockStreamReader(const ClientBody& client, std::string model) : TranslatingReader(client) {
  // With its quotes, as it stands in the body.
  const Json name = Json::parse(model, nullptr, false);
  identify("chatcmpl-" + new_call_id().substr(5), name.is_string() ? name.get<std::string>() : std::string());
}

std::size_t BedrockStreamReader::memory_bytes() const noexcept {
  return sizeof *this + TranslatingReader::memory_bytes() + splitter_.memory_bytes() + blocks_.size() * sizeof(Block);
}

Result<void> BedrockStreamReader::read(std::string_view bytes) {
  Result<void> outcome = success();
  TOLLGATE_TRY(splitter_.feed(bytes, [&](const EventFrame& frame) {
    if (outcome && !complete()) outcome = take(frame);
  }));
  return outcome;
}

Result<void> BedrockStreamReader::take(const EventFrame& frame) {
  const Json event = Json::parse(frame.payload, nullptr, false);
  if (frame.message_type != "event") {
    const bool busy = frame.event_type == "throttlingException" || frame.event_type == "serviceUnavailableException";
    std::string message = text_at(event, "message");
    if (message.empty()) message = frame.error_message.empty() ? std::string(frame.event_type) : std::string(frame.error_message);
    return tell_error(busy ? Fault::upstream_busy : Fault::upstream_status, std::move(message));
  }
  if (!event.is_object()) return fail(Fault::upstream_garbage, "the upstream's stream holds an event that is not a JSON object");
  if (frame.event_type == "contentBlockStart") {
    TokenCount index;
    const Json& call = at(at(event, "start"), "toolUse");
    if (call.is_object() && count_at(event, "contentBlockIndex", index)) {
      Block& block = blocks_[index.count()];
      block.call = calls_++;
      tell_call(0, block.call, {text_at(call, "toolUseId"), text_at(call, "name"), "", ""});
    }
  } else if (frame.event_type == "contentBlockDelta") {
    block_delta(event);
  } else if (frame.event_type == "contentBlockStop") {
    block_stop(event);
  } else if (frame.event_type == "messageStop") {
    stopped_ = true;
    tell_finish(0, finish_reason(text_at(event, "stopReason")));
  } else if (frame.event_type == "metadata") {
    if (const auto counts = bedrock_usage(at(event, "usage"))) tell_usage(*counts, UsageSource::exact);
    tell_service_tier(tier_of(event));
    if (stopped_) tell_end();
  }
  return success();
}

void BedrockStreamReader::block_delta(const Json& event) {
  TokenCount index;
  if (!count_at(event, "contentBlockIndex", index)) return;
  Block& block = blocks_[index.count()];
  const Json& delta = at(event, "delta");
  if (const Json& call = at(delta, "toolUse"); call.is_object() && block.call >= 0) {
    const std::string piece = text_at(call, "input");
    block.arguments_told = block.arguments_told || !piece.empty();
    tell_arguments(0, block.call, piece);
  } else if (const Json& reasoning = at(delta, "reasoningContent"); reasoning.is_object()) {
    if (!block.thinking.is_object()) block.thinking = {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}};
    if (const std::string data = text_at(reasoning, "redactedContent"); !data.empty()) block.thinking = {{"type", "redacted_thinking"}, {"data", data}};
    const std::string piece = text_at(reasoning, "text");
    if (!piece.empty()) block.thinking["thinking"] = text_at(block.thinking, "thinking") + piece;
    if (const std::string signature = text_at(reasoning, "signature"); !signature.empty()) block.thinking["signature"] = signature;
    tell_reasoning(0, piece);
  } else {
    tell_text(0, text_at(delta, "text"));
  }
}

void BedrockStreamReader::block_stop(const Json& event) {
  TokenCount index;
  if (!count_at(event, "contentBlockIndex", index)) return;
  const auto found = blocks_.find(index.count());
  if (found == blocks_.end()) return;
  if (found->second.call >= 0 && !found->second.arguments_told) tell_arguments(0, found->second.call, "{}");
  if (found->second.thinking.is_object()) tell_thinking_block(0, found->second.thinking);
  blocks_.erase(found);
}

}  // namespace tollgate
