// OpenAI's Responses, checked as OpenAI checks them and put as a chat completion. See foreign_ask.hpp.

#include <algorithm>
#include <array>

#include "backends/json_members.hpp"
#include "backends/simulator/foreign_ask.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::ordered_json;
using json::at;
using json::text_at;

constexpr std::array<std::string_view, 27> known_members{
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens", "max_tool_calls", "temperature",
    "top_p", "text", "reasoning", "stream", "stream_options", "store", "metadata", "user", "prompt_cache_key", "prompt_cache_retention",
    "safety_identifier", "service_tier", "top_logprobs", "include", "truncation", "background", "context_management", "client_metadata"};
constexpr std::int64_t output_tokens_least = 16;

Error bad(const std::string& where, const std::string& what) { return fail(Fault::bad_request, what, where); }

Error missing(const std::string& where) { return bad(where, "Missing required parameter: '" + where + "'."); }

std::string indexed(const std::string& list, std::size_t index) { return list + "[" + std::to_string(index) + "]"; }

Result<Json> content_of(const Json& content, const std::string& where) {
  if (content.is_string()) return content;
  if (!content.is_array()) return missing(where);
  Json parts = Json::array();
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string type = text_at(content[i], "type");
    if (type == "input_text" || type == "output_text") {
      parts.push_back({{"type", "text"}, {"text", text_at(content[i], "text")}});
    } else if (type == "refusal") {
      parts.push_back({{"type", "text"}, {"text", text_at(content[i], "refusal")}});
    } else if (type == "input_image") {
      parts.push_back({{"type", "image_url"}, {"image_url", {{"url", text_at(content[i], "image_url")}}}});
    } else if (type == "input_file") {
      parts.push_back({{"type", "file"}, {"file", Json::object()}});
    } else {
      return bad(indexed(where, i), "Invalid value: '" + type + "'. Supported values are: 'input_text', 'input_image', 'output_text', 'refusal' and 'input_file'.");
    }
  }
  return parts;
}

/// An item of the conversation as messages; `open`: calls that wait for their output.
Result<void> take_item(const Json& item, const std::string& where, Json& messages, std::vector<std::string>& open) {
  const std::string type = text_at(item, "type");
  if (type == "function_call") {
    if (text_at(item, "call_id").empty()) return missing(where + ".call_id");
    open.push_back(text_at(item, "call_id"));
    const Json call{{"id", text_at(item, "call_id")}, {"type", "function"}, {"function", {{"name", text_at(item, "name")}, {"arguments", text_at(item, "arguments")}}}};
    messages.push_back({{"role", "assistant"}, {"content", nullptr}, {"tool_calls", Json::array({call})}});
  } else if (type == "function_call_output") {
    const std::string id = text_at(item, "call_id");
    if (std::erase(open, id) == 0) return bad("input", "No tool call found for function call output with call_id " + id + ".");
    TOLLGATE_TRY(const Json output, content_of(at(item, "output"), where + ".output"));
    messages.push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", output}});
  } else if (type == "message" || type.empty()) {
    const std::string role = text_at(item, "role");
    if (role != "user" && role != "assistant" && role != "system" && role != "developer") {
      return bad(where + ".role", "Invalid value: '" + role + "'. Supported values are: 'assistant', 'system', 'developer', and 'user'.");
    }
    TOLLGATE_TRY(const Json content, content_of(at(item, "content"), where + ".content"));
    messages.push_back({{"role", role}, {"content", content}});
  } else if (type != "reasoning") {
    return bad(where, "Invalid value: '" + type + "'.");
  }
  return success();
}

Result<Json> messages_of(const Json& body) {
  Json messages = Json::array();
  if (!text_at(body, "instructions").empty()) messages.push_back({{"role", "system"}, {"content", body["instructions"]}});
  const Json& input = at(body, "input");
  if (input.is_string()) {
    messages.push_back({{"role", "user"}, {"content", input}});
    return messages;
  }
  if (!input.is_array() || input.empty()) return missing("input");
  std::vector<std::string> open;
  for (std::size_t i = 0; i < input.size(); ++i) {
    TOLLGATE_TRY(take_item(input[i], indexed("input", i), messages, open));
  }
  if (!open.empty()) return bad("input", "No tool output found for function call " + open.front() + ".");
  return messages;
}

void add_function(const Json& tool, Json& tools) {
  Json function{{"name", text_at(tool, "name")}};
  if (at(tool, "parameters").is_object()) function["parameters"] = tool["parameters"];
  tools.push_back({{"type", "function"}, {"function", std::move(function)}});
}

/// Functions can be called; what OpenAI runs itself is taken and never used.
Result<Json> tools_of(const Json& list) {
  Json tools = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string type = text_at(list[i], "type");
    if (type.empty()) return missing(indexed("tools", i) + ".type");
    if (type == "function" && text_at(list[i], "name").empty()) return missing(indexed("tools", i) + ".name");
    if (type == "function") add_function(list[i], tools);
  }
  return tools;
}

}  // namespace

Result<std::string> responses_body(std::string_view text) {
  const Json body = Json::parse(text, nullptr, false);
  if (!body.is_object()) return fail(Fault::bad_request, "We could not parse the JSON body of your request.");
  for (const auto& [name, value] : body.items()) {
    if (std::find(known_members.begin(), known_members.end(), name) == known_members.end()) return bad(name, "Unknown parameter: '" + name + "'.");
  }
  if (!at(body, "model").is_string()) return missing("model");
  Json out{{"model", body["model"]}};
  TOLLGATE_TRY(out["messages"], messages_of(body));
  if (const Json& most = at(body, "max_output_tokens"); most.is_number_integer()) {
    if (most < output_tokens_least) return bad("max_output_tokens", "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.");
    out["max_tokens"] = most;
  }
  for (const char* const name : {"temperature", "top_p", "stream", "parallel_tool_calls"}) {
    if (!at(body, name).is_null()) out[name] = body[name];
  }
  TOLLGATE_TRY(Json tools, tools_of(at(body, "tools")));
  const Json& choice = at(body, "tool_choice");
  if (!tools.empty() && choice.is_string()) out["tool_choice"] = choice;
  if (!tools.empty() && text_at(choice, "type") == "function") out["tool_choice"] = {{"type", "function"}, {"function", {{"name", text_at(choice, "name")}}}};
  if (!tools.empty()) out["tools"] = std::move(tools);
  const Json& format = at(at(body, "text"), "format");
  if (text_at(format, "type") == "json_object") out["response_format"] = {{"type", "json_object"}};
  if (text_at(format, "type") == "json_schema") out["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", text_at(format, "name")}, {"schema", at(format, "schema")}}}};
  return json::dumped(out);
}

}  // namespace tollgate::simulator
