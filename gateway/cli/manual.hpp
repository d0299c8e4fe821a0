#pragma once
// `tollgate man`: tollgate(1), made of the commands as they are.

#include <string>
#include <string_view>

#include "gateway/cli/command_tree.hpp"

namespace tollgate::cli {

/// In the man(7) macros.
[[nodiscard]] std::string manual_page(const Command& root, std::string_view version);

}  // namespace tollgate::cli
