#include "gateway/parse_chat.hpp"

#include <simdjson.h>

#include <algorithm>

#include "gateway/nesting.hpp"
#include "gateway/parse_sender.hpp"

namespace tollgate {

namespace sj = simdjson::ondemand;
using simdjson::error_code;

namespace {

constexpr std::size_t keep_buffers_below = 1024 * 1024;  // a parser that grew past it for one body is replaced

Error wrong_type(std::string_view member, std::string_view expected) {
  return fail(Fault::bad_request, "invalid type for '" + std::string(member) + "': expected " + std::string(expected), std::string(member));
}

Error not_json(error_code code) {
  if (code == simdjson::UTF8_ERROR) return fail(Fault::bad_request, "the body is not valid UTF-8");
  return fail(Fault::bad_request, std::string("the body is not valid JSON (") + simdjson::error_message(code) + ")");
}

std::string_view trim_end(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) token.remove_suffix(1);
  return token;
}

// The inside of a JSON string as it stands, escapes and all.
std::string_view raw_text(sj::value& value) {
  std::string_view token = trim_end(value.raw_json_token());
  return token.size() >= 2 ? token.substr(1, token.size() - 2) : std::string_view{};
}

Role role_of(std::string_view role) {
  if (role == "user") return Role::user;
  if (role == "assistant") return Role::assistant;
  if (role == "system" || role == "developer") return Role::system;
  if (role == "tool" || role == "function") return Role::tool;
  return Role::other;
}

enum class Member : std::uint8_t {
  model, messages, prompt, input, stream, stream_options, max_tokens, max_completion_tokens, n, tools, functions, response_format, usage, user, prompt_cache_key,
  metadata, service_tier, include_metrics, other
};

Member member_of(std::string_view key) {
  static constexpr std::pair<std::string_view, Member> known[] = {
      {"model", Member::model}, {"messages", Member::messages}, {"prompt", Member::prompt}, {"input", Member::input},
      {"stream", Member::stream}, {"stream_options", Member::stream_options}, {"max_tokens", Member::max_tokens},
      {"max_completion_tokens", Member::max_completion_tokens}, {"n", Member::n}, {"tools", Member::tools}, {"service_tier", Member::service_tier},
      {"functions", Member::functions}, {"response_format", Member::response_format}, {"usage", Member::usage},
      {"user", Member::user}, {"prompt_cache_key", Member::prompt_cache_key}, {"metadata", Member::metadata}, {"include_metrics", Member::include_metrics}};
  for (const auto& [name, member] : known) {
    if (name == key) return member;
  }
  return Member::other;
}

// One pass over one body; the state that the members' readers share.
class Pass {
 public:
  Pass(std::string_view body, Surface surface, ChatView& chat, ClientBody& client) : body_(body), chat_(chat), client_(client) {
    chat_ = ChatView{};
    client_ = ClientBody{};
    chat_.surface = surface;
    client_.surface = surface;
    client_.text = body;
  }

  Result<void> run(sj::document& document) {
    sj::object object;
    if (const error_code code = document.get_object().get(object)) {
      if (code == simdjson::INCORRECT_TYPE) return fail(Fault::bad_request, "the body must be a JSON object");
      return not_json(code);
    }
    client_.after_brace = static_cast<std::uint32_t>(body_.find('{') + 1);
    for (auto each : object) {
      sj::field field;
      if (const error_code code = std::move(each).get(field)) return not_json(code);
      TOLLGATE_TRY(take(field));
    }
    if (!document.current_location().error()) return fail(Fault::bad_request, "the body has something behind its JSON object");
    return complete();
  }

 private:
  Result<void> take(sj::field& field) {
    const char* const key_at = field.key().raw() - 1;
    std::string_view key;
    if (const error_code code = field.unescaped_key().get(key)) return not_json(code);
    if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) {
      return fail(Fault::bad_request, "duplicate key '" + std::string(key.substr(0, 64)) + "' in the body: each may stand once", std::string(key.substr(0, 64)));
    }
    if (keys_.size() == ChatParser::top_level_members_max) return fail(Fault::bad_request, "the body has more than 128 members");
    keys_.push_back(key);
    sj::value value = field.value();
    const Member member = member_of(key);
    if (passes_through(chat_.surface)) return take_passed(member, key, value);
    switch (member) {
      case Member::model: return model(value);
      case Member::messages: return messages(value);
      case Member::prompt: return chat_.surface == Surface::completions ? texts(value, "prompt") : success();
      case Member::input: return chat_.surface == Surface::embeddings ? texts(value, "input") : success();
      case Member::stream: return boolean(value, "stream", chat_.stream);
      case Member::stream_options: return stream_options(value);
      case Member::max_tokens: return max_tokens(value, "max_tokens");
      case Member::max_completion_tokens: return max_tokens(value, "max_completion_tokens");
      case Member::n: return choices(value);
      case Member::tools: return tools(value, "tools");
      case Member::functions: return tools(value, "functions");
      case Member::response_format: return response_format(value);
      case Member::usage: return usage(value, key_at);
      case Member::user: take_text(value, chat_, chat_.user); return success();
      case Member::prompt_cache_key: take_text(value, chat_, chat_.prompt_cache_key); return success();
      case Member::metadata: take_metadata(value, chat_); return success();
      case Member::include_metrics: return include_metrics(value);
      case Member::service_tier: return service_tier(value);
      case Member::other: return success();
    }
    return success();
  }

  // Of what is passed through only this is looked at; the rest, also under the names that a chat has, is for the target to judge.
  Result<void> take_passed(Member member, std::string_view key, sj::value& value) {
    switch (member) {
      case Member::model: return model(value);
      case Member::prompt: return chat_.surface == Surface::images ? texts(value, "prompt") : success();
      case Member::input: return chat_.surface == Surface::speech ? texts(value, "input") : moderated(value);
      case Member::n: return choices(value);
      case Member::stream: return boolean(value, "stream", chat_.stream);
      case Member::user: take_text(value, chat_, chat_.user); return success();
      case Member::metadata: take_metadata(value, chat_); return success();
      default: break;
    }
    if (key == "size") take_text(value, chat_, chat_.image_size);
    if (key == "quality") take_text(value, chat_, chat_.image_quality);
    return success();
  }

  // Texts, or parts: the pictures among them are no text.
  Result<void> moderated(sj::value& value) {
    if (chat_.surface != Surface::moderations) return success();
    sj::json_type type;
    if (const error_code code = value.type().get(type)) return not_json(code);
    sj::array array;
    if (type != sj::json_type::array || value.get_array().get(array)) return texts(value, "input");
    for (auto each : array) {
      sj::value element;
      sj::object part;
      if (const error_code code = each.get(element)) return not_json(code);
      if (const error_code code = element.type().get(type)) return not_json(code);
      if (type == sj::json_type::string) add_text(Role::user, raw_text(element));
      if (type != sj::json_type::object || element.get_object().get(part)) continue;
      TOLLGATE_TRY(one_part(part));
    }
    return success();
  }

  [[nodiscard]] Span span_of(std::string_view raw) const {
    return {static_cast<std::uint32_t>(raw.data() - body_.data()), static_cast<std::uint32_t>(raw.size())};
  }

  static bool is_null(sj::value& value) {
    bool null = false;
    return !value.is_null().get(null) && null;
  }

  Result<void> model(sj::value& value) {
    client_.model_value = span_of(trim_end(value.raw_json_token()));
    std::string_view name;
    if (value.get_string().get(name)) return wrong_type("model", "a string");
    if (name.empty()) return fail(Fault::bad_request, "'model' must not be empty", "model");
    // simdjson's unescaped text lives only until the next parse: view the body, or keep a copy where there were escapes.
    if (client_.model_value.length == name.size() + 2) {
      chat_.model = body_.substr(client_.model_value.offset + 1, name.size());
    } else {
      chat_.unescaped_model = name;
      chat_.model = chat_.unescaped_model;
    }
    return success();
  }

  static Result<void> boolean(sj::value& value, std::string_view member, bool& out) {
    if (is_null(value)) return success();
    if (value.get_bool().get(out)) return wrong_type(member, "true or false");
    return success();
  }

  Result<void> max_tokens(sj::value& value, std::string_view member) {
    if (is_null(value)) return success();
    std::int64_t tokens = 0;
    if (value.get_int64().get(tokens)) return wrong_type(member, "an integer");
    if (tokens < 1) return fail(Fault::bad_request, "'" + std::string(member) + "' must be at least 1", std::string(member));
    if (!chat_.output_tokens_max || member == "max_completion_tokens") chat_.output_tokens_max = tokens;
    return success();
  }

  Result<void> choices(sj::value& value) {
    if (is_null(value)) return success();
    if (value.get_int64().get(chat_.choices)) return wrong_type("n", "an integer");
    if (chat_.choices < 1 || chat_.choices > ChatParser::choices_max) return fail(Fault::bad_request, "'n' must be from 1 to 128", "n");
    return success();
  }

  Result<void> service_tier(sj::value& value) {
    if (is_null(value)) return success();
    std::string_view name;
    if (value.get_string().get(name)) return wrong_type("service_tier", "a string");
    chat_.service_tier = trim_end(value.raw_json_token());
    chat_.service_tier = chat_.service_tier.substr(1, chat_.service_tier.size() - 2);
    return success();
  }

  Result<void> tools(sj::value& value, std::string_view member) {
    if (is_null(value)) return success();
    sj::array array;
    if (value.get_array().get(array)) return wrong_type(member, "an array");
    std::size_t count = 0;
    if (const error_code code = array.count_elements().get(count)) return not_json(code);
    chat_.tools += static_cast<std::uint32_t>(count);
    std::string_view raw;
    if (array.reset().error() || array.raw_json().get(raw)) return wrong_type(member, "an array");
    chat_.tool_bytes += trim_end(raw).size();
    return success();
  }

  Result<void> response_format(sj::value& value) {
    if (is_null(value)) return success();
    sj::object object;
    if (value.get_object().get(object)) return wrong_type("response_format", "an object");
    std::string_view type;
    if (object["type"].get_string().get(type)) return fail(Fault::bad_request, "'response_format.type' must be a string", "response_format.type");
    chat_.json_schema = type == "json_schema";
    chat_.json_output = chat_.json_schema || type == "json_object";
    if (chat_.json_schema) {
      sj::object described, schema;
      std::string_view raw;
      if (!object["json_schema"].get_object().get(described) && !described["schema"].get_object().get(schema) && !schema.raw_json().get(raw)) {
        chat_.response_schema = trim_end(raw);
      }
    }
    return success();
  }

  Result<void> stream_options(sj::value& value) {
    if (is_null(value)) {
      client_.stream_options_value = span_of(trim_end(value.raw_json_token()));
      return success();
    }
    sj::object object;
    if (value.get_object().get(object)) return wrong_type("stream_options", "an object");
    for (auto each : object) {
      sj::field field;
      std::string_view key;
      if (const error_code code = std::move(each).get(field)) return not_json(code);
      if (const error_code code = field.unescaped_key().get(key)) return not_json(code);
      sj::value option = field.value();
      if (key == "include_usage") {
        TOLLGATE_TRY(boolean(option, "stream_options.include_usage", client_.include_usage));
      }
      if (key == "continuous_usage_stats") {
        TOLLGATE_TRY(boolean(option, "stream_options.continuous_usage_stats", client_.continuous_usage));
      }
    }
    std::string_view raw;
    if (object.reset().error() || object.raw_json().get(raw)) return wrong_type("stream_options", "an object");
    client_.stream_options_value = span_of(trim_end(raw));
    return success();
  }

  // vLLM's own: whether the answer is to carry the engine's timings. What is no boolean is left for the upstream to judge.
  Result<void> include_metrics(sj::value& value) {
    sj::json_type type{};
    bool wanted = true;
    const bool plain = !value.type().get(type) && (type == sj::json_type::boolean || type == sj::json_type::null);
    if (plain) {
      client_.include_metrics_value = span_of(trim_end(value.raw_json_token()));
      if (value.get_bool().get(wanted)) wanted = false;
    }
    client_.include_metrics = wanted;
    return success();
  }

  // `usage: {include: true}` asks the gateway for usage.cost; upstreams do not know it, so the member is cut out with one comma.
  Result<void> usage(sj::value& value, const char* key_at) {
    sj::object object;
    if (value.get_object().get(object)) return wrong_type("usage", "an object such as {\"include\": true}");
    sj::value include;
    if (!object["include"].get(include)) {
        TOLLGATE_TRY(boolean(include, "usage.include", client_.wants_cost));
      }
    std::string_view raw;
    if (object.reset().error() || object.raw_json().get(raw)) return wrong_type("usage", "an object");
    const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
    auto begin = static_cast<std::size_t>(key_at - body_.data());
    raw = trim_end(raw);
    std::size_t end = static_cast<std::size_t>(raw.data() - body_.data()) + raw.size();
    std::size_t before = begin;
    while (before > 0 && is_space(body_[before - 1])) --before;
    if (before > 0 && body_[before - 1] == ',') {
      begin = before - 1;
    } else {
      std::size_t after = end;
      while (after < body_.size() && is_space(body_[after])) ++after;
      if (after < body_.size() && body_[after] == ',') end = after + 1;
    }
    client_.usage_member = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end - begin)};
    return success();
  }

  void add_text(Role role, std::string_view raw) {
    const auto message = static_cast<std::uint16_t>(std::min<std::uint32_t>(chat_.messages, 65535));
    chat_.texts.push_back({role, message, raw});
    chat_.text_bytes += raw.size();
  }

  // A prompt or input: text, several texts, or tokens (numbers, which routing cannot read but may count).
  Result<void> texts(sj::value& value, std::string_view member) {
    sj::json_type type;
    if (const error_code code = value.type().get(type)) return not_json(code);
    given_ = true;
    if (type == sj::json_type::string) {
      add_text(Role::user, raw_text(value));
      return success();
    }
    sj::array array;
    if (type != sj::json_type::array || value.get_array().get(array)) return wrong_type(member, "a string or an array");
    for (auto each : array) {
      sj::value element;
      if (const error_code code = each.get(element)) return not_json(code);
      if (const error_code code = element.type().get(type)) return not_json(code);
      if (type == sj::json_type::string) {
        add_text(Role::user, raw_text(element));
      } else if (type == sj::json_type::number || type == sj::json_type::array) {
        chat_.text_bytes += 4;  // a token id, or a list of them: counted by its commas at least
      } else {
        return wrong_type(member, "strings or token numbers in its array");
      }
    }
    return success();
  }

  Result<void> messages(sj::value& value) {
    if (chat_.surface != Surface::chat) return success();
    given_ = true;
    sj::array array;
    if (value.get_array().get(array)) return wrong_type("messages", "an array");
    for (auto each : array) {
      sj::object message;
      if (const error_code code = each.get_object().get(message)) {
        if (code == simdjson::INCORRECT_TYPE) return wrong_type("messages[" + std::to_string(chat_.messages) + "]", "an object");
        return not_json(code);
      }
      TOLLGATE_TRY(one_message(message));
      ++chat_.messages;
    }
    if (chat_.messages == 0) return fail(Fault::bad_request, "'messages' must not be empty", "messages");
    return success();
  }

  Result<void> one_message(sj::object& message) {
    const std::size_t first_text = chat_.texts.size();
    std::optional<Role> role;
    for (auto each : message) {
      sj::field field;
      std::string_view key;
      if (const error_code code = std::move(each).get(field)) return not_json(code);
      if (const error_code code = field.unescaped_key().get(key)) return not_json(code);
      sj::value value = field.value();
      if (key == "role") {
        std::string_view name;
        if (value.get_string().get(name)) return wrong_type(where("role"), "a string");
        role = role_of(name);
      } else if (key == "content") {
        TOLLGATE_TRY(content(value));
      } else if (key == "tool_calls") {
        if (is_null(value)) continue;
        sj::array calls;
        std::size_t count = 0;
        if (value.get_array().get(calls)) return wrong_type(where("tool_calls"), "an array");
        if (const error_code code = calls.count_elements().get(count)) return not_json(code);
        chat_.tool_calls += static_cast<std::uint32_t>(count);
      }
    }
    if (!role) return fail(Fault::bad_request, "'" + where("role") + "' is missing", where("role"));
    for (std::size_t i = first_text; i < chat_.texts.size(); ++i) chat_.texts[i].role = *role;
    if (role == Role::user) ++chat_.user_messages;
    if (role == Role::tool) ++chat_.tool_results;
    return success();
  }

  Result<void> content(sj::value& value) {
    sj::json_type type;
    if (const error_code code = value.type().get(type)) return not_json(code);
    if (type == sj::json_type::null) return success();
    if (type == sj::json_type::string) {
      add_text(Role::other, raw_text(value));  // the role may stand behind the content: set when the message is done
      return success();
    }
    sj::array parts;
    if (type != sj::json_type::array || value.get_array().get(parts)) return wrong_type(where("content"), "a string or an array of parts");
    for (auto each : parts) {
      sj::object part;
      if (const error_code code = each.get_object().get(part)) {
        if (code == simdjson::INCORRECT_TYPE) return wrong_type(where("content"), "parts that are objects");
        return not_json(code);
      }
      TOLLGATE_TRY(one_part(part));
    }
    return success();
  }

  Result<void> one_part(sj::object& part) {
    for (auto each : part) {
      sj::field field;
      std::string_view key;
      if (const error_code code = std::move(each).get(field)) return not_json(code);
      if (const error_code code = field.unescaped_key().get(key)) return not_json(code);
      sj::value value = field.value();
      if (key == "text") {
        sj::json_type type;
        if (value.type().get(type) || type != sj::json_type::string) return wrong_type(where("content[].text"), "a string");
        add_text(Role::other, raw_text(value));
      } else if (key == "image_url") {
        ++chat_.images;
      } else if (key == "input_audio") {
        ++chat_.audio;
      }
    }
    return success();
  }

  [[nodiscard]] std::string where(std::string_view member) const {
    return "messages[" + std::to_string(chat_.messages) + "]." + std::string(member);
  }

  Result<void> complete() {
    client_.stream = chat_.stream;
    client_.choices = chat_.choices;
    if (passes_through(chat_.surface)) return success();
    if (chat_.model.empty()) return fail(Fault::bad_request, "you must provide a 'model' parameter", "model");
    if (given_) return success();
    const char* const needed = chat_.surface == Surface::chat ? "messages" : chat_.surface == Surface::completions ? "prompt" : "input";
    return fail(Fault::bad_request, std::string("missing required parameter: '") + needed + "'", needed);
  }

  std::string_view body_;
  ChatView& chat_;
  ClientBody& client_;
  boost::container::small_vector<std::string_view, 24> keys_;
  bool given_ = false;   // messages, prompt or input stood there
};

}  // namespace

struct ChatParser::Parser : sj::parser {};

ChatParser::ChatParser(std::size_t nesting_max) : parser_(std::make_unique<Parser>()), nesting_max_(nesting_max) {}
ChatParser::~ChatParser() = default;

Result<void> ChatParser::parse(const std::string& body, Surface surface, ChatView& chat, ClientBody& client) {
  static_assert(padding >= simdjson::SIMDJSON_PADDING);
  if (nests_deeper_than(body, nesting_max_)) {
    return fail(Fault::bad_request, "the body nests deeper than " + std::to_string(nesting_max_) + " levels");
  }
  if (parser_->capacity() > keep_buffers_below) parser_ = std::make_unique<Parser>();
  sj::document document;
  if (const error_code code = parser_->iterate(body.data(), body.size(), body.size() + padding).get(document)) {
    if (code == simdjson::EMPTY) return fail(Fault::bad_request, "the body is empty; send a JSON object");
    return not_json(code);
  }
  return Pass(body, surface, chat, client).run(document);
}

}  // namespace tollgate
