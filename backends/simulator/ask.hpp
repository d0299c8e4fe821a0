#pragma once
// What a client asks of the engine: a request body, read and checked as the imitated service checks it. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/result.hpp"

namespace tollgate::simulator {

struct Tool {
  std::string name;
  std::string parameters;  ///< JSON Schema text; "" if none was given
};

/// One text to continue, or to embed.
struct Prompt {
  std::uint32_t tokens = 0;
  std::uint64_t hash = 0;         ///< of all that the answer depends on
  std::uint64_t prefix_hash = 0;  ///< of its system part; 0 if it has none
  std::uint32_t prefix_tokens = 0;
  std::string text;  ///< embeddings: what to embed ("" with token ids: the hash stands for them)
};

/// `[[sim-…: …]]` marks in the last user message.
struct Directives {
  std::optional<std::uint32_t> tokens;
  std::optional<std::string> echo;
  std::string fault;
  std::string usage;  ///< members of JSON that the answer's usage object gets beside its own; OpenAI's protocol only
};

enum class JsonAnswer : std::uint8_t { no, object, schema };

struct Ask {
  Surface surface = Surface::chat;
  std::string model;
  bool stream = false, include_usage = false, continuous_usage = false;
  bool include_metrics = false;  ///< the engine's own timings, in the answer
  std::uint32_t choices = 1;
  std::optional<std::uint32_t> max_tokens;
  std::uint32_t min_tokens = 0;
  bool ignore_eos = false;
  std::vector<std::string> stop;
  std::vector<Prompt> prompts;
  std::vector<Tool> tools;  ///< the ones it must or may call now, in the order to call them
  JsonAnswer json = JsonAnswer::no;
  std::string json_schema;  ///< JSON Schema text
  Directives directives;
  bool base64 = false;           ///< embeddings: encoding_format
  std::uint32_t dimensions = 0;  ///< embeddings; 0: the model's own
};

inline constexpr std::uint32_t choices_max = 128;
inline constexpr std::size_t prompts_max = 2048;
inline constexpr std::uint32_t dimensions_max = 4096;
inline constexpr std::size_t nesting_max = 512;  ///< levels of JSON; the parser and printer recurse

/// Reads a body. Errors carry the parameter at fault and the code that the imitated service would give.
[[nodiscard]] Result<Ask> read_ask(Surface surface, DialectName personality, std::string_view body);
/// Reads the marks out of a text; an unfinished or wrong one is an error that says so.
[[nodiscard]] Result<Directives> read_directives(std::string_view text);
/// The fault that a body asks for which is read no further (a picture's prompt, a form); "" if it asks for none.
[[nodiscard]] std::string fault_mark(std::string_view body);

}  // namespace tollgate::simulator
