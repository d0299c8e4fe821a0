#include "gateway/cli/completion.hpp"

#include <functional>

namespace tollgate::cli {
namespace {

using Visitor = std::function<void(const Command&)>;

void each_command(const Command& command, const Visitor& visit) {
  visit(command);
  for (const Command& inner : command.commands) each_command(inner, visit);
}

/// The words after the program's name: "prices list".
std::string words_of(const Command& command) {
  const std::size_t space = command.path.find(' ');
  return space == std::string::npos ? std::string() : command.path.substr(space + 1);
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? std::string() : std::string(between)) + word;
  return text;
}

std::string single_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

bool has_positional(const Command& command) {
  for (const CommandOption& option : command.options) {
    if (!option.positional.empty()) return true;
  }
  return false;
}

// The word before the cursor decides: after an option that takes a value only files are offered, else options and
// commands.
std::string bash_script(const Command& root) {
  std::string script =
      "# bash completion for tollgate; made by `tollgate completion bash`\n"
      "_tollgate() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path='' word names flags\n"
      "  COMPREPLY=()\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"${path:+$path }$word\" in\n";
  std::vector<std::string> paths;
  each_command(root, [&](const Command& command) {
    if (&command != &root) paths.push_back(single_quoted(words_of(command)));
  });
  script += "      " + joined(paths, "|") +
            ") path=\"${path:+$path }$word\" ;;\n    esac\n  done\n  case \"$path:$before\" in\n";
  each_command(root, [&](const Command& command) {
    std::vector<std::string> patterns;
    for (const CommandOption& option : command.options) {
      if (option.value.empty()) continue;
      for (const std::string& name : option.names) patterns.push_back("'" + words_of(command) + ":" + name + "'");
    }
    if (!patterns.empty()) {
      script += "    " + joined(patterns, "|") +
                ")\n      mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); compopt -o filenames; return ;;\n";
    }
  });
  script += "  esac\n  case \"$path\" in\n";
  each_command(root, [&](const Command& command) {
    std::vector<std::string> names, flags;
    for (const Command& inner : command.commands) names.push_back(inner.name);
    for (const CommandOption& option : command.options) {
      flags.insert(flags.end(), option.names.begin(), option.names.end());
    }
    script +=
        "    '" + words_of(command) + "') names='" + joined(names, " ") + "' flags='" + joined(flags, " ") + "' ;;\n";
  });
  script +=
      "  esac\n"
      "  [[ $current == -* || -z $names ]] && names=$flags\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$current\")\n"
      "  if [[ ${#COMPREPLY[@]} -eq 0 && $current != -* ]]; then mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); "
      "compopt -o filenames; fi\n"
      "}\n"
      "complete -F _tollgate tollgate\n";
  return script;
}

/// What _arguments wants: '(-c --config)'{-c,--config}'[what]:value:_files'.
std::string zsh_argument(const CommandOption& option) {
  std::string what;
  for (const char c : option.description)
    what += c == '[' || c == ']' || c == ':' ? std::string{'\\', c} : std::string(1, c);
  std::string tail = "[" + what + "]";
  if (!option.value.empty()) tail += ":" + option.value + ":" + (option.takes_file() ? "_files" : "");
  if (option.repeated)
    return "'*'" + (option.names.size() == 1 ? option.names.front() : "{" + joined(option.names, ",") + "}") +
           single_quoted(tail);
  if (option.names.size() == 1) return single_quoted(option.names.front() + tail);
  return "'(" + joined(option.names, " ") + ")'{" + joined(option.names, ",") + "}" + single_quoted(tail);
}

std::string zsh_function(const Command& command) {
  std::string name = words_of(command);
  for (char& c : name) c = c == ' ' ? '_' : c;
  return "_tollgate" + (name.empty() ? "" : "_" + name);
}

std::string zsh_script(const Command& root) {
  std::string script = "#compdef tollgate\n# zsh completion for tollgate; made by `tollgate completion zsh`\n";
  each_command(root, [&](const Command& command) {
    script += "\n" + zsh_function(command) + "() {\n";
    std::string arguments;
    for (const CommandOption& option : command.options) {
      if (!option.names.empty()) arguments += " \\\n    " + zsh_argument(option);
    }
    if (command.commands.empty()) {
      if (has_positional(command)) arguments += " \\\n    '*:: :_files'";
      script += "  _arguments -s" + arguments + "\n}\n";
      return;
    }
    script += "  local curcontext=$curcontext state line\n  typeset -A opt_args\n  local -a commands=(\n";
    for (const Command& inner : command.commands) {
      std::string what = inner.description.substr(0, inner.description.find('\n'));
      script += "    " + single_quoted(inner.name + ":" + what) + "\n";
    }
    script += "  )\n  _arguments -C" + arguments +
              " \\\n    '1: :->command' '*:: :->rest'\n  case $state in\n    command) _describe command commands ;;\n  "
              "  rest)\n      case $line[1] in\n";
    for (const Command& inner : command.commands)
      script += "        " + inner.name + ") " + zsh_function(inner) + " ;;\n";
    script += "      esac ;;\n  esac\n}\n";
  });
  script +=
      "\n# Autoloaded as _tollgate, it completes at once; sourced, it says what to complete with.\n"
      "if [ \"$funcstack[1]\" = _tollgate ]; then _tollgate \"$@\"; else compdef _tollgate tollgate; fi\n";
  return script;
}

std::string fish_line(const Command& command, const std::string& condition) {
  std::string lines;
  for (const CommandOption& option : command.options) {
    if (option.names.empty()) continue;
    lines += "complete -c tollgate -n " + single_quoted(condition);
    for (const std::string& name : option.names)
      lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (!option.value.empty()) lines += option.takes_file() ? " -r -F" : " -x";
    lines += " -d " + single_quoted(option.description) + "\n";
  }
  return lines;
}

std::string fish_script(const Command& root) {
  std::string script =
      "# fish completion for tollgate; made by `tollgate completion fish`\n"
      "function __tollgate_given --description 'the commands before the cursor'\n"
      "  for word in (commandline -opc)[2..]\n"
      "    string match -q -- '-*' $word; and break\n"
      "    echo $word\n"
      "  end\n"
      "end\n"
      "function __tollgate_at --description 'no command is given but these'\n"
      "  set -l given (__tollgate_given)\n"
      "  test \"$given\" = \"$argv\"\n"
      "end\n"
      "function __tollgate_in --description 'these commands are given first'\n"
      "  set -l given (__tollgate_given)\n"
      "  set -l count (count $argv)\n"
      "  test (count $given) -ge $count; and test \"$given[1..$count]\" = \"$argv\"\n"
      "end\n"
      "complete -c tollgate -f\n";
  each_command(root, [&](const Command& command) {
    const std::string words = words_of(command);
    const std::string condition =
        (command.commands.empty() ? "__tollgate_in" : "__tollgate_at") + (words.empty() ? std::string() : " " + words);
    for (const Command& inner : command.commands) {
      script += "complete -c tollgate -n " + single_quoted(condition) + " -a " + inner.name + " -d " +
                single_quoted(inner.description.substr(0, inner.description.find('\n'))) + "\n";
    }
    if (has_positional(command)) script += "complete -c tollgate -n " + single_quoted(condition) + " -F\n";
    script += fish_line(command, condition);
  });
  return script;
}

}  // namespace

std::optional<std::string> completion_script(const Command& root, std::string_view shell) {
  if (shell == "bash") return bash_script(root);
  if (shell == "zsh") return zsh_script(root);
  if (shell == "fish") return fish_script(root);
  return std::nullopt;
}

}  // namespace tollgate::cli
