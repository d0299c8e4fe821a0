#pragma once
// The members of a body that say who sent it and what for: user, prompt_cache_key, metadata. Only conditions and the identity of a
// conversation know them; what is not text there is the upstream's to judge. Private to parse_chat.cpp.

#include <simdjson.h>

#include "router/chat_view.hpp"

namespace tollgate {

/// A view into the body where the text was written without escapes, else into `chat.unescaped`. `out` stays as it is if it is no text.
inline void take_text(simdjson::ondemand::value& value, ChatView& chat, std::string_view& out) {
  simdjson::ondemand::json_type type;
  if (value.type().get(type) || type != simdjson::ondemand::json_type::string) return;
  const std::string_view token = value.raw_json_token();  // with its quotes, and what blanks follow
  std::string_view plain;
  if (value.get_string().get(plain)) return;
  const std::string_view raw = token.substr(1, plain.size());
  out = raw == plain && token.substr(1 + plain.size()).starts_with('"')
            ? raw
            : std::string_view(chat.unescaped.emplace_front(plain));
}

/// The members that are texts.
inline void take_metadata(simdjson::ondemand::value& value, ChatView& chat) {
  simdjson::ondemand::object object;
  if (value.get_object().get(object)) return;
  for (auto each : object) {
    simdjson::ondemand::field field;
    if (std::move(each).get(field)) return;
    const char* const raw = field.key().raw();
    std::string_view key;
    if (field.unescaped_key().get(key)) return;
    ChatView::Member member;
    const bool as_written = std::string_view(raw, key.size()) == key && raw[key.size()] == '"';
    member.name = as_written ? std::string_view(raw, key.size()) : std::string_view(chat.unescaped.emplace_front(key));
    simdjson::ondemand::value text = field.value();
    take_text(text, chat, member.value);
    if (member.value.data() != nullptr) chat.metadata.push_back(member);
  }
}

}  // namespace tollgate
