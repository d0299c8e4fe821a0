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
  TokenPrices::LongInput& long_input = prices.long_input.emplace();
  long_input.above = 200'000;
  long_input.input = UsdPerToken{6 * per_million};
  long_input.output = UsdPerToken{22'500'000'000};
  long_input.cached_input = UsdPerToken{600'000'000};
  Usage usage = usage_of(100'000, 10);
  usage.cached_input = TokenCount{100'000};          // the whole input decides, not what is charged as input
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{330'150'000'000});
  usage.cached_input += TokenCount{1};
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{660'225'600'000});
}

void set(TokenPriceSet& prices, RareClass of_class, std::int64_t usd_per_million) {
  prices.rare[static_cast<std::size_t>(of_class)] = UsdPerToken{usd_per_million * per_million};
}
void set(Usage& usage, RareClass of_class, std::int32_t tokens) {
  usage.rare[static_cast<std::size_t>(of_class)] = tokens;
}

// Pitfall 22: image and audio tokens at text price.
TEST(Charge, AudioAndImagesCostTheirOwnPrices) {
  TokenPrices prices = prices_of(2 * per_million, 10 * per_million);
  set(prices, RareClass::input_audio, 40);
  set(prices, RareClass::cached_input_audio, 4);
  set(prices, RareClass::output_audio, 80);
  set(prices, RareClass::input_image, 5);
  set(prices, RareClass::output_image, 30);
  Usage usage = usage_of(1'000, 100);
  set(usage, RareClass::input_audio, 200);
  set(usage, RareClass::cached_input_audio, 50);
  set(usage, RareClass::output_audio, 300);
  set(usage, RareClass::input_image, 700);
  set(usage, RareClass::output_image, 10);
  const Charge charge = token_charge(usage, prices);
  EXPECT_EQ(charge[ChargeKind::input], Usd{2'000'000'000});
  EXPECT_EQ(charge[ChargeKind::input_audio], Usd{8'000'000'000});
  EXPECT_EQ(charge[ChargeKind::cached_input_audio], Usd{200'000'000});
  EXPECT_EQ(charge[ChargeKind::output_audio], Usd{24'000'000'000});
  EXPECT_EQ(charge[ChargeKind::input_image], Usd{3'500'000'000});
  EXPECT_EQ(charge[ChargeKind::output_image], Usd{300'000'000});
  EXPECT_EQ(charge.total(), Usd{39'000'000'000});
}

// Pitfall 10: an hour's cache write at the price of five minutes.
TEST(Charge, ACacheWriteForAnHourHasAPriceOfItsOwn) {
  TokenPrices prices = prices_of(3 * per_million, 15 * per_million);
  prices.cache_write = UsdPerToken{3'750'000'000};
  Usage usage = usage_of(0, 0);
  usage.cache_write = TokenCount{1'000};
  set(usage, RareClass::cache_write_1h, 1'000);
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{7'500'000'000}) << "without one it is a cache write like any other";
  set(prices, RareClass::cache_write_1h, 6);
  const Charge charge = token_charge(usage, prices);
  EXPECT_EQ(charge[ChargeKind::cache_write], Usd{3'750'000'000});
  EXPECT_EQ(charge[ChargeKind::cache_write_1h], Usd{6'000'000'000});
}

// Pitfall 14: reasoning counted twice. Where it has a price of its own, it is taken out of the output.
TEST(Charge, ReasoningIsPartOfOutputOrHasItsOwnPriceNeverBoth) {
  TokenPrices prices = prices_of(2 * per_million, 8 * per_million);
  Usage usage = usage_of(0, 1'000);
  usage.reasoning = TokenCount{900};
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{8'000'000'000});
  prices.reasoning = UsdPerToken{3 * per_million};
  const Charge charge = token_charge(usage, prices);
  EXPECT_EQ(charge[ChargeKind::output], Usd{800'000'000});
  EXPECT_EQ(charge[ChargeKind::reasoning], Usd{2'700'000'000});
}

// Pitfall 19: searches that the provider makes are charged by the call.
TEST(Charge, WebSearchesAreChargedByTheCallAndAreUnknownWithoutAPrice) {
  TokenPrices prices = prices_of(1 * per_million, 1 * per_million);
  Usage usage = usage_of(0, 0);
  usage.web_searches = 3;
  EXPECT_FALSE(TokenRates(prices).cover(usage));
  prices.per_web_search = Usd{10'000'000'000};
  EXPECT_TRUE(TokenRates(prices).cover(usage));
  EXPECT_EQ(token_charge(usage, prices)[ChargeKind::web_search], Usd{30'000'000'000});
}

TEST(Charge, AudioWithoutAPriceIsUnknown) {
  const TokenPrices prices = prices_of(1 * per_million, 1 * per_million);
  Usage spoken = usage_of(0, 0), drawn = usage_of(0, 0);
  set(spoken, RareClass::output_audio, 1);
  set(drawn, RareClass::input_image, 1);
  EXPECT_FALSE(TokenRates(prices).cover(spoken));
  EXPECT_TRUE(TokenRates(prices).cover(drawn)) << "images of the input cost what text costs at most providers";
}

TEST(Charge, ASplitThatNobodyKnowsIsUnknownOnlyWhereItMatters) {
  TokenPrices prices = prices_of(1 * per_million, 1 * per_million);
  Usage usage = usage_of(10, 10);
  usage.unclear = true;
  EXPECT_TRUE(TokenRates(prices).cover(usage));
  set(prices, RareClass::input_audio, 40);
  EXPECT_FALSE(TokenRates(prices).cover(usage));
}

// Pitfall 16: the tier is chosen by the whole input, cached and audio tokens included, and holds for every class.
TEST(Charge, ALongInputPricesEveryClassAnew) {
  TokenPrices prices = prices_of(1 * per_million, 2 * per_million);
  set(prices, RareClass::input_audio, 10);
  TokenPrices::LongInput& long_input = prices.long_input.emplace();
  long_input.above = 1'000;
  long_input.input = UsdPerToken{3 * per_million};
  long_input.output = UsdPerToken{4 * per_million};
  set(long_input, RareClass::input_audio, 20);
  Usage usage = usage_of(600, 0);
  set(usage, RareClass::input_audio, 400);
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{4'600'000'000});
  set(usage, RareClass::input_audio, 401);
  EXPECT_EQ(token_charge(usage, prices).total(), Usd{9'820'000'000});
}

// Pitfall 11: reads from a cache by a fixed factor instead of their price.
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
