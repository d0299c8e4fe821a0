#include "metrics/learned.hpp"

#include <gtest/gtest.h>

#include "testing.hpp"

namespace tollgate {
namespace {

TEST(Learned, BeginsWithTheCustomaryNumbers) {
  const Books::Learned learned = LearnedSums().now();
  EXPECT_DOUBLE_EQ(learned.input_bytes_per_token, 4.0);
  EXPECT_DOUBLE_EQ(learned.output_tokens_mean, 300);
  EXPECT_EQ(learned.first_token_mean.count(), 0);
}

TEST(Learned, ComesToWhatTheTrafficShows) {
  LearnedSums sums;
  for (int i = 0; i < 1000; ++i) sums.learn(2'500, 900, testing::usage_of(1'000, 300));
  EXPECT_NEAR(sums.now().input_bytes_per_token, 2.5, 0.01);
  EXPECT_NEAR(sums.now().output_bytes_per_token, 3.0, 0.02);
  EXPECT_NEAR(sums.now().output_tokens_mean, 300, 0.01);
  for (int i = 0; i < 2000; ++i) sums.learn(2'500, 900, testing::usage_of(1'000, 50));
  EXPECT_NEAR(sums.now().output_tokens_mean, 50, 0.1);
}

TEST(Learned, OneOddAnswerDoesNotDecide) {
  LearnedSums sums;
  sums.learn(1'000'000, 10, testing::usage_of(1, 10'000));
  EXPECT_LT(sums.now().output_tokens_mean, 2'500);
  EXPECT_LE(sums.now().input_bytes_per_token, 100);
}

TEST(Learned, NothingIsLearnedFromNothing) {
  LearnedSums sums;
  sums.learn(0, 0, testing::usage_of(0, 0));
  EXPECT_DOUBLE_EQ(sums.now().input_bytes_per_token, 4.0);
  sums.waited(-5);
  EXPECT_EQ(sums.now().first_token_mean.count(), 0);
  sums.waited(250);
  EXPECT_EQ(sums.now().first_token_mean.count(), 250);
}

TEST(Learned, SpeedsAreKnownFromTheFirstAnswerOn) {
  LearnedSums sums;
  EXPECT_EQ(sums.now().duration_mean.count(), 0);
  const MonoTime at = MonoTime{} + std::chrono::seconds{5};
  sums.took(90'000, 0, 20, at);  // a whole answer: when its tokens came is not known
  EXPECT_EQ(sums.now().duration_mean.count(), 90'000);
  EXPECT_EQ(sums.now().output_token_mean.count(), 0);
  EXPECT_EQ(sums.now().timed_at, at);
  sums.took(110'000, 80'000, 8, at);
  EXPECT_EQ(sums.now().duration_mean.count(), 100'000);
  EXPECT_EQ(sums.now().output_token_mean.count(), 10'000);
}

TEST(Learned, SpeedsFollowATargetThatHasChanged) {
  LearnedSums sums;
  for (int i = 0; i < 1000; ++i) sums.took(100'000, 50'000, 10, MonoTime{});
  for (int i = 0; i < 150; ++i) sums.took(200'000, 100'000, 10, MonoTime{});
  EXPECT_NEAR(static_cast<double>(sums.now().duration_mean.count()), 200'000, 6'000);
  EXPECT_NEAR(static_cast<double>(sums.now().output_token_mean.count()), 10'000, 300);
}

TEST(Learned, ReasoningIsNotInTheTextOfAnAnswer) {
  LearnedSums sums;
  Usage usage = testing::usage_of(100, 1'000);
  usage.reasoning = TokenCount{900};
  for (int i = 0; i < 1000; ++i) sums.learn(400, 400, usage);
  EXPECT_NEAR(sums.now().output_bytes_per_token, 4.0, 0.01);
}

}  // namespace
}  // namespace tollgate
