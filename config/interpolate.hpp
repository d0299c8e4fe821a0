#pragma once
// Variables in configured values. Works on one value after YAML was parsed, so a variable can never add keys or lines.
//
//    ${VAR}             the variable; an error if it is not set
//    ${VAR:-default}    the default if it is not set or empty; the default may hold further variables
//    ${VAR:?message}    an error with this message if it is not set or empty
//    $$                 one dollar sign
//
// Any other '$' is an error: it is nearly always a variable whose braces were forgotten. No message ever holds a
// variable's value.

#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

[[nodiscard]] Result<std::string> interpolate(std::string_view text, const Environment& environment);

}  // namespace tollgate
