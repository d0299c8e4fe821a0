#include "simulate/bootstrap.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace tollgate::simulate {
namespace {

TEST(Bootstrap, EqualBlocksLeaveNoDoubt) {
  const std::vector<double> blocks(30, 2.0);
  const Interval interval = interval_of_sum(blocks, 7);
  EXPECT_DOUBLE_EQ(interval.low, 60);
  EXPECT_DOUBLE_EQ(interval.high, 60);
}

TEST(Bootstrap, TheIntervalHoldsTheSumAndIsAboutFourStandardErrorsWide) {
  std::vector<double> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(i % 10);
  const double sum = std::accumulate(blocks.begin(), blocks.end(), 0.0);
  const Interval interval = interval_of_sum(blocks, 1);
  EXPECT_LT(interval.low, sum);
  EXPECT_GT(interval.high, sum);
  const double error = 2.872 * 10;   // the blocks' deviation times the root of their number
  EXPECT_NEAR(interval.high - interval.low, 4 * error, error);
}

TEST(Bootstrap, TheSameSeedDrawsTheSame) {
  const std::vector<double> blocks{1, 5, 2, 8, 3};
  EXPECT_EQ(interval_of_sum(blocks, 3).low, interval_of_sum(blocks, 3).low);
  EXPECT_EQ(interval_of_sum(blocks, 3).high, interval_of_sum(blocks, 3).high);
}

TEST(Bootstrap, RatiosAreDrawnTogether) {
  const Interval interval = interval_of_ratio({2, 4, 6, 8}, {1, 2, 3, 4}, 5);
  EXPECT_DOUBLE_EQ(interval.low, 2);
  EXPECT_DOUBLE_EQ(interval.high, 2);
}

TEST(Bootstrap, NothingIsNothing) {
  EXPECT_EQ(interval_of_sum({}, 1).high, 0);
  EXPECT_EQ(interval_of_ratio({}, {}, 1).high, 0);
}

}  // namespace
}  // namespace tollgate::simulate
