#pragma once
// The simulator's options from a command line.

#include <string>
#include <vector>

#include "backends/simulator/simulator.hpp"
#include "config/result.hpp"

namespace CLI {
class App;
}

namespace tollgate::simulator {

struct CommandLine {
  Options options;
  bool json = false;  ///< the ready line as JSON
  std::string help;   ///< what to print instead of starting; "" to start
};

/// What the flags are read into before they are checked together.
struct CommandLineDraft {
  Options options;
  std::string listen = "127.0.0.1:0", personality = "vllm", names = "vllm";
  std::vector<std::string> models;
  bool no_prefix_cache = false, anonymous = false, json = false;
};
/// Gives `app` the flags of `tollgate sim`; `draft` must live as long as it.
void declare_command_line(CLI::App& app, CommandLineDraft& draft);

/// Reads argv; an error says which flag and what would be right. No flag reads the environment.
[[nodiscard]] Result<CommandLine> parse_command_line(int argc, const char* const* argv);

}  // namespace tollgate::simulator
