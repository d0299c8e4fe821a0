#pragma once
// One `when:` against the facts of a request. All that is set must hold; nothing set matches everything.
// Pure, no heap, any thread.

#include <string_view>

#include "router/router.hpp"

namespace tollgate {

[[nodiscard]] bool matches(const Condition& when, const RequestFacts& facts) noexcept;

/// Whether one of the condition's model patterns matches; a condition without patterns matches every name.
[[nodiscard]] bool matches_model(const Condition& when, std::string_view model) noexcept;

/// `*` stands for any text, also none; `?` for one byte; all else for itself, with case. Linear in the text for each
/// `*`.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

}  // namespace tollgate
