#pragma once
// Words for numbers, private to this folder.

#include <string>

#include "config/config.hpp"
#include "config/decimal.hpp"

namespace tollgate {

/// "0.62"
[[nodiscard]] std::string score_text(double score);

}  // namespace tollgate
