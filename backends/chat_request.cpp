#include "backends/chat_request.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ContentBlock::Kind;

/// Members that do not change the answer's content: they may stay behind.
constexpr std::array harmless = {std::string_view("model"), std::string_view("stream_options"), std::string_view("metadata"),
                                 std::string_view("store"), std::string_view("usage"), std::string_view("prompt_cache_key"),
                                 std::string_view("prompt_cache_retention"), std::string_view("safety_identifier")};

Error wrong(const std::string& member, std::string_view what) {
  return fail(Fault::bad_request, "'" + member + "' " + std::string(what), member);
}

/// A text out of a JSON string; "" for anything else.
std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

std::string member_text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? std::string() : text_of(*found);
}

const Json nothing;   // null

const Json& member_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

/// "data:image/png;base64,AAAA" into its media type and data. False: not of this form.
bool take_data_url(std::string_view url, ContentBlock& block) {
  if (!url.starts_with("data:")) return false;
  const std::size_t comma = url.find(',');
  if (comma == std::string_view::npos) return false;
  std::string_view head = url.substr(5, comma - 5);
  if (!head.ends_with(";base64")) return false;
  head.remove_suffix(7);
  block.media_type = head.substr(0, head.find(';'));
  block.data = url.substr(comma + 1);
  return !block.media_type.empty();
}

class Reader {
 public:
  Result<ChatRequest> read(const Json& body);

 private:
  Result<void> member(const std::string& name, const Json& value);
  Result<void> scalar(const std::string& name, const Json& value, bool& known);
  Result<void> number(const std::string& name, const Json& value, std::optional<double>& out);
  Result<void> integer(const std::string& name, const Json& value, std::optional<std::int64_t>& out);
  Result<void> messages(const Json& list);
  Result<void> message(const Json& message, const std::string& at);
  Result<void> system(const Json& message, const std::string& at);
  Result<void> assistant(const Json& message, const std::string& at);
  Result<void> tool_result(const Json& message, const std::string& at);
  Result<void> content(const Json& content, const std::string& at, std::vector<ContentBlock>& out);
  Result<void> part(const Json& part, const std::string& at, std::vector<ContentBlock>& out);
  Result<void> tool_call(const Json& call, const std::string& at, std::vector<ContentBlock>& out);
  Result<void> tools(const Json& list);
  Result<void> tool_choice(const Json& value);
  Result<void> stop(const Json& value);
  Result<void> format(const Json& value);
  std::vector<ContentBlock>& turn_of(ChatTurn::Role role);

  ChatRequest request_;
  std::unordered_map<std::string, std::string> tool_names_;   // by the id of the call
};

Result<ChatRequest> Reader::read(const Json& body) {
  if (!body.is_object()) return fail(Fault::bad_request, "the body is not a JSON object");
  for (const auto& [name, value] : body.items()) {
    if (value.is_null()) continue;
    TOLLGATE_TRY(member(name, value));
  }
  return std::move(request_);
}

Result<void> Reader::member(const std::string& name, const Json& value) {
  if (name == "messages") return messages(value);
  if (name == "tools") return tools(value);
  if (name == "tool_choice") return tool_choice(value);
  if (name == "stop") return stop(value);
  if (name == "response_format") return format(value);
  if (name == "thinking") {
    request_.thinking = value;
    return success();
  }
  bool known = false;
  TOLLGATE_TRY(scalar(name, value, known));
  if (known || std::find(harmless.begin(), harmless.end(), name) != harmless.end()) return success();
  const bool empty = (value.is_structured() && value.empty()) || value == false;
  // The default said aloud is no wish.
  const bool default_said = (name == "modalities" && value == Json::array({"text"})) || (name == "verbosity" && value == "medium");
  if (!empty && !default_said) request_.others.push_back(name);
  return success();
}

Result<void> Reader::scalar(const std::string& name, const Json& value, bool& known) {
  known = true;
  if (name == "temperature") return number(name, value, request_.temperature);
  if (name == "top_p") return number(name, value, request_.top_p);
  if (name == "presence_penalty") return number(name, value, request_.presence_penalty);
  if (name == "frequency_penalty") return number(name, value, request_.frequency_penalty);
  if (name == "top_k") return integer(name, value, request_.top_k);
  if (name == "seed") return integer(name, value, request_.seed);
  if (name == "top_logprobs") return integer(name, value, request_.top_logprobs);
  if (name == "max_completion_tokens") return integer(name, value, request_.max_tokens);
  if (name == "max_tokens") {   // the older name gives way
    std::optional<std::int64_t> tokens;
    TOLLGATE_TRY(integer(name, value, tokens));
    if (!request_.max_tokens) request_.max_tokens = tokens;
    return success();
  }
  if (name == "n") {
    std::optional<std::int64_t> choices;
    TOLLGATE_TRY(integer(name, value, choices));
    request_.choices = *choices;
    return success();
  }
  for (const auto& [bool_name, out] : {std::pair<std::string_view, bool*>{"stream", &request_.stream}, {"logprobs", &request_.logprobs}}) {
    if (name != bool_name) continue;
    if (!value.is_boolean()) return wrong(name, "must be true or false");
    *out = value.get<bool>();
    return success();
  }
  if (name == "parallel_tool_calls") {
    if (!value.is_boolean()) return wrong(name, "must be true or false");
    request_.parallel_tool_calls = value.get<bool>();
    return success();
  }
  for (const auto& [text_name, out] : {std::pair<std::string_view, std::string*>{"reasoning_effort", &request_.reasoning_effort},
                                       {"user", &request_.user},
                                       {"service_tier", &request_.service_tier}}) {
    if (name != text_name) continue;
    if (!value.is_string()) return wrong(name, "must be a string");
    *out = value.get<std::string>();
    return success();
  }
  known = false;
  return success();
}

Result<void> Reader::number(const std::string& name, const Json& value, std::optional<double>& out) {
  if (!value.is_number()) return wrong(name, "must be a number");
  out = value.get<double>();
  return success();
}

Result<void> Reader::integer(const std::string& name, const Json& value, std::optional<std::int64_t>& out) {
  const bool fits = value.is_number_integer() &&
                    !(value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!fits) return wrong(name, "must be an integer");
  out = value.get<std::int64_t>();
  return success();
}

std::vector<ContentBlock>& Reader::turn_of(ChatTurn::Role role) {
  if (request_.turns.empty() || request_.turns.back().role != role) request_.turns.push_back({role, {}});
  return request_.turns.back().blocks;
}

Result<void> Reader::messages(const Json& list) {
  if (!list.is_array()) return wrong("messages", "must be an array");
  std::size_t index = 0;
  for (const Json& each : list) {
    const std::string at = "messages[" + std::to_string(index++) + "]";
    if (!each.is_object()) return wrong(at, "must be an object");
    TOLLGATE_TRY(message(each, at));
  }
  return success();
}

Result<void> Reader::message(const Json& message, const std::string& at) {
  const std::string role = member_text(message, "role");
  if (role == "system" || role == "developer") return system(message, at);
  if (role == "assistant") return assistant(message, at);
  if (role == "tool" || role == "function") return tool_result(message, at);
  if (role != "user") return wrong(at + ".role", "must be system, developer, user, assistant or tool");
  return content(member_of(message, "content"), at + ".content", turn_of(ChatTurn::Role::user));
}

Result<void> Reader::system(const Json& message, const std::string& at) {
  std::vector<ContentBlock> blocks;
  TOLLGATE_TRY(content(member_of(message, "content"), at + ".content", blocks));
  for (ContentBlock& block : blocks) {
    if (block.kind != Kind::text) return wrong(at + ".content", "may hold only text in a system message");
    request_.system.push_back(std::move(block));
  }
  return success();
}

Result<void> Reader::assistant(const Json& message, const std::string& at) {
  std::vector<ContentBlock>& blocks = turn_of(ChatTurn::Role::assistant);
  for (const Json& each : member_of(message, "thinking_blocks")) {   // they come first, as they were given
    if (!each.is_object()) return wrong(at + ".thinking_blocks", "must be an array of objects");
    ContentBlock block;
    block.kind = member_text(each, "type") == "redacted_thinking" ? Kind::redacted_thinking : Kind::thinking;
    block.text = member_text(each, block.kind == Kind::thinking ? "thinking" : "data");
    block.signature = member_text(each, "signature");
    blocks.push_back(std::move(block));
  }
  TOLLGATE_TRY(content(member_of(message, "content"), at + ".content", blocks));
  if (const std::string refusal = member_text(message, "refusal"); !refusal.empty()) {
    ContentBlock block;
    block.text = refusal;
    blocks.push_back(std::move(block));
  }
  const Json& calls = member_of(message, "tool_calls");
  if (calls.is_null()) return success();
  if (!calls.is_array()) return wrong(at + ".tool_calls", "must be an array");
  std::size_t index = 0;
  for (const Json& call : calls) {
    TOLLGATE_TRY(tool_call(call, at + ".tool_calls[" + std::to_string(index++) + "]", blocks));
  }
  return success();
}

Result<void> Reader::tool_call(const Json& call, const std::string& at, std::vector<ContentBlock>& out) {
  const Json& function = call.is_object() ? member_of(call, "function") : nothing;
  if (!function.is_object()) return wrong(at, "must be a function call");
  ContentBlock block;
  block.kind = Kind::tool_call;
  block.id = member_text(call, "id");
  block.name = member_text(function, "name");
  const std::string arguments = member_text(function, "arguments");
  block.arguments = arguments.find_first_not_of(" \t\r\n") == std::string::npos ? Json::object() : Json::parse(arguments, nullptr, false);
  if (!block.arguments.is_object()) return wrong(at + ".function.arguments", "must be the text of a JSON object");
  if (const Json& extra = member_of(call, "extra_content"); extra.is_object()) {
    if (const Json& google = member_of(extra, "google"); google.is_object()) block.signature = member_text(google, "thought_signature");
  }
  tool_names_[block.id] = block.name;
  out.push_back(std::move(block));
  return success();
}

Result<void> Reader::tool_result(const Json& message, const std::string& at) {
  ContentBlock block;
  block.kind = Kind::tool_result;
  block.id = member_text(message, "tool_call_id");
  const auto known = tool_names_.find(block.id);
  block.name = known != tool_names_.end() ? known->second : member_text(message, "name");
  std::vector<ContentBlock> parts;
  TOLLGATE_TRY(content(member_of(message, "content"), at + ".content", parts));
  for (const ContentBlock& part : parts) {
    if (part.kind != Kind::text) return wrong(at + ".content", "may hold only text in a tool message");
    block.text += part.text;
    if (!part.cache_control.is_null()) block.cache_control = part.cache_control;
  }
  // Results stand before what the user says beside them: providers want them first behind the calls.
  std::vector<ContentBlock>& blocks = turn_of(ChatTurn::Role::user);
  const auto behind = std::find_if(blocks.begin(), blocks.end(), [](const ContentBlock& other) { return other.kind != Kind::tool_result; });
  blocks.insert(behind, std::move(block));
  return success();
}

Result<void> Reader::content(const Json& content, const std::string& at, std::vector<ContentBlock>& out) {
  if (content.is_null()) return success();
  if (content.is_string()) {
    ContentBlock block;
    block.text = content.get<std::string>();
    if (!block.text.empty()) out.push_back(std::move(block));
    return success();
  }
  if (!content.is_array()) return wrong(at, "must be a string or an array of parts");
  std::size_t index = 0;
  for (const Json& each : content) {
    const std::string place = at + "[" + std::to_string(index++) + "]";
    if (!each.is_object()) return wrong(place, "must be an object");
    TOLLGATE_TRY(part(each, place, out));
  }
  return success();
}

Result<void> Reader::part(const Json& part, const std::string& at, std::vector<ContentBlock>& out) {
  const std::string type = member_text(part, "type");
  ContentBlock block;
  block.cache_control = member_of(part, "cache_control");
  if (type == "text" || type == "refusal") {
    block.text = member_text(part, type.c_str());
    if (block.text.empty()) return success();
  } else if (type == "image_url") {
    block.kind = Kind::image;
    const Json& image = member_of(part, "image_url");
    const std::string url = image.is_object() ? member_text(image, "url") : text_of(image);
    if (url.empty()) return wrong(at + ".image_url.url", "is missing");
    if (url.starts_with("data:") && !take_data_url(url, block)) return wrong(at + ".image_url.url", "is a data URL without base64 data");
    if (block.data.empty()) block.url = url;
  } else if (type == "file") {
    block.kind = Kind::file;
    const Json& file = member_of(part, "file");
    const std::string data = file.is_object() ? member_text(file, "file_data") : std::string();
    if (!take_data_url(data, block)) {
      request_.others.push_back(at + ".file");   // a file by id lies at OpenAI and nowhere else
      return success();
    }
    block.file_name = member_text(file, "filename");
  } else {
    request_.others.push_back(at + " of type '" + type + "'");
    return success();
  }
  out.push_back(std::move(block));
  return success();
}

Result<void> Reader::tools(const Json& list) {
  if (!list.is_array()) return wrong("tools", "must be an array");
  std::size_t index = 0;
  for (const Json& each : list) {
    const std::string at = "tools[" + std::to_string(index++) + "]";
    if (!each.is_object()) return wrong(at, "must be an object");
    if (member_text(each, "type") != "function") {
      request_.others.push_back(at + " of type '" + member_text(each, "type") + "'");
      continue;
    }
    const Json& function = member_of(each, "function");
    if (!function.is_object() || member_text(function, "name").empty()) return wrong(at + ".function.name", "is missing");
    ChatTool tool{member_text(function, "name"), member_text(function, "description"), member_of(function, "parameters"), {}, member_of(each, "cache_control")};
    if (const Json& strict = member_of(function, "strict"); strict.is_boolean()) tool.strict = strict.get<bool>();
    request_.tools.push_back(std::move(tool));
  }
  return success();
}

Result<void> Reader::tool_choice(const Json& value) {
  using Choice = ChatRequest::ToolChoice;
  const std::string word = text_of(value);
  if (word == "auto") {
    request_.tool_choice = Choice::automatic;
  } else if (word == "none") {
    request_.tool_choice = Choice::none;
  } else if (word == "required" || word == "any") {
    request_.tool_choice = Choice::required;
  } else if (value.is_object() && member_text(value, "type") == "function") {
    request_.tool_choice = Choice::named;
    if (const Json& function = member_of(value, "function"); function.is_object()) request_.tool_name = member_text(function, "name");
    if (request_.tool_name.empty()) return wrong("tool_choice.function.name", "is missing");
  } else if (value.is_object()) {
    request_.others.emplace_back("tool_choice of type '" + member_text(value, "type") + "'");
  } else {
    return wrong("tool_choice", "must be auto, none, required or a function");
  }
  return success();
}

Result<void> Reader::stop(const Json& value) {
  if (value.is_string()) {
    request_.stop.push_back(value.get<std::string>());
    return success();
  }
  if (!value.is_array()) return wrong("stop", "must be a string or an array of strings");
  for (const Json& each : value) {
    if (!each.is_string()) return wrong("stop", "must be a string or an array of strings");
    request_.stop.push_back(each.get<std::string>());
  }
  return success();
}

Result<void> Reader::format(const Json& value) {
  if (!value.is_object()) return wrong("response_format", "must be an object");
  const std::string type = member_text(value, "type");
  if (type == "json_object") {
    request_.format = ChatRequest::Format::json_object;
  } else if (type == "json_schema") {
    request_.format = ChatRequest::Format::json_schema;
    const Json& described = member_of(value, "json_schema");
    request_.schema = described.is_object() ? member_of(described, "schema") : nothing;
    if (!request_.schema.is_object()) return wrong("response_format.json_schema.schema", "must be a JSON Schema");
  } else if (type != "text") {
    request_.others.emplace_back("response_format of type '" + type + "'");
  }
  return success();
}

}  // namespace

Result<ChatRequest> read_chat_request(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded()) return fail(Fault::bad_request, "the body is not valid JSON");
  return Reader().read(json);
}

Result<void> Unsupported::verdict(std::string_view upstream) const {
  if (drop_ || members_.empty()) return success();
  std::string all;
  for (const std::string& member : members_) all += (all.empty() ? "'" : "', '") + member;
  return fail(Fault::unsupported,
              std::string(upstream) + " has no equivalent of " + all + "'; leave it out, name a model of another backend, or let this backend "
              "drop what it cannot express (drop_unsupported: true)",
              members_.front());
}

}  // namespace tollgate
