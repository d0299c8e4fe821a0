#include "router/worst_case.hpp"

#include <gtest/gtest.h>

#include <random>

#include "fleets.hpp"
#include "metrics/charge.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::per_million;

constexpr std::int64_t slack = charge_kind_count;  // each line may be rounded up

class WorstCases : public ::testing::Test {
 protected:
  WorstCases() {
    chat_.text_bytes = 900;
    chat_.output_tokens_max = 100;
    fleet_.pool("home", "llama", 0.6);
    fleet_.managed("cloud", "big", 1.0, 3, 15);
  }
  WorstCase of(std::size_t target) {
    return worst_case_of(chat_, 1'000, fleet_.config.targets[target], fleet_.config.backends[target], state_);
  }
  Target& big() { return fleet_.config.targets[1]; }
  TokenPrices& prices() { return *big().prices; }
  ChatView chat_;
  Fleet fleet_;
  TargetState state_;
};

TEST_F(WorstCases, ABytePerTokenAndAllTheOutputThatIsAllowed) {
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 3 + 100 * 15) * 1'000'000 + slack});
}

TEST_F(WorstCases, OfSoundItsBytesBoundWhatItLasts) {
  chat_.surface = Surface::transcriptions;
  chat_.sound_bytes = 750'000;
  big().surfaces = {Surface::transcriptions};
  big().prices.reset();
  big().unit_prices.emplace().per_audio_minute = Usd{6'000'000'000};
  EXPECT_EQ(of(1).charge, Usd{100'000'000'000}) << "a thousand seconds at 6 kbit/s";
  chat_.sound_bytes = 0;
  EXPECT_FALSE(of(1).known);
}

TEST_F(WorstCases, TokensOrUnitsWhicheverIsMoreForTheAnswerDecides) {
  chat_.surface = Surface::images;
  big().surfaces = {Surface::images};
  const Usd by_tokens = of(1).charge;
  big().unit_prices.emplace().per_image.emplace_back("", Usd{1});
  EXPECT_EQ(of(1).charge, by_tokens);
  big().unit_prices->per_image.front().second = Usd{by_tokens.count() * 2};
  EXPECT_EQ(of(1).charge, Usd{by_tokens.count() * 2});
  big().unit_prices->per_image.front().first = "1024x1024";
  EXPECT_EQ(of(1).charge, by_tokens) << "no price for what is asked";
}

TEST_F(WorstCases, TheTargetBoundsTheOutputAsWell) {
  big().output_tokens_max = 10;
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 3 + 10 * 15) * 1'000'000 + slack});
  chat_.output_tokens_max.reset();
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 3 + 10 * 15) * 1'000'000 + slack});
}

TEST_F(WorstCases, WithoutAnyBoundFourTimesTheMeanAndAtLeast1024) {
  chat_.output_tokens_max.reset();
  state_.output_tokens_mean = 100;
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 3 + 1'024 * 15) * 1'000'000 + slack});
  state_.output_tokens_mean = 500;
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 3 + 2'000 * 15) * 1'000'000 + slack});
}

TEST_F(WorstCases, EveryChoiceIsCounted) {
  chat_.choices = 3;
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 3 + 300 * 15) * 1'000'000 + slack});
}

TEST_F(WorstCases, TheDearestPriceOfTheInputCounts) {
  prices().cached_input = per_million(1);
  prices().cache_write = per_million(4);
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 4 + 100 * 15) * 1'000'000 + slack});
}

TEST_F(WorstCases, TheDearerOfTheTierThatIsAskedForAndTheStandardOneCounts) {
  TokenPrices flex = prices(), priority = prices();
  flex.output = per_million(7);
  priority.output = per_million(30);
  prices().service_tiers = {{"flex", flex}, {"priority", priority}};
  chat_.service_tier = "flex";
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 3 + 100 * 15) * 1'000'000 + slack});
  chat_.service_tier = "priority";
  EXPECT_EQ(of(1).charge, Usd{(1'000LL * 3 + 100 * 30) * 1'000'000 + slack});
  chat_.service_tier = "unheard-of";
  EXPECT_FALSE(of(1).known);
}

TEST_F(WorstCases, EmbeddingsHaveNoOutput) {
  chat_.surface = Surface::embeddings;
  EXPECT_EQ(of(1).charge, Usd{1'000LL * 3 * 1'000'000 + slack});
}

TEST_F(WorstCases, ImagesAreNotCountedByTheirBytes) {
  chat_.images = 1;
  const WorstCase worst = worst_case_of(chat_, 5'000'000, big(), fleet_.config.backends[1], state_);
  EXPECT_LT(worst.charge, Usd{20'000 * 3 * 1'000'000LL});
  EXPECT_GT(worst.charge, Usd{2'000 * 3 * 1'000'000LL});
}

TEST_F(WorstCases, WhatHasNoPriceIsNotKnown) {
  big().prices.reset();
  EXPECT_FALSE(of(1).known);
}

TEST_F(WorstCases, APoolIsHeldWholeForAsLongAsSuchAnAnswerTakes) {
  fleet_.config.backends[0].pool->rate_picodollars = 3'600'000'000'000'000;  // $1 a second
  fleet_.config.backends[0].pool->rate_denominator = 1;
  state_.seconds_per_output_token = 0.01;
  // Twice (0.5 s to the first token and 100 tokens of 10 ms), and 225 tokens of input at 1,000 a second.
  EXPECT_GT(of(0).charge, Usd{3'200'000'000'000});
  EXPECT_LT(of(0).charge, Usd{3'300'000'000'000});
  fleet_.config.backends[0].timeouts.total = std::chrono::seconds{2};
  EXPECT_EQ(of(0).charge, Usd{2'000'000'000'001});
}

TEST_F(WorstCases, NoUsageWithinTheBoundsCostsMore) {
  std::mt19937 random(7);
  prices().cached_input = per_million(1);
  prices().cache_write = per_million(4);
  prices().reasoning = per_million(20);
  prices().long_input.emplace();
  prices().long_input->above = 500;
  prices().long_input->input = per_million(6);
  prices().long_input->output = per_million(22);
  for (int i = 0; i < 2'000; ++i) {
    Usage usage;
    std::int64_t left = 1'000;
    for (TokenCount* const part : {&usage.input, &usage.cached_input, &usage.cache_write}) {
      *part = TokenCount{static_cast<std::int64_t>(random() % static_cast<unsigned>(left + 1))};
      left -= part->count();
    }
    usage.output = TokenCount{static_cast<std::int64_t>(random() % 101)};
    usage.reasoning = TokenCount{static_cast<std::int64_t>(random() % static_cast<unsigned>(usage.output.count() + 1))};
    ASSERT_LE(token_charge(usage, prices()).total(), of(1).charge);
  }
}

TEST(TokensToReserve, AreTheInputAndTheOutputThatIsAllowed) {
  ChatView chat;
  chat.text_bytes = 400;
  EXPECT_EQ(tokens_to_reserve(chat), 100 + 300);
  chat.output_tokens_max = 50;
  chat.choices = 2;
  EXPECT_EQ(tokens_to_reserve(chat), 100 + 100);
  chat.surface = Surface::embeddings;
  chat.output_tokens_max.reset();
  EXPECT_EQ(tokens_to_reserve(chat), 100);
}

}  // namespace
}  // namespace tollgate
