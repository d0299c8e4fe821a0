#include "router/model.hpp"

#include <gtest/gtest.h>

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

Model small_model() {
  std::vector<float> words(lexical_buckets);
  words[5] = 0.25F;
  return Model({step_tree(1, 0.5F, -1, 1)}, 0, words, {-1, 0, 1});
}

TEST(Model, TreesDecideByTheirThresholds) {
  const Model model = small_model();
  TermValues low{}, high{};
  high[1] = 0.6F;
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

TEST(Model, BareQuestionsHaveTreesOfTheirOwn) {
  std::vector<float> words(lexical_buckets);
  words[5] = 8;
  const Model model({step_tree(1, 0.5F, -1, 1), step_tree(1, 0.5F, -3, 3)}, 1, words, {-1, 0, 1});
  Lexical said;
  said.count = 1;
  said.bucket[0] = 5;
  TermValues values{};
  values[1] = 0.6F;
  EXPECT_FLOAT_EQ(model.sum(values, said), 3 + 8);
  values[bare_question_term()] = 1;
  EXPECT_FLOAT_EQ(model.sum(values, said), 1);
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
        "Design a queue and compare three locks.", "Which is right?\nA. one\nB. two\nC. three"}) {
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
  EXPECT_NE(why(R"({"tollgate_complexity_model":1,"terms":["x"]})").find("other terms"), std::string::npos);
  const std::string good = small_model().text();
  EXPECT_EQ(why(good), "accepted");
  std::string bad = good;
  bad.replace(bad.find("[-1,0,1]"), 8, "[1,0,-1]");
  EXPECT_NE(why(bad).find("rising"), std::string::npos);
  bad = good;
  bad.replace(bad.find("[[0,1,"), 6, "[[0,999,");
  EXPECT_NE(why(bad).find("trees[0]"), std::string::npos);
  bad = good;
  bad.replace(bad.find("\"question_trees\":0"), 18, "\"question_trees\":7");
  EXPECT_NE(why(bad).find("question_trees"), std::string::npos);
}

TEST(Model, TheFileInTheProgramIsBelowTwoMegabytes) { EXPECT_LT(base_model().text().size(), 2'000'000U); }

}  // namespace
}  // namespace tollgate
