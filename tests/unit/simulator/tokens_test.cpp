#include "backends/simulator/tokens.hpp"

#include <gtest/gtest.h>

namespace tollgate::simulator {
namespace {

TEST(Tokens, FollowTheWrittenRule) {
  EXPECT_EQ(count_tokens(""), 0U);
  EXPECT_EQ(count_tokens("The capital of France"), 5U);
  EXPECT_EQ(count_tokens(" 2026"), 2U);
  EXPECT_EQ(count_tokens("a...b"), 3U);
  EXPECT_EQ(count_tokens("\n\n## Title"), 3U);
  EXPECT_EQ(count_tokens("a  b"), 3U);
  EXPECT_EQ(count_tokens("日本"), 2U) << "three bytes each, four at most";
  EXPECT_EQ(count_tokens("éé"), 1U);
  EXPECT_EQ(count_tokens("   "), 1U);
}

TEST(Tokens, OfATextPutTogetherAreTheTextAndTheirStartIsTheSameTokens) {
  const std::string text = "Hello,  wörld!\n\n- **one** 12345 …「日本語」 {\"a\": [1,2]}   end ";
  const std::uint32_t all = count_tokens(text);
  for (std::uint32_t tokens = 0; tokens <= all; ++tokens) EXPECT_EQ(count_tokens(first_tokens(text, tokens)), tokens);
  EXPECT_EQ(first_tokens(text, all), text);
}

TEST(Prose, HasExactlyTheTokensAskedForAndIsTheSameAgain) {
  for (std::uint32_t tokens = 1; tokens <= 400; ++tokens) {
    Random once(tokens), again(tokens);
    const std::string text = write_prose(once, tokens);
    EXPECT_EQ(count_tokens(text), tokens) << text;
    EXPECT_EQ(text, write_prose(again, tokens));
  }
}

TEST(Prose, LongerProseOfTheSameSeedBeginsTheSame) {
  Random a(9), b(9);
  const std::string shorter = write_prose(a, 80), longer = write_prose(b, 300);
  EXPECT_EQ(first_tokens(shorter, 79), first_tokens(longer, 79));
}

TEST(Length, IsOnTheAverageTheMean) {
  Random random(1);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += draw_length(random, 120);
  EXPECT_NEAR(sum / 100'000, 120, 1.5);
}

TEST(Length, IsAtLeastOne) {
  Random random(1);
  for (int i = 0; i < 100; ++i) EXPECT_GE(draw_length(random, 1), 1U);
}

}  // namespace
}  // namespace tollgate::simulator
