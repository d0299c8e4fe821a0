#include "router/scoring.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "router/complexity.hpp"

namespace tollgate {

ModelPtr built_in_model() { return {ModelPtr(), &base_model()}; }  // it lives as long as the program

Result<ModelPtr> load_model(const std::string& path) {
  constexpr std::string_view remedy = "; without complexity.model the model in the program is used";
  const auto refuse = [&path, remedy](std::string_view why) {
    return fail(Fault::bad_config, fmt::format("{}: {}{}", path, why, remedy));
  };
  std::ifstream in(path, std::ios::binary);
  if (!in) return refuse(fmt::format("cannot be opened: {}", std::generic_category().message(errno)));
  std::string text(complexity_model_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return refuse("cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > complexity_model_bytes_max) {
    return refuse(fmt::format("is larger than a complexity model may be ({} bytes)", complexity_model_bytes_max));
  }
  Result<Model> model = Model::parse(text, path);
  if (!model) return fail(Fault::bad_config, model.error().message + std::string(remedy));
  return ModelPtr(std::make_shared<const Model>(std::move(model).value()));
}

Result<ModelPtr> model_of(const Config& config) {
  const ComplexityConfig& complexity = config.complexity;
  if (complexity.model.empty()) return built_in_model();
  Result<ModelPtr> model = load_model(complexity.model);
  if (model) return model;
  return fail(Fault::bad_config, fmt::format("{}:{}:{}: complexity.model: {}", config.source, complexity.model_line,
                                             complexity.model_column, model.error().message));
}

Result<Scoring> scoring_of(const Config& config) {
  Scoring scoring;
  TOLLGATE_TRY(scoring.model, model_of(config));
  if (config.complexity.correction.empty()) return scoring;
  TOLLGATE_TRY(scoring.correction, load_correction(config.complexity.correction, scoring.model->id()));
  return scoring;
}

std::string model_text(const Config& config, const Model& model) {
  const std::string& path = config.complexity.model;
  return fmt::format("{} ({:08x})", path.empty() ? "the model in the program" : path, model.id());
}

Classified classify(const ChatView& chat, const TierBounds& bounds, const Scoring& scoring) noexcept {
  const Features features = features_of(chat);
  const float base = scoring.model->score(terms_of(features), features.lexical);
  const DenseFeatures dense = dense_of(features);
  const float score = scoring.correction ? scoring.correction->apply(base, dense) : base;
  return {{score, tier_of(score, bounds)}, blob_of(dense, base, scoring.model->id())};
}

}  // namespace tollgate
