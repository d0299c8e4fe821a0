#include "router/forecast.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fleets.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::per_million;

class Forecasts : public ::testing::Test {
 protected:
  Forecasts() {
    chat_.text_bytes = 4000;  // 1,000 tokens at 4 bytes each
    fleet_.pool("home", "llama", 0.6);
    fleet_.managed("cloud", "big", 1.0, 3, 15);
    state_.output_tokens_mean = 200;
  }
  Forecast of(std::size_t target, CostBasis basis = CostBasis::marginal) {
    return forecast_of(chat_, fleet_.config.targets[target], fleet_.config.backends[target], state_, basis,
                       is_saturated(fleet_.config.targets[target], state_, fleet_.config.spill_over));
  }
  ChatView chat_;
  Fleet fleet_;
  TargetState state_;
};

TEST_F(Forecasts, ManagedIsTokensTimesPrice) {
  EXPECT_EQ(of(1).charge, Usd{6'000'000'000});  // 1000 x $3 + 200 x $15 per million = $0.006
  EXPECT_TRUE(of(1).known);
}

TEST_F(Forecasts, MaxTokensBoundsTheExpectedOutput) {
  chat_.output_tokens_max = 100;
  EXPECT_EQ(of(1).charge, Usd{4'500'000'000});
  chat_.output_tokens_max = 100'000;
  EXPECT_EQ(of(1).charge, Usd{6'000'000'000});
}

TEST_F(Forecasts, EveryChoiceIsPaidFor) {
  chat_.choices = 3;
  EXPECT_EQ(of(1).charge, Usd{12'000'000'000});
}

TEST_F(Forecasts, APricePerRequestIsAdded) {
  fleet_.config.targets[1].prices->per_request = Usd{7};
  EXPECT_EQ(of(1).charge, Usd{6'000'000'007});
}

TEST_F(Forecasts, EmbeddingsHaveNoOutput) {
  chat_.surface = Surface::embeddings;
  EXPECT_EQ(of(1).charge, Usd{3'000'000'000});
}

TEST_F(Forecasts, LearnedMeansAreRoundedToTokensFirst) {
  state_.output_tokens_mean = 199.6;
  EXPECT_EQ(of(1).charge, Usd{6'000'000'000});
}

TEST_F(Forecasts, TheLearnedTokenizerCounts) {
  state_.input_bytes_per_token = 2.0;
  EXPECT_EQ(of(1).charge, Usd{9'000'000'000});
}

TEST_F(Forecasts, NonsenseThatWasLearnedIsNotBelieved) {
  for (const double nonsense : {0.0, -4.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    state_.input_bytes_per_token = nonsense;
    EXPECT_EQ(of(1).charge, Usd{6'000'000'000}) << nonsense;
  }
  state_.output_tokens_mean = std::nan("");
  EXPECT_EQ(of(1).charge, Usd{3'000'000'000});
}

TEST_F(Forecasts, AnUnpricedTargetIsUnknownNotFree) {
  fleet_.config.targets[1].prices.reset();
  EXPECT_FALSE(of(1).known);
}

// A coding agent declares some 15,000 tokens of tools: how many tools there are says little.
TEST_F(Forecasts, ToolsAreInputOfTheirSize) {
  chat_.tools = 20;
  chat_.tool_bytes = 60'000;
  EXPECT_EQ(input_tokens_of(chat_).count(), 16'000);
  EXPECT_EQ(of(1).charge, Usd{51'000'000'000});  // 16000 x $3 + 200 x $15 per million
  state_.input_bytes_per_token = 5;
  EXPECT_EQ(input_tokens_of(chat_, state_).count(), 12'800) << "at the bytes per token that were learned";
}

TEST_F(Forecasts, WhatIsPassedThroughCostsItsUnits) {
  chat_.surface = Surface::images;
  chat_.choices = 3;
  Target& big = fleet_.config.targets[1];
  big.surfaces = {Surface::images};
  big.prices.reset();
  big.unit_prices.emplace().per_image.emplace_back("", Usd{40'000'000'000});
  EXPECT_EQ(of(1).charge, Usd{120'000'000'000});
  big.unit_prices->per_image.front().first = "1024x1024";
  EXPECT_FALSE(of(1).known) << "the request says no size, and there is no price for that";
}

TEST_F(Forecasts, APoolWithRoomCostsNothingMore) {
  EXPECT_EQ(of(0).charge, Usd{});
  EXPECT_TRUE(of(0).known);
}

TEST_F(Forecasts, AFullPoolCostsItsShare) {
  fleet_.config.targets[0].concurrency_max = 8;
  state_.in_flight = 8;
  EXPECT_FALSE(of(0).known);
  state_.loaded_usd_per_million_tokens = Usd{2'000'000'000'000};
  EXPECT_EQ(of(0).charge, Usd{2'400'000'000});  // 1200 tokens at $2 per million
  state_.in_flight = 7;
  EXPECT_EQ(of(0).charge, Usd{});
}

TEST_F(Forecasts, TheLoadedBasisChargesTheShareOfTheBill) {
  state_.loaded_usd_per_million_tokens = Usd{2'000'000'000'000};
  EXPECT_EQ(of(0, CostBasis::loaded).charge, Usd{2'400'000'000});
}

TEST_F(Forecasts, ALoadedCostThatIsNotYetKnownIsLearning) {
  const Forecast forecast = of(0, CostBasis::loaded);
  EXPECT_FALSE(forecast.known);
  EXPECT_TRUE(forecast.learning);
}

TEST_F(Forecasts, HugeNumbersStayInBounds) {
  chat_.text_bytes = std::numeric_limits<std::uint64_t>::max();
  chat_.choices = std::numeric_limits<std::int64_t>::max();
  state_.output_tokens_mean = 1e300;
  fleet_.config.targets[1].prices->output = UsdPerToken{std::numeric_limits<std::int64_t>::max()};
  EXPECT_EQ(of(1).charge, Usd{std::numeric_limits<std::int64_t>::max()});
}

}  // namespace
}  // namespace tollgate
