#pragma once
// Gradient boosting for squared error, on the terms in at most 64 steps each: every round fits one tree of fixed depth
// to what is left over. Where asked, a tree may only rise with terms whose sign is 1 and only fall with those whose
// sign is -1, which keeps a model trained on few kinds of questions sane on others. The same input and seed give the
// same trees.

#include <cstdint>
#include <span>
#include <vector>

#include "router/model.hpp"

namespace tollgate::training {

struct BoostOptions {
  int rounds = 120;
  float rate = 0.06F;              ///< of what a tree found, how much is taken
  std::size_t leaf_min = 100;      ///< rows
  float terms_share = 0.4F;        ///< of the terms, drawn for each tree
  float rows_share = 0.7F;         ///< of the rows, drawn for each tree
  std::size_t depth = tree_depth;  ///< a smaller one keeps terms apart: it holds better far from what was seen
  bool keep_signs = false;
  std::uint64_t seed = 1;
};

/// One row: what is seen, what is to be said, how much it counts.
struct Example {
  const TermValues* terms;
  float target;
  float weight = 1;
};

/// The trees' sum is the target less its weighted mean.
[[nodiscard]] std::vector<Tree> boost(std::span<const Example> examples, const BoostOptions& options);
[[nodiscard]] float sum_of(std::span<const Tree> trees, const TermValues& terms) noexcept;
/// Adds the same to whatever the trees say.
void shift(std::span<Tree> trees, float more) noexcept;
void scale(std::span<Tree> trees, float factor) noexcept;

}  // namespace tollgate::training
