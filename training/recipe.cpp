#include "training/recipe.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "training/boost.hpp"
#include "training/measure.hpp"
#include "training/words.hpp"

namespace tollgate::training {
namespace {

constexpr std::size_t inner_folds = 4;
/// Where only sums are asked for.
constexpr std::array<Borders, head_count> any_borders = {Borders{0, 1, 2}, Borders{0, 1, 2}, Borders{0, 1, 2}, Borders{0, 1, 2}};
constexpr BoostOptions of_outcomes{.rounds = 100, .rate = 0.06F, .leaf_min = 100, .keep_signs = true, .seed = 11};
constexpr BoostOptions of_questions{
    .rounds = 200, .rate = 0.06F, .leaf_min = 40, .depth = 2, .keep_signs = true, .seed = 13};
constexpr BoostOptions of_requests{.rounds = 200, .rate = 0.06F, .leaf_min = 15, .seed = 12};

float deviation(std::span<const Tree> trees, std::span<const Example> examples) {
  double sum = 0, squares = 0;
  for (const Example& example : examples) {
    const auto said = static_cast<double>(sum_of(trees, *example.terms));
    sum += said;
    squares += said * said;
  }
  const auto n = static_cast<double>(examples.size());
  return static_cast<float>(std::sqrt(std::max(squares / n - sum / n * (sum / n), 0.0)));
}

/// Rows of the sources with a target less the source's mean: sources differ in their models, and only the order within
/// one says something about questions. A source counts by the root of its rows.
template <class Target>
std::vector<Example> examples_of(const Material& material, Target target) {
  std::vector<Example> examples;
  for (const std::vector<const Outcome*>& source : material.sources) {
    float mean = 0;
    for (const Outcome* row : source) mean += target(*row) / static_cast<float>(source.size());
    const float weight = 1 / std::sqrt(static_cast<float>(source.size()));
    for (const Outcome* row : source) examples.push_back({&row->seen.terms, target(*row) - mean, weight});
  }
  float total = 0;
  for (const Example& example : examples) total += example.weight;
  for (Example& example : examples) example.weight *= static_cast<float>(examples.size()) / total;
  return examples;
}

Tree nothing() {
  Tree tree;
  tree.threshold.fill(std::numeric_limits<float>::infinity());
  return tree;
}

/// More where a term is there at all.
Tree step(std::size_t term, float more) {
  Tree tree = nothing();
  tree.term[0] = static_cast<std::uint8_t>(term);
  tree.threshold[0] = 0.25F;
  for (std::size_t first = 2, count = 1; first < tree_nodes; first = 2 * first + 1, count *= 2)
    std::fill_n(tree.value.begin() + static_cast<std::ptrdiff_t>(first), count, more);
  return tree;
}

/// A rising line over one term, in steps: two trees whose steps lie half a step apart.
std::vector<Tree> staircase(std::size_t term) {
  constexpr float from = 0.2F, to = 0.9F;  // few questions are shorter or longer
  constexpr float step = (to - from) / static_cast<float>(tree_inner + 1);
  std::vector<Tree> trees(2);
  for (std::size_t t = 0; t < trees.size(); ++t) {
    Tree& tree = trees[t];
    tree.term.fill(static_cast<std::uint8_t>(term));
    const float begin = from + step * (static_cast<float>(t) / 2 - 0.25F);
    for (std::size_t level = 0; level <= tree_depth; ++level) {
      const std::size_t width = std::size_t{1} << level;
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t node = width - 1 + i;
        const float middle = (static_cast<float>(i) + 0.5F) / static_cast<float>(width);
        tree.value[node] = middle - 0.5F;
        if (level < tree_depth) tree.threshold[node] = begin + (to - from) * middle;
      }
    }
  }
  return trees;
}

/// Trees whose sums deviate by 1 over the examples; none if they tell no example from another.
std::vector<Tree> to_unit(std::vector<Tree> trees, std::span<const Example> examples) {
  constexpr float tells_nothing = 1e-4F;
  const float spread = deviation(trees, examples);
  if (spread < tells_nothing) return {};
  scale(trees, 1 / spread);
  return trees;
}

/// Trees of one target.
template <class Target>
std::vector<Tree> learn_target(const Material& material, const Recipe& recipe, std::size_t depth, int bag, Target target) {
  const std::vector<Example> examples = examples_of(material, target);
  BoostOptions options = of_outcomes;
  options.rounds = recipe.outcome_rounds;
  options.depth = depth;
  options.seed += static_cast<std::uint64_t>(bag);
  return to_unit(boost(examples, options), examples);
}

void append(std::vector<Tree>& to, std::span<const Tree> trees, float share) {
  if (share == 0) return;
  const std::size_t before = to.size();
  to.insert(to.end(), trees.begin(), trees.end());
  scale(std::span(to).subspan(before), share);
}

/// What outcomes say, in tiers, as a head hears it.
std::vector<Tree> heard(const OutcomeTrees& outcomes, const Hearing& hearing) {
  std::vector<Tree> trees;
  append(trees, outcomes.fails, hearing.spread * (1 - hearing.gain_share - hearing.length_share));
  append(trees, outcomes.gains, hearing.spread * hearing.gain_share);
  append(trees, outcomes.length, hearing.spread * hearing.length_share);
  append(trees, outcomes.strong, -hearing.spread * hearing.strong_share);
  return trees;
}

bool is_question(const Labelled& row) { return row.seen.terms[bare_question_term()] > 0; }

/// Step 2: sign-keeping trees, on all requests. They know less than step 3's, but hold better for new questions.
std::vector<Tree> learn_questions(const std::vector<const Labelled*>& labelled, const Recipe& recipe) {
  std::vector<Example> examples;
  double target = 0, weight = 0;
  for (const Labelled* row : labelled) {
    examples.push_back({&row->seen.terms, static_cast<float>(row->tier), is_question(*row) ? 1 : recipe.others_share});
    target += static_cast<double>(examples.back().target * examples.back().weight);
    weight += static_cast<double>(examples.back().weight);
  }
  BoostOptions options = of_questions;
  options.rounds = recipe.request_rounds;
  std::vector<Tree> trees = boost(examples, options);
  shift(trees, static_cast<float>(target / weight));
  return trees;
}

struct Requests {
  std::vector<Tree> trees;
  std::vector<float> words;
};

/// Step 3. The words' share of a row is told by weights that have not seen it: else the trees would find nothing left
/// to learn.
Requests learn_requests(const std::vector<const Labelled*>& labelled, const Recipe& recipe) {
  Requests fit;
  std::vector<WordExample> words;
  float mean = 0;
  for (const Labelled* row : labelled) {
    words.push_back({&row->seen.words, static_cast<float>(row->tier)});
    mean += static_cast<float>(row->tier) / static_cast<float>(labelled.size());
  }
  const auto fold_of_row = [](const Labelled& row) { return fold_of(std::to_string(row.core), inner_folds); };
  std::vector<Example> examples;
  for (std::size_t fold = 0; fold < inner_folds; ++fold) {
    std::vector<WordExample> others;
    for (std::size_t i = 0; i < labelled.size(); ++i) {
      if (fold_of_row(*labelled[i]) != fold) others.push_back(words[i]);
    }
    const std::vector<float> weights = fit_words(others, recipe.word_ridge);
    for (const Labelled* row : labelled) {
      if (fold_of_row(*row) != fold) continue;
      examples.push_back({&row->seen.terms, static_cast<float>(row->tier) - mean -
                                                recipe.word_share * words_say(weights, row->seen.words)});
    }
  }
  fit.words = fit_words(words, recipe.word_ridge);
  for (float& weight : fit.words) weight *= recipe.word_share;
  BoostOptions options = of_requests;
  options.rounds = recipe.request_rounds;
  for (int bag = 0; bag < recipe.request_bags; ++bag, ++options.seed)
    append(fit.trees, boost(examples, options), 1 / static_cast<float>(recipe.request_bags));
  shift(fit.trees, mean);
  return fit;
}

/// What outcomes say of multiple choice, on the tiers' scale: labelled requests only tell where its middle lies, for
/// few of them are of this kind.
std::vector<Tree> of_multiple_choice(const std::vector<const Labelled*>& labelled, const OutcomeTrees& outcomes,
                                     const Recipe& recipe) {
  constexpr float prior_tier = 1.5F, prior_rows = 10;
  float rows = prior_rows, tiers = prior_tier * prior_rows;
  for (const Labelled* row : labelled) {
    if (head_for(row->seen.terms) != HeadOf::multiple_choice) continue;
    rows += 1;
    tiers += static_cast<float>(row->tier);
  }
  std::vector<Tree> trees = heard(outcomes, recipe.choice);
  if (trees.empty()) trees.push_back(nothing());
  shift(trees, tiers / rows);
  return trees;
}

/// All heads in the form that the program reads.
Model learn(const std::vector<const Labelled*>& labelled, const Outcomes& outcomes, const Recipe& recipe,
            const std::array<Borders, head_count>& borders) {
  Heads heads;
  const auto trees_of = [&heads](HeadOf head) -> std::vector<Tree>& { return heads[static_cast<std::size_t>(head)].trees; };
  Requests requests = learn_requests(labelled, recipe);
  const std::vector<Tree> keeping_signs = learn_questions(labelled, recipe);
  const auto of_questions_like = [&](const Hearing& hearing, const Tiers& tiers) {
    std::vector<Tree> trees = heard(outcomes.one, hearing);
    append(trees, requests.trees, tiers.spread * (1 - tiers.signed_share));
    append(trees, keeping_signs, tiers.spread * tiers.signed_share);
    return trees;
  };
  trees_of(HeadOf::multiple_choice) = of_multiple_choice(labelled, outcomes.averaged, recipe);
  trees_of(HeadOf::word_problem) = of_questions_like(recipe.problem, recipe.problem_tiers);
  trees_of(HeadOf::question) = of_questions_like(recipe.question, recipe.question_tiers);
  trees_of(HeadOf::question).push_back(step(program_term(), recipe.program_tiers));
  trees_of(HeadOf::other) = std::move(requests.trees);
  for (std::size_t head = 0; head < head_count; ++head) heads[head].levels = borders[head];
  return Model(std::move(heads), std::move(requests.words));
}

}  // namespace

std::size_t fold_of(std::string_view key, std::size_t folds) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  hash ^= hash >> 29;
  return static_cast<std::size_t>((hash * 0x9E3779B97F4A7C15ULL >> 32) % folds);
}

Material all_of(std::span<const Labelled> labelled, std::span<const Source> sources) {
  Material material;
  for (const Labelled& row : labelled) material.labelled.push_back(&row);
  for (const Source& source : sources) {
    std::vector<const Outcome*>& rows = material.sources.emplace_back();
    for (const Outcome& row : source.rows) rows.push_back(&row);
  }
  return material;
}

namespace {

OutcomeTrees outcome_trees(const Material& material, const Recipe& recipe, int bag) {
  OutcomeTrees trees;
  const auto fails = [](const Outcome& row) { return 1 - row.weak; };
  const auto strong_fails = [](const Outcome& row) { return 1 - row.strong; };
  const auto gains = [](const Outcome& row) { return row.strong - row.weak; };
  append(trees.fails, learn_target(material, recipe, 1, bag, fails),
         0.5F);  // terms apart: holds better far from what was seen
  append(trees.fails, learn_target(material, recipe, tree_depth, bag, fails), 0.5F);
  trees.gains = learn_target(material, recipe, tree_depth, bag, gains);
  trees.strong = learn_target(material, recipe, tree_depth, bag, strong_fails);
  if (bag == 0) trees.length = to_unit(staircase(question_words_term()), examples_of(material, fails));
  return trees;
}

}  // namespace

Outcomes learn_outcomes(const Material& material, const Recipe& recipe) {
  Outcomes outcomes;
  if (material.sources.empty()) return outcomes;
  const float share = 1 / static_cast<float>(recipe.choice_bags);
  for (int bag = 0; bag < recipe.choice_bags; ++bag) {
    const OutcomeTrees trees = outcome_trees(material, recipe, bag);
    append(outcomes.averaged.fails, trees.fails, share);
    append(outcomes.averaged.gains, trees.gains, share);
    append(outcomes.averaged.strong, trees.strong, share);
    if (bag == 0) outcomes.one = trees;
  }
  outcomes.averaged.length = outcomes.one.length;
  return outcomes;
}

Model train(const Material& material, const Recipe& recipe, const Outcomes& outcomes) {
  // Borders on rows unseen by the model that judges them; then the model of all rows. Each head has its own, for
  // what outcomes say spreads its sums. A head of which few labelled requests are known takes those of questions.
  std::array<std::vector<TierScore>, head_count> judged;
  for (std::size_t fold = 0; fold < inner_folds; ++fold) {
    const auto is_here = [fold](const Labelled* row) {
      return fold_of("b" + std::to_string(row->core), inner_folds) == fold;
    };
    std::vector<const Labelled*> others = material.labelled;
    std::erase_if(others, is_here);
    const Model model = learn(others, outcomes, recipe, any_borders);
    for (const Labelled* row : material.labelled) {
      if (!is_here(row)) continue;
      judged[static_cast<std::size_t>(head_for(row->seen.terms))].push_back({model.sum(row->seen.terms, row->seen.words), row->tier});
    }
  }
  const auto borders_for = [&judged](HeadOf head, const Borders& else_these) {
    constexpr std::size_t enough = 100;
    const std::vector<TierScore>& rows = judged[static_cast<std::size_t>(head)];
    return rows.size() < enough ? else_these : borders_of(rows);
  };
  const Borders other = borders_of(judged[static_cast<std::size_t>(HeadOf::other)]);
  const Borders question = borders_for(HeadOf::question, other);
  const Borders problem = borders_for(HeadOf::word_problem, question);
  const Borders choice = borders_for(HeadOf::multiple_choice, question);
  return learn(material.labelled, outcomes, recipe, {choice, problem, question, other});
}

}  // namespace tollgate::training
