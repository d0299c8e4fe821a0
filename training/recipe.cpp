#include "training/recipe.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "training/boost.hpp"
#include "training/measure.hpp"
#include "training/words.hpp"

namespace tollgate::training {
namespace {

constexpr std::size_t inner_folds = 4;
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
  return static_cast<float>(std::sqrt(std::max(squares / n - sum / n * (sum / n), 1e-12)));
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

std::vector<Tree> learn_outcomes(const Material& material, const Recipe& recipe) {
  std::vector<Tree> trees;
  if (material.sources.empty() || recipe.outcomes_say <= 0) return trees;
  const auto learn = [&](float share, std::size_t depth, auto target) {
    if (share <= 0) return;
    const std::vector<Example> examples = examples_of(material, target);
    BoostOptions options = of_outcomes;
    options.rounds = recipe.outcome_rounds;
    options.depth = depth;
    std::vector<Tree> more = boost(examples, options);
    scale(more, share / deviation(more, examples));
    trees.insert(trees.end(), more.begin(), more.end());
  };
  const auto fails = [](const Outcome& row) { return 1 - row.weak; };
  const auto gains = [](const Outcome& row) { return row.strong - row.weak; };
  learn((1 - recipe.gain_share) / 2, 1, fails);
  learn((1 - recipe.gain_share) / 2, tree_depth, fails);
  learn(recipe.gain_share, tree_depth, gains);
  scale(trees, recipe.outcomes_say);
  return trees;
}

bool is_question(const Labelled& row) { return row.seen.terms[bare_question_term()] > 0; }

/// Step 2: sign-keeping trees, on all requests, of what the outcomes' trees leave over. Requests that are more than a
/// bare question count less; for them the outcomes say what they say on average.
std::vector<Tree> learn_questions(const std::vector<const Labelled*>& labelled, std::span<const Tree> outcomes,
                                  const Recipe& recipe) {
  float mean = 0, questions = 0;
  for (const Labelled* row : labelled) {
    if (!is_question(*row)) continue;
    mean += sum_of(outcomes, row->seen.terms);
    questions += 1;
  }
  mean /= std::max(questions, 1.0F);
  std::vector<Example> examples;
  for (const Labelled* row : labelled) {
    const float said = is_question(*row) ? sum_of(outcomes, row->seen.terms) : mean;
    examples.push_back({&row->seen.terms, static_cast<float>(row->tier) - recipe.undo * said,
                        is_question(*row) ? 1 : recipe.others_share});
  }
  BoostOptions options = of_questions;
  options.rounds = recipe.request_rounds;
  std::vector<Tree> trees = boost(examples, options);
  double target = 0, weight = 0;  // boost() leaves the mean out; here two kinds of requests must come to one scale
  for (const Example& example : examples) {
    target += static_cast<double>(example.target * example.weight);
    weight += static_cast<double>(example.weight);
  }
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
      examples.push_back(
          {&row->seen.terms, static_cast<float>(row->tier) - mean - words_say(weights, row->seen.words)});
    }
  }
  fit.words = fit_words(words, recipe.word_ridge);
  BoostOptions options = of_requests;
  options.rounds = recipe.request_rounds;
  fit.trees = boost(examples, options);
  shift(fit.trees, mean);
  return fit;
}

/// Both halves in the form that the program reads.
Model join(std::span<const Tree> outcomes, std::vector<Tree> questions, Requests requests, const Borders& borders) {
  std::vector<Tree> trees(outcomes.begin(), outcomes.end());
  trees.insert(trees.end(), questions.begin(), questions.end());
  const std::size_t question_trees = trees.size();
  trees.insert(trees.end(), requests.trees.begin(), requests.trees.end());
  return Model(std::move(trees), question_trees, std::move(requests.words), borders);
}

Model learn(const std::vector<const Labelled*>& labelled, std::span<const Tree> outcomes, const Recipe& recipe,
            const Borders& borders) {
  return join(outcomes, learn_questions(labelled, outcomes, recipe), learn_requests(labelled, recipe), borders);
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

std::vector<Tree> outcome_trees(const Material& material, const Recipe& recipe) {
  return learn_outcomes(material, recipe);
}

Model train(const Material& material, const Recipe& recipe, std::span<const Tree> outcomes) {
  // Borders on rows unseen by the model that judges them; then the model of all rows.
  constexpr Borders any = {0, 1, 2};
  std::vector<TierScore> judged;
  for (std::size_t fold = 0; fold < inner_folds; ++fold) {
    const auto is_here = [fold](const Labelled* row) {
      return fold_of("b" + std::to_string(row->core), inner_folds) == fold;
    };
    std::vector<const Labelled*> others = material.labelled;
    std::erase_if(others, is_here);
    const Model model = learn(others, outcomes, recipe, any);
    for (const Labelled* row : material.labelled) {
      if (is_here(row)) judged.push_back({model.sum(row->seen.terms, row->seen.words), row->tier});
    }
  }
  return learn(material.labelled, outcomes, recipe, borders_of(std::move(judged)));
}

}  // namespace tollgate::training
