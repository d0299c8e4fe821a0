#include "training/words.hpp"

#include <gtest/gtest.h>

namespace tollgate::training {
namespace {

Lexical of(std::initializer_list<std::uint16_t> buckets) {
  Lexical words;
  for (const std::uint16_t bucket : buckets) words.bucket[words.count++] = bucket;
  return words;
}

TEST(Words, LearnWhichWordsGoWithHighTargets) {
  const Lexical hard = of({1, 2}), easy = of({2, 3}), nothing = of({});
  std::vector<WordExample> examples;
  for (int i = 0; i < 50; ++i) {
    examples.push_back({&hard, 3});
    examples.push_back({&easy, 0});
  }
  const std::vector<float> weights = fit_words(examples, 0.1F);
  EXPECT_NEAR(words_say(weights, hard), 1.5, 0.05);
  EXPECT_NEAR(words_say(weights, easy), -1.5, 0.05);
  EXPECT_NEAR(weights[2], 0, 1e-3);
  EXPECT_EQ(words_say(weights, nothing), 0);
}

TEST(Words, ARidgeHoldsRareWordsDown) {
  const Lexical often = of({1}), once = of({2}), plain = of({3});
  std::vector<WordExample> examples = {{&once, 3}};
  for (int i = 0; i < 50; ++i) examples.push_back({&often, 3});
  for (int i = 0; i < 50; ++i) examples.push_back({&plain, 0});
  const std::vector<float> weights = fit_words(examples, 3);
  EXPECT_GT(weights[1], 3 * weights[2]);
}

}  // namespace
}  // namespace tollgate::training
