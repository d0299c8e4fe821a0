#pragma once
// The answer to an ask, decided at once and told token by token. Pure and deterministic: the same prompt and seed give
// the same answer, whether it is streamed or not and whatever else runs.
//
//    Answer answer = compose(ask, prompt_index, choice_index, {.seed = 1, .output_tokens_mean = 120, .tokens_max =
//    4000}); AnswerReader reader(answer); for (std::uint32_t i = 0; i < answer.tokens; ++i) Delta delta =
//    reader.next();    // one step of the engine each

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backends/simulator/ask.hpp"
#include "backends/simulator/counters.hpp"

namespace tollgate::simulator {

struct Call {
  std::string id;  ///< "call_…"
  std::string name;
  std::string arguments;  ///< JSON text, cut short if the answer was
};

struct Answer {
  std::string text;  ///< what is shown; a stop sequence is not
  std::vector<Call> calls;
  std::uint32_t tokens =
      0;  ///< generated, those of a stop sequence included; a call is one for its name and those of its arguments
  FinishReason engine_reason = FinishReason::stop;
  std::string_view finish_reason = "stop";  ///< as answered: stop, length, tool_calls
};

struct AnswerLimits {
  std::uint64_t seed = 1;
  std::uint32_t output_tokens_mean = 120;
  std::uint32_t tokens_max = 0;  ///< what the context leaves; the ask's max_tokens bounds it further
};

[[nodiscard]] Answer compose(const Ask& ask, std::size_t prompt, std::uint32_t choice, const AnswerLimits& limits);

/// What one token adds to what is shown.
struct Delta {
  enum class Kind : std::uint8_t { nothing, text, call_begin, call_arguments };
  Kind kind = Kind::nothing;  ///< nothing: a token of a stop sequence
  std::size_t call = 0;
  std::string_view piece;  ///< views the answer
};

class AnswerReader {
 public:
  [[nodiscard]] Delta next(const Answer& answer) noexcept;

 private:
  std::size_t at_ = 0;  // in the text, or in the arguments of call_
  std::size_t call_ = 0;
  bool in_call_ = false;
};

/// A JSON value that a schema accepts, as text; "{}" and an unreadable schema give a small object. Basic keywords:
/// type, properties, items, enum, const, anyOf, oneOf, allOf, $ref into the schema, minimum, maximum, minItems,
/// minLength, format.
[[nodiscard]] std::string invent_json(std::string_view schema, std::uint64_t seed);

}  // namespace tollgate::simulator
