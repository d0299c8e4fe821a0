#include "gateway/break_even_series.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

constexpr ManagedPrice at_one_and_two{UsdPerToken{1'000'000'000}, UsdPerToken{2'000'000'000}};   // $1 and $2 a million

TEST(BreakEven, IsTheBusyPriceOverTheManagedPriceAtThePoolsOwnMix) {
  PoolPrices prices;
  prices.busy = Usd{500'000'000'000};   // $0.50 a million while it works
  const auto point = break_even_of(prices, at_one_and_two, 3'000'000, 1'000'000);
  ASSERT_TRUE(point);
  EXPECT_DOUBLE_EQ(point->managed_usd_per_million, 1.25);
  EXPECT_DOUBLE_EQ(*point->ratio, 0.4);
  EXPECT_FALSE(point->usd_per_hour) << "what it costs now is not known";
}

TEST(BreakEven, APoolThatIsDearerAtWorkThanTheHostNeverPays) {
  PoolPrices prices;
  prices.busy = Usd{2'500'000'000'000};
  EXPECT_DOUBLE_EQ(*break_even_of(prices, at_one_and_two, 3, 1)->ratio, 2);
}

TEST(BreakEven, SavingsCountIdleTimeAndMayBeNegative) {
  PoolPrices prices;
  prices.loaded = Usd{3'250'000'000'000};
  prices.tokens_per_second = 100;
  EXPECT_NEAR(*break_even_of(prices, at_one_and_two, 3, 1)->usd_per_hour, -0.72, 1e-9);
}

TEST(BreakEven, WithoutTokensOrPricesNothingIsSaid) {
  EXPECT_FALSE(break_even_of({}, at_one_and_two, 0, 0));
  EXPECT_FALSE(break_even_of({}, {}, 5, 5));
  EXPECT_FALSE(break_even_of({}, at_one_and_two, 5, 5)->ratio);
}

}  // namespace
}  // namespace tollgate
