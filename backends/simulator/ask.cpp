#include "backends/simulator/ask.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>

#include "backends/simulator/tokens.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::json;

// What a chat template adds around a message, and once at the end; and what an attachment is taken for.
constexpr std::uint32_t message_tokens = 4, prompt_end_tokens = 3, image_tokens = 256, audio_tokens = 128;

Error bad(std::string param, const std::string& message, std::string code = {}) {
  Error error = fail(Fault::bad_request, message, std::move(param));
  error.code = std::move(code);
  return error;
}

const Json* member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<bool> read_bool(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return bad(name, std::string("'") + name + "' must be true or false");
  return value->get<bool>();
}

Result<std::optional<std::uint32_t>> read_count(const Json& object, const char* name, std::int64_t min,
                                                std::int64_t max) {
  const Json* value = member(object, name);
  if (value == nullptr) return std::optional<std::uint32_t>{};
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() && value->get<std::uint64_t>() > 1ULL << 62) &&
                    value->get<std::int64_t>() >= min && value->get<std::int64_t>() <= max;
  if (!fits) {
    return bad(name, std::string("'") + name + "' must be an integer from " + std::to_string(min) + " to " +
                         std::to_string(max));
  }
  return std::optional<std::uint32_t>{static_cast<std::uint32_t>(value->get<std::int64_t>())};
}

Result<void> check_range(const Json& object, const char* name, double min, double max) {
  const Json* value = member(object, name);
  if (value == nullptr) return success();
  if (!value->is_number() || value->get<double>() < min || value->get<double>() > max) {
    return bad(name,
               std::string("'") + name + "' must be a number from " + Json(min).dump() + " to " + Json(max).dump());
  }
  return success();
}

/// Strips one mark `[[name: value]]`; nothing if the text has none.
Result<std::optional<std::string>> read_mark(std::string_view text, std::string_view name) {
  const std::string opening = "[[" + std::string(name) + ":";
  const std::size_t begin = text.find(opening);
  if (begin == std::string_view::npos) return std::optional<std::string>{};
  std::string_view value = text.substr(begin + opening.size());
  const std::size_t end = value.find("]]");
  if (end == std::string_view::npos) return bad("messages", "the mark [[" + std::string(name) + ": …]] is not closed");
  value = value.substr(0, end);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return std::optional<std::string>{std::string(value)};
}

/// The text of a message's content, with its parts joined, and the tokens of what is not text.
struct Content {
  std::string text;
  std::uint32_t other_tokens = 0;
};

Result<Content> read_content(const Json& message, const std::string& where) {
  Content content;
  const Json* value = member(message, "content");
  if (value == nullptr) return content;
  if (value->is_string()) {
    content.text = value->get<std::string>();
    return content;
  }
  if (!value->is_array())
    return bad(where + ".content", "'" + where + ".content' must be a string or an array of parts");
  for (const Json& part : *value) {
    const Json* type = part.is_object() ? member(part, "type") : nullptr;
    if (type == nullptr || !type->is_string()) {
      return bad(where + ".content", "each part of '" + where + ".content' must be an object with a 'type'");
    }
    const Json* text = member(part, "text");
    if (text != nullptr && text->is_string()) {
      content.text += text->get_ref<const std::string&>();
    } else if (*type == "image_url") {
      content.other_tokens += image_tokens;
    } else {
      content.other_tokens += audio_tokens;
    }
  }
  return content;
}

constexpr std::array roles{"system", "developer", "user", "assistant", "tool", "function"};

struct Conversation {
  Prompt prompt;
  std::string last_user_text;
  bool ends_with_tool_result = false;
};

Result<Conversation> read_messages(const Json& body) {
  const Json* messages = member(body, "messages");
  if (messages == nullptr)
    return bad("messages", "you must provide a 'messages' parameter", "missing_required_parameter");
  if (!messages->is_array() || messages->empty())
    return bad("messages", "'messages' must be an array with at least one message");
  Conversation conversation;
  Prompt& prompt = conversation.prompt;
  bool in_prefix = true;
  prompt.tokens = prompt_end_tokens;
  for (std::size_t i = 0; i < messages->size(); ++i) {
    const Json& message = (*messages)[i];
    const std::string where = "messages[" + std::to_string(i) + "]";
    const Json* role = message.is_object() ? member(message, "role") : nullptr;
    if (role == nullptr || !role->is_string() ||
        std::find(roles.begin(), roles.end(), role->get_ref<const std::string&>()) == roles.end()) {
      return bad(where + ".role",
                 "'" + where + ".role' must be one of system, developer, user, assistant, tool, function");
    }
    TOLLGATE_TRY(const Content content, read_content(message, where));
    std::uint32_t tokens = message_tokens + count_tokens(content.text) + content.other_tokens;
    if (const Json* calls = member(message, "tool_calls")) tokens += count_tokens(calls->dump());
    prompt.tokens += tokens;
    in_prefix = in_prefix && (*role == "system" || *role == "developer");
    if (in_prefix) {
      prompt.prefix_hash = hash_text(content.text, prompt.prefix_hash);
      prompt.prefix_tokens += tokens;
    }
    if (*role == "user") conversation.last_user_text = content.text;
    conversation.ends_with_tool_result = *role == "tool" || *role == "function";
  }
  prompt.hash = hash_text(messages->dump());
  return conversation;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// True if the text speaks of the tool: it holds its name, or all words of its name that are not plain verbs.
bool mentions(const std::string& lower_text, std::string_view tool_name) {
  const std::string name = lower(tool_name);
  if (lower_text.find(name) != std::string::npos) return true;
  static constexpr std::array verbs{"get", "set", "find", "search", "list", "fetch",
                                    "do",  "run", "call", "create", "make", "lookup"};
  bool any = false;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find_first_of("_-.", at), name.size());
    const std::string word = name.substr(at, end - at);
    at = end + 1;
    if (word.empty() || std::find(verbs.begin(), verbs.end(), word) != verbs.end()) continue;
    if (lower_text.find(word) == std::string::npos) return false;
    any = true;
  }
  return any;
}

Result<std::vector<Tool>> read_tools(const Json& body) {
  std::vector<Tool> tools;
  const Json* list = member(body, "tools");
  if (list == nullptr) return tools;
  if (!list->is_array()) return bad("tools", "'tools' must be an array");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string where = "tools[" + std::to_string(i) + "]";
    const Json& entry = (*list)[i];
    const Json* function = entry.is_object() ? member(entry, "function") : nullptr;
    const Json* name = function != nullptr && function->is_object() ? member(*function, "name") : nullptr;
    if (name == nullptr || !name->is_string()) {
      return bad(where + ".function", "'" + where + "' must be {\"type\": \"function\", \"function\": {\"name\": …}}");
    }
    const Json* parameters = member(*function, "parameters");
    tools.push_back({name->get<std::string>(), parameters == nullptr ? "" : parameters->dump()});
  }
  return tools;
}

/// Which tools are to be called now: those that tool_choice forces, else those the last user message speaks of.
Result<std::vector<Tool>> choose_tools(const Json& body, std::vector<Tool> tools, const Conversation& conversation) {
  const Json* choice = member(body, "tool_choice");
  const std::string mode = choice != nullptr && choice->is_string() ? choice->get<std::string>() : "auto";
  if (choice != nullptr && tools.empty() && mode != "none" && mode != "auto") {
    return bad("tool_choice", "'tool_choice' is only allowed when 'tools' are specified");
  }
  std::vector<Tool> chosen;
  if (choice != nullptr && choice->is_object()) {
    const Json* function = member(*choice, "function");
    const Json* name = function != nullptr && function->is_object() ? member(*function, "name") : nullptr;
    for (Tool& tool : tools)
      if (name != nullptr && *name == tool.name) chosen.push_back(std::move(tool));
    if (chosen.empty()) return bad("tool_choice", "'tool_choice' must name one of 'tools'");
  } else if (mode != "none" && mode != "auto" && mode != "required") {
    return bad("tool_choice", "'tool_choice' must be none, auto, required or a named function");
  } else if (mode != "none") {
    const std::string text = lower(conversation.last_user_text);
    for (const Tool& tool : tools)
      if (mentions(text, tool.name)) chosen.push_back(tool);
    if (chosen.empty() && mode == "required") chosen.push_back(tools.front());
  }
  if (conversation.ends_with_tool_result) chosen.clear();
  const Json* parallel = member(body, "parallel_tool_calls");
  if (parallel != nullptr && *parallel == false && chosen.size() > 1) chosen.resize(1);
  return chosen;
}

Result<void> read_response_format(const Json& body, Ask& ask) {
  const Json* format = member(body, "response_format");
  if (format == nullptr) return success();
  const Json* type = format->is_object() ? member(*format, "type") : nullptr;
  if (type != nullptr && *type == "text") return success();
  if (type != nullptr && *type == "json_object") {
    ask.json = JsonAnswer::object;
    return success();
  }
  const Json* wrapper = format->is_object() ? member(*format, "json_schema") : nullptr;
  if (type == nullptr || *type != "json_schema" || wrapper == nullptr || !wrapper->is_object()) {
    return bad("response_format",
               "'response_format.type' must be text, json_object, or json_schema with a 'json_schema'");
  }
  const Json* schema = member(*wrapper, "schema");
  if (schema != nullptr && !schema->is_object()) {
    return bad("response_format", "'response_format.json_schema.schema' must be an object");
  }
  ask.json = JsonAnswer::schema;
  ask.json_schema = schema == nullptr ? "{}" : schema->dump();
  return success();
}

Result<void> read_stop(const Json& body, Ask& ask) {
  const Json* stop = member(body, "stop");
  if (stop == nullptr) return success();
  const Json list = stop->is_string() ? Json::array({*stop}) : *stop;
  if (!list.is_array()) return bad("stop", "'stop' must be a string or an array of strings");
  for (const Json& text : list) {
    if (!text.is_string() || text.get_ref<const std::string&>().empty()) {
      return bad("stop", "'stop' must be a string or an array of strings, none of them empty");
    }
    ask.stop.push_back(text.get<std::string>());
  }
  return success();
}

Result<void> read_stream_options(const Json& body, DialectName personality, Ask& ask) {
  TOLLGATE_TRY(ask.stream, read_bool(body, "stream"));
  const Json* options = member(body, "stream_options");
  if (options == nullptr) return success();
  if (!options->is_object()) return bad("stream_options", "'stream_options' must be an object");
  if (!ask.stream) return bad("stream_options", "'stream_options' can only be defined when 'stream' is true");
  TOLLGATE_TRY(ask.include_usage, read_bool(*options, "include_usage"));
  if (personality == DialectName::openai) {
    for (const auto& [name, value] : options->items()) {
      if (name == "include_usage" || name == "include_obfuscation") continue;
      return bad("stream_options." + name, "Unknown parameter: 'stream_options." + name + "'.", "unknown_parameter");
    }
    return success();
  }
  TOLLGATE_TRY(ask.continuous_usage, read_bool(*options, "continuous_usage_stats"));
  ask.continuous_usage = ask.continuous_usage && ask.include_usage;
  return success();
}

/// Arguments that vLLM knows and the managed API refuses; and what this simulator cannot do at all.
Result<void> refuse_arguments(const Json& body, DialectName personality) {
  static constexpr std::array only_vllm{
      "ignore_eos",     "min_tokens",         "top_k",         "min_p",    "repetition_penalty",
      "stop_token_ids", "structured_outputs", "chat_template", "priority", "cache_salt",
      "usage",          "include_metrics"};
  if (personality == DialectName::openai) {
    for (const char* name : only_vllm)
      if (body.contains(name)) {
        return bad(name, std::string("Unrecognized request argument supplied: ") + name, "unknown_parameter");
      }
  }
  const Json* echo = member(body, "echo");
  if (echo != nullptr && *echo == true) return bad("echo", "the simulator does not support 'echo'");
  const Json* best_of = member(body, "best_of");
  if (best_of != nullptr && *best_of != body.value("n", Json(1))) {
    return bad("best_of", "the simulator does not support 'best_of' other than 'n'");
  }
  return success();
}

Result<void> read_generation(const Json& body, DialectName personality, Ask& ask) {
  TOLLGATE_TRY(refuse_arguments(body, personality));
  TOLLGATE_TRY(read_stream_options(body, personality, ask));
  TOLLGATE_TRY(ask.include_metrics, read_bool(body, "include_metrics"));
  TOLLGATE_TRY(const auto choices, read_count(body, "n", 1, choices_max));
  ask.choices = choices.value_or(1);
  TOLLGATE_TRY(ask.max_tokens, read_count(body, "max_completion_tokens", 1, 1'000'000'000));
  TOLLGATE_TRY(const auto max_tokens, read_count(body, "max_tokens", 1, 1'000'000'000));
  if (!ask.max_tokens) ask.max_tokens = max_tokens;
  if (!ask.max_tokens && ask.surface == Surface::completions) ask.max_tokens = 16;
  TOLLGATE_TRY(const auto min_tokens, read_count(body, "min_tokens", 0, 1'000'000'000));
  ask.min_tokens = min_tokens.value_or(0);
  TOLLGATE_TRY(ask.ignore_eos, read_bool(body, "ignore_eos"));
  TOLLGATE_TRY(check_range(body, "temperature", 0, 2));
  TOLLGATE_TRY(check_range(body, "top_p", 0, 1));
  TOLLGATE_TRY(check_range(body, "frequency_penalty", -2, 2));
  TOLLGATE_TRY(check_range(body, "presence_penalty", -2, 2));
  TOLLGATE_TRY(read_stop(body, ask));
  return read_response_format(body, ask);
}

Prompt prompt_of_ids(const Json& ids) {
  Prompt prompt;
  prompt.tokens = static_cast<std::uint32_t>(std::max<std::size_t>(ids.size(), 1));
  prompt.hash = hash_text(ids.dump());
  return prompt;
}

/// `prompt` or `input`: a string, strings, token ids, or lists of token ids.
Result<void> read_texts(const Json& body, const char* name, Ask& ask) {
  const Json* value = member(body, name);
  if (value == nullptr)
    return bad(name, std::string("you must provide a '") + name + "' parameter", "missing_required_parameter");
  const Error wrong = bad(name, std::string("'") + name + "' must be a string, an array of strings, or token ids");
  const auto is_ids = [](const Json& list) {
    return list.is_array() && !list.empty() &&
           std::all_of(list.begin(), list.end(), [](const Json& id) { return id.is_number_unsigned(); });
  };
  const Json list = value->is_string() || is_ids(*value) ? Json::array({*value}) : *value;
  if (!list.is_array() || list.empty()) return wrong;
  if (list.size() > prompts_max)
    return bad(name, std::string("'") + name + "' has more than " + std::to_string(prompts_max) + " entries");
  for (const Json& entry : list) {
    if (is_ids(entry)) {
      ask.prompts.push_back(prompt_of_ids(entry));
    } else if (entry.is_string()) {
      Prompt prompt;
      prompt.text = entry.get<std::string>();
      prompt.tokens = std::max(count_tokens(prompt.text), 1U);
      prompt.hash = hash_text(prompt.text);
      ask.prompts.push_back(std::move(prompt));
    } else {
      return wrong;
    }
  }
  TOLLGATE_TRY(ask.directives, read_directives(ask.prompts.back().text));
  return success();
}

Result<void> read_chat(const Json& body, Ask& ask) {
  TOLLGATE_TRY(Conversation conversation, read_messages(body));
  TOLLGATE_TRY(std::vector<Tool> tools, read_tools(body));
  if (!tools.empty()) {
    const std::string text = body["tools"].dump();
    conversation.prompt.tokens += count_tokens(text);
    conversation.prompt.hash = hash_text(text, conversation.prompt.hash);
    if (conversation.prompt.prefix_hash != 0)
      conversation.prompt.prefix_hash = hash_text(text, conversation.prompt.prefix_hash);
  }
  TOLLGATE_TRY(ask.tools, choose_tools(body, std::move(tools), conversation));
  TOLLGATE_TRY(ask.directives, read_directives(conversation.last_user_text));
  ask.prompts.push_back(std::move(conversation.prompt));
  return success();
}

Result<void> read_embeddings(const Json& body, Ask& ask) {
  TOLLGATE_TRY(read_texts(body, "input", ask));
  TOLLGATE_TRY(const auto dimensions, read_count(body, "dimensions", 1, dimensions_max));
  ask.dimensions = dimensions.value_or(0);
  const Json* format = member(body, "encoding_format");
  ask.base64 = format != nullptr && *format == "base64";
  if (format != nullptr && !ask.base64 && *format != "float") {
    return bad("encoding_format", "'encoding_format' must be float or base64");
  }
  return success();
}

bool nests_too_deep(std::string_view json) noexcept {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > nesting_max) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<Directives> read_directives(std::string_view text) {
  Directives directives;
  TOLLGATE_TRY(const auto tokens, read_mark(text, "sim-tokens"));
  if (tokens) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(tokens->data(), tokens->data() + tokens->size(), number);
    if (error != std::errc{} || end != tokens->data() + tokens->size() || number == 0) {
      return bad("messages", "the mark [[sim-tokens: N]] needs a whole number above 0");
    }
    directives.tokens = number;
  }
  TOLLGATE_TRY(directives.echo, read_mark(text, "sim-echo"));
  if (directives.echo && directives.echo->empty()) return bad("messages", "the mark [[sim-echo: text]] needs a text");
  TOLLGATE_TRY(const auto fault, read_mark(text, "sim-fault"));
  directives.fault = fault.value_or("");
  TOLLGATE_TRY(const auto usage, read_mark(text, "sim-usage"));
  if (usage && !Json::accept("{" + *usage + "}")) return bad("messages", "the mark [[sim-usage: \"name\": value]] needs members of JSON");
  directives.usage = usage.value_or("");
  return directives;
}

std::string fault_mark(std::string_view body) {
  const auto mark = read_mark(body.substr(0, 65536), "sim-fault");
  return mark ? mark.value().value_or("") : std::string();
}

Result<Ask> read_ask(Surface surface, DialectName personality, std::string_view text) {
  if (nests_too_deep(text)) return bad("", "the body nests more than " + std::to_string(nesting_max) + " levels deep");
  Json body;
  try {
    body = Json::parse(text);
  } catch (const Json::exception& error) {
    return bad("", std::string("we could not parse the JSON body of your request: ") + error.what());
  }
  if (!body.is_object()) return bad("", "the body must be a JSON object");
  Ask ask;
  ask.surface = surface;
  const Json* model = member(body, "model");
  if (model == nullptr || !model->is_string()) {
    return bad("model", "you must provide a 'model' parameter, a string", "missing_required_parameter");
  }
  ask.model = model->get<std::string>();
  if (surface == Surface::embeddings) {
    TOLLGATE_TRY(read_embeddings(body, ask));
    return ask;
  }
  TOLLGATE_TRY(read_generation(body, personality, ask));
  if (surface == Surface::chat) {
    TOLLGATE_TRY(read_chat(body, ask));
  } else {
    TOLLGATE_TRY(read_texts(body, "prompt", ask));
  }
  for (Prompt& prompt : ask.prompts) {
    if (const Json* seed = member(body, "seed")) prompt.hash = hash_text(seed->dump(), prompt.hash);
    if (const Json* format = member(body, "response_format")) prompt.hash = hash_text(format->dump(), prompt.hash);
  }
  return ask;
}

}  // namespace tollgate::simulator
