#include "training/recipe.hpp"

#include <gtest/gtest.h>

namespace tollgate::training {
namespace {

constexpr std::size_t length = 0;  // any term that may rise

/// Requests whose tier grows with one term, and a source whose weak model fails where another one is high.
struct Data {
  std::vector<Labelled> labelled;
  std::vector<Source> sources;
  Data() {
    for (int i = 0; i < 400; ++i) {
      Labelled& row = labelled.emplace_back();
      row.tier = i % 4;
      row.core = i;
      row.seen.terms[length] = static_cast<float>(i % 4) / 4 + 0.1F;
    }
    Source& source = sources.emplace_back();
    for (int i = 0; i < 600; ++i) {
      Outcome& row = source.rows.emplace_back();
      row.seen.terms[length] = static_cast<float>(i % 100) / 100;
      row.seen.terms[bare_question_term()] = 1;
      row.seen.terms[question_words_term()] = static_cast<float>(i % 7) / 10 + 0.2F;  // says nothing of the outcome
      row.weak = i % 100 < 50 ? 1 : 0;
      row.strong = 1;
    }
  }
};

constexpr Recipe quick{.outcome_rounds = 20, .request_rounds = 60};

TEST(Recipe, TiersMeetAtTheQuarters) {
  const Data data;
  const Model model = train(all_of(data.labelled, {}), quick, {});
  for (int tier = 0; tier < 4; ++tier) {
    TermValues terms{};
    terms[length] = static_cast<float>(tier) / 4 + 0.1F;
    const float score = model.score(terms, {});
    EXPECT_GE(score, static_cast<float>(tier) * 0.25F) << tier;
    EXPECT_LT(score, static_cast<float>(tier + 1) * 0.25F) << tier;
  }
}

TEST(Recipe, OutcomesOrderQuestionsWordProblemsAndMultipleChoice) {
  const Data data;
  const Material all = all_of(data.labelled, data.sources);
  const Model model = train(all, quick, learn_outcomes(all, quick));
  TermValues easy{}, hard{};
  easy[bare_question_term()] = hard[bare_question_term()] = 1;
  easy[length] = 0.2F;
  hard[length] = 0.8F;
  EXPECT_GT(model.score(hard, {}), model.score(easy, {}));
  easy[word_problem_term()] = hard[word_problem_term()] = 1;
  EXPECT_GT(model.score(hard, {}), model.score(easy, {}));
  easy[multiple_choice_term()] = hard[multiple_choice_term()] = 1;
  EXPECT_GT(model.score(hard, {}), model.score(easy, {}));
}

TEST(Recipe, LongerQuestionsAreNeverEasierForTheirLengthAlone) {
  const Data data;
  const Material all = all_of(data.labelled, data.sources);
  const Model model = train(all, quick, learn_outcomes(all, quick));
  TermValues values{};
  values[bare_question_term()] = values[multiple_choice_term()] = 1;
  float first = 0, last = 0;
  for (float words = 0; words <= 1; words += 0.02F) {
    values[question_words_term()] = words;
    const float score = model.score(values, {});
    EXPECT_GE(score, last - 1e-6F) << words;
    if (first == 0) first = score;
    last = score;
  }
  EXPECT_GT(last, first);
}

TEST(Recipe, ALengthThatNeverVariesSaysNothing) {
  Data data;
  for (Outcome& row : data.sources[0].rows) row.seen.terms[question_words_term()] = 0.5F;
  EXPECT_TRUE(learn_outcomes(all_of(data.labelled, data.sources), quick).one.length.empty());
}

TEST(Recipe, AProgramToBeWrittenCountsMore) {
  const Data data;
  const Material all = all_of(data.labelled, data.sources);
  const Model model = train(all, quick, learn_outcomes(all, quick));
  TermValues values{};
  values[bare_question_term()] = 1;
  const float without = model.sum(values, {});
  values[program_term()] = 1;
  EXPECT_NEAR(model.sum(values, {}) - without, quick.program_tiers, 1e-4);
}

TEST(Recipe, SeveralModelsOfTheOutcomesAreAveragedForMultipleChoice) {
  const Data data;
  Recipe recipe = quick;
  recipe.choice_bags = 2;
  const Outcomes outcomes = learn_outcomes(all_of(data.labelled, data.sources), recipe);
  EXPECT_EQ(outcomes.averaged.gains.size(), 2 * outcomes.one.gains.size());
  EXPECT_EQ(outcomes.averaged.length.size(), outcomes.one.length.size());  // it is not learned
}

TEST(Recipe, WithoutOutcomesAllHeadsStillJudge) {
  const Data data;
  const Model model = train(all_of(data.labelled, {}), quick, {});
  TermValues values{};
  values[bare_question_term()] = values[multiple_choice_term()] = 1;
  const float score = model.score(values, {});
  EXPECT_GT(score, 0.25F);
  EXPECT_LT(score, 0.75F);
}

TEST(Recipe, TheSameMaterialGivesTheSameModel) {
  const Data data;
  const Material all = all_of(data.labelled, data.sources);
  EXPECT_EQ(train(all, quick, learn_outcomes(all, quick)).text(), train(all, quick, learn_outcomes(all, quick)).text());
}

TEST(Recipe, FoldsAreEven) {
  std::array<int, 5> count{};
  for (int i = 0; i < 1000; ++i) ++count[fold_of(std::to_string(i), 5)];
  for (const int n : count) EXPECT_NEAR(n, 200, 60);
}

}  // namespace
}  // namespace tollgate::training
