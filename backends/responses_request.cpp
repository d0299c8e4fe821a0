// OpenAI's Responses → chat completion. Source: the API reference of Responses and the types of OpenAI's SDK for Python.
//
// The gateway keeps no conversations: whatever points at an earlier answer (previous_response_id, conversation, item_reference) is refused.

#include <algorithm>
#include <array>

#include "backends/chat_writer.hpp"

namespace tollgate::inbound {
namespace {

using json::at;
using json::dumped;
using json::text_at;

/// Members that are understood, and those that change nothing about the answer.
constexpr std::array<std::string_view, 27> known_members{
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens", "temperature", "top_p",
    "text", "reasoning", "stream", "stream_options", "store", "metadata", "user", "prompt_cache_key", "prompt_cache_retention",
    "safety_identifier", "service_tier", "top_logprobs", "include", "truncation", "background", "previous_response_id", "conversation",
    "client_metadata"};   // what Codex tells OpenAI of itself

Error needs_memory(const std::string& member) {
  return fail(Fault::unsupported,
              "'" + member + "' points at an answer of before, and this gateway keeps none: send the whole conversation in 'input' (store: false), as SDKs do "
              "when they are told not to store",
              member);
}

class Responses {
 public:
  explicit Responses(const ChatFlavour& flavour) : flavour_(flavour) {}
  Result<InboundChat> read(const Json& body);

 private:
  Result<void> input(const Json& value);
  Result<void> item(const Json& item, const std::string& place);
  Result<void> message(const Json& item, const std::string& place);
  Result<void> parts(const Json& list, const std::string& place, Json& out, std::string& refusal);
  Result<void> part(const Json& part, const std::string& place, Json& out, std::string& refusal);
  Result<void> call(const Json& item, const std::string& place);
  Result<void> call_output(const Json& item, const std::string& place);
  void reasoning_item(const Json& item);
  Json& assistant();
  void flush_pictures();
  Result<void> tools(const Json& list);
  Result<void> tool(const Json& entry, const std::string& place, const std::string& name_space, Json& tools);
  Result<void> tool_choice(const Json& value);
  Result<void> format(const Json& text);
  Result<void> scalars(const Json& body);
  Result<void> include(const Json& list);
  void others(const Json& body);

  const ChatFlavour flavour_;
  Json out_;
  Json pictures_ = Json::array();   // of results: put behind the last of them
  Json thinking_ = Json::array();   // of the assistant message that comes next
  std::vector<std::string> unsaid_;
};

Result<InboundChat> Responses::read(const Json& body) {
  for (const char* const member : {"previous_response_id", "conversation"}) {
    if (!at(body, member).is_null()) return needs_memory(member);
  }
  if (at(body, "background") == true) {
    return fail(Fault::unsupported, "'background' needs an answer to be kept until it is fetched, and this gateway keeps none: leave it out", "background");
  }
  if (!at(body, "model").is_string()) return fail(Fault::bad_request, "you must provide a 'model' parameter", "model");
  out_["model"] = body["model"];
  out_["messages"] = Json::array();
  if (const Json& instructions = at(body, "instructions"); !instructions.is_null()) {
    if (!instructions.is_string()) return wrong("instructions", "must be a string");
    out_["messages"].push_back({{"role", "system"}, {"content", instructions}});
  }
  if (at(body, "input").is_null()) return fail(Fault::bad_request, "missing required parameter: 'input'", "input");
  TOLLGATE_TRY(input(body["input"]));
  TOLLGATE_TRY(scalars(body));
  if (!at(body, "tools").is_null()) {
    TOLLGATE_TRY(tools(body["tools"]));
  }
  if (!at(body, "tool_choice").is_null()) {
    TOLLGATE_TRY(tool_choice(body["tool_choice"]));
  }
  TOLLGATE_TRY(format(at(body, "text")));
  TOLLGATE_TRY(include(at(body, "include")));
  others(body);
  return InboundChat{dumped(out_), std::move(unsaid_)};
}

Result<void> Responses::input(const Json& value) {
  if (value.is_string()) {
    out_["messages"].push_back({{"role", "user"}, {"content", value}});
    return success();
  }
  if (!value.is_array()) return wrong("input", "must be a string or an array of items");
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string place = indexed("input", i);
    if (!value[i].is_object()) return wrong(place, "must be an object");
    TOLLGATE_TRY(item(value[i], place));
  }
  flush_pictures();
  if (out_["messages"].empty()) return wrong("input", "must not be empty");
  return success();
}

Result<void> Responses::item(const Json& item, const std::string& place) {
  const std::string type = text_at(item, "type");
  if (type == "function_call_output") return call_output(item, place);
  flush_pictures();
  if (type == "message" || (type.empty() && item.contains("role"))) return message(item, place);
  if (type == "function_call") return call(item, place);
  if (type == "item_reference") return needs_memory(place);
  if (type == "reasoning") {
    reasoning_item(item);
  } else if (type.empty()) {
    return wrong(place + ".type", "is missing");
  } else {
    unsaid_.push_back(place + " of type '" + type + "'");
  }
  return success();
}

/// The assistant message that calls and thinking belong to: the last, if it is one.
Json& Responses::assistant() {
  Json& messages = out_["messages"];
  if (messages.empty() || messages.back()["role"] != "assistant") messages.push_back({{"role", "assistant"}, {"content", nullptr}});
  Json& message = messages.back();
  if (!thinking_.empty() && !message.contains("thinking_blocks")) {
    message["thinking_blocks"] = std::move(thinking_);
    thinking_ = Json::array();
  }
  return message;
}

Result<void> Responses::message(const Json& item, const std::string& place) {
  std::string role = text_at(item, "role");
  if (role != "user" && role != "assistant" && role != "system" && role != "developer") {
    return wrong(place + ".role", "must be user, assistant, system or developer");
  }
  if (role == "developer") role = "system";   // the same to every target, and engines' templates know only this word
  Json list = Json::array();
  std::string refusal;
  const Json& content = at(item, "content");
  if (content.is_string()) {
    list.push_back(text_part(content.get<std::string>()));
  } else if (content.is_array()) {
    TOLLGATE_TRY(parts(content, place + ".content", list, refusal));
  } else {
    return wrong(place + ".content", "must be a string or an array of parts");
  }
  const bool plain = role != "user" && flavour_.plain_texts;
  Json said = list.empty() ? Json() : content_of(std::move(list), plain);
  if (role != "assistant") {
    if (!said.is_null()) out_["messages"].push_back({{"role", role}, {"content", std::move(said)}});
    return success();
  }
  Json& messages = out_["messages"];
  const bool goes_on = !messages.empty() && messages.back()["role"] == "assistant" && messages.back()["content"].is_null() && !messages.back().contains("tool_calls");
  if (!goes_on) messages.push_back({{"role", "assistant"}, {"content", nullptr}});
  Json& message = assistant();
  message["content"] = std::move(said);
  if (!refusal.empty()) message["refusal"] = refusal;
  return success();
}

Result<void> Responses::parts(const Json& list, const std::string& place, Json& out, std::string& refusal) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = indexed(place, i);
    if (!list[i].is_object()) return wrong(where, "must be an object");
    TOLLGATE_TRY(part(list[i], where, out, refusal));
  }
  return success();
}

Result<void> Responses::part(const Json& part, const std::string& place, Json& out, std::string& refusal) {
  const std::string type = text_at(part, "type");
  if (type == "input_text" || type == "output_text" || type == "text") {
    if (!at(part, "text").is_string()) return wrong(place + ".text", "must be a string");
    out.push_back(text_part(text_at(part, "text")));
  } else if (type == "refusal") {
    refusal += text_at(part, "refusal");
  } else if (type == "input_image") {
    if (text_at(part, "image_url").empty()) {
      unsaid_.push_back(place + ".file_id");   // a file that lies at OpenAI and nowhere else
      return success();
    }
    Json image = image_part(text_at(part, "image_url"));
    const std::string detail = text_at(part, "detail");
    if (!detail.empty() && detail != "auto") image["image_url"]["detail"] = detail;
    out.push_back(std::move(image));
  } else if (type == "input_file") {
    const std::string data = text_at(part, "file_data");
    if (data.empty()) {
      unsaid_.push_back(place + (text_at(part, "file_url").empty() ? ".file_id" : ".file_url"));
      return success();
    }
    const std::string url = data.starts_with("data:") ? data : data_url("application/pdf", data);
    const std::string name = text_at(part, "filename");
    out.push_back({{"type", "file"}, {"file", {{"filename", name.empty() ? "document.pdf" : name}, {"file_data", url}}}});
  } else if (type == "input_audio") {
    out.push_back({{"type", "input_audio"}, {"input_audio", at(part, "input_audio")}});
  } else if (type.empty()) {
    return wrong(place + ".type", "is missing");
  } else {
    unsaid_.push_back(place + " of type '" + type + "'");
  }
  return success();
}

Result<void> Responses::call(const Json& item, const std::string& place) {
  if (text_at(item, "call_id").empty() || text_at(item, "name").empty()) return wrong(place, "must have a call_id and a name");
  Json& message = assistant();
  message["tool_calls"].push_back(call_part(text_at(item, "call_id"), chat_name_of(text_at(item, "namespace"), text_at(item, "name")), text_at(item, "arguments")));
  return success();
}

Result<void> Responses::call_output(const Json& item, const std::string& place) {
  const std::string id = text_at(item, "call_id");
  if (id.empty()) return wrong(place + ".call_id", "is missing");
  const Json& output = at(item, "output");
  Json said = "";
  if (output.is_array()) {
    Json list = Json::array(), texts = Json::array();
    std::string refusal;
    TOLLGATE_TRY(parts(output, place + ".output", list, refusal));
    const std::size_t before = pictures_.size();
    for (Json& each : list) {
      const bool is_text = each["type"] == "text";
      if (!is_text && pictures_.size() == before) pictures_.push_back(text_part("From the result of tool call " + id + ":"));
      (is_text ? texts : pictures_).push_back(std::move(each));
    }
    said = texts.empty() ? Json(pictures_.size() > before ? "(see below)" : "") : content_of(std::move(texts), flavour_.plain_texts);
  } else if (!output.is_null()) {
    said = output.is_string() ? output : Json(dumped(output));
  }
  out_["messages"].push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", std::move(said)}});
  return success();
}

// A tool message holds text only: what else results hold follows in the user's name.
void Responses::flush_pictures() {
  if (pictures_.empty()) return;
  out_["messages"].push_back({{"role", "user"}, {"content", std::move(pictures_)}});
  pictures_ = Json::array();
}

// What other providers sealed they alone can read; what this gateway put in for them it takes out again.
void Responses::reasoning_item(const Json& item) {
  const std::string sealed = text_at(item, "encrypted_content");
  if (!flavour_.extras || !sealed.starts_with(sealed_thinking)) return;
  Json blocks = Json::parse(sealed.substr(sealed_thinking.size()), nullptr, false);
  if (blocks.is_array()) thinking_ = std::move(blocks);
}

Result<void> Responses::tools(const Json& list) {
  if (!list.is_array()) return wrong("tools", "must be an array");
  Json tools = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = indexed("tools", i);
    if (!list[i].is_object()) return wrong(place, "must be an object");
    const bool is_group = text_at(list[i], "type") == "namespace";
    if (!is_group) {
      TOLLGATE_TRY(tool(list[i], place, {}, tools));
      continue;
    }
    const std::string name_space = text_at(list[i], "name");
    if (name_space.empty() || !at(list[i], "tools").is_array()) return wrong(place, "must have a name and tools");
    for (std::size_t inner = 0; inner < list[i]["tools"].size(); ++inner) {
      TOLLGATE_TRY(tool(list[i]["tools"][inner], indexed(place + ".tools", inner), name_space, tools));
    }
  }
  if (!tools.empty()) out_["tools"] = std::move(tools);
  return success();
}

Result<void> Responses::tool(const Json& entry, const std::string& place, const std::string& name_space, Json& tools) {
  const std::string type = text_at(entry, "type"), name = text_at(entry, "name");
  if (type != "function") {
    unsaid_.push_back(place + " of type '" + type + "'");
    return success();
  }
  if (name.empty()) return wrong(place + ".name", "is missing");
  Json function{{"name", chat_name_of(name_space, name)}};
  if (!text_at(entry, "description").empty()) function["description"] = entry["description"];
  if (at(entry, "parameters").is_object()) function["parameters"] = entry["parameters"];
  if (at(entry, "strict").is_boolean()) function["strict"] = entry["strict"];
  tools.push_back({{"type", "function"}, {"function", std::move(function)}});
  return success();
}

Result<void> Responses::tool_choice(const Json& value) {
  if (value.is_string()) {
    if (value != "auto" && value != "none" && value != "required") return wrong("tool_choice", "must be auto, none, required or an object");
    if (out_.contains("tools")) out_["tool_choice"] = value;
    return success();
  }
  const std::string type = text_at(value, "type");
  if (type != "function") {
    unsaid_.push_back("tool_choice of type '" + type + "'");
    return success();
  }
  if (text_at(value, "name").empty()) return wrong("tool_choice.name", "is missing");
  if (out_.contains("tools")) out_["tool_choice"] = {{"type", "function"}, {"function", {{"name", chat_name_of(text_at(value, "namespace"), text_at(value, "name"))}}}};
  return success();
}

Result<void> Responses::format(const Json& text) {
  if (text.is_null()) return success();
  if (!text.is_object()) return wrong("text", "must be an object");
  if (const Json& verbosity = at(text, "verbosity"); !verbosity.is_null() && verbosity != "medium") out_["verbosity"] = verbosity;
  const Json& format = at(text, "format");
  const std::string type = text_at(format, "type");
  if (format.is_null() || type == "text") return success();
  if (type == "json_object") {
    out_["response_format"] = {{"type", "json_object"}};
  } else if (type == "json_schema") {
    if (!at(format, "schema").is_object()) return wrong("text.format.schema", "must be a JSON Schema");
    Json described{{"name", text_at(format, "name").empty() ? "output" : text_at(format, "name")}};
    for (const char* const name : {"description", "schema", "strict"}) {
      if (!at(format, name).is_null()) described[name] = format[name];
    }
    out_["response_format"] = {{"type", "json_schema"}, {"json_schema", std::move(described)}};
  } else {
    unsaid_.push_back("text.format of type '" + type + "'");
  }
  return success();
}

Result<void> Responses::scalars(const Json& body) {
  if (const Json& tokens = at(body, "max_output_tokens"); !tokens.is_null()) {
    if (!tokens.is_number_integer()) return wrong("max_output_tokens", "must be an integer");
    out_[flavour_.completion_tokens ? "max_completion_tokens" : "max_tokens"] = tokens;
  }
  for (const char* const name : {"temperature", "top_p"}) {
    if (at(body, name).is_null()) continue;
    if (!body[name].is_number()) return wrong(name, "must be a number");
    out_[name] = body[name];
  }
  for (const char* const name : {"stream", "parallel_tool_calls"}) {
    if (at(body, name).is_null()) continue;
    if (!body[name].is_boolean()) return wrong(name, "must be true or false");
    // Without tools OpenAI refuses the second; true is what everybody does unasked.
    const bool says = std::string_view(name) == "stream" || (body[name] == false && !says_nothing(at(body, "tools")));
    if (says) out_[name] = body[name];
  }
  for (const char* const name : {"user", "prompt_cache_key", "service_tier"}) {
    const std::string value = text_at(body, name);
    const bool own = std::string_view(name) == "prompt_cache_key" || value == "auto";
    if (!value.empty() && (!own || flavour_.openai_own)) out_[name] = value;
  }
  if (flavour_.metadata && at(body, "metadata").is_object()) out_["metadata"] = body["metadata"];
  if (const Json& count = at(body, "top_logprobs"); count.is_number_integer() && count != 0) {
    out_["logprobs"] = true;
    out_["top_logprobs"] = count;
  }
  const std::string effort = text_at(at(body, "reasoning"), "effort");
  if (!effort.empty()) {
    if (flavour_.effort) {
      out_["reasoning_effort"] = effort;
    } else {
      unsaid_.emplace_back("reasoning.effort");
    }
  }
  return success();
}

Result<void> Responses::include(const Json& list) {
  if (list.is_null()) return success();
  if (!list.is_array()) return wrong("include", "must be an array");
  for (const Json& each : list) {
    if (each == "message.output_text.logprobs") {
      out_["logprobs"] = true;
    } else if (each != "reasoning.encrypted_content") {
      unsaid_.push_back("include of " + dumped(each));
    }
  }
  return success();
}

void Responses::others(const Json& body) {
  if (at(body, "truncation") == "auto") unsaid_.emplace_back("truncation");
  for (const auto& [name, value] : body.items()) {
    if (std::find(known_members.begin(), known_members.end(), name) == known_members.end() && !says_nothing(value)) unsaid_.push_back(name);
  }
}

}  // namespace

Result<InboundChat> chat_of_responses(const Json& body, const ChatFlavour& flavour) { return Responses(flavour).read(body); }

}  // namespace tollgate::inbound
