#include "metrics/pricing.hpp"

#include <gtest/gtest.h>

#include "testing.hpp"

namespace tollgate {
namespace {

AttemptRow attempt(RowResult result, UsageSource source) {
  AttemptRow row;
  row.result = result;
  row.usage_source = source;
  if (source != UsageSource::none) row.usage = testing::usage_of(10, 20);
  return row;
}

AttemptPrices rates(bool pool = false) {
  AttemptPrices prices;
  prices.has_rates = true;
  prices.rates = TokenRates(testing::prices_of(1'000, 2'000));  // 10 · 1 + 20 · 2 = 50
  prices.has_pool = pool;
  return prices;
}

AttemptPrices only_pool() {
  AttemptPrices prices;
  prices.has_pool = true;
  return prices;
}

AttemptRow priced(RowResult result, UsageSource source, const AttemptPrices& prices) {
  AttemptRow row = attempt(result, source);
  price(row, prices, prices.has_pool ? Usd{7} : Usd{});
  return row;
}

TEST(Pricing, TokensArePaidHoweverTheAttemptEnded) {
  for (const RowResult result :
       {RowResult::ok(), RowResult::of(Fault::client_gone), RowResult::of(Fault::upstream_broke_off)}) {
    const AttemptRow row = priced(result, UsageSource::continuous, rates());
    EXPECT_EQ(row.charge.total(), Usd{50});
    EXPECT_EQ(row.pricing, Pricing::priced);
    EXPECT_EQ(row.pool_method, PoolMethod::none);
  }
}

TEST(Pricing, APoolAndPricesMakeBothKindsOfLines) {
  const AttemptRow row = priced(RowResult::ok(), UsageSource::exact, rates(true));
  EXPECT_EQ(row.charge[ChargeKind::gpu], Usd{7});
  EXPECT_EQ(row.charge.total(), Usd{57});
  EXPECT_EQ(row.pool_method, PoolMethod::time);
}

AttemptPrices units() {
  AttemptPrices prices;
  prices.by_units = Usd{70};
  return prices;
}

TEST(Pricing, OtherUnitsCountWhereNoTokensDo) {
  const AttemptRow row = priced(RowResult::ok(), UsageSource::none, units());
  EXPECT_EQ(row.charge[ChargeKind::request], Usd{70});
  EXPECT_EQ(row.charge.total(), Usd{70});
  EXPECT_EQ(row.pricing, Pricing::priced);
}

TEST(Pricing, WhereTokensAreCountedAndPricedTheyAreTheWholeCharge) {
  AttemptPrices both = rates();
  both.by_units = Usd{70};
  EXPECT_EQ(priced(RowResult::ok(), UsageSource::exact, both).charge.total(), Usd{50});
  EXPECT_EQ(priced(RowResult::ok(), UsageSource::none, both).charge.total(), Usd{70});
  EXPECT_EQ(priced(RowResult::ok(), UsageSource::exact, units()).charge.total(), Usd{70}) << "tokens without a price";
}

TEST(Pricing, WhatTheProviderSaysItBilledIsTheCharge) {
  AttemptPrices said = rates();
  said.reported = Usd{80};
  for (const UsageSource source : {UsageSource::exact, UsageSource::estimated, UsageSource::none}) {
    const AttemptRow row = priced(RowResult::ok(), source, said);
    EXPECT_EQ(row.charge[ChargeKind::request], Usd{80});
    EXPECT_EQ(row.charge.total(), Usd{80});
    EXPECT_EQ(row.pricing, Pricing::priced);
  }
  AttemptPrices only{};
  only.reported = Usd{};
  EXPECT_EQ(priced(RowResult::ok(), UsageSource::exact, only).pricing, Pricing::priced) << "free, because it says so";
}

TEST(Pricing, UnitsOfWhatWasRefusedAreNotBilled) {
  const AttemptRow row = priced(RowResult::of(Fault::upstream_refused), UsageSource::none, units());
  EXPECT_EQ(row.charge.total(), Usd{});
  EXPECT_EQ(row.pricing, Pricing::not_billed);
}

TEST(Pricing, APoolNeedsNoUsage) {
  const AttemptRow row = priced(RowResult::of(Fault::client_gone), UsageSource::none, only_pool());
  EXPECT_EQ(row.charge.total(), Usd{7});
  EXPECT_EQ(row.pricing, Pricing::priced);
}

TEST(Pricing, NothingSentIsNotBilled) {
  for (const AttemptPrices& prices : {rates(), rates(true), only_pool(), AttemptPrices{}}) {
    const AttemptRow row = priced(RowResult::of(Fault::upstream_unreachable), UsageSource::none, prices);
    EXPECT_EQ(row.charge.total(), Usd{});
    EXPECT_EQ(row.pricing, Pricing::not_billed);
    EXPECT_EQ(row.pool_method, PoolMethod::none);
  }
}

// Pitfall 40: refusals that nobody bills charged, or work of unknown cost at nothing.
TEST(Pricing, ARefusalIsNotBilledByTokensButItsGpuTimeIs) {
  EXPECT_EQ(priced(RowResult::of(Fault::upstream_busy), UsageSource::none, rates()).pricing, Pricing::not_billed);
  EXPECT_EQ(priced(RowResult::of(Fault::upstream_status), UsageSource::none, AttemptPrices{}).pricing,
            Pricing::not_billed);
  EXPECT_EQ(priced(RowResult::of(Fault::upstream_busy), UsageSource::none, only_pool()).charge.total(), Usd{7});
}

TEST(Pricing, WorkThatNobodyCountedIsUnpricedNotFree) {
  for (const Fault fault : {Fault::upstream_timeout, Fault::client_gone, Fault::upstream_garbage, Fault::internal}) {
    EXPECT_EQ(priced(RowResult::of(fault), UsageSource::none, rates()).pricing, Pricing::unpriced);
  }
  EXPECT_EQ(priced(RowResult::ok(), UsageSource::none, rates()).pricing, Pricing::unpriced);
  EXPECT_EQ(priced(RowResult::ok(), UsageSource::none, rates(true)).pricing, Pricing::unpriced);
}

TEST(Pricing, AModelWithoutAPriceIsUnpricedNotFree) {
  const AttemptRow row = priced(RowResult::ok(), UsageSource::exact, AttemptPrices{});
  EXPECT_EQ(row.pricing, Pricing::unpriced);
  EXPECT_EQ(row.charge.total(), Usd{});
}

TEST(Pricing, AnInputPastWhatThePricesHoldForIsUnpriced) {
  AttemptPrices prices = rates();
  AttemptRow row;
  row.result = RowResult::ok();
  row.usage_source = UsageSource::exact;
  row.usage.input = TokenCount{1000};
  prices.rates.input_tokens_max = 1000;
  price(row, prices, {});
  EXPECT_EQ(row.pricing, Pricing::priced);
  prices.rates.input_tokens_max = 999;
  price(row, prices, {});
  EXPECT_EQ(row.pricing, Pricing::unpriced);
  EXPECT_EQ(row.charge.total(), Usd{});
}

TEST(Pricing, AnExplicitZeroIsAPrice) {
  AttemptRow row = attempt(RowResult::ok(), UsageSource::exact);
  row.usage = {};
  price(row, rates(), {});
  EXPECT_EQ(row.pricing, Pricing::priced);
}

TEST(Pricing, CountsThatNoModelCanReachAreNotBelieved) {
  EXPECT_TRUE(plausible(testing::usage_of(0, tokens_per_attempt_max)));
  EXPECT_FALSE(plausible(testing::usage_of(0, tokens_per_attempt_max + 1)));
  EXPECT_FALSE(plausible(testing::usage_of(-1, 0)));
}

}  // namespace
}  // namespace tollgate
