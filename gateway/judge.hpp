#pragma once
// The texts of a shadow evaluation: what is asked of the strong target, what of the judge, and what the judge's answer
// says. Pure; parses whole bodies, so it is for a background thread.
//
//    std::optional<ShadowTexts> texts = shadow_texts(body, answer);   // of a request that was served
//    std::string again = shadow_request(texts->request, "cloud/large", dialect);
//    std::string grading = judge_request(pair, question, mark, output_tokens, dialect);
//    std::optional<std::int32_t> ppm = score_in(answer_text(judges_answer));

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

/// Of each text so much is shown to the judge, beginning and end.
inline constexpr std::size_t judged_question_bytes_max = 24'000, judged_answer_bytes_max = 16'000;

/// What the first choice of a whole answer in OpenAI's form says: its text, its tool calls, its refusal; "": nothing.
[[nodiscard]] std::string answer_text(std::string_view answer_json);

struct ShadowTexts {
  std::string request;   ///< the parts of the request that every target understands, as JSON; see shadow_request
  std::string question;  ///< the conversation in words
  std::string answer;    ///< of the target that served it
};
/// Of a chat completion's body and its whole answer. nullopt: it cannot be judged by its text, for it holds pictures, sound
/// or files, or one of the texts is empty.
[[nodiscard]] std::optional<ShadowTexts> shadow_texts(std::string_view body, std::string_view answer);

/// The same request for another target: one answer, no stream, nothing that one provider alone knows.
[[nodiscard]] std::string shadow_request(std::string_view request, std::string_view model, DialectName dialect);

struct JudgedPair {
  std::string_view candidate, reference;
};
/// `mark` sets the texts apart from the instructions; whoever wrote the texts must not have known it.
[[nodiscard]] std::string judge_request(const JudgedPair& pair, std::string_view question, std::string_view mark,
                                        std::string_view model, std::int64_t output_tokens, DialectName dialect);

/// The score in millionths, from the last JSON object in the text that has one. nullopt: there is none from 0 to 1;
/// that is not a bad score but no score.
[[nodiscard]] std::optional<std::int32_t> score_in(std::string_view judges_text);

}  // namespace tollgate
