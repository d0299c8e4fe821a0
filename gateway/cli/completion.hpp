#pragma once
// `tollgate completion bash|zsh|fish`: the shell's own script, made of the commands as they are.

#include <optional>
#include <string>
#include <string_view>

#include "gateway/cli/command_tree.hpp"

namespace tollgate::cli {

/// Nothing if the shell is none of bash, zsh, fish.
[[nodiscard]] std::optional<std::string> completion_script(const Command& root, std::string_view shell);

}  // namespace tollgate::cli
