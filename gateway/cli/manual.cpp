#include "gateway/cli/manual.hpp"

namespace tollgate::cli {
namespace {

/// Text as roff reads it: no backslash acts, hyphens of options can be copied, no line begins with a control character.
std::string roff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else if ((c == '.' || c == '\'') && (escaped.empty() || escaped.back() == '\n')) {
      escaped += std::string("\\&") + c;
    } else if (c == '\'') {
      escaped += "\\(aq";
    } else if (c == '`') {
      escaped += "\\(ga";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

void add_literal(std::string& page, std::string_view text) {
  page += ".RS 4\n.nf\n" + roff(text) + (text.ends_with('\n') ? "" : "\n") + ".fi\n.RE\n";
}

void add_option(std::string& page, const CommandOption& option) {
  page += ".TP\n";
  std::string names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + ("\\fB" + roff(name) + "\\fR");
  if (names.empty()) names = "\\fI" + roff(option.positional) + "\\fR";
  if (!option.value.empty() && !option.names.empty()) names += " \\fI" + roff(option.value) + "\\fR";
  page += names + "\n" + roff(option.description) + (option.description.ends_with('.') ? "" : ".") + "\n";
  if (option.required) page += "Required.\n";
  if (option.repeated) page += "May be repeated.\n";
  if (!option.fallback.empty()) page += "Default: " + roff(option.fallback) + ".\n";
  if (!option.environment.empty()) page += "Also from the variable \\fB" + roff(option.environment) + "\\fR.\n";
  std::string others;
  for (const std::string& other : option.not_with)
    others += (others.empty() ? "" : ", ") + ("\\fB" + roff(other) + "\\fR");
  if (!others.empty()) page += "Not with " + others + ".\n";
}

bool is_help(const CommandOption& option) {
  for (const std::string& name : option.names) {
    if (name == "--help") return true;
  }
  return false;
}

/// A heading, what it does, options, examples; then the commands inside it.
void add_command(std::string& page, const Command& command) {
  if (command.commands.empty()) {
    page += ".SS \"" + roff(command.path) + "\"\n" + roff(command.description) +
            (command.description.ends_with('.') ? "" : ".") + "\n";
    for (const CommandOption& option : command.options) {
      if (!is_help(option)) add_option(page, option);
    }
    if (!command.footer.empty()) {
      page += ".PP\n";
      add_literal(page, command.footer);
    }
    const auto examples = examples_of(command.path);
    if (!examples.empty()) page += ".PP\nFor example:\n";
    for (const std::string_view line : examples) add_literal(page, line);
  }
  for (const Command& inner : command.commands) add_command(page, inner);
}

}  // namespace

std::string manual_page(const Command& root, std::string_view version) {
  std::string page = ".\\\" Made by `tollgate man`; not written by hand.\n.TH TOLLGATE 1 \"\" \"tollgate " +
                     std::string(version) + "\" \"User Commands\"\n";
  page += ".SH NAME\ntollgate \\- LLM routing gateway with live cost accounting\n";
  page += ".SH SYNOPSIS\n\\fBtollgate\\fR \\fISUBCOMMAND\\fR [\\fIOPTIONS\\fR]\n";
  page +=
      ".SH DESCRIPTION\nTollgate is one endpoint that speaks the protocol of OpenAI, in front of GPUs of your own and "
      "of managed models. It sends each\n"
      "request to the cheapest backend that may take it, can do it and is up, and records what the answer cost.\n"
      "Everything is said in one YAML file; \\fBtollgate check\\fR names each mistake in it.\n";
  page += ".SH COMMANDS\n";
  for (const Command& command : root.commands) add_command(page, command);
  page += ".SH EXIT STATUS\n";
  std::string_view codes = exit_codes();
  while (!codes.empty()) {
    const std::string_view line = codes.substr(0, codes.find('\n'));
    page += ".TP\n" + std::string(line.substr(0, 1)) + "\n" + roff(line.substr(3)) + ".\n";
    codes.remove_prefix(line.size() + 1);
  }
  page +=
      ".SH ENVIRONMENT\n"
      ".TP\nTOLLGATE_CONFIG\nThe configuration file, where \\fB\\-\\-config\\fR is not given.\n"
      ".TP\nTOLLGATE_ADMIN_KEY\nA key of admin.keys, for commands that ask a running gateway.\n"
      ".TP\nNO_COLOR\nIf it is set and not empty, nothing is coloured.\n"
      ".TP\nCOLUMNS\nThe width that tables and help texts fit into.\n"
      ".PP\nThe configuration may name more: \\fB${NAME}\\fR in a value stands for a variable.\n";
  page +=
      ".SH FILES\n"
      ".TP\n/etc/tollgate/tollgate.yaml\nThe configuration of the packaged service.\n"
      ".TP\n/etc/default/tollgate\nIts variables, such as provider keys.\n"
      ".TP\n/var/lib/tollgate/tollgate.db\nIts ledger.\n";
  page +=
      ".SH SIGNALS\n"
      ".TP\nSIGHUP\nThe configuration is read again; an invalid one changes nothing.\n"
      ".TP\nSIGTERM, SIGINT\nNo new connections; streams may finish for server.drain_seconds. The second one does not "
      "wait.\n";
  return page;
}

}  // namespace tollgate::cli
