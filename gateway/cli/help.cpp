#include "gateway/cli/help.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gateway/cli/commands.hpp"

namespace tollgate::cli {
namespace {

constexpr std::size_t width_least = 40, width_most = 120, width_usual = 80, gutter = 2, left_most = 34;

/// `text` in lines of at most `width`, all but the first indented. A word that is longer stays whole.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string lines;
  std::size_t at = indent;
  bool first = true;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    if (!first && at + 1 + word.size() > width) {
      lines += '\n' + std::string(indent, ' ');
      at = indent;
    } else if (!first) {
      lines += ' ';
      ++at;
    }
    lines += word;
    at += word.size();
    first = false;
  }
  return lines;
}

std::string left_of(const CommandOption& option) {
  if (!option.positional.empty() && option.names.empty()) return option.positional;
  std::string left = option.names.front().starts_with("--") ? "    " : "";
  for (std::size_t i = 0; i < option.names.size(); ++i) left += (i == 0 ? "" : ", ") + option.names[i];
  return option.value.empty() ? left : left + " " + option.value;
}

std::string right_of(const CommandOption& option) {
  std::string right = option.description;
  const auto remark = [&right](const std::string& what) { right += " [" + what + "]"; };
  if (option.required) remark("required");
  if (option.repeated) remark("may be repeated");
  if (!option.fallback.empty()) remark("default: " + option.fallback);
  if (!option.environment.empty()) remark("or $" + option.environment);
  std::string others;
  for (const std::string& other : option.not_with) others += (others.empty() ? "" : ", ") + other;
  if (!others.empty()) remark("not with " + others);
  return right;
}

using Row = std::pair<std::string, std::string>;

void add_rows(std::string& text, std::string_view heading, const std::vector<Row>& rows, std::size_t width) {
  if (rows.empty()) return;
  std::size_t left = 0;
  for (const Row& row : rows) left = std::max(left, std::min(row.first.size(), left_most));
  const std::size_t indent = gutter + left + gutter;
  text += "\n" + std::string(heading) + ":\n";
  for (const auto& [name, what] : rows) {
    text += "  " + name;
    text += name.size() > left ? "\n" + std::string(indent, ' ') : std::string(indent - gutter - name.size(), ' ');
    text += wrapped(what, indent, width) + "\n";
  }
}

class TreeFormatter final : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const override {
    // CLI11 names the command by how the program was called; a path before its name is of no use to the reader.
    name.erase(0, name.find_first_not_of(' '));
    const std::size_t word = name.find(' ');
    const std::size_t slash = name.substr(0, word).rfind('/');
    if (slash != std::string::npos) name.erase(0, slash + 1);
    return help_text(read_command(*app, name), terminal_width(width_usual));
  }
};

}  // namespace

void print_error(const std::string& message) { std::fprintf(stderr, "tollgate: %s\n", message.c_str()); }

std::size_t terminal_width(std::size_t otherwise) {
  std::size_t columns = 0;
  if (const char* const given = std::getenv("COLUMNS");
      given != nullptr) {  // NOLINT(concurrency-mt-unsafe): one thread
    const char* const end = given + std::strlen(given);
    if (std::from_chars(given, end, columns).ptr == end && columns > 0) return columns;
  }
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return otherwise;
}

std::string help_text(const Command& command, std::size_t width) {
  width = std::clamp(width, width_least, width_most);
  std::string text = wrapped(command.description, 0, width) + "\n\nUsage: " + command.path;
  std::vector<Row> positionals, options, commands;
  for (const CommandOption& option : command.options) {
    if (!option.positional.empty()) {
      positionals.emplace_back(option.positional, right_of(option));
      text += option.required ? " " + option.positional : " [" + option.positional + "]";
    }
    if (!option.names.empty()) options.emplace_back(left_of(option), right_of(option));
  }
  if (!options.empty()) text += " [OPTIONS]";
  for (const Command& each : command.commands) commands.emplace_back(each.name, each.description);
  if (!commands.empty()) text += " SUBCOMMAND";
  text += "\n";
  add_rows(text, "Positionals", positionals, width);
  add_rows(text, "Options", options, width);
  add_rows(text, "Subcommands", commands, width);
  if (!command.footer.empty()) text += "\n" + command.footer + "\n";
  const std::vector<std::string_view> examples = examples_of(command.path);
  if (!examples.empty()) text += examples.size() == 1 ? "\nExample:\n" : "\nExamples:\n";
  for (const std::string_view line : examples) text += "  " + std::string(line) + "\n";
  return text + "\n" + wrapped("Exit codes: 0 fine, 1 a finding, 2 wrong usage, 3 cannot bind, read or write.", 0, width) + "\n";
}

void use_help_text(CLI::App& app) { app.formatter(std::make_shared<TreeFormatter>()); }

}  // namespace tollgate::cli
