// Anthropic's Messages → chat completion. The other way round stands in anthropic.cpp. Sources: the API reference of Messages, and the
// types of Anthropic's SDK for Python.

#include <algorithm>
#include <array>

#include "backends/chat_writer.hpp"

namespace tollgate::inbound {
namespace {

using json::at;
using json::dumped;
using json::text_at;

constexpr std::int64_t low_budget_max = 2048, medium_budget_max = 8192;   // of thinking.budget_tokens

/// Members that are understood, and those that change nothing about the answer.
constexpr std::array<std::string_view, 16> known_members{"model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k",
                                                         "stop_sequences", "tools", "tool_choice", "thinking", "output_config", "output_format",
                                                         "metadata", "service_tier"};

/// A coding agent begins its system prompt with a note to Anthropic's billing whose checksum differs with each request: "x-anthropic-billing-header:
/// cc_version=…; cch=…;". No other provider has use for it, and it would keep every one of them from finding the prompt in its cache.
std::string without_billing_note(std::string text) {
  constexpr std::string_view note = "x-anthropic-billing-header:";
  if (!text.starts_with(note)) return text;
  std::size_t end = note.size();
  for (std::size_t at = end;;) {   // name=value; again and again, and nothing else
    at = text.find_first_not_of(" \t", at);
    const std::size_t stop = at == std::string::npos ? at : text.find_first_of("; \t\r\n", at);
    if (stop == std::string::npos || text[stop] != ';' || text.find('=', at) > stop) break;
    end = at = stop + 1;
  }
  end = std::min(text.find_first_not_of(" \t\r\n", end), text.size());
  return text.substr(end);
}

class Messages {
 public:
  explicit Messages(const ChatFlavour& flavour) : flavour_(flavour) {}
  Result<InboundChat> read(const Json& body);

 private:
  /// A message under way: results come first, then what else the user says; pictures of results go with that.
  struct Turn {
    Json parts = Json::array(), calls = Json::array(), results = Json::array(), thinking = Json::array();
  };

  Result<void> system(const Json& value);
  Result<void> messages(const Json& list);
  Result<void> message(const Json& message, const std::string& place);
  Result<void> blocks(const Json& list, const std::string& place, bool assistant, Turn& turn);
  Result<void> block(const Json& block, const std::string& place, bool assistant, Turn& turn);
  Result<void> image(const Json& block, const std::string& place, Json& parts);
  Result<void> document(const Json& block, const std::string& place, Json& parts);
  Result<void> tool_result(const Json& block, const std::string& place, Turn& turn);
  void put(Turn turn, bool assistant);
  Result<void> tools(const Json& list);
  Result<void> tool_choice(const Json& value);
  Result<void> limits(const Json& body);
  Result<void> thinking(const Json& body);
  void others(const Json& body);
  Json with_cache(Json part, const Json& block) const;

  const ChatFlavour flavour_;
  Json out_;
  std::vector<std::string> unsaid_;
};

Json Messages::with_cache(Json part, const Json& block) const {
  if (flavour_.extras && at(block, "cache_control").is_object()) part["cache_control"] = at(block, "cache_control");
  return part;
}

Result<InboundChat> Messages::read(const Json& body) {
  if (!at(body, "model").is_string()) return fail(Fault::bad_request, "you must provide a 'model' parameter", "model");
  out_["model"] = body["model"];
  out_["messages"] = Json::array();
  if (!at(body, "system").is_null()) {
    TOLLGATE_TRY(system(body["system"]));
  }
  if (!at(body, "messages").is_array() || body["messages"].empty()) return wrong("messages", "must be an array that holds at least one message");
  TOLLGATE_TRY(messages(body["messages"]));
  TOLLGATE_TRY(limits(body));
  if (!at(body, "tools").is_null()) {
    TOLLGATE_TRY(tools(body["tools"]));
  }
  if (!at(body, "tool_choice").is_null()) {
    TOLLGATE_TRY(tool_choice(body["tool_choice"]));
  }
  TOLLGATE_TRY(thinking(body));
  others(body);
  return InboundChat{dumped(out_), std::move(unsaid_)};
}

Result<void> Messages::system(const Json& value) {
  Json parts = Json::array();
  if (value.is_string()) {
    if (const std::string text = without_billing_note(value.get<std::string>()); !text.empty()) parts.push_back(text_part(text));
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!value[i].is_object() || text_at(value[i], "type") != "text" || !at(value[i], "text").is_string()) return wrong(indexed("system", i), "must be a text block");
      if (const std::string text = without_billing_note(text_at(value[i], "text")); !text.empty()) parts.push_back(with_cache(text_part(text), value[i]));
    }
  } else {
    return wrong("system", "must be a string or an array of text blocks");
  }
  if (!parts.empty()) out_["messages"].push_back({{"role", "system"}, {"content", content_of(std::move(parts), flavour_.plain_texts)}});
  return success();
}

Result<void> Messages::messages(const Json& list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = indexed("messages", i);
    if (!list[i].is_object()) return wrong(place, "must be an object");
    TOLLGATE_TRY(message(list[i], place));
  }
  return success();
}

Result<void> Messages::message(const Json& message, const std::string& place) {
  const std::string role = text_at(message, "role");
  const Json& content = at(message, "content");
  if (role == "system") {   // in the middle of a conversation
    const std::size_t before = out_["messages"].size();
    const Result<void> read = system(content);
    if (!read) return wrong(place + ".content", "must be a string or an array of text blocks");
    return out_["messages"].size() > before ? success() : Result<void>(wrong(place + ".content", "must not be empty"));
  }
  const bool assistant = role == "assistant";
  if (!assistant && role != "user") return wrong(place + ".role", "must be 'user' or 'assistant'");
  Turn turn;
  if (content.is_string()) {
    turn.parts.push_back(text_part(content.get<std::string>()));
  } else if (content.is_array()) {
    TOLLGATE_TRY(blocks(content, place + ".content", assistant, turn));
  } else {
    return wrong(place + ".content", "must be a string or an array of content blocks");
  }
  put(std::move(turn), assistant);
  return success();
}

Result<void> Messages::blocks(const Json& list, const std::string& place, bool assistant, Turn& turn) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = indexed(place, i);
    if (!list[i].is_object()) return wrong(where, "must be an object");
    TOLLGATE_TRY(block(list[i], where, assistant, turn));
  }
  return success();
}

Result<void> Messages::block(const Json& block, const std::string& place, bool assistant, Turn& turn) {
  const std::string type = text_at(block, "type");
  if (type == "text") {
    if (!at(block, "text").is_string()) return wrong(place + ".text", "must be a string");
    if (!text_at(block, "text").empty()) turn.parts.push_back(with_cache(text_part(text_at(block, "text")), block));
  } else if (type == "image" && !assistant) {
    return image(block, place, turn.parts);
  } else if (type == "document" && !assistant) {
    return document(block, place, turn.parts);
  } else if (type == "search_result" && !assistant) {
    std::string text = text_at(block, "title") + "\n" + text_at(block, "source");
    for (const Json& each : at(block, "content")) text += "\n" + text_at(each, "text");
    turn.parts.push_back(with_cache(text_part(text), block));
  } else if (type == "tool_use" && assistant) {
    if (text_at(block, "id").empty() || text_at(block, "name").empty()) return wrong(place, "must have an id and a name");
    if (!at(block, "input").is_object()) return wrong(place + ".input", "must be an object");
    turn.calls.push_back(call_part(text_at(block, "id"), text_at(block, "name"), dumped(block["input"])));
  } else if (type == "tool_result" && !assistant) {
    return tool_result(block, place, turn);
  } else if (type == "thinking" || type == "redacted_thinking") {
    // Only who thought it can read its own thinking again; whoever else answers does without, as Anthropic's models do with other models'.
    if (text_at(block, "signature") != unsigned_thinking) turn.thinking.push_back(block);
  } else if (type.empty()) {
    return wrong(place + ".type", "is missing");
  } else {
    unsaid_.push_back(place + " of type '" + type + "'");
  }
  return success();
}

Result<void> Messages::image(const Json& block, const std::string& place, Json& parts) {
  const Json& source = at(block, "source");
  const std::string type = text_at(source, "type");
  if (type == "base64") {
    if (text_at(source, "media_type").empty() || text_at(source, "data").empty()) return wrong(place + ".source", "must have media_type and data");
    parts.push_back(with_cache(image_part(data_url(text_at(source, "media_type"), text_at(source, "data"))), block));
  } else if (type == "url") {
    if (text_at(source, "url").empty()) return wrong(place + ".source.url", "is missing");
    parts.push_back(with_cache(image_part(text_at(source, "url")), block));
  } else if (type.empty()) {
    return wrong(place + ".source", "must be an object with a type");
  } else {
    unsaid_.push_back(place + ".source of type '" + type + "'");   // a file that lies at Anthropic and nowhere else
  }
  return success();
}

Result<void> Messages::document(const Json& block, const std::string& place, Json& parts) {
  const Json& source = at(block, "source");
  const std::string type = text_at(source, "type"), title = text_at(block, "title");
  if (type == "text") {
    parts.push_back(with_cache(text_part((title.empty() ? "" : title + "\n") + text_at(source, "data")), block));
  } else if (type == "base64") {
    Json file{{"filename", title.empty() ? "document.pdf" : title}, {"file_data", data_url(text_at(source, "media_type"), text_at(source, "data"))}};
    parts.push_back(with_cache({{"type", "file"}, {"file", std::move(file)}}, block));
  } else if (type.empty()) {
    return wrong(place + ".source", "must be an object with a type");
  } else {
    unsaid_.push_back(place + ".source of type '" + type + "'");
  }
  return success();
}

// A chat completion's tool message holds text only: pictures follow in the user's own words.
Result<void> Messages::tool_result(const Json& block, const std::string& place, Turn& turn) {
  const std::string id = text_at(block, "tool_use_id");
  if (id.empty()) return wrong(place + ".tool_use_id", "is missing");
  Turn inner;
  const Json& content = at(block, "content");
  if (content.is_string()) {
    inner.parts.push_back(text_part(content.get<std::string>()));
  } else if (content.is_array()) {
    TOLLGATE_TRY(blocks(content, place + ".content", false, inner));
  } else if (!content.is_null()) {
    return wrong(place + ".content", "must be a string or an array of content blocks");
  }
  Json texts = Json::array(), rest = Json::array();
  for (Json& part : inner.parts) (part["type"] == "text" ? texts : rest).push_back(std::move(part));
  if (at(block, "is_error") == true) texts.insert(texts.begin(), text_part("The tool failed:"));
  Json text = content_of(std::move(texts), flavour_.plain_texts);
  if (text.is_array() && text.empty()) text = rest.empty() ? "" : "(see below)";
  Json result{{"role", "tool"}, {"tool_call_id", id}, {"content", std::move(text)}};
  if (flavour_.extras && at(block, "cache_control").is_object() && result["content"].is_string()) {
    Json part = with_cache(text_part(result["content"].get<std::string>()), block);
    if (!result["content"].get_ref<const std::string&>().empty()) result["content"] = Json::array({std::move(part)});
  }
  turn.results.push_back(std::move(result));
  if (rest.empty()) return success();
  turn.parts.push_back(text_part("From the result of tool call " + id + ":"));
  for (Json& part : rest) turn.parts.push_back(std::move(part));
  return success();
}

void Messages::put(Turn turn, bool assistant) {
  Json& messages = out_["messages"];
  for (Json& result : turn.results) messages.push_back(std::move(result));
  const bool has_thinking = flavour_.extras && !turn.thinking.empty();
  if (turn.parts.empty() && turn.calls.empty() && !has_thinking) return;
  Json message{{"role", assistant ? "assistant" : "user"}, {"content", nullptr}};
  if (!turn.parts.empty()) message["content"] = content_of(std::move(turn.parts), flavour_.plain_texts);
  if (has_thinking) message["thinking_blocks"] = std::move(turn.thinking);
  if (!turn.calls.empty()) message["tool_calls"] = std::move(turn.calls);
  messages.push_back(std::move(message));
}

Result<void> Messages::limits(const Json& body) {
  if (const Json& tokens = at(body, "max_tokens"); !tokens.is_null()) {
    if (!tokens.is_number_integer()) return wrong("max_tokens", "must be an integer");
    out_[flavour_.completion_tokens ? "max_completion_tokens" : "max_tokens"] = tokens;
  }
  for (const char* const name : {"temperature", "top_p", "top_k"}) {
    const Json& value = at(body, name);
    if (value.is_null()) continue;
    if (!value.is_number()) return wrong(name, "must be a number");
    if (std::string_view(name) == "top_k" && !flavour_.top_k) {
      unsaid_.emplace_back(name);
    } else {
      out_[name] = value;
    }
  }
  if (const Json& stop = at(body, "stop_sequences"); !stop.is_null()) {
    const bool texts = stop.is_array() && std::all_of(stop.begin(), stop.end(), [](const Json& each) { return each.is_string(); });
    if (!texts) return wrong("stop_sequences", "must be an array of strings");
    if (!stop.empty()) out_["stop"] = stop;
  }
  if (const Json& stream = at(body, "stream"); !stream.is_null()) {
    if (!stream.is_boolean()) return wrong("stream", "must be true or false");
    out_["stream"] = stream;
  }
  if (const Json& metadata = at(body, "metadata"); !metadata.is_null()) {
    if (!metadata.is_object()) return wrong("metadata", "must be an object");
    constexpr std::size_t user_bytes_max = 64;   // OpenAI refuses longer names; agents put whole records there
    const std::string user = text_at(metadata, "user_id");
    if (!user.empty() && (flavour_.metadata || user.size() <= user_bytes_max)) out_["user"] = user;
    if (flavour_.metadata) out_["metadata"] = metadata;
  }
  const std::string tier = text_at(body, "service_tier");
  if (!tier.empty() && (tier != "auto" || flavour_.openai_own)) out_["service_tier"] = tier == "standard_only" ? "default" : tier;
  return success();
}

Result<void> Messages::tools(const Json& list) {
  if (!list.is_array()) return wrong("tools", "must be an array");
  Json tools = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = indexed("tools", i), type = text_at(list[i], "type");
    if (!list[i].is_object()) return wrong(place, "must be an object");
    if (!type.empty() && type != "custom") {   // run by Anthropic, or known to its models alone
      unsaid_.push_back(place + " of type '" + type + "'");
      continue;
    }
    if (text_at(list[i], "name").empty()) return wrong(place + ".name", "is missing");
    if (!at(list[i], "input_schema").is_object()) return wrong(place + ".input_schema", "must be a JSON Schema");
    Json function{{"name", list[i]["name"]}};
    if (!text_at(list[i], "description").empty()) function["description"] = list[i]["description"];
    function["parameters"] = list[i]["input_schema"];
    if (at(list[i], "strict").is_boolean()) function["strict"] = list[i]["strict"];
    tools.push_back(with_cache({{"type", "function"}, {"function", std::move(function)}}, list[i]));
  }
  if (!tools.empty()) out_["tools"] = std::move(tools);
  return success();
}

Result<void> Messages::tool_choice(const Json& value) {
  const std::string type = text_at(value, "type");
  if (type != "auto" && type != "any" && type != "none" && type != "tool") return wrong("tool_choice.type", "must be auto, any, tool or none");
  if (!out_.contains("tools")) return success();   // those of the provider alone: named already
  if (type == "tool") {
    if (text_at(value, "name").empty()) return wrong("tool_choice.name", "is missing");
    out_["tool_choice"] = {{"type", "function"}, {"function", {{"name", value["name"]}}}};
  } else {
    out_["tool_choice"] = type == "any" ? "required" : type;
  }
  if (const Json& single = at(value, "disable_parallel_tool_use"); single == true) out_["parallel_tool_calls"] = false;
  return success();
}

// How much is thought: a word where the target has words for it, a budget where it counts.
Result<void> Messages::thinking(const Json& body) {
  const Json& thinking = at(body, "thinking");
  const Json& config = at(body, "output_config");
  std::string effort = text_at(config, "effort");
  if (thinking.is_object() && flavour_.thinking) out_["thinking"] = thinking;
  if (effort.empty() && thinking.is_object() && !flavour_.thinking && text_at(thinking, "type") == "enabled" && at(thinking, "budget_tokens").is_number_integer()) {
    const auto budget = thinking["budget_tokens"].get<std::int64_t>();
    effort = budget <= low_budget_max ? "low" : budget <= medium_budget_max ? "medium" : "high";
  }
  if (!effort.empty()) {
    if (flavour_.effort) {
      out_["reasoning_effort"] = flavour_.thinking ? effort : effort_word(effort);
    } else {
      unsaid_.emplace_back("output_config.effort");
    }
  }
  if (config.is_object()) {
    for (const auto& [name, value] : config.items()) {
      if (name != "effort" && name != "format" && !says_nothing(value)) unsaid_.push_back("output_config." + name);
    }
  }
  const Json& format = at(config, "format").is_object() ? at(config, "format") : at(body, "output_format");
  if (!format.is_object()) return success();
  if (text_at(format, "type") != "json_schema" || !at(format, "schema").is_object()) return wrong("output_config.format", "must be of type json_schema, with a schema");
  out_["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", "output"}, {"schema", format["schema"]}, {"strict", true}}}};
  return success();
}

void Messages::others(const Json& body) {
  for (const auto& [name, value] : body.items()) {
    if (std::find(known_members.begin(), known_members.end(), name) != known_members.end() || says_nothing(value)) continue;
    if (name == "cache_control" || (name == "speed" && value == "standard")) continue;
    if (name == "context_management") {
      // Clearing earlier thinking is what happens anyway where nobody can read it.
      const Json& edits = at(value, "edits");
      const auto harmless = [](const Json& edit) { return text_at(edit, "type").starts_with("clear_thinking_"); };
      if (edits.is_null() || std::all_of(edits.begin(), edits.end(), harmless)) continue;
    }
    unsaid_.push_back(name);
  }
}

}  // namespace

Result<InboundChat> chat_of_messages(const Json& body, const ChatFlavour& flavour) { return Messages(flavour).read(body); }

}  // namespace tollgate::inbound
