#pragma once
// What the readers of other protocols share when they put a request as a chat completion.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "backends/inbound.hpp"
#include "backends/json_members.hpp"
#include "config/result.hpp"

namespace tollgate::inbound {

using Json = nlohmann::ordered_json;

[[nodiscard]] inline Error wrong(const std::string& member, std::string_view what) {
  return fail(Fault::bad_request, "'" + member + "' " + std::string(what), member);
}

/// Null, false and empty say nothing that could be lost.
[[nodiscard]] inline bool says_nothing(const Json& value) { return value.is_null() || value == false || (value.is_structured() && value.empty()); }

[[nodiscard]] inline std::string indexed(const std::string& list, std::size_t index) { return list + "[" + std::to_string(index) + "]"; }

[[nodiscard]] inline Json text_part(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

[[nodiscard]] inline Json image_part(const std::string& url) { return {{"type", "image_url"}, {"image_url", {{"url", url}}}}; }

[[nodiscard]] inline std::string data_url(const std::string& media_type, const std::string& data) { return "data:" + media_type + ";base64," + data; }

/// Parts as a message's content: one text as a string; several too, where only strings are understood; else the parts.
[[nodiscard]] inline Json content_of(Json parts, bool plain_texts) {
  bool only_text = !parts.empty(), bare = true;
  for (const Json& part : parts) {
    only_text = only_text && part["type"] == "text";
    bare = bare && !part.contains("cache_control");
  }
  if (!only_text || (parts.size() > 1 && !plain_texts) || !bare) return parts;
  std::string text;
  for (const Json& part : parts) text.append(text.empty() ? "" : "\n").append(part["text"].get_ref<const std::string&>());
  return text;
}

[[nodiscard]] inline Json call_part(const std::string& id, const std::string& name, const std::string& arguments) {
  return {{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
}

/// A function of a group of tools, as chat completions, which know no groups, call it.
[[nodiscard]] inline std::string chat_name_of(const std::string& name_space, const std::string& name) {
  return name_space.empty() ? name : name_space + "__" + name;
}

/// Anthropic's efforts and budgets in the words of reasoning_effort. "": nothing to say.
[[nodiscard]] inline std::string effort_word(const std::string& effort) { return effort == "max" ? "xhigh" : effort; }

}  // namespace tollgate::inbound
