#pragma once
// Where usage stands in OpenAI-shaped answers, and what it means in the normal form (metrics/usage.hpp).
//
// OpenAI: cached_tokens and cache_write_tokens are subsets of prompt_tokens, reasoning_tokens of completion_tokens; n > 1 is already
// in the counts, and rejected predictions are in completion_tokens. Source: the OpenAI API description, CompletionUsage; vLLM's UsageInfo
// has the same shape. Others add to it: image_tokens and cached_tokens_details (OpenAI's realtime and image answers, xAI),
// num_search_queries (Perplexity), server_tool_use (OpenRouter); xAI and Google leave reasoning out of completion_tokens.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/usage.hpp"

namespace tollgate {

/// A usage object's text → normal form. nullopt: not usable (not an object, a negative count, subsets larger than their whole):
/// never mended in silence. Without prompt_tokens nothing is known of the input, so nothing is usable; completion_tokens may be absent
/// or null only where there is no output (embeddings): `output_expected` says that there is.
[[nodiscard]] std::optional<Usage> parse_usage(std::string_view object, bool output_expected = false);

/// A top-level `"usage": …` member found in a JSON object's text.
struct UsageMember {
  std::size_t begin = 0;        ///< of the member with the comma before it (or the key, if it is the first)
  std::size_t value = 0;        ///< of its value
  std::size_t end = 0;          ///< behind its value
  std::size_t cut_end = 0;      ///< begin … cut_end is what to cut out: with the comma behind it if it is the first member
  bool is_object = false;       ///< else null
};
/// An unescaped `"usage":` can only be a key, so the usual place, last in the object, is found without parsing; anything else is
/// looked up with care. nullopt: there is none at the top level.
[[nodiscard]] std::optional<UsageMember> find_usage(std::string_view json);

/// Where the value of the first member with this quoted key begins (blanks skipped), at any level; npos if there is none.
[[nodiscard]] std::size_t value_of_key(std::string_view json, std::string_view quoted_key) noexcept;

/// The running count of a stream: remembers the last usage objects as text and reads them only when asked.
class RunningUsage {
 public:
  static constexpr std::size_t object_bytes_max = 4096;
  static constexpr std::size_t choices_max = 4096;   ///< past it running counts are not trusted: they would be too small
  /// `choices`: n. `per_choice`: running counts are of the chunk's own choice only (vLLM), else of the whole answer.
  explicit RunningUsage(std::int64_t choices, bool per_choice = true) : choices_(choices), per_choice_(per_choice) {}
  /// A usage object of an ordinary chunk. Per choice, the last counts of all choices are summed; vLLM numbers them prompt * n + choice,
  /// so a prompt counts once for its n choices, and each of several prompts counts.
  void running(std::string_view object, std::string_view chunk);
  /// The usage of the end: of all choices together.
  void final(std::string_view object);
  [[nodiscard]] std::pair<Usage, UsageSource> usage() const;
  /// The last usage object of the whole answer; "" while there are only counts by choice. Valid until the next call of running() or final().
  [[nodiscard]] std::string_view last_object() const noexcept { return final_ || !per_choice_ ? std::string_view(last_) : std::string_view{}; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  std::int64_t choices_;
  bool per_choice_;
  bool final_ = false, too_many_ = false;
  std::string last_;                      // the final one; before it, of choice 0 or of the whole answer
  std::vector<std::string> by_choice_;    // of choices 1 …
};

}  // namespace tollgate
