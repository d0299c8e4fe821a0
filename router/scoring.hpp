#pragma once
// By what a configuration judges complexity: a model (complexity.model, or the one in the program) and what was learned
// on top of it from the traffic (complexity.correction). Everything that judges requests for a configuration asks here,
// so that serve, explain, classify, calibrate and train cannot see different scores.
//
//    Result<Scoring> scoring = scoring_of(*config);            // errors: what is wrong with which file, and the remedy
//    Classified seen = classify(chat, config->tiers, scoring.value());
//
// Immutable, any thread.

#include <memory>
#include <string>

#include "config/config.hpp"
#include "router/correction.hpp"
#include "router/model.hpp"

namespace tollgate {

using ModelPtr = std::shared_ptr<const Model>;
/// The one in the program.
[[nodiscard]] ModelPtr built_in_model();

struct Scoring {
  ModelPtr model = built_in_model();  ///< never null
  CorrectionPtr correction;           ///< fitted to `model`; nullptr: none is installed
};

inline constexpr std::size_t complexity_model_bytes_max = 2'000'000;
/// Errors: Fault::bad_config with file, what is wrong and what to do.
[[nodiscard]] Result<ModelPtr> load_model(const std::string& path);
/// The configuration's own, or the one in the program. Errors name the place in the configuration too.
[[nodiscard]] Result<ModelPtr> model_of(const Config& config);
/// Both. A correction that was fitted to another model is an error.
[[nodiscard]] Result<Scoring> scoring_of(const Config& config);
/// "the model in the program (1f3a2b4c)": for people.
[[nodiscard]] std::string model_text(const Config& config, const Model& model);

/// A request's complexity, and what it was judged by.
struct Classified {
  Complexity complexity;
  FeatureBlob features;
};
[[nodiscard]] Classified classify(const ChatView& chat, const TierBounds& bounds, const Scoring& scoring) noexcept;

}  // namespace tollgate
