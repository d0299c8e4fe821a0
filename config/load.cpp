// File → Config: reads the text, walks the sections, checks the whole, and turns every finding into one error.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "config/draft.hpp"
#include "config/sha256.hpp"

namespace tollgate {
namespace {

constexpr std::size_t name_bytes_max = 64;
constexpr std::size_t model_bytes_max = 160;
constexpr std::size_t findings_shown_max = 50;
constexpr std::int64_t version = 1;

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

void load_version(MapReader& root) {
  const Cursor place = root.at("version");
  if (!place.present()) {
    root.cursor().report("version is missing; add the line 'version: 1'");
    return;
  }
  const auto text = place.text();
  if (text && *text != std::to_string(version)) place.report("this program reads version 1");
}

/// All findings, in the order of the file, one per line.
Error error_of(Reading& reading, const std::string& source) {
  auto& findings = reading.findings;
  std::stable_sort(findings.begin(), findings.end(), [](const auto& a, const auto& b) { return a.place < b.place; });
  std::string message;
  for (std::size_t i = 0; i < findings.size() && i < findings_shown_max; ++i) {
    if (i > 0) message += '\n';
    const Place place = findings[i].place;
    message += place.line == 0 ? fmt::format("{}: {}", source, findings[i].message)
                               : fmt::format("{}:{}:{}: {}", source, place.line, place.column, findings[i].message);
  }
  if (findings.size() > findings_shown_max)
    message += fmt::format("\n{}: and {} more", source, findings.size() - findings_shown_max);
  return fail(Fault::bad_config, std::move(message));
}

Result<ConfigPtr> load_into(Reading& reading, std::string_view yaml, const std::string& source) {
  YamlProblem problem;
  const std::optional<YamlNode> tree = parse_yaml(yaml, problem);
  if (!tree) {
    reading.report(problem.place, std::move(problem.message));
    return error_of(reading, source);
  }
  Draft draft;
  {
    MapReader root(Cursor(reading, &*tree, "", "", {1, 1}));
    if (root.cursor().present()) {
      load_version(root);
      load_server(root, draft);
      load_prices(root, draft);
      load_auth(root, draft);
      load_backends(root, draft);
      load_constraints(root, draft);
      load_choice(root, draft);
      load_cache(root.at("cache"), draft.config.cache);
      load_outliers(root.at("outliers"), draft.config.outliers);
      load_passthrough(root, draft);
      load_routes(root, draft);
      load_baselines(root, draft);
      load_learning(root, draft);
      load_budgets(root, draft);
      load_shared(root, draft);
      check(draft);
    }
  }
  if (!reading.findings.empty()) return error_of(reading, source);
  draft.config.source = source;
  draft.config.sha256 = sha256_hex(yaml);
  return ConfigPtr(std::make_shared<const Config>(std::move(draft.config)));
}

}  // namespace

bool is_legal_name(std::string_view name, const Cursor& place, std::string_view what) {
  const bool legal =
      !name.empty() && name.size() <= name_bytes_max && std::all_of(name.begin(), name.end(), is_name_character);
  if (!legal) {
    place.report(fmt::format("the name of a {} holds letters, digits, '.', '_' and '-' only, at most {} of them", what,
                             name_bytes_max));
    return false;
  }
  // "other" is the metric label for whatever is not configured, "direct" the route of requests that name their target.
  if (name == "other" || name == "direct") {
    place.report(fmt::format("the name '{}' is the gateway's own; choose another", name));
    return false;
  }
  return true;
}

bool is_legal_model(std::string_view name, const Cursor& place) {
  const auto legal_character = [](char c) { return is_name_character(c) || c == ':' || c == '/'; };
  const bool legal = !name.empty() && name.size() <= model_bytes_max &&
                     std::all_of(name.begin(), name.end(), legal_character) && name.front() != '/' &&
                     name.back() != '/';
  if (!legal) {
    place.report(fmt::format(
        "the name of a model holds letters, digits, '.', '_', '-', and ':' or '/' within, at most {} of them; what the "
        "backend calls it goes into upstream",
        model_bytes_max));
  }
  return legal;
}

Loaded load_and_list_keys(std::string_view yaml, const std::string& source, const Environment& environment) {
  Reading reading{environment, {}, {}, {}};
  Result<ConfigPtr> config = load_into(reading, yaml, source);
  return {std::move(config), std::move(reading.accepted), std::move(reading.noted)};
}

Result<ConfigPtr> load_text(std::string_view yaml, const std::string& source, const Environment& environment) {
  return load_and_list_keys(yaml, source, environment).config;
}

Result<std::string> read_config_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return fail(Fault::io_failed, fmt::format("{}: cannot be opened; check the path and its permissions", path));
  std::string text(yaml_limits::text_bytes_max + 1, '\0');  // one more than allowed, so that too much is seen
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail(Fault::io_failed, fmt::format("{}: cannot be read; is it a file?", path));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

Result<ConfigPtr> load_file(const std::string& path, const Environment& environment) {
  TOLLGATE_TRY(const std::string text, read_config_text(path));
  return load_text(text, path, environment);
}

}  // namespace tollgate
