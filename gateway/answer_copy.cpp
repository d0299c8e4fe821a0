#include "gateway/answer_copy.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "backends/native.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

void append_text(const Json& from, const char* name, std::string& to) {
  const Json* const text = member(from, name);
  if (text != nullptr && text->is_string()) to += text->get_ref<const std::string&>();
}

std::int64_t index_of(const Json& part) {
  const Json* const index = member(part, "index");
  return index != nullptr && index->is_number_integer() ? index->get<std::int64_t>() : 0;
}

/// One choice, as far as its chunks have come.
struct Choice {
  std::string content, refusal, text, finish;
  bool is_chat = false;
  std::map<std::int64_t, std::pair<std::string, std::string>> calls;  // name and arguments, by index

  void add(const Json& chunk) {
    append_text(chunk, "text", text);
    if (const Json* const reason = member(chunk, "finish_reason"); reason != nullptr && reason->is_string()) {
      finish = reason->get<std::string>();
    }
    const Json* const delta = member(chunk, "delta");
    if (delta == nullptr) return;
    is_chat = true;
    append_text(*delta, "content", content);
    append_text(*delta, "refusal", refusal);
    const Json* const parts = member(*delta, "tool_calls");
    if (parts == nullptr || !parts->is_array()) return;
    for (const Json& part : *parts) {
      const Json* const function = member(part, "function");
      if (function == nullptr) continue;
      auto& [name, arguments] = calls[index_of(part)];
      append_text(*function, "name", name);
      append_text(*function, "arguments", arguments);
    }
  }

  [[nodiscard]] Json whole() const {
    Json choice{{"finish_reason", finish.empty() ? Json() : Json(finish)}};
    if (!is_chat) {
      choice["text"] = text;
      return choice;
    }
    Json message{{"role", "assistant"}, {"content", content}};
    if (!refusal.empty()) message["refusal"] = refusal;
    for (const auto& [index, call] : calls) {
      message["tool_calls"].push_back(
          {{"type", "function"}, {"function", {{"name", call.first}, {"arguments", call.second}}}});
    }
    choice["message"] = std::move(message);
    return choice;
  }
};

}  // namespace

std::string stitched_answer(std::string_view events) {
  constexpr std::string_view mark = "data:";
  std::map<std::int64_t, Choice> choices;
  while (!events.empty()) {
    const std::size_t end = std::min(events.find('\n'), events.size());
    std::string_view line = events.substr(0, end);
    events.remove_prefix(std::min(end + 1, events.size()));
    if (!line.starts_with(mark)) continue;
    const Json chunk = Json::parse(line.substr(mark.size()), nullptr, false);
    const Json* const parts = member(chunk, "choices");
    if (parts == nullptr || !parts->is_array()) continue;
    for (const Json& part : *parts) choices[index_of(part)].add(part);
  }
  Json answer{{"choices", Json::array()}};
  for (const auto& [index, choice] : choices) answer["choices"].push_back(choice.whole());
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string whole_answer(std::string_view bytes, ClientForm written_in, bool streamed) {
  const bool native = written_in != ClientForm::openai;
  if (!streamed) return native ? native_answer_as_chat(written_in, bytes) : std::string(bytes);
  return stitched_answer(native ? std::string_view(native_stream_as_chat(written_in, bytes)) : bytes);
}

std::string first_text(std::string_view answer_json) {
  const Json answer = Json::parse(answer_json, nullptr, false);
  const Json* const choices = member(answer, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) return {};
  std::string text;
  append_text(choices->front(), "text", text);
  if (const Json* const message = member(choices->front(), "message")) append_text(*message, "content", text);
  return text;
}

}  // namespace tollgate
