#include "gateway/answer_check.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "gateway/schema_check.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;

/// How refusals begin, folded to lower case: an apology and a first word, or the word that says what is declined.
constexpr std::array<std::string_view, 9> apologies{
    "i'm sorry, but i ",   "i'm sorry, i ",     "i am sorry, but i ",
    "i am sorry, i ",      "sorry, but i ",     "sorry, i ",
    "i apologize, but i ", "unfortunately, i ", "as an ai language model, i "};
constexpr std::array<std::string_view, 7> negations{"can't ",     "cannot ",      "can not ",    "won't ",
                                                    "am unable ", "am not able ", "must decline"};
constexpr std::array<std::string_view, 26> refusals{"i can't assist",
                                                    "i cannot assist",
                                                    "i can't help with",
                                                    "i cannot help with",
                                                    "i can't help you",
                                                    "i cannot help you",
                                                    "i can't provide",
                                                    "i cannot provide",
                                                    "i can't fulfill",
                                                    "i cannot fulfill",
                                                    "i can't comply",
                                                    "i cannot comply",
                                                    "i can't answer",
                                                    "i cannot answer",
                                                    "i'm unable to",
                                                    "i am unable to",
                                                    "i'm not able to",
                                                    "i am not able to",
                                                    "es tut mir leid, aber ich kann",
                                                    "tut mir leid, aber ich kann",
                                                    "dabei kann ich nicht helfen",
                                                    "je suis désolé, mais je ne peux pas",
                                                    "désolé, mais je ne peux pas",
                                                    "je ne peux pas vous aider",
                                                    "lo siento, pero no puedo",
                                                    "no puedo ayudar"};
constexpr std::size_t refusal_bytes_max = 400;  // a long answer that begins so goes on to answer

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool reads_as_refusal(std::string_view text) {
  if (text.size() > refusal_bytes_max) return false;
  std::string folded;
  for (std::size_t i = 0; i < text.size() && folded.size() < 64; ++i) {
    if (text.substr(i).starts_with("\u2019")) {  // a typographic apostrophe
      folded += '\'';
      i += 2;
    } else {
      const char c = text[i];
      folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
  }
  const auto begins = [](std::string_view said, const auto& words) {
    return std::find_if(words.begin(), words.end(), [&](std::string_view word) { return said.starts_with(word); });
  };
  if (begins(folded, refusals) != refusals.end()) return true;
  const auto apology = begins(folded, apologies);
  if (apology == apologies.end()) return false;
  return begins(std::string_view(folded).substr(apology->size()), negations) != negations.end();
}

/// Whether the end of the text is one short piece again and again: what a model falls into that has lost its way.
/// Rules, padding and tables repeat marks; of letters it takes as much.
bool goes_round_in_circles(std::string_view text) {
  constexpr std::size_t period_max = 64, bytes_min = 400;
  if (text.size() < bytes_min) return false;
  for (std::size_t period = 1; period <= period_max; ++period) {
    std::size_t at = text.size();
    while (at > period && text[at - 1] == text[at - 1 - period]) --at;
    if (text.size() - at + period < bytes_min) continue;
    const std::string_view unit = text.substr(text.size() - period);
    return std::any_of(unit.begin(), unit.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             static_cast<unsigned char>(c) >= 0x80;
    });
  }
  return false;
}

bool is_noise(std::string_view text) {
  constexpr std::size_t some = 8;
  std::size_t bad = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool control = byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t';
    if (control || text.substr(i, 3) == "\xEF\xBF\xBD") ++bad;  // U+FFFD: a tokenizer's broken bytes
  }
  return bad >= some && bad * 20 > text.size();
}

AnswerCheck check_json(std::string_view text, const ChatView& request) {
  const Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return AnswerCheck::invalid_json;
  if (!request.json_schema) return value.is_object() ? AnswerCheck::ok : AnswerCheck::schema;
  const Json schema = Json::parse(request.response_schema, nullptr, false);
  if (schema.is_discarded()) return AnswerCheck::ok;  // none was given, or none that can be read
  return schema_violation(schema, value) ? AnswerCheck::schema : AnswerCheck::ok;
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string_view text_of(const Json* value) {
  return value != nullptr && value->is_string() ? std::string_view(value->get_ref<const std::string&>())
                                                : std::string_view();
}

AnswerCheck check_calls(const Json& calls, bool cut_off) {
  for (const Json& call : calls) {
    const Json* const function = member(call, "function");
    const std::string_view arguments =
        function == nullptr ? std::string_view() : text_of(member(*function, "arguments"));
    if (!arguments.empty() && !Json::accept(arguments)) return cut_off ? AnswerCheck::truncated : AnswerCheck::invalid_json;
  }
  return AnswerCheck::ok;
}

AnswerCheck check_choice(const Json& choice, const ChatView& request) {
  const std::string_view finish = text_of(member(choice, "finish_reason"));
  if (finish == "content_filter") return AnswerCheck::refusal;
  const AnswerText text{text_of(member(choice, "text")), finish == "length"};
  if (request.surface != Surface::chat) return check_text(text, request);
  const Json* const message = member(choice, "message");
  if (message == nullptr) return AnswerCheck::empty;
  if (!text_of(member(*message, "refusal")).empty()) return AnswerCheck::refusal;
  const Json* const calls = member(*message, "tool_calls");
  if (calls != nullptr && calls->is_array() && !calls->empty()) {
    if (finish == "length" && !request.output_tokens_max) return AnswerCheck::truncated;
    return check_calls(*calls, text.cut_off);
  }
  const Json* const content = member(*message, "content");
  if (content != nullptr && !content->is_string())
    return content->empty() ? AnswerCheck::empty : AnswerCheck::ok;  // parts: not text alone
  if (content == nullptr && member(*message, "audio") != nullptr) return AnswerCheck::ok;
  return check_text({text_of(content), text.cut_off}, request);
}

}  // namespace

std::string_view name_of(AnswerCheck check) noexcept {
  static constexpr std::array<std::string_view, answer_check_count> names{
      "ok", "empty", "refusal", "truncated", "garbage", "invalid_json", "schema"};
  return names[static_cast<std::size_t>(check)];
}

AnswerCheck check_text(const AnswerText& answer, const ChatView& request) {
  const std::string_view text = trimmed(answer.text);
  const bool own_limit = request.output_tokens_max.has_value();
  if (text.empty()) return answer.cut_off && !own_limit ? AnswerCheck::truncated : AnswerCheck::empty;
  if (goes_round_in_circles(text) || is_noise(text)) return AnswerCheck::garbage;
  if (answer.cut_off && !own_limit) return AnswerCheck::truncated;
  if (request.json_output) {
    const AnswerCheck check = check_json(text, request);
    if (check == AnswerCheck::invalid_json && answer.cut_off) return AnswerCheck::truncated;
    return check == AnswerCheck::invalid_json && reads_as_refusal(text) ? AnswerCheck::refusal : check;
  }
  return reads_as_refusal(text) ? AnswerCheck::refusal : AnswerCheck::ok;
}

AnswerCheck check_answer(std::string_view answer_json, const ChatView& request) {
  if (request.surface == Surface::embeddings) return AnswerCheck::ok;
  const Json answer = Json::parse(answer_json, nullptr, false);
  if (answer.is_discarded()) return AnswerCheck::garbage;
  const Json* const choices = member(answer, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) return AnswerCheck::empty;
  for (const Json& choice : *choices) {
    const AnswerCheck check = check_choice(choice, request);
    if (check != AnswerCheck::ok) return check;
  }
  return AnswerCheck::ok;
}

}  // namespace tollgate
