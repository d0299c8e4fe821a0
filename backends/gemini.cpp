#include "backends/gemini.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "backends/chat_request.hpp"
#include "backends/json_members.hpp"
#include "backends/percent.hpp"
#include "backends/upstream_error.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ContentBlock::Kind;
using json::at;
using json::count_at;
using json::dumped;
using json::text_at;

constexpr std::size_t stop_max = 5;

/// From this generation on a call without its signature is refused, and effort is a level instead of a budget.
constexpr int signed_generation = 3;
/// What Google documents for calls that another model made.
constexpr std::string_view unsigned_call = "skip_thought_signature_validator";

/// 3 of "gemini-3.8-flash"; 0 if the name does not say.
int generation_of(std::string_view model) noexcept {
  constexpr std::string_view prefix = "gemini-";
  const std::size_t at = model.find(prefix);
  int number = 0;
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = model.substr(at + prefix.size());
  return std::from_chars(rest.data(), rest.data() + rest.size(), number).ec == std::errc{} ? number : 0;
}

/// A tool's result: an object as it is, anything else under "result".
Json response_json(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_object()) return json;
  return {{"result", text}};
}

Json part_json(const ContentBlock& block, Unsupported& unsupported) {
  switch (block.kind) {
    case Kind::text:
      return {{"text", block.text}};
    case Kind::image:
    case Kind::file:
      if (block.data.empty()) return {{"fileData", {{"fileUri", block.url}}}};
      return {{"inlineData", {{"mimeType", block.media_type}, {"data", block.data}}}};
    case Kind::tool_call: {
      Json part{{"functionCall", {{"name", block.name}, {"args", block.arguments}}}};
      if (!block.signature.empty()) part["thoughtSignature"] = block.signature;
      return part;
    }
    case Kind::tool_result:
      if (block.name.empty()) unsupported.add("messages[].tool_call_id");   // results are told apart by the function's name there
      return {{"functionResponse", {{"name", block.name}, {"response", response_json(block.text)}}}};
    case Kind::thinking:
    case Kind::redacted_thinking:
      return {};   // another provider's thinking: of no use here, and not part of the conversation
  }
  return {};
}

Json contents_json(const ChatRequest& request, const Target& target, Unsupported& unsupported) {
  Json contents = Json::array();
  for (const ChatTurn& turn : request.turns) {
    Json parts = Json::array();
    bool call_seen = false;
    for (const ContentBlock& block : turn.blocks) {
      Json part = part_json(block, unsupported);
      if (part.is_null()) continue;
      if (block.kind == Kind::tool_call && !std::exchange(call_seen, true) && block.signature.empty() &&
          generation_of(target.upstream) >= signed_generation) {
        part["thoughtSignature"] = unsigned_call;
      }
      parts.push_back(std::move(part));
    }
    if (!parts.empty()) contents.push_back({{"role", turn.role == ChatTurn::Role::user ? "user" : "model"}, {"parts", std::move(parts)}});
  }
  return contents;
}

void put_tools(const ChatRequest& request, Json& body, Unsupported& unsupported) {
  using Choice = ChatRequest::ToolChoice;
  if (request.parallel_tool_calls == false) unsupported.add("parallel_tool_calls");
  if (request.tools.empty()) return;
  Json functions = Json::array();
  for (const ChatTool& tool : request.tools) {
    Json json{{"name", tool.name}};
    if (!tool.description.empty()) json["description"] = tool.description;
    const bool takes_something = tool.parameters.is_object() && !at(tool.parameters, "properties").empty();
    if (takes_something) json["parametersJsonSchema"] = tool.parameters;
    functions.push_back(std::move(json));
  }
  body["tools"] = Json::array({Json{{"functionDeclarations", std::move(functions)}}});
  Json calling;
  switch (request.tool_choice) {
    case Choice::unset:
      return;
    case Choice::automatic:
      calling = {{"mode", "AUTO"}};
      break;
    case Choice::none:
      calling = {{"mode", "NONE"}};
      break;
    case Choice::required:
      calling = {{"mode", "ANY"}};
      break;
    case Choice::named:
      calling = {{"mode", "ANY"}, {"allowedFunctionNames", Json::array({request.tool_name})}};
      break;
  }
  body["toolConfig"] = {{"functionCallingConfig", std::move(calling)}};
}

void put_effort(const ChatRequest& request, const Target& target, Json& config, Unsupported& unsupported) {
  struct Row {
    std::string_view effort;
    int budget;
    std::string_view level;
  };
  static constexpr std::array rows = {Row{"none", 0, "minimal"}, Row{"minimal", 1024, "minimal"}, Row{"low", 1024, "low"}, Row{"medium", 8192, "medium"},
                                      Row{"high", 24576, "high"}};
  if (!request.thinking.is_null()) unsupported.add("thinking");
  if (request.reasoning_effort.empty()) return;
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& each) { return each.effort == request.reasoning_effort; });
  if (row == rows.end()) return unsupported.add("reasoning_effort");
  Json thinking;
  if (generation_of(target.upstream) >= signed_generation) {
    thinking["thinkingLevel"] = row->level;
  } else {
    thinking["thinkingBudget"] = row->budget;
  }
  if (row->budget > 0) thinking["includeThoughts"] = true;
  config["thinkingConfig"] = std::move(thinking);
}

Json generation_config(const ChatRequest& request, const Target& target, Unsupported& unsupported) {
  Json config = Json::object();
  if (request.max_tokens) config["maxOutputTokens"] = *request.max_tokens;
  if (request.temperature) config["temperature"] = *request.temperature;
  if (request.top_p) config["topP"] = *request.top_p;
  if (request.top_k) config["topK"] = *request.top_k;
  if (request.seed) config["seed"] = *request.seed;
  if (request.presence_penalty) config["presencePenalty"] = *request.presence_penalty;
  if (request.frequency_penalty) config["frequencyPenalty"] = *request.frequency_penalty;
  if (request.choices != 1) config["candidateCount"] = request.choices;
  if (request.stop.size() > stop_max) unsupported.add("stop");
  if (!request.stop.empty()) config["stopSequences"] = std::vector<std::string>(request.stop.begin(), request.stop.begin() + static_cast<std::ptrdiff_t>(std::min(request.stop.size(), stop_max)));
  if (request.logprobs) unsupported.add("logprobs");
  if (request.format != ChatRequest::Format::text) config["responseMimeType"] = "application/json";
  if (request.format == ChatRequest::Format::json_schema) config["responseJsonSchema"] = request.schema;
  put_effort(request, target, config, unsupported);
  return config;
}

std::string_view finish_reason(std::string_view reason, bool called) noexcept {
  static constexpr std::array filtered = {std::string_view("SAFETY"), std::string_view("RECITATION"), std::string_view("BLOCKLIST"),
                                          std::string_view("PROHIBITED_CONTENT"), std::string_view("SPII"), std::string_view("IMAGE_SAFETY")};
  if (reason == "MAX_TOKENS") return "length";
  if (std::find(filtered.begin(), filtered.end(), reason) != filtered.end()) return "content_filter";
  return called ? "tool_calls" : "stop";
}

AnsweredCall call_of(const Json& part) {
  const Json& call = part["functionCall"];
  AnsweredCall out{text_at(call, "id"), text_at(call, "name"), at(call, "args").is_object() ? dumped(call["args"]) : "{}", text_at(part, "thoughtSignature")};
  if (out.id.empty()) out.id = new_call_id();
  return out;
}

// Tokens of a kind in a list of {modality, tokenCount}.
TokenCount of_modality(const Json& details, std::string_view modality) {
  TokenCount sum;
  if (!details.is_array()) return sum;
  for (const Json& each : details) {
    TokenCount count;
    if (text_at(each, "modality") == modality && count_at(each, "tokenCount", count)) sum = sum + count;
  }
  return sum;
}

void set_rare(Usage& usage, RareClass kind, TokenCount count) { usage.rare[static_cast<std::size_t>(kind)] = static_cast<std::int32_t>(count.count()); }

}  // namespace

std::optional<Usage> gemini_usage(const Json& metadata) {
  TokenCount prompt, tools, cached, answer, thoughts;
  if (at(metadata, "promptTokenCount").is_null()) return std::nullopt;
  const bool counts = count_at(metadata, "promptTokenCount", prompt) && count_at(metadata, "toolUsePromptTokenCount", tools) &&
                      count_at(metadata, "cachedContentTokenCount", cached) && count_at(metadata, "candidatesTokenCount", answer) &&
                      count_at(metadata, "thoughtsTokenCount", thoughts);
  if (!counts || cached.count() > prompt.count()) return std::nullopt;
  const Json& in = at(metadata, "promptTokensDetails");
  const Json& in_cached = at(metadata, "cacheTokensDetails");
  const Json& out = at(metadata, "candidatesTokensDetails");
  Usage usage;
  std::int64_t plain_in = prompt.count() - cached.count() + tools.count(), plain_cached = cached.count(), plain_out = answer.count();
  const auto take = [&](const char* modality, RareClass fresh, RareClass from_cache, RareClass answered) {
    const std::int64_t all = of_modality(in, modality).count(), hit = of_modality(in_cached, modality).count(), told = of_modality(out, modality).count();
    if (hit > all || all - hit > plain_in || hit > plain_cached || told > plain_out) return false;
    set_rare(usage, fresh, TokenCount{all - hit});
    set_rare(usage, from_cache, TokenCount{hit});
    set_rare(usage, answered, TokenCount{told});
    plain_in -= all - hit;
    plain_cached -= hit;
    plain_out -= told;
    return true;
  };
  if (!take("AUDIO", RareClass::input_audio, RareClass::cached_input_audio, RareClass::output_audio)) return std::nullopt;
  if (!take("IMAGE", RareClass::input_image, RareClass::cached_input_image, RareClass::output_image)) return std::nullopt;
  usage.input = TokenCount{plain_in};
  usage.cached_input = TokenCount{plain_cached};
  usage.output = TokenCount{plain_out + thoughts.count()};
  usage.reasoning = thoughts;
  return usage;
}

Result<void> GeminiDialect::write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const {
  TOLLGATE_TRY(const ChatRequest request, read_chat_request(client.text));
  Unsupported unsupported(backend.drop_unsupported);
  Json body = Json::object();
  if (!request.system.empty()) {
    Json parts = Json::array();
    for (const ContentBlock& block : request.system) parts.push_back({{"text", block.text}});
    body["systemInstruction"] = {{"parts", std::move(parts)}};
  }
  body["contents"] = contents_json(request, target, unsupported);
  put_tools(request, body, unsupported);
  if (Json config = generation_config(request, target, unsupported); !config.empty()) body["generationConfig"] = std::move(config);
  if (!request.service_tier.empty() && request.service_tier != "auto" && request.service_tier != "default") unsupported.add("service_tier");
  for (const std::string& other : request.others) unsupported.add(other);
  TOLLGATE_TRY(unsupported.verdict("Google's API"));
  out.set(dumped(body), unsupported.members());
  const std::string_view call = request.stream ? ":streamGenerateContent?alt=sse" : ":generateContent";
  out.path = std::string(vertex_ ? "/models/" : "/v1beta/models/") + percent_encoded(target.upstream) + std::string(call);
  return success();
}

std::unique_ptr<StreamReader> GeminiDialect::stream_reader(const ClientBody& client) const { return std::make_unique<GeminiStreamReader>(client); }

Result<Answer> GeminiDialect::read_answer(Surface, std::string_view body) const {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return fail(Fault::upstream_garbage, "the upstream answered 200 with something that is not a JSON object");
  const Json& candidates = at(json, "candidates");
  if (at(json, "error").is_object()) return fail(Fault::upstream_status, "the upstream answered 200 with an error: " + read_error(500, body).message);
  const bool blocked = !text_at(at(json, "promptFeedback"), "blockReason").empty();
  if (!candidates.is_array() && !blocked) return fail(Fault::upstream_garbage, "the upstream's answer has no candidates");
  ChatAnswer answer;
  answer.id = text_at(json, "responseId");
  answer.model = text_at(json, "modelVersion");
  for (const Json& candidate : candidates.is_array() ? candidates : Json::array()) {
    AnsweredChoice choice;
    for (const Json& part : at(at(candidate, "content"), "parts")) {
      if (at(part, "functionCall").is_object()) {
        choice.calls.push_back(call_of(part));
      } else {
        (at(part, "thought") == true ? choice.reasoning : choice.text) += text_at(part, "text");
      }
    }
    choice.finish_reason = finish_reason(text_at(candidate, "finishReason"), !choice.calls.empty());
    answer.choices.push_back(std::move(choice));
  }
  if (answer.choices.empty()) {
    answer.choices.emplace_back();
    answer.choices.back().finish_reason = "content_filter";
  }
  if (const auto usage = gemini_usage(at(json, "usageMetadata"))) {
    answer.usage = *usage;
    answer.usage_source = UsageSource::exact;
  }
  return write_answer(answer);
}

Error GeminiDialect::read_error(int status, std::string_view body) const {
  // A wrong key is a 400 there.
  constexpr int unauthorized = 401;
  const bool wrong_key = status == 400 && body.find("API_KEY_INVALID") != std::string_view::npos;
  return read_upstream_error(wrong_key ? unauthorized : status, body);
}

std::size_t GeminiStreamReader::memory_bytes() const noexcept { return sizeof *this + TranslatingReader::memory_bytes() + splitter_.memory_bytes(); }

Result<void> GeminiStreamReader::read(std::string_view bytes) {
  Result<void> outcome = success();
  TOLLGATE_TRY(splitter_.feed(bytes, [&](std::string_view raw) {
    if (outcome && !complete()) outcome = take(raw);
  }));
  return outcome;
}

Result<void> GeminiStreamReader::take(std::string_view raw) {
  std::string joined;
  const std::string_view data = event_data(raw, joined);
  if (data.empty()) return success();
  const Json event = Json::parse(data, nullptr, false);
  if (!event.is_object()) return fail(Fault::upstream_garbage, "the upstream's stream holds an event that is not a JSON object");
  if (const Json& error = at(event, "error"); error.is_object()) {
    const std::string status = text_at(error, "status");
    const bool busy = status == "UNAVAILABLE" || status == "RESOURCE_EXHAUSTED";
    return tell_error(busy ? Fault::upstream_busy : Fault::upstream_status, text_at(error, "message"));
  }
  identify(text_at(event, "responseId"), text_at(event, "modelVersion"));
  if (const auto usage = gemini_usage(at(event, "usageMetadata"))) tell_usage(*usage, UsageSource::continuous);
  if (!text_at(at(event, "promptFeedback"), "blockReason").empty() && !std::exchange(blocked_, true)) {
    tell_finish(0, "content_filter");
    ++finished_;
  }
  if (const Json& candidates = at(event, "candidates"); candidates.is_array()) {
    for (const Json& candidate : candidates) take_candidate(candidate);
  }
  return success();
}

void GeminiStreamReader::take_candidate(const Json& candidate) {
  constexpr std::int64_t choices_max = 64;
  TokenCount index;
  if (!count_at(candidate, "index", index) || index.count() >= choices_max) return;
  const std::int64_t choice = index.count();
  if (calls_.size() <= static_cast<std::size_t>(choice)) calls_.resize(static_cast<std::size_t>(choice) + 1);
  std::int64_t& calls = calls_[static_cast<std::size_t>(choice)];
  for (const Json& part : at(at(candidate, "content"), "parts")) {
    if (at(part, "functionCall").is_object()) {
      tell_call(choice, calls++, call_of(part));
    } else if (at(part, "thought") == true) {
      tell_reasoning(choice, text_at(part, "text"));
    } else {
      tell_text(choice, text_at(part, "text"));
    }
  }
  const std::string reason = text_at(candidate, "finishReason");
  if (reason.empty() || reason == "FINISH_REASON_UNSPECIFIED") return;
  tell_finish(choice, finish_reason(reason, calls > 0));
  ++finished_;
}

bool GeminiStreamReader::ended_well() {
  if (finished_ == 0 || finished_ < static_cast<std::int64_t>(calls_.size())) return false;
  if (const auto [counts, source] = usage(); source == UsageSource::continuous) tell_usage(counts, UsageSource::exact);
  return true;
}

}  // namespace tollgate
