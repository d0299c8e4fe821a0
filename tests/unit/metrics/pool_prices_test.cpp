// What a million tokens of a pool cost, on three bases, and how full the pool is.

#include "metrics/pool_prices.hpp"

#include <gtest/gtest.h>

#include "unit/metrics/testing.hpp"

namespace tollgate {
namespace {

using std::chrono::seconds;

constexpr std::int64_t dollar = 1'000'000'000'000;

PoolSample sample_at(std::int64_t second, std::int64_t billed, std::int64_t attributed, std::uint64_t tokens) {
  PoolSample sample;
  sample.at = MonoTime{seconds{1000 + second}};
  sample.billed = UsdSum(billed);
  sample.attributed = UsdSum(attributed);
  sample.tokens = tokens;
  return sample;
}

TEST(PoolPrices, BusyIsTheSharedTimeAndLoadedIsTheWholeBill) {
  PoolWindow window;
  window.add(sample_at(0, 0, 0, 0));
  window.add(sample_at(60, 6 * dollar, 2 * dollar, 4'000'000));
  const PoolPrices prices = window.prices(0);
  EXPECT_EQ(prices.busy, Usd{dollar / 2});
  EXPECT_EQ(prices.loaded, Usd{dollar * 3 / 2});
  EXPECT_EQ(prices.marginal, Usd{});
}

TEST(PoolPrices, WithoutATokenAPriceIsUnknownAndNotNothing) {
  PoolWindow window;
  EXPECT_FALSE(window.prices(0).loaded || window.prices(0).busy || window.prices(0).marginal);
  window.add(sample_at(0, 0, 0, 0));
  window.add(sample_at(60, dollar, 0, 0));
  EXPECT_FALSE(window.prices(0).loaded || window.prices(0).busy);
}

// 24 h of an H100 at $2.49/h: 40 M tokens on a full day, 4 M on a quiet one.
TEST(PoolPrices, AQuietDayMakesATokenTenTimesAsDear) {
  const std::int64_t day = 24 * 2'490'000'000'000;
  PoolWindow full, quiet;
  full.add(sample_at(0, 0, 0, 0));
  full.add(sample_at(86'400, day, day, 40'000'000));
  quiet.add(sample_at(0, 0, 0, 0));
  quiet.add(sample_at(86'400, day, day / 10, 4'000'000));
  EXPECT_EQ(full.prices(0).loaded, Usd{1'494'000'000'000});
  EXPECT_EQ(quiet.prices(0).loaded, Usd{14'940'000'000'000});
  EXPECT_EQ(full.prices(0).busy, quiet.prices(0).busy);
}

TEST(PoolPrices, WhatOthersUsedIsNotInThePriceOfOurTokens) {
  PoolWindow window;
  window.add(sample_at(0, 0, 0, 0));
  PoolSample end = sample_at(60, 10 * dollar, dollar, 1'000'000);
  end.foreign = UsdSum(4 * dollar);
  window.add(end);
  EXPECT_EQ(window.prices(0).loaded, Usd{6 * dollar});
}

TEST(PoolPrices, OneMoreTokenIsFreeUntilThePoolIsFull) {
  PoolWindow window;
  window.add(sample_at(0, 0, 0, 0));
  PoolSample end = sample_at(60, 2 * dollar, dollar, 1'000'000);
  end.full = true;
  window.add(end);
  EXPECT_EQ(window.prices(0).marginal, Usd{dollar});
}

TEST(PoolPrices, TheConfiguredSaturationMakesItFullToo) {
  PoolWindow window;
  for (std::int64_t s = 0; s <= 60; ++s)
    window.add(sample_at(s, s * dollar, s * dollar, static_cast<std::uint64_t>(s) * 500));
  EXPECT_EQ(window.prices(1000).load_ratio, 0.5);
  EXPECT_EQ(window.prices(1000).marginal, Usd{});
  EXPECT_EQ(window.prices(1000).saturation_source, SaturationSource::configured);
  EXPECT_EQ(window.prices(500).load_ratio, 1.0);
  EXPECT_EQ(window.prices(500).marginal, window.prices(500).busy);
}

TEST(PoolPrices, SaturationIsLearnedWhileRequestsWaitAndElseAPeakStandsIn) {
  PoolWindow window;
  std::uint64_t tokens = 0;
  std::int64_t second = 0;
  const auto run = [&](std::int64_t for_seconds, std::uint64_t per_second, bool queue) {
    for (std::int64_t i = 0; i < for_seconds; ++i) {
      PoolSample sample = sample_at(++second, 0, 0, tokens += per_second);
      sample.queue = sample.full = queue;
      window.add(sample);
    }
  };
  run(20, 100, false);
  EXPECT_EQ(window.prices(0).saturation_source, SaturationSource::peak);
  run(20, 1000, true);
  EXPECT_EQ(window.prices(0).saturation_source, SaturationSource::learned);
  EXPECT_DOUBLE_EQ(window.prices(0).saturation_tokens_per_second, 1000);
  run(60, 250, false);
  EXPECT_DOUBLE_EQ(window.prices(0).load_ratio.value_or(-1), 0.25);
}

TEST(PoolPrices, TheEnginesOwnCountsTellTheLoadWithForeignTokens) {
  PoolWindow window;
  for (std::int64_t s = 0; s <= 40; ++s) {
    PoolSample sample = sample_at(s, 0, 0, 0);
    if (s >= 5) sample.engine_tokens = static_cast<std::uint64_t>(s) * 300;
    window.add(sample);
  }
  EXPECT_DOUBLE_EQ(window.prices(0).tokens_per_second.value_or(-1), 300);
}

TEST(PoolPrices, AreOfTheLastFiveMinutesAndKeepThoseSinceTheStart) {
  PoolWindow window;
  window.add(sample_at(0, 0, 0, 0));
  for (std::int64_t s = 1; s <= 1000; ++s) {
    const std::uint64_t tokens = s <= 500 ? 1'000'000 : 1'000'000 + static_cast<std::uint64_t>(s - 500) * 1000;
    window.add(sample_at(s, s * dollar, s * dollar / 2, tokens));
  }
  EXPECT_EQ(window.prices(0).loaded, Usd{1000 * dollar});
  EXPECT_EQ(window.prices(0).loaded_since_start, Usd{1000 * dollar * 2 / 3 + 1});
}

}  // namespace
}  // namespace tollgate
