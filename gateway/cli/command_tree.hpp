#pragma once
// The commands of the program as a value, read off the parser itself: help texts, manual page and shell completion are
// made of it, so that none of them can know other options than the parser does.

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace tollgate::cli {

struct CommandOption {
  std::vector<std::string> names;  ///< "-c", "--config"; empty: a positional
  std::string positional;          ///< "prompt"; "" if it is none
  std::string value;               ///< what follows it, such as FILE; "" for a flag
  std::string description;
  std::string fallback;               ///< the default; "" if there is none
  std::string environment;            ///< the variable that gives it; "" if none does
  std::vector<std::string> not_with;  ///< options it cannot be combined with
  bool required = false, repeated = false;
  [[nodiscard]] bool takes_file() const { return value == "FILE"; }
};

struct Command {
  std::string name;  ///< its own word
  std::string path;  ///< with those before it: "tollgate prices list"
  std::string description, footer;
  std::vector<CommandOption> options;
  std::vector<Command> commands;
};

[[nodiscard]] Command read_command(const CLI::App& app, std::string path);
/// What a user would type, by the command's path; empty if there is nothing to show.
[[nodiscard]] std::vector<std::string_view> examples_of(std::string_view path);
/// The four exit codes, one a line: "0  fine".
[[nodiscard]] std::string_view exit_codes() noexcept;

}  // namespace tollgate::cli
