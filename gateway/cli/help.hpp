#pragma once
// --help: what a command does, its options, examples and exit codes, as wide as the terminal.

#include <cstddef>
#include <string>

#include "gateway/cli/command_tree.hpp"

namespace tollgate::cli {

/// Columns of the terminal: the variable COLUMNS, else what the terminal says, else `otherwise`.
[[nodiscard]] std::size_t terminal_width(std::size_t otherwise);
[[nodiscard]] std::string help_text(const Command& command, std::size_t width);
/// Every command that is added to `app` after this shows help_text.
void use_help_text(CLI::App& app);

}  // namespace tollgate::cli
