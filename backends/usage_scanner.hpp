#pragma once
// Where usage stands in OpenAI-shaped answers, and what it means in the normal form (metrics/usage.hpp).
//
// OpenAI: cached_tokens and cache_write_tokens are subsets of prompt_tokens, reasoning_tokens of completion_tokens; n > 1 is already
// in the counts. Source: the OpenAI API description, CompletionUsage; vLLM's UsageInfo has the same shape.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/usage.hpp"

namespace tollgate {

/// A usage object's text → normal form. nullopt: not usable (not an object, a negative count, subsets larger than their whole):
/// never mended in silence. A count that is absent or null is zero only if its whole is there.
[[nodiscard]] std::optional<Usage> parse_usage(std::string_view object);

/// A top-level `"usage": …` member found in a JSON object's text.
struct UsageMember {
  std::size_t begin = 0;        ///< of the member with the comma before it (or the key, if it is the first)
  std::size_t value = 0;        ///< of its value
  std::size_t end = 0;          ///< behind its value
  bool is_object = false;       ///< else null
};
/// An unescaped `"usage":` can only be a key, so the usual place, last in the object, is found without parsing; anything else is
/// looked up with care. nullopt: there is none at the top level.
[[nodiscard]] std::optional<UsageMember> find_usage(std::string_view json);

/// The running count of a stream: remembers the last usage objects as text and reads them only when asked.
class RunningUsage {
 public:
  static constexpr std::size_t object_bytes_max = 4096;
  explicit RunningUsage(std::int64_t choices) : choices_(choices) {}
  /// A usage object of an ordinary chunk: vLLM counts only the chunk's own choice there, so the counts of all choices are summed.
  void running(std::string_view object, std::string_view chunk);
  /// The usage of the end: of all choices together.
  void final(std::string_view object);
  [[nodiscard]] std::pair<Usage, UsageSource> usage() const;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  std::int64_t choices_;
  bool final_ = false;
  std::string last_;
  std::vector<std::string> by_choice_;    // only with more than one
};

}  // namespace tollgate
