#pragma once
// One `when:` against the facts of a request. All that is set must hold; nothing set matches everything.
// Pure, no heap, any thread.

#include <string_view>

#include "router/router.hpp"

namespace tollgate {

[[nodiscard]] bool matches(const Condition& when, const RequestFacts& facts) noexcept;
/// The condition on load, which matches() leaves out: of the targets that are up, the least loaded one counts. True
/// where there is no such condition; false where no load is known.
[[nodiscard]] bool matches_load(const Condition& when, const Config& config,
                                std::span<const TargetState> states) noexcept;
/// Whether the schedule's clock is within one of its windows.
[[nodiscard]] bool is_within(const Schedule& schedule, std::int64_t unix_seconds) noexcept;

/// Whether one of the condition's model patterns matches; a condition without patterns matches every name.
[[nodiscard]] bool matches_model(const Condition& when, std::string_view model) noexcept;

/// `*` stands for any text, also none; `?` for one byte; all else for itself, with case. Linear in the text for each
/// `*`.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

}  // namespace tollgate
