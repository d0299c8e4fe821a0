#include "backends/simulator/foreign_ask.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>

namespace tollgate::simulator {
namespace {

using Json = nlohmann::json;

Error bad(const std::string& where, const std::string& what) { return fail(Fault::bad_request, where + ": " + what, where); }

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_of(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

/// Members that Anthropic knows only with a beta, by what the beta's name begins with.
bool known_to_beta(std::string_view member, std::string_view betas) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> members{
      {{"context_management", "context-management-"}, {"mcp_servers", "mcp-client-"}, {"container", "code-execution-"}, {"container", "skills-"}}};
  return std::any_of(members.begin(), members.end(), [&](const auto& each) { return each.first == member && betas.find(each.second) != std::string_view::npos; });
}

Result<void> only(const Json& object, const std::string& where, std::initializer_list<std::string_view> known, std::string_view betas = {}) {
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end() && !known_to_beta(name, betas)) {
      return bad(where.empty() ? name : where + "." + name, "Extra inputs are not permitted");
    }
  }
  return success();
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

void copy(const Json& from, const char* name, Json& to, const char* as) {
  if (const Json* value = member(from, name)) to[as] = *value;
}

Json image_part(const std::string& media_type, const std::string& data) {
  return {{"type", "image_url"}, {"image_url", {{"url", "data:" + media_type + ";base64," + data}}}};
}

Json call_json(const std::string& id, const std::string& name, const Json& arguments) {
  return {{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments.dump()}}}};
}

/// Messages being written: a message's blocks become parts, calls and results.
struct Spoken {
  Json parts = Json::array(), calls = Json::array(), results = Json::array();

  void write(const std::string& role, Json& messages) {
    for (Json& result : results) messages.push_back(std::move(result));
    if (parts.empty() && calls.empty()) return;
    Json message{{"role", role}, {"content", parts.empty() ? Json() : std::move(parts)}};
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
    messages.push_back(std::move(message));
  }
};

// ---- Anthropic

Result<void> take_block(const Json& block, const std::string& where, Spoken& spoken) {
  const std::string type = text_of(block, "type");
  if (type == "text") {
    if (text_of(block, "text").find_first_not_of(" \t\r\n") == std::string::npos) return bad(where + ".text", "text content blocks must contain non-whitespace text");
    spoken.parts.push_back({{"type", "text"}, {"text", text_of(block, "text")}});
  } else if (type == "image") {
    const Json* source = member(block, "source");
    if (source == nullptr) return bad(where + ".source", "Field required");
    const bool inlined = text_of(*source, "type") == "base64";
    if (inlined && (text_of(*source, "media_type").empty() || text_of(*source, "data").empty())) return bad(where + ".source", "Field required");
    spoken.parts.push_back(inlined ? image_part(text_of(*source, "media_type"), text_of(*source, "data"))
                                   : Json{{"type", "image_url"}, {"image_url", {{"url", text_of(*source, "url")}}}});
  } else if (type == "document") {
    spoken.parts.push_back({{"type", "file"}, {"file", Json::object()}});
  } else if (type == "tool_use") {
    const Json* input = member(block, "input");
    if (input == nullptr || !input->is_object()) return bad(where + ".input", "Input should be a valid dictionary");
    spoken.calls.push_back(call_json(text_of(block, "id"), text_of(block, "name"), *input));
  } else if (type == "tool_result") {
    const Json* content = member(block, "content");
    spoken.results.push_back({{"role", "tool"}, {"tool_call_id", text_of(block, "tool_use_id")}, {"content", content == nullptr ? Json("") : *content}});
  } else if (type == "thinking") {
    if (text_of(block, "signature").empty()) return bad(where + ".signature", "Field required");
  } else if (type != "redacted_thinking") {
    return bad(where + ".type", "Input tag '" + type + "' is not known");
  }
  return success();
}

Result<Json> anthropic_messages(const Json& body, std::string_view betas) {
  const Json* list = member(body, "messages");
  if (list == nullptr || !list->is_array()) return bad("messages", "Field required");
  if (list->empty()) return bad("messages", "at least one message is required");
  Json messages = Json::array();
  if (const Json* system = member(body, "system")) messages.push_back({{"role", "system"}, {"content", *system}});
  Json open_calls = Json::array();   // of the message before: they must be answered now
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& message = (*list)[i];
    const std::string where = "messages." + std::to_string(i);
    const std::string role = text_of(message, "role");
    const bool system = role == "system" && betas.find("mid-conversation-system-") != std::string_view::npos;
    if (role != "user" && role != "assistant" && !system) return bad(where + ".role", "Input should be 'user' or 'assistant'");
    Spoken spoken;
    const Json* content = member(message, "content");
    if (content != nullptr && content->is_string()) {
      spoken.parts.push_back({{"type", "text"}, {"text", *content}});
    } else if (content != nullptr && content->is_array() && !content->empty()) {
      for (std::size_t b = 0; b < content->size(); ++b) {
        TOLLGATE_TRY(take_block((*content)[b], where + ".content." + std::to_string(b), spoken));
      }
    } else {
      return bad(where + ".content", "all messages must have non-empty content");
    }
    if (system) {
      spoken.write(role, messages);
      continue;
    }
    for (const Json& call : open_calls) {
      const bool answered = std::any_of(spoken.results.begin(), spoken.results.end(), [&](const Json& result) { return result["tool_call_id"] == call["id"]; });
      if (!answered) return bad(where, "`tool_use` ids were found without `tool_result` blocks immediately after: " + text_of(call, "id"));
    }
    if (!spoken.results.empty() && open_calls.empty()) return bad(where, "unexpected `tool_use_id` found in `tool_result` blocks");
    open_calls = spoken.calls;
    spoken.write(role, messages);
  }
  return messages;
}

Result<Json> from_anthropic(const Json& body, std::string_view betas) {
  TOLLGATE_TRY(only(body, "", {"model", "max_tokens", "messages", "system", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools", "tool_choice",
                               "metadata", "thinking", "output_config", "service_tier", "cache_control"}, betas));
  if (member(body, "max_tokens") == nullptr) return bad("max_tokens", "Field required");
  if (const Json* temperature = member(body, "temperature"); temperature != nullptr && (!temperature->is_number() || *temperature > 1)) {
    return bad("temperature", "Input should be less than or equal to 1");
  }
  Json out;
  TOLLGATE_TRY(out["messages"], anthropic_messages(body, betas));
  for (const char* name : {"model", "max_tokens", "stream", "temperature", "top_p", "top_k"}) copy(body, name, out, name);
  copy(body, "stop_sequences", out, "stop");
  if (const Json* tools = member(body, "tools")) {
    out["tools"] = Json::array();
    for (const Json& tool : *tools) {
      const Json* schema = member(tool, "input_schema");
      if (schema == nullptr || text_of(*schema, "type") != "object") return bad("tools.0.custom.input_schema.type", "Input should be 'object'");
      out["tools"].push_back({{"type", "function"}, {"function", {{"name", text_of(tool, "name")}, {"parameters", *schema}}}});
    }
  }
  if (const Json* choice = member(body, "tool_choice")) {
    const std::string type = text_of(*choice, "type");
    if (type == "tool") {
      out["tool_choice"] = {{"type", "function"}, {"function", {{"name", text_of(*choice, "name")}}}};
    } else {
      out["tool_choice"] = type == "any" ? "required" : type;
    }
    if (choice->value("disable_parallel_tool_use", false)) out["parallel_tool_calls"] = false;
  }
  const Json* config = member(body, "output_config");
  const Json* format = config == nullptr ? nullptr : member(*config, "format");
  if (format != nullptr) out["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", "answer"}, {"schema", format->value("schema", Json::object())}}}};
  return out;
}

// ---- Gemini

Result<Json> from_gemini(const Json& body) {
  TOLLGATE_TRY(only(body, "", {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent"}));
  Json messages = Json::array();
  if (const Json* system = member(body, "systemInstruction")) {
    std::string text;
    for (const Json& part : (*system)["parts"]) text += text_of(part, "text");
    messages.push_back({{"role", "system"}, {"content", text}});
  }
  const Json* contents = member(body, "contents");
  if (contents == nullptr || !contents->is_array() || contents->empty()) return bad("contents", "contents is not specified");
  for (const Json& content : *contents) {
    const std::string role = text_of(content, "role");
    if (role != "user" && role != "model") return bad("contents", "Please use a valid role: user, model.");
    Spoken spoken;
    for (const Json& part : content.value("parts", Json::array())) {
      if (const Json* call = member(part, "functionCall")) {
        spoken.calls.push_back(call_json(text_of(*call, "name"), text_of(*call, "name"), call->value("args", Json::object())));
      } else if (const Json* answer = member(part, "functionResponse")) {
        if (text_of(*answer, "name").empty()) return bad("contents", "function_response.name: Name cannot be empty.");
        spoken.results.push_back({{"role", "tool"}, {"tool_call_id", text_of(*answer, "name")}, {"content", answer->value("response", Json::object()).dump()}});
      } else if (const Json* data = member(part, "inlineData")) {
        spoken.parts.push_back(image_part(text_of(*data, "mimeType"), text_of(*data, "data")));
      } else if (member(part, "fileData") != nullptr) {
        spoken.parts.push_back({{"type", "file"}, {"file", Json::object()}});
      } else if (member(part, "text") != nullptr) {
        spoken.parts.push_back({{"type", "text"}, {"text", text_of(part, "text")}});
      } else {
        return bad("contents", "a part must have one initialized field");
      }
    }
    spoken.write(role == "model" ? "assistant" : "user", messages);
  }
  Json out{{"messages", std::move(messages)}};
  if (const Json* config = member(body, "generationConfig")) {
    TOLLGATE_TRY(only(*config, "generation_config", {"maxOutputTokens", "temperature", "topP", "topK", "stopSequences", "candidateCount", "seed", "presencePenalty",
                                                     "frequencyPenalty", "responseMimeType", "responseJsonSchema", "thinkingConfig"}));
    copy(*config, "maxOutputTokens", out, "max_tokens");
    copy(*config, "temperature", out, "temperature");
    copy(*config, "topP", out, "top_p");
    copy(*config, "topK", out, "top_k");
    copy(*config, "stopSequences", out, "stop");
    copy(*config, "candidateCount", out, "n");
    copy(*config, "seed", out, "seed");
    copy(*config, "presencePenalty", out, "presence_penalty");
    copy(*config, "frequencyPenalty", out, "frequency_penalty");
    if (const Json* schema = member(*config, "responseJsonSchema")) {
      out["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", "answer"}, {"schema", *schema}}}};
    } else if (text_of(*config, "responseMimeType") == "application/json") {
      out["response_format"] = {{"type", "json_object"}};
    }
  }
  for (const Json& tool : body.value("tools", Json::array())) {
    for (const Json& function : tool.value("functionDeclarations", Json::array())) {
      Json described{{"name", text_of(function, "name")}};
      copy(function, "parametersJsonSchema", described, "parameters");
      out["tools"].push_back({{"type", "function"}, {"function", std::move(described)}});
    }
  }
  const Json* config = member(body, "toolConfig");
  if (const Json* calling = config == nullptr ? nullptr : member(*config, "functionCallingConfig")) {
    const std::string mode = text_of(*calling, "mode");
    const Json names = calling->value("allowedFunctionNames", Json::array());
    out["tool_choice"] = mode == "ANY" ? "required" : mode == "NONE" ? "none" : "auto";
    if (mode == "ANY" && names.size() == 1) out["tool_choice"] = {{"type", "function"}, {"function", {{"name", names[0]}}}};
  }
  return out;
}

// ---- Bedrock

Result<Json> from_bedrock(const Json& body) {
  TOLLGATE_TRY(only(body, "", {"messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields", "serviceTier", "performanceConfig",
                               "requestMetadata", "outputConfig"}));
  Json messages = Json::array();
  std::string system;
  for (const Json& block : body.value("system", Json::array())) system += text_of(block, "text");
  if (!system.empty()) messages.push_back({{"role", "system"}, {"content", system}});
  const Json list = body.value("messages", Json::array());
  if (list.empty()) return bad("messages", "A conversation must have at least one message.");
  for (const Json& message : list) {
    const std::string role = text_of(message, "role");
    if (role != "user" && role != "assistant") return bad("messages", "role must be user or assistant");
    Spoken spoken;
    const Json content = message.value("content", Json::array());
    if (content.empty()) return bad("messages", "The content field in the Message object is empty.");
    for (const Json& block : content) {
      if (const Json* call = member(block, "toolUse")) {
        spoken.calls.push_back(call_json(text_of(*call, "toolUseId"), text_of(*call, "name"), call->value("input", Json::object())));
      } else if (const Json* result = member(block, "toolResult")) {
        std::string text;
        for (const Json& part : result->value("content", Json::array())) text += text_of(part, "text");
        spoken.results.push_back({{"role", "tool"}, {"tool_call_id", text_of(*result, "toolUseId")}, {"content", text}});
      } else if (const Json* image = member(block, "image")) {
        const Json* source = member(*image, "source");
        spoken.parts.push_back(image_part("image/" + text_of(*image, "format"), source == nullptr ? "" : text_of(*source, "bytes")));
      } else if (member(block, "text") != nullptr) {
        if (text_of(block, "text").empty()) return bad("messages", "The text field in the ContentBlock object is blank.");
        spoken.parts.push_back({{"type", "text"}, {"text", text_of(block, "text")}});
      } else if (member(block, "document") != nullptr) {
        spoken.parts.push_back({{"type", "file"}, {"file", Json::object()}});
      } else if (member(block, "reasoningContent") == nullptr && member(block, "cachePoint") == nullptr) {
        return bad("messages", "a content block must have one known member");
      }
    }
    spoken.write(role, messages);
  }
  Json out{{"messages", std::move(messages)}};
  if (const Json* config = member(body, "inferenceConfig")) {
    TOLLGATE_TRY(only(*config, "inferenceConfig", {"maxTokens", "temperature", "topP", "stopSequences"}));
    copy(*config, "maxTokens", out, "max_tokens");
    copy(*config, "temperature", out, "temperature");
    copy(*config, "topP", out, "top_p");
    copy(*config, "stopSequences", out, "stop");
  }
  if (const Json* config = member(body, "toolConfig")) {
    for (const Json& tool : config->value("tools", Json::array())) {
      const Json* spec = member(tool, "toolSpec");
      if (spec == nullptr) continue;   // a cache point
      const Json* schema = member(*spec, "inputSchema");
      out["tools"].push_back({{"type", "function"}, {"function", {{"name", text_of(*spec, "name")}, {"parameters", schema == nullptr ? Json::object() : schema->value("json", Json::object())}}}});
    }
    if (const Json* choice = member(*config, "toolChoice")) {
      if (member(*choice, "any") != nullptr) out["tool_choice"] = "required";
      if (const Json* tool = member(*choice, "tool")) out["tool_choice"] = {{"type", "function"}, {"function", {{"name", text_of(*tool, "name")}}}};
    }
  }
  if (const Json* config = member(body, "outputConfig")) {
    const std::string schema = config->value(Json::json_pointer("/textFormat/structure/jsonSchema/schema"), std::string("{}"));
    const Json read = Json::parse(schema, nullptr, false);
    if (!read.is_object()) return bad("outputConfig", "the schema is not the text of a JSON object");
    out["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", "answer"}, {"schema", read}}}};
  }
  return out;
}

// Replicate's and fal's models: a prompt and what goes with it.
Result<Json> from_prompt(const Json& input) {
  TOLLGATE_TRY(only(input, "input", {"prompt", "system_prompt", "max_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty",
                                     "stop_sequences"}));
  if (text_of(input, "prompt").empty()) return bad("input.prompt", "Field required");
  Json messages = Json::array();
  if (member(input, "system_prompt") != nullptr) messages.push_back({{"role", "system"}, {"content", text_of(input, "system_prompt")}});
  messages.push_back({{"role", "user"}, {"content", text_of(input, "prompt")}});
  Json out{{"messages", std::move(messages)}};
  for (const char* name : {"max_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"}) copy(input, name, out, name);
  return out;
}

// RunPod's vLLM worker: OpenAI's body within the job's input.
Result<Json> from_runpod(const Json& body) {
  const Json* input = member(body, "input");
  const Json* given = input == nullptr ? nullptr : member(*input, "openai_input");
  if (given == nullptr || !given->is_object()) return bad("input.openai_input", "Field required");
  if (text_of(*input, "openai_route") != "/v1/chat/completions") return bad("input.openai_route", "only /v1/chat/completions is simulated");
  return *given;
}

Result<Json> from_replicate(const Json& body) {
  const Json* input = member(body, "input");
  if (input == nullptr) return bad("input", "Field required");
  return from_prompt(*input);
}

std::optional<std::string> within(std::string_view path, std::string_view prefix, std::string_view suffix) {
  if (!path.starts_with(prefix) || !path.ends_with(suffix) || path.size() <= prefix.size() + suffix.size()) return std::nullopt;
  return std::string(path.substr(prefix.size(), path.size() - prefix.size() - suffix.size()));
}

std::optional<ForeignCall> job_call(DialectName personality, std::string_view path) {
  if (personality == DialectName::fal) {
    if (path.find('/', 1) == std::string_view::npos || queue_call(path) || path.starts_with("/sim/")) return std::nullopt;
    return ForeignCall{std::string(path.substr(1)), false, true};
  }
  if (personality == DialectName::runpod) {
    if (path.starts_with("/v2/")) path.remove_prefix(3);
    const auto endpoint = within(path, "/", "/runsync");
    if (!endpoint || endpoint->find('/') != std::string::npos) return std::nullopt;
    return ForeignCall{*endpoint + "/", false, false};          // the body names the model behind it
  }
  if (const auto model = within(path, "/v1/models/", "/predictions")) return ForeignCall{*model, false, false};
  return std::nullopt;
}

}  // namespace

std::optional<QueueCall> queue_call(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  const std::size_t at = path.find("/requests/");
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = path.substr(at + std::string_view("/requests/").size());
  const std::size_t slash = rest.find('/');
  const std::string_view what = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  QueueCall call{std::string(rest.substr(0, slash))};
  if (what.empty()) call.what = QueueCall::What::result;
  if (what == "cancel") call.what = QueueCall::What::cancel;
  return call;
}

std::optional<ForeignCall> foreign_call(DialectName personality, std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  const auto between = [&](std::string_view prefix, std::string_view suffix) -> std::optional<std::string> {
    if (!path.starts_with(prefix) || !path.ends_with(suffix) || path.size() <= prefix.size() + suffix.size()) return std::nullopt;
    return decoded(path.substr(prefix.size(), path.size() - prefix.size() - suffix.size()));
  };
  switch (personality) {
    case DialectName::anthropic:
      if (path == "/v1/messages") return ForeignCall{};
      return std::nullopt;
    case DialectName::openai:
    case DialectName::vllm:
      if (path != "/v1/responses") return std::nullopt;
      return ForeignCall{{}, false, false, true};
    case DialectName::gemini:
      for (const std::string_view root : {"/v1beta/models/", "/v1/models/"}) {
        if (const auto model = between(root, ":generateContent")) return ForeignCall{*model, false};
        if (const auto model = between(root, ":streamGenerateContent")) return ForeignCall{*model, true};
      }
      return std::nullopt;
    case DialectName::bedrock:
      if (const auto model = between("/model/", "/converse")) return ForeignCall{*model, false};
      if (const auto model = between("/model/", "/converse-stream")) return ForeignCall{*model, true};
      return std::nullopt;
    case DialectName::replicate:
    case DialectName::runpod:
    case DialectName::fal:
      return job_call(personality, path);
    default:
      return std::nullopt;
  }
}

Result<std::string> counted_body(const ForeignCall& call, std::string_view text) {
  Json body = Json::parse(text, nullptr, false);
  if (!body.is_object()) return fail(Fault::bad_request, "the body is not a JSON object");
  TOLLGATE_TRY(only(body, "", {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"}, call.betas));
  body["max_tokens"] = 1;   // asked of messages only
  return openai_body(DialectName::anthropic, call, body.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Result<std::string> openai_body(DialectName personality, const ForeignCall& call, std::string_view text) {
  if (call.responses) return responses_body(text);
  const Json body = Json::parse(text, nullptr, false);
  if (!body.is_object()) return fail(Fault::bad_request, "the body is not a JSON object");
  Json out;
  try {
    if (personality == DialectName::anthropic) {
      TOLLGATE_TRY(out, from_anthropic(body, call.betas));
    } else if (personality == DialectName::gemini) {
      TOLLGATE_TRY(out, from_gemini(body));
    } else if (personality == DialectName::replicate) {
      TOLLGATE_TRY(out, from_replicate(body));
    } else if (personality == DialectName::runpod) {
      TOLLGATE_TRY(out, from_runpod(body));
    } else if (personality == DialectName::fal) {
      TOLLGATE_TRY(out, from_prompt(body));
    } else {
      TOLLGATE_TRY(out, from_bedrock(body));
    }
  } catch (const Json::exception& error) {   // a member of another type than the protocol's
    return fail(Fault::bad_request, std::string("Invalid JSON payload received: ") + error.what());
  }
  if (call.model.ends_with('/')) {
    out["model"] = call.model + text_of(out, "model");
  } else if (!call.model.empty()) {
    out["model"] = call.model;
  }
  if (call.stream) out["stream"] = true;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tollgate::simulator
