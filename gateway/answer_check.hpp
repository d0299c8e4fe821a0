#pragma once
// Is an answer what was asked for? Form only: JSON where JSON was asked for, the schema, a refusal, an answer cut off,
// none at all, or noise. Whether it is right nobody can tell here. Pure; parses the answer, so it is for answers that
// are checked, not for every answer.
//
//    if (check_answer(body, chat) != AnswerCheck::ok) …       // a whole answer in OpenAI's form, as the client would
//    get it

#include <cstdint>
#include <string_view>

#include "router/chat_view.hpp"

namespace tollgate {

enum class AnswerCheck : std::uint8_t {
  ok,
  empty,         ///< no text and no tool call
  refusal,       ///< the model said so, a content filter did, or a short answer begins the way refusals do
  truncated,     ///< ended by length though the client set no limit, or in the middle of the JSON it asked for
  garbage,       ///< the same few bytes over and over, or bytes that are no text
  invalid_json,  ///< JSON was asked for, or a tool was called, and this is none
  schema         ///< JSON, but not of the schema (gateway/schema_check.hpp) or not an object
};
inline constexpr std::size_t answer_check_count = 7;
[[nodiscard]] std::string_view name_of(AnswerCheck check) noexcept;

/// Of several choices the first that fails. `request` says what was asked for: surface, JSON, schema, limits.
[[nodiscard]] AnswerCheck check_answer(std::string_view answer_json, const ChatView& request);

/// The same for one answer's text, however it came.
struct AnswerText {
  std::string_view text;
  bool cut_off = false;  ///< finish_reason is length
};
[[nodiscard]] AnswerCheck check_text(const AnswerText& answer, const ChatView& request);

}  // namespace tollgate
