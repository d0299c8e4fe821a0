#pragma once
// "Did you mean …": the known name nearest to a misspelt one.

#include <span>
#include <string>
#include <string_view>

namespace tollgate {

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other, in any case of
/// letters.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
/// The nearest of `known`, or "" if none is near enough to be what was meant. The view is one of `known`.
[[nodiscard]] std::string_view nearest_name(std::string_view name, std::span<const std::string> known);
/// `, did you mean 'x'?`; or, if nothing is near, `; known: a, b, c` (a handful of them), or "" if nothing is known.
[[nodiscard]] std::string suggestion_for(std::string_view name, std::span<const std::string> known);

}  // namespace tollgate
