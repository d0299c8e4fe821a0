#pragma once
// How the complexity model is made, from labelled requests and outcomes.
//
//  1. Trees that keep to the terms' signs learn from the outcomes which questions a weak model fails and a strong one
//  does not.
//  2. More such trees learn from the labelled requests what the first leave over. Both speak of bare questions, and of
//  nothing else:
//     nothing else was asked where outcomes are known. Trees that keep to signs hold better for questions of new
//     subjects.
//  3. For all other requests, words and free trees learn from the labelled requests alone.
//  4. The tiers' borders are set on labelled requests that the model they judge has not seen.
//
// Same input, same model.

#include <cstdint>
#include <span>
#include <vector>

#include "router/model.hpp"
#include "training/rows.hpp"

namespace tollgate::training {

struct Recipe {
  float outcomes_say = 0.4F;  ///< standard deviations of the first trees, in tiers
  float gain_share = 0.35F;   ///< of "strong better than weak" against "weak fails" in what the first trees learn
  float undo = 1;             ///< how much of what the first trees say may be taken back in step 2 where tiers disagree
  float others_share = 0.5F;  ///< weight, in step 2, of a request that is more than a bare question
  float word_ridge = 20.0F;
  int outcome_rounds = 100, request_rounds = 200;
};

/// Rows by reference, so that leaving some out costs nothing.
struct Material {
  std::vector<const Labelled*> labelled;
  std::vector<std::vector<const Outcome*>> sources;
};
[[nodiscard]] Material all_of(std::span<const Labelled> labelled, std::span<const Source> sources);

/// Step 1.
[[nodiscard]] std::vector<Tree> outcome_trees(const Material& material, const Recipe& recipe);
/// Steps 2 to 4, on top of step 1's trees.
[[nodiscard]] Model train(const Material& material, const Recipe& recipe, std::span<const Tree> outcomes);
/// The same fold for the same key, whatever the platform.
[[nodiscard]] std::size_t fold_of(std::string_view key, std::size_t folds) noexcept;

}  // namespace tollgate::training
