#include "backends/simulator/answer.hpp"

#include <algorithm>
#include <array>

#include "backends/simulator/tokens.hpp"

namespace tollgate::simulator {
namespace {

std::string hex(std::uint64_t number, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

std::string repeated(std::string text, std::uint32_t tokens) {
  while (count_tokens(text) < tokens) text += " " + text;
  text.resize(first_tokens(text, tokens).size());
  return text;
}

/// The text before stop sequences and limits act; longer than `limit` tokens only by what is then cut off.
std::string draft(const Ask& ask, const Prompt& prompt, Random& random, const AnswerLimits& limits,
                  std::uint32_t limit) {
  const Directives& told = ask.directives;
  const std::uint32_t drawn = std::max(draw_length(random, limits.output_tokens_mean), ask.min_tokens);
  if (told.echo) return told.tokens ? repeated(*told.echo, std::min(*told.tokens, limit + 1)) : *told.echo;
  if (ask.json != JsonAnswer::no) return invent_json(ask.json_schema, hash_text("json", prompt.hash ^ limits.seed));
  const std::uint32_t wanted = told.tokens ? *told.tokens : ask.ignore_eos ? limit : drawn;
  // Prose of n tokens is the start of any longer one of the same seed but for its last token, so what is cut off need
  // not be written.
  return write_prose(random, std::min(wanted, limit + 1));
}

void apply_stop(const std::vector<std::string>& stops, Answer& answer) {
  std::size_t shown = std::string::npos, end = 0;
  for (const std::string& stop : stops) {
    const std::size_t at = answer.text.find(stop);
    // Of several, the one that is complete first ends the answer.
    if (at != std::string::npos && (shown == std::string::npos || at + stop.size() < end)) {
      shown = at;
      end = at + stop.size();
    }
  }
  if (shown == std::string::npos) return;
  std::uint32_t tokens = 0;
  for (std::size_t at = 0; at < end; at += token_length(answer.text, at)) ++tokens;
  answer.tokens = tokens;
  answer.text.resize(shown);
  answer.engine_reason = FinishReason::stop;
  answer.finish_reason = "stop";
}

Answer compose_calls(const Ask& ask, Random& random, std::uint32_t limit) {
  Answer answer;
  answer.finish_reason = "tool_calls";
  for (const Tool& tool : ask.tools) {
    if (answer.tokens == limit) break;
    Call call{"call_" + hex(random.next(), 16) + hex(random.next(), 8), tool.name, "{}"};
    if (!tool.parameters.empty()) call.arguments = invent_json(tool.parameters, random.next());
    const std::uint32_t wanted = count_tokens(call.arguments);
    const std::uint32_t room = limit - answer.tokens - 1;
    answer.tokens += 1 + std::min(wanted, room);
    if (wanted > room) {
      call.arguments.resize(first_tokens(call.arguments, room).size());
      answer.engine_reason = FinishReason::length;
      answer.finish_reason = "length";
    }
    answer.calls.push_back(std::move(call));
  }
  if (answer.calls.size() < ask.tools.size()) {
    answer.engine_reason = FinishReason::length;
    answer.finish_reason = "length";
  }
  return answer;
}

}  // namespace

Answer compose(const Ask& ask, std::size_t prompt_index, std::uint32_t choice, const AnswerLimits& limits) {
  const Prompt& prompt = ask.prompts[prompt_index];
  const std::uint32_t limit = std::max(1U, std::min(limits.tokens_max, ask.max_tokens.value_or(limits.tokens_max)));
  Random random(hash_text("answer", prompt.hash ^ Random(limits.seed).next()) + choice);
  if (!ask.tools.empty()) return compose_calls(ask, random, limit);
  Answer answer;
  answer.text = draft(ask, prompt, random, limits, limit);
  answer.tokens = count_tokens(answer.text);
  if (answer.tokens > limit || ask.ignore_eos) {
    answer.tokens = std::min(answer.tokens, limit);
    answer.text.resize(first_tokens(answer.text, answer.tokens).size());
    answer.engine_reason = FinishReason::length;
    answer.finish_reason = "length";
  }
  apply_stop(ask.stop, answer);
  return answer;
}

Delta AnswerReader::next(const Answer& answer) noexcept {
  if (at_ < answer.text.size() && !in_call_) {
    const std::size_t length = token_length(answer.text, at_);
    at_ += length;
    return {Delta::Kind::text, 0, std::string_view(answer.text).substr(at_ - length, length)};
  }
  if (in_call_ && at_ == answer.calls[call_].arguments.size()) {
    in_call_ = false;
    ++call_;
  }
  if (in_call_) {
    const std::string& arguments = answer.calls[call_].arguments;
    const std::size_t length = token_length(arguments, at_);
    at_ += length;
    return {Delta::Kind::call_arguments, call_, std::string_view(arguments).substr(at_ - length, length)};
  }
  if (call_ == answer.calls.size()) return {};
  in_call_ = true;
  at_ = 0;
  return {Delta::Kind::call_begin, call_, answer.calls[call_].name};
}

}  // namespace tollgate::simulator
