#include "metrics/outcomes.hpp"

#include <array>

namespace tollgate {

std::string_view name_of(OutcomeSource source) noexcept {
  static constexpr std::array<std::string_view, outcome_source_count> names{"feedback", "format", "judge"};
  return names[static_cast<std::size_t>(source)];
}

std::string_view name_of(OutcomeVerdict verdict) noexcept {
  static constexpr std::array<std::string_view, verdict_count> names{"good",    "bad",       "ok",       "empty",
                                                                     "refusal", "truncated", "garbage",  "invalid_json",
                                                                     "schema"};
  return names[static_cast<std::size_t>(verdict)];
}

}  // namespace tollgate
