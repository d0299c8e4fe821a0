#pragma once
// Weights of hashed words: ridge regression, solved by conjugate gradients. A request's words say the sum of their
// weights over the square root of their number, as in Model.

#include <span>
#include <vector>

#include "router/features.hpp"

namespace tollgate::training {

struct WordExample {
  const Lexical* words;
  float target;
};

/// One weight per bucket, for targets less their mean.
[[nodiscard]] std::vector<float> fit_words(std::span<const WordExample> examples, float ridge);
[[nodiscard]] float words_say(std::span<const float> weights, const Lexical& words) noexcept;

}  // namespace tollgate::training
