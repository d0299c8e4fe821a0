#include "advice/trend.hpp"

#include <gtest/gtest.h>

namespace tollgate::advice {
namespace {

constexpr std::int64_t day_us = 86'400'000'000;

Workload of_days(std::vector<std::int64_t> tokens) {
  Workload workload;
  workload.measured = true;
  workload.window_us = static_cast<std::int64_t>(tokens.size()) * day_us;
  workload.tokens_by_day = std::move(tokens);
  return workload;
}

TEST(Trend, AStraightLineIsFoundAndItsCrossingIsTheDayOnWhichItGetsThere) {
  std::vector<std::int64_t> days;
  for (std::int64_t day = 0; day < 20; ++day) days.push_back(1'000'000 + 50'000 * day);
  const Trend trend = trend_of(of_days(days));
  EXPECT_EQ(trend.days, 20U);
  EXPECT_NEAR(trend.per_day, 50'000, 1);
  EXPECT_NEAR(trend.now, 1'950'000, 1);
  EXPECT_TRUE(trend.is_sure());
  EXPECT_NEAR(*crossing_of(trend, 2'950'000).days, 20, 0.01);
  EXPECT_EQ(crossing_text(trend, 2'950'000), "reaches it in about 20 days (20 to 20)");
  EXPECT_EQ(crossing_text(trend, 500'000), "above it and staying there");
  EXPECT_NE(trend_text(trend).find("rising by 17.9 % a week"), std::string::npos) << trend_text(trend);
}

TEST(Trend, NoiseIsNoTrendAndFewDaysSayNothing) {
  const Trend noise = trend_of(of_days({10, 30, 12, 28, 11, 33, 9, 29, 13, 31}));
  EXPECT_FALSE(noise.is_sure());
  EXPECT_EQ(crossing_text(noise, 100), "below it; no trend that is sure");
  const Trend few = trend_of(of_days({1, 2, 3}));
  EXPECT_FALSE(few.known());
  EXPECT_EQ(crossing_text(few, 100), "unknown: 3 whole days seen, a trend takes 7");
  EXPECT_EQ(trend_of(of_days({})).days, 0U);
  EXPECT_EQ(trend_of(Workload{}).days, 0U);
}

TEST(Trend, DaysBeforeTheFirstRequestAndTheDayThatIsNotOverDoNotCount) {
  Workload workload = of_days({0, 0, 40, 100, 100, 100, 100, 100, 100, 100, 3});
  workload.window_us -= day_us / 2;
  const Trend trend = trend_of(workload);
  EXPECT_EQ(trend.days, 7U);
  EXPECT_NEAR(trend.now, 100, 1e-9);
  EXPECT_NEAR(trend.per_day, 0, 1e-9);
}

TEST(Trend, AFallingLineCrossesFromAboveAndItsRangeHoldsTheTruth) {
  std::vector<std::int64_t> days;
  for (std::int64_t day = 0; day < 30; ++day) days.push_back(5'000'000 - 60'000 * day + (day % 3 - 1) * 40'000);
  const Trend trend = trend_of(of_days(days));
  const Crossing at = crossing_of(trend, 2'000'000);
  ASSERT_TRUE(at.days && at.earliest && at.latest);
  EXPECT_LT(*at.earliest, *at.days);
  EXPECT_GT(*at.latest, *at.days);
  EXPECT_LT(*at.earliest, 21.0);
  EXPECT_GT(*at.latest, 21.0);
  EXPECT_EQ(crossing_text(trend, 2'000'000).substr(0, 14), "falls below it");
  EXPECT_FALSE(crossing_of(trend, 6'000'000).days);
}

}  // namespace
}  // namespace tollgate::advice
