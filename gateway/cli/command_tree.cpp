#include "gateway/cli/command_tree.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

namespace tollgate::cli {
namespace {

/// Better words than TEXT for the values of options, by the option's name.
std::string value_of(std::string_view option, std::string_view type) {
  static const std::map<std::string_view, std::string_view> known = {
      {"config", "FILE"},      {"jsonl", "FILE"},        {"ledger", "LEDGER"}, {"from", "FILE"},   {"file", "FILE"},
      {"prices", "FILE"},      {"invoice", "FILE"},      {"to", "FILE"},       {"since", "TIME"},
      {"until", "TIME"},       {"at", "TIME"},           {"as-of", "DAY"},     {"url", "URL"},
      {"name", "NAME"},        {"team", "NAME"},         {"model", "NAME"},    {"provider", "NAME"},
      {"constraint", "NAME"},  {"backend", "NAME"},      {"target", "TARGET"}, {"header", "HEADER"},
      {"by", "WHAT"},          {"gpu", "GPUS"},          {"state", "STATE"},   {"prompt", "PROMPT"},
      {"tokens-per-day", "N"}, {"requests-per-day", "N"}};
  const std::string_view plain = type.substr(0, type.find(':'));  // without what a check adds
  if (plain != "TEXT" && plain != "UINT" && plain != "INT" && plain != "FLOAT") return std::string(plain);
  // A choice of words is shown as such: {medium,complex} becomes medium|complex.
  if (const std::size_t brace = type.find('{'); brace != std::string_view::npos && type.ends_with('}')) {
    std::string words(type.substr(brace + 1, type.size() - brace - 2));
    std::replace(words.begin(), words.end(), ',', '|');
    return words;
  }
  if (const auto found = known.find(option); found != known.end()) return std::string(found->second);
  if (option.find("usd") != std::string_view::npos) return "USD";
  if (option.ends_with("seconds")) return "SECONDS";
  if (plain != "TEXT") return plain == "FLOAT" ? "NUMBER" : "N";
  std::string word(option);
  for (char& c : word) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return word;
}

std::string without_brackets(std::string text) {
  return text.size() > 2 && text.front() == '[' && text.back() == ']' ? text.substr(1, text.size() - 2) : text;
}

CommandOption read_option(const CLI::Option& option) {
  CommandOption read;
  for (const std::string& name : option.get_snames()) read.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) read.names.push_back("--" + name);
  if (option.get_positional()) read.positional = option.get_name(true, false);
  const std::string word = option.get_lnames().empty() ? read.positional : option.get_lnames().front();
  if (option.get_type_size() != 0) read.value = value_of(word, option.get_type_name());
  read.description = option.get_description();
  if (option.get_type_size() != 0) read.fallback = without_brackets(option.get_default_str());
  read.environment = option.get_envname();
  for (CLI::Option* other : option.get_excludes()) {
    read.not_with.push_back(other->get_lnames().empty() ? other->get_name() : "--" + other->get_lnames().front());
  }
  read.required = option.get_required();
  read.repeated = option.get_expected_max() >= CLI::detail::expected_max_vector_size;
  return read;
}

struct Example {
  std::string_view command, line;
};

constexpr Example examples[] = {
    {"tollgate", "tollgate serve --config tollgate.yaml"},
    {"tollgate serve", "tollgate serve --config config/demo.yaml"},
    {"tollgate check", "tollgate check tollgate.yaml --strict"},
    {"tollgate check", "tollgate check --schema > schema.json"},
    {"tollgate explain", "tollgate explain 'Prove that there are infinitely many primes.'"},
    {"tollgate explain",
     "tollgate explain 'Summarise this.' --header 'x-data-class: phi' --state 'home/llama-70b: down'"},
    {"tollgate explain", "tollgate explain --file request.json --json"},
    {"tollgate classify", "tollgate classify --jsonl < requests.jsonl"},
    {"tollgate price", "tollgate price --jsonl < usages.jsonl"},
    {"tollgate prices list", "tollgate prices list --provider openai"},
    {"tollgate prices show", "tollgate prices show openai gpt-4.1"},
    {"tollgate prices import", "tollgate prices import data.json --to prices.json --dry-run"},
    {"tollgate prices diff", "tollgate prices diff model_prices_and_context_window.json"},
    {"tollgate costs", "tollgate costs --by team,day --since month"},
    {"tollgate costs", "tollgate costs --pools --by pool,hour --since 24h"},
    {"tollgate costs", "tollgate costs --focus --since 2026-11-01 > focus.csv"},
    {"tollgate prove", "tollgate prove --constraint phi-stays-home --since 90d --csv > proof.csv"},
    {"tollgate budgets", "tollgate budgets --url http://127.0.0.1:9090"},
    {"tollgate budgets", "tollgate budgets --free gw-2 --config tollgate.yaml"},
    {"tollgate advise", "tollgate advise --since 30d"},
    {"tollgate advise", "tollgate advise --tokens-per-day 30M --model llama-3.3-70b --gpu h100x2"},
    {"tollgate calibrate", "tollgate calibrate --strong-share 0.2 --since 30d"},
    {"tollgate outcomes", "tollgate outcomes --since 7d"},
    {"tollgate ledger copy", "tollgate ledger copy --from tollgate.db --to postgresql://tollgate@db.internal/tollgate"},
    {"tollgate train", "tollgate train --dry-run"},
    {"tollgate reconcile", "tollgate reconcile --invoice costs.csv --invoice usage.csv"},
    {"tollgate healthcheck", "tollgate healthcheck --config tollgate.yaml --quiet"},
    {"tollgate healthcheck", "tollgate healthcheck --url http://127.0.0.1:9090 --live"},
    {"tollgate healthcheck", "tollgate healthcheck --json"},
    {"tollgate pools", "tollgate pools --url http://127.0.0.1:9090"},
    {"tollgate pools warm", "tollgate pools warm burst --wait"},
    {"tollgate keys new", "tollgate keys new --name web-app --team web"},
    {"tollgate keys new", "tollgate keys new --name prometheus --admin"},
    {"tollgate completion", "tollgate completion bash > /etc/bash_completion.d/tollgate"},
    {"tollgate completion", "tollgate completion fish > ~/.config/fish/completions/tollgate.fish"},
    {"tollgate man", "tollgate man | man -l -"},
};

}  // namespace

Command read_command(const CLI::App& app, std::string path) {
  Command read;
  read.name = path.substr(path.rfind(' ') + 1);
  read.path = std::move(path);
  read.description = app.get_description();
  read.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) read.options.push_back(read_option(*option));
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    read.commands.push_back(read_command(*command, read.path + " " + command->get_name()));
  }
  return read;
}

std::vector<std::string_view> examples_of(std::string_view path) {
  std::vector<std::string_view> lines;
  for (const Example& example : examples) {
    if (example.command == path) lines.push_back(example.line);
  }
  return lines;
}

std::string_view exit_codes() noexcept {
  return "0  fine\n"
         "1  a finding: an invalid configuration, a budget used up, an attempt outside a constraint, a gateway that "
         "cannot serve\n"
         "2  wrong usage of the command line\n"
         "3  an address cannot be bound, a file cannot be read or written, the gateway does not answer\n";
}

}  // namespace tollgate::cli
