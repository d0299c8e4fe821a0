#pragma once
// Words for numbers, private to this folder.

#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

/// "0.000012": the shortest decimal string, exact.
[[nodiscard]] std::string usd_text(Usd amount);
/// "SIMPLE" …
[[nodiscard]] std::string_view tier_text(Tier tier) noexcept;
/// "0.62"
[[nodiscard]] std::string score_text(double score);

}  // namespace tollgate
