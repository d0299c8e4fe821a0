#pragma once
// The complexity model: boosted regression trees over the terms, and weights of hashed words. It is data
// (router/model.json, embedded in the program), made by tollgate-train (training/); docs/routing/complexity.md
// says how it was trained and what it reaches.
//
//    const Model& model = base_model();
//    float score = model.score(terms_of(features), features.lexical);
//
// There are two halves: the first trees judge bare questions, the other trees and the words all else. What they say is
// bent onto the logits of the tiers (`levels`), then through the logistic function. Immutable, any thread, no heap
// after it was parsed.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"
#include "router/complexity.hpp"
#include "router/features.hpp"
#include "router/terms.hpp"

namespace tollgate {

inline constexpr std::size_t tree_depth = 4;
inline constexpr std::size_t tree_inner = (1U << tree_depth) - 1, tree_nodes = 2 * tree_inner + 1;

/// A full binary tree, the children of node i at 2i+1 (value <= threshold) and 2i+2. A node that does not split has the
/// threshold infinity and hands its value down.
struct Tree {
  std::array<float, tree_inner> threshold{};
  std::array<std::uint8_t, tree_inner> term{};
  std::array<float, tree_nodes> value{};  ///< of every node: what is expected there; the leaves come last
};

/// Where on the sum's scale the tiers meet: logits of 0.25, 0.5 and 0.75.
using Levels = std::array<float, 3>;

class Model {
 public:
  Model() = default;
  /// `question_trees`: how many of the trees, from the first, judge bare questions; the others judge the rest.
  Model(std::vector<Tree> trees, std::size_t question_trees, std::vector<float> words, Levels levels);
  /// Faults: bad_config, with what is wrong; `source` names the file.
  [[nodiscard]] static Result<Model> parse(std::string_view json, std::string_view source);
  [[nodiscard]] std::string text() const;

  [[nodiscard]] float score(const TermValues& values, const Lexical& words) const noexcept;
  [[nodiscard]] std::array<Part, part_count> parts(const TermValues& values, const Lexical& words) const noexcept;
  [[nodiscard]] float typical_logit() const noexcept { return logit(root_); }
  /// Trees and words, before levels: what the trainer works on.
  [[nodiscard]] float sum(const TermValues& values, const Lexical& words) const noexcept;

 private:
  [[nodiscard]] float logit(float sum) const noexcept;
  [[nodiscard]] float words_add(const Lexical& words) const noexcept;
  /// What a split reads of a tree, close together.
  struct Split {
    std::array<float, tree_inner> threshold;
    std::array<std::uint8_t, tree_inner> term;
    std::array<float, tree_inner + 1> leaf;
  };

  std::vector<Tree> trees_;
  std::vector<Split> splits_;
  std::size_t question_trees_ = 0;
  std::vector<float> words_;  ///< by bucket of Lexical; empty: words count nothing
  Levels levels_{-1, 0, 1};
  float root_ = 0, question_root_ = 0;  ///< sums of the roots' values, of either half
};

/// The one in the program.
[[nodiscard]] const Model& base_model() noexcept;

}  // namespace tollgate
