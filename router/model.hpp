#pragma once
// The complexity model: boosted regression trees over the terms, and weights of hashed words. It is data
// (router/model.json, embedded in the program; complexity.model names another file), made by tollgate-train (training/); docs/routing/complexity.md
// says how it was trained and what it reaches.
//
//    const Model& model = base_model();
//    float score = model.score(terms_of(features), features.lexical);
//
// There are four heads, each with trees of its own: for multiple-choice questions, for word problems, for other bare
// questions, and for all else. The words count in the last two. What a head says is bent onto the logits of the tiers (`levels`), then through
// the logistic function. Immutable, any thread, no heap after it was parsed.

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

/// Which requests a head judges.
enum class HeadOf : std::uint8_t { multiple_choice, word_problem, question, other };
inline constexpr std::size_t head_count = 4;
[[nodiscard]] HeadOf head_for(const TermValues& values) noexcept;
/// Whether the words themselves add to what a head says; elsewhere they only tell the subject.
[[nodiscard]] constexpr bool hears_words(HeadOf head) noexcept { return head == HeadOf::question || head == HeadOf::other; }

struct Head {
  std::vector<Tree> trees;
  Levels levels{-1, 0, 1};
};
using Heads = std::array<Head, head_count>;

class Model {
 public:
  Model() = default;
  Model(Heads heads, std::vector<float> words);
  /// Faults: bad_config, with what is wrong; `source` names the file.
  [[nodiscard]] static Result<Model> parse(std::string_view json, std::string_view source);
  [[nodiscard]] std::string text() const;

  [[nodiscard]] float score(const TermValues& values, const Lexical& words) const noexcept;
  [[nodiscard]] std::array<Part, part_count> parts(const TermValues& values, const Lexical& words) const noexcept;
  [[nodiscard]] float typical_logit() const noexcept;
  /// Tells models apart: a hash of the file it was read from, 0 if it was made otherwise. A correction names the model
  /// that it was fitted to by it, and so does every row of the ledger.
  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  /// Trees and words, before levels: what the trainer works on.
  [[nodiscard]] float sum(const TermValues& values, const Lexical& words) const noexcept;

 private:
  [[nodiscard]] float words_add(const Lexical& words) const noexcept;
  /// What a split reads of a tree, close together.
  struct Split {
    std::array<float, tree_inner> threshold;
    std::array<std::uint8_t, tree_inner> term;
    std::array<float, tree_inner + 1> leaf;
  };

  Heads heads_;
  std::array<std::vector<Split>, head_count> splits_;
  std::array<float, head_count> root_{};  ///< sums of the roots' values
  std::uint32_t id_ = 0;
  std::vector<float> words_;              ///< by bucket of Lexical; empty: words count nothing
};

/// The one in the program.
[[nodiscard]] const Model& base_model() noexcept;

}  // namespace tollgate
