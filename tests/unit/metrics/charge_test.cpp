#include "metrics/charge.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "testing.hpp"

namespace tollgate {
namespace {

using testing::prices_of;
using testing::usage_of;

constexpr std::int64_t per_million = 1'000'000'000;  // "$1 per million tokens" in femtodollars per token

TEST(Charge, CachedInputHasItsOwnPriceAndIsNotPaidTwice) {
  TokenPrices prices = prices_of(3 * per_million, 15 * per_million);
  prices.cached_input = UsdPerToken{300'000'000};
  prices.cache_write = UsdPerToken{3'750'000'000};
  Usage usage = usage_of(3, 550);
  usage.cache_write = TokenCount{12304};
  const Charge charge = token_charge(usage, prices);
  EXPECT_EQ(charge[ChargeKind::input], Usd{9'000'000});
  EXPECT_EQ(charge[ChargeKind::cached_input], Usd{});
  EXPECT_EQ(charge[ChargeKind::cache_write], Usd{46'140'000'000});
  EXPECT_EQ(charge.total(), Usd{54'399'000'000});  // 0.054399 USD
}

TEST(Charge, ALongInputIsDearerFromItsFirstTokenOn) {
  TokenPrices prices = prices_of(3 * per_million, 15 * per_million);
  prices.cached_input = UsdPerToken{300'000'000};
  prices.long_input = TokenPrices::LongInput{200'000, UsdPerToken{6 * per_million}, UsdPerToken{22'500'000'000}, UsdPerToken{600'000'000}, {}};
  Usage usage = usage_of(100'000, 10);
  usage.cached_input = TokenCount{100'000};          // the whole input decides, not what is charged as input
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{330'150'000'000});
  usage.cached_input += TokenCount{1};
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{660'225'600'000});
}

TEST(Charge, ReadsFromACacheCostLess) {
  TokenPrices prices = prices_of(800'000'000, 4 * per_million);
  prices.cached_input = UsdPerToken{80'000'000};
  Usage usage = usage_of(4, 23);
  usage.cached_input = TokenCount{2455};
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{291'600'000});  // 0.0002916 USD
}

TEST(Charge, WithoutACachePriceCachedInputIsPricedAsInput) {
  Usage usage = usage_of(0, 0);
  usage.cached_input = TokenCount{10};
  usage.cache_write = TokenCount{20};
  const Charge charge = token_charge(usage, prices_of(7'000, 0));
  EXPECT_EQ(charge[ChargeKind::cached_input], Usd{70});
  EXPECT_EQ(charge[ChargeKind::cache_write], Usd{140});
}

TEST(Charge, ReasoningIsInsideOutput) {
  Usage usage = usage_of(0, 100);
  usage.reasoning = TokenCount{90};
  EXPECT_EQ(token_charge(usage, prices_of(0, 1'000)).total(), Usd{100});
}

TEST(Charge, EachLineIsRoundedHalfToEvenOnce) {
  const auto output = [](std::int64_t tokens, std::int64_t femto) {
    return token_charge(usage_of(0, tokens), prices_of(0, femto)).total();
  };
  EXPECT_EQ(output(1, 500), Usd{0});
  EXPECT_EQ(output(3, 500), Usd{2});
  EXPECT_EQ(output(1, 501), Usd{1});
  EXPECT_EQ(output(5, 500), Usd{2});
  EXPECT_EQ(token_charge(usage_of(1, 1), prices_of(501, 501)).total(), Usd{2});  // 1.002 of one line would be 1
}

TEST(Charge, AFeePerRequestIsALineOfItsOwn) {
  TokenPrices prices = prices_of(0, 0);
  prices.per_request = Usd{5'000'000'000};
  EXPECT_EQ(token_charge({}, prices)[ChargeKind::request], Usd{5'000'000'000});
}

TEST(Charge, AbsurdCountsReachABoundAndNeverTheOtherSign) {
  Usage usage = usage_of(std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max());
  usage.cached_input = usage.cache_write = usage.input;
  const Charge charge = token_charge(usage, prices_of(std::numeric_limits<std::int64_t>::max(), 1'000'000'000'000));
  for (const Usd line : charge.lines) EXPECT_GE(line, Usd{});
  EXPECT_GT(charge.total(), charge[ChargeKind::input]);
}

TEST(Charge, EveryKindHasAName) {
  EXPECT_EQ(name_of(ChargeKind::input), "input");
  EXPECT_EQ(name_of(ChargeKind::gpu), "gpu");
}

}  // namespace
}  // namespace tollgate
