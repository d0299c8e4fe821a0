#include "router/model.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "requests.hpp"

namespace tollgate {
namespace {

Tree step_tree(std::size_t term, float threshold, float below, float above) {
  Tree tree;
  tree.threshold.fill(std::numeric_limits<float>::infinity());
  tree.term[0] = static_cast<std::uint8_t>(term);
  tree.threshold[0] = threshold;
  tree.value.fill(below);
  tree.value[0] = (below + above) / 2;
  for (std::size_t first = 2, count = 1; first < tree_nodes; first = 2 * first + 1, count *= 2) {
    for (std::size_t i = first; i < first + count; ++i) tree.value[i] = above;
  }
  return tree;
}

/// Every head asks term 1; they differ in how much they say.
Heads small_heads() {
  Heads heads;
  for (std::size_t i = 0; i < head_count; ++i) {
    const auto much = static_cast<float>(head_count - i);
    heads[i].trees = {step_tree(1, 0.5F, -much, much)};
  }
  return heads;
}

Model small_model() {
  std::vector<float> words(lexical_buckets);
  words[5] = 0.25F;
  return Model(small_heads(), words);
}

TermValues values_for(HeadOf head, float first_term) {
  TermValues values{};
  values[1] = first_term;
  values[bare_question_term()] = head == HeadOf::other ? 0 : 1;
  values[multiple_choice_term()] = head == HeadOf::multiple_choice ? 1 : 0;
  values[word_problem_term()] = head == HeadOf::word_problem ? 1 : 0;
  return values;
}

TEST(Model, TreesDecideByTheirThresholds) {
  const Model model = small_model();
  const TermValues low = values_for(HeadOf::other, 0), high = values_for(HeadOf::other, 0.6F);
  EXPECT_FLOAT_EQ(model.sum(low, {}), -1);
  EXPECT_FLOAT_EQ(model.sum(high, {}), 1);
  EXPECT_NEAR(model.score(low, {}), 0.25, 1e-6);  // the first level
  EXPECT_NEAR(model.score(high, {}), 0.75, 1e-6);
}

TEST(Model, WordsCountByTheRootOfTheirNumber) {
  Lexical words;
  words.count = 4;
  words.bucket[0] = 5;
  EXPECT_FLOAT_EQ(small_model().sum({}, words), -1 + 0.25F / 2);
}

TEST(Model, EveryKindOfRequestHasItsHead) {
  const Model model = small_model();
  Lexical said;
  said.count = 1;
  said.bucket[0] = 5;
  EXPECT_FLOAT_EQ(model.sum(values_for(HeadOf::other, 1), said), 1.25F);
  EXPECT_FLOAT_EQ(model.sum(values_for(HeadOf::question, 1), said), 2.25F);
  EXPECT_FLOAT_EQ(model.sum(values_for(HeadOf::word_problem, 1), said), 3);  // its words are the subject's
  EXPECT_FLOAT_EQ(model.sum(values_for(HeadOf::multiple_choice, 1), said), 4);
  TermValues options_within_a_task = values_for(HeadOf::other, 1);
  options_within_a_task[multiple_choice_term()] = options_within_a_task[word_problem_term()] = 1;
  EXPECT_EQ(head_for(options_within_a_task), HeadOf::other);
  TermValues numbers_and_options = values_for(HeadOf::word_problem, 1);
  numbers_and_options[multiple_choice_term()] = 1;
  EXPECT_EQ(head_for(numbers_and_options), HeadOf::multiple_choice);
}

TEST(Model, WordProblemsAreThoseWithAmountsInFiguresOrWordsAndAQuestion) {
  const auto head_of = [](const std::string& prompt) {
    testing::Request request;
    request.user(prompt);
    return head_for(terms_of(features_of(request.chat())));
  };
  EXPECT_EQ(head_of("Ida buys 12 eggs at 30 cents and sells 9 of them for 40 cents each. How much does she have more than before?"), HeadOf::word_problem);
  EXPECT_EQ(head_of("A scarf takes 3 balls of red wool and half as much white wool. How many balls in total does it take?"), HeadOf::word_problem);
  EXPECT_EQ(head_of("What is the capital of France?"), HeadOf::question);
  EXPECT_EQ(head_of("Design a rate limiter for 50 regions, compare at least two of them at half the cost each, and explain how it stays right."), HeadOf::other);
}

TEST(Model, AGreaterSumIsAGreaterScoreWithinBounds) {
  Heads heads = small_heads();
  for (Head& head : heads) head.levels = {-0.5F, 0.1F, 3};
  float last = 0;
  for (float much = -200; much <= 200; much += 0.37F) {
    heads[static_cast<std::size_t>(HeadOf::other)].trees = {step_tree(1, 0.5F, much, much)};
    const float score = Model(heads, {}).score({}, {});
    EXPECT_GE(score, last) << much;
    EXPECT_GE(score, 0) << much;
    EXPECT_LE(score, 1) << much;
    last = score;
  }
}

TEST(Model, ItsTextReadsBackAsTheSameModel) {
  const Model& model = base_model();
  const Result<Model> again = Model::parse(model.text(), "test");
  ASSERT_TRUE(again) << again.error().message;
  testing::Request request;
  request.user("Compare quicksort with merge sort and prove a bound for each.");
  const Features features = features_of(request.chat());
  EXPECT_FLOAT_EQ(model.score(terms_of(features), features.lexical),
                  again.value().score(terms_of(features), features.lexical));
}

TEST(Model, PartsAddUpToTheLogit) {
  const Model& model = base_model();
  for (const std::string_view prompt :
       {"hi", "What is the capital of France?", "Prove that there are infinitely many primes.",
        "Design a queue and compare three locks.",
        "Tom has 3 apples and buys 5 more for his sister, who eats two of them on the way. How many apples are left in the end?", "Which is right?\nA. one\nB. two\nC. three"}) {
    testing::Request request;
    request.user(prompt);
    const Features features = features_of(request.chat());
    const TermValues terms = terms_of(features);
    float sum = model.typical_logit();
    for (const Part& part : model.parts(terms, features.lexical)) sum += part.adds();
    const float score = model.score(terms, features.lexical);
    EXPECT_NEAR(sum, std::log(score / (1 - score)), 2e-3) << prompt;
  }
}

TEST(Model, BrokenFilesAreRefusedWithTheReason) {
  const auto why = [](std::string_view text) {
    const Result<Model> model = Model::parse(text, "m.json");
    return model ? std::string("accepted") : model.error().message;
  };
  EXPECT_NE(why("{").find("no JSON object"), std::string::npos);
  EXPECT_NE(why("{}").find("tollgate_complexity_model"), std::string::npos);
  EXPECT_NE(why(R"({"tollgate_complexity_model":3,"terms":["x"]})").find("other terms"), std::string::npos);
  const std::string good = small_model().text();
  EXPECT_EQ(why(good), "accepted");
  std::string bad = good;
  bad.replace(bad.find("[-1,0,1]"), 8, "[1,0,-1]");
  EXPECT_NE(why(bad).find("the head of multiple-choice questions: levels must be three rising"), std::string::npos);
  bad = good;
  bad.replace(bad.find("[[0,1,"), 6, "[[0,999,");
  EXPECT_NE(why(bad).find("trees[0]"), std::string::npos);
  bad = good;
  bad.replace(bad.find("other requests"), 14, "other repuests");
  EXPECT_NE(why(bad).find("the head of other requests is missing"), std::string::npos);
  bad = good;
  bad.replace(bad.rfind("[[0,1,0.5]]"), 11, "[[0,1,\"x\"]]");
  EXPECT_NE(why(bad).find("the head of other requests: trees[0] is broken"), std::string::npos);
  bad = good;
  bad.replace(bad.find("\"words\":["), 9, "\"words\":[7,");
  EXPECT_NE(why(bad).find("words must be"), std::string::npos);
  bad = good;
  bad.replace(bad.find("model\":3"), 8, "model\":2");
  EXPECT_NE(why(bad).find("version 3"), std::string::npos);
  EXPECT_NE(why(R"({"tollgate_complexity_model":"3"})").find("version 3"), std::string::npos);
}

TEST(Model, TheSameRequestScoresTheSameAgain) {
  testing::Request request;
  request.user("Which of the locks is fair?\nA. one\nB. two\nC. three");
  const Features features = features_of(request.chat());
  const float first = base_model().score(terms_of(features), features.lexical);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(base_model().score(terms_of(features_of(request.chat())), features.lexical), first);
}

// The benchmark measures; this only notices when judging has become another order of work. Generous, for sanitizers and
// busy machines: the tenth part is usual.
TEST(Model, JudgingTakesMicroseconds) {
  testing::Request request;
  request.user("Write a function that merges two sorted lists, and prove that it is stable. Compare it with a heap.");
  const Features features = features_of(request.chat());
  const TermValues terms = terms_of(features);
  float sum = base_model().score(terms, features.lexical);
  auto best = std::chrono::steady_clock::duration::max();
  constexpr int batches = 20, per_batch = 50;
  for (int batch = 0; batch < batches; ++batch) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < per_batch; ++i) sum += base_model().score(terms, features.lexical);
    best = std::min(best, std::chrono::steady_clock::now() - start);
  }
  EXPECT_GT(sum, 0);
  EXPECT_LT(std::chrono::duration<double>(best).count() / per_batch, 200e-6);
}

TEST(Model, TheFileInTheProgramIsBelowTwoMegabytes) { EXPECT_LT(base_model().text().size(), 2'000'000U); }

}  // namespace
}  // namespace tollgate
