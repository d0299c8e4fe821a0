#pragma once
// How the complexity model is made, from labelled requests and outcomes.
//
//  1. Trees that keep to the terms' signs learn from the outcomes which questions a weak model fails and a strong one
//     does not; to them comes what held in every source: a longer question is failed more often. They alone order
//     multiple choice, of which there are few labelled requests.
//  2. Word problems and other questions also hear the labelled requests: trees that keep to signs, and
//  3. free trees and words, which are all that judges requests that are more than a question, for nothing else was
//     asked where outcomes are known.
//  4. The tiers' borders are set on labelled requests that the model they judge has not seen, for each head apart.
//
// Same input, same model.

#include <cstdint>
#include <span>
#include <vector>

#include "router/model.hpp"
#include "training/measure.hpp"
#include "training/rows.hpp"

namespace tollgate::training {

/// How much a head hears of what outcomes say.
struct Hearing {
  float spread;        ///< standard deviations of it, in tiers
  float gain_share;    ///< of "strong better than weak"
  float length_share;  ///< of the number of words in a question; the rest goes to "weak fails"
  float strong_share;  ///< of "strong fails too", which counts against the strong one: there is nothing to gain
};

/// How much a head hears of what labelled requests say.
struct Tiers {
  float spread;        ///< of it: less than 1 leaves more to the outcomes
  float signed_share;  ///< of step 2's trees against step 3's
};

struct Recipe {
  Hearing choice{0.6F, 0.3F, 0.2F, 0.28F};  ///< multiple choice
  Hearing problem{1.3F, 0.175F, 0.5F, 0.0F};  ///< word problems
  Tiers problem_tiers{0.4F, 1.0F};
  Hearing question{0.5F, 0.175F, 0.2F, 0.0F};  ///< other questions
  Tiers question_tiers{1.0F, 0.25F};
  float program_tiers = 0.7F;  ///< more for a program to be written: set by hand, for outcomes of programs are rare
  float others_share = 0.5F;   ///< weight, in step 2, of a request that is more than a bare question
  float word_ridge = 20.0F;
  float word_share = 0.5F;  ///< of what the words' weights say: all of it holds worse for new kinds of requests
  int outcome_rounds = 100, request_rounds = 200;
  int choice_bags = 3;   ///< models of the outcomes that are averaged for multiple choice, each of other draws; else one is heard
  int request_bags = 2;  ///< models of the labelled requests that are averaged
};

/// Rows by reference, so that leaving some out costs nothing.
struct Material {
  std::vector<const Labelled*> labelled;
  std::vector<std::vector<const Outcome*>> sources;
};
[[nodiscard]] Material all_of(std::span<const Labelled> labelled, std::span<const Source> sources);

/// Step 1; each deviates by 1 over the outcomes.
struct OutcomeTrees {
  std::vector<Tree> fails, gains, length, strong;
};
/// One model of the outcomes, and several averaged.
struct Outcomes {
  OutcomeTrees one, averaged;
};
[[nodiscard]] Outcomes learn_outcomes(const Material& material, const Recipe& recipe);
/// Steps 2 to 4, on top of step 1's trees.
[[nodiscard]] Model train(const Material& material, const Recipe& recipe, const Outcomes& outcomes);
/// The same fold for the same key, whatever the platform.
[[nodiscard]] std::size_t fold_of(std::string_view key, std::size_t folds) noexcept;

}  // namespace tollgate::training
