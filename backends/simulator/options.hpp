#pragma once
// The simulator's options from a command line.

#include <string>
#include <vector>

#include "backends/simulator/simulator.hpp"
#include "config/result.hpp"

namespace tollgate::simulator {

struct CommandLine {
  Options options;
  bool json = false;  ///< the ready line as JSON
  std::string help;   ///< what to print instead of starting; "" to start
};

/// Reads argv; an error says which flag and what would be right. No flag reads the environment.
[[nodiscard]] Result<CommandLine> parse_command_line(int argc, const char* const* argv);

}  // namespace tollgate::simulator
