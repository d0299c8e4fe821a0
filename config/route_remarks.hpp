#pragma once
// What is not wrong in routes and conditions, but says something that can never happen. Private to this folder.

#include <string>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

void remark_on_choices(const Config& config, std::vector<std::string>& remarks);

/// Whether every request that `narrow` matches is matched by `wide` too. Only true where that is certain.
[[nodiscard]] bool covers(const Condition& wide, const Condition& narrow);
/// Whether any score is both in its tiers and in its band of complexity.
[[nodiscard]] bool has_a_score(const Condition& when, const TierBounds& bounds);

}  // namespace tollgate
