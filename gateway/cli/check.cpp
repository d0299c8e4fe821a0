#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/config.hpp"
#include "gateway/cli/commands.hpp"
#include "router/scoring.hpp"

namespace tollgate::cli {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

int check(const CheckOptions& options) {
  if (options.schema) {
    const std::string_view schema = config_schema();
    std::fwrite(schema.data(), 1, schema.size(), stdout);
    return ok;
  }
  Result<ConfigPtr> loaded = load_file(options.config, process_environment());
  std::string model;
  if (loaded) {
    const Result<ModelPtr> read = model_of(*loaded.value());
    if (read) {
      model = model_text(*loaded.value(), *read.value());
    } else {
      loaded = read.error();
    }
  }
  const std::vector<std::string> errors = loaded ? std::vector<std::string>{} : lines_of(loaded.error().message);
  std::vector<std::string> remarks = loaded ? remarks_on(*loaded.value()) : std::vector<std::string>{};
  if (loaded) {
    if (const Result<Scoring> scoring = scoring_of(*loaded.value()); !scoring) {
      remarks.push_back("complexity.correction is not used: " + scoring.error().message);
    }
  }
  const bool fine = loaded.has_value() && (!options.strict || remarks.empty());
  if (options.json) {
    const nlohmann::ordered_json report{{"file", options.config}, {"valid", loaded.has_value()}, {"errors", errors}, {"remarks", remarks},
                                        {"complexity_model", loaded ? nlohmann::ordered_json(model) : nlohmann::ordered_json()}};
    std::printf("%s\n", report.dump(2).c_str());
    return fine ? ok : loaded ? finding : exit_code_of(loaded.error());
  }
  for (const std::string& error : errors) std::fprintf(stderr, "%s\n", error.c_str());
  for (const std::string& remark : remarks) std::fprintf(stderr, "remark: %s\n", remark.c_str());
  if (loaded) {
    const Config& config = *loaded.value();
    std::printf("%s is valid: %zu backends, %zu targets, %zu routes, %zu constraints, %zu keys\n", options.config.c_str(), config.backends.size(),
                config.targets.size(), config.routes.size(), config.constraints.size(), config.keys.size());
    if (!config.complexity.model.empty()) std::printf("complexity is judged by %s\n", model.c_str());
  } else if (loaded.error().fault != Fault::io_failed) {
    std::fprintf(stderr, "%s is not valid: %zu finding%s\n", options.config.c_str(), errors.size(), errors.size() == 1 ? "" : "s");
  }
  return fine ? ok : loaded ? finding : exit_code_of(loaded.error());
}

}  // namespace tollgate::cli
