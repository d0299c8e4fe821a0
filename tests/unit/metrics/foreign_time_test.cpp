// The part of a pool's idle line in which only others worked.

#include "metrics/foreign_time.hpp"

#include <gtest/gtest.h>

#include <random>

#include "unit/metrics/testing.hpp"

namespace tollgate {
namespace {

const NameId pool = Names::global().intern("foreign-pool");

PoolStatus idle_of(std::int64_t picodollars, std::int64_t gpu_micros) {
  PoolStatus status{};
  status.pool = pool;
  status.idle = UsdSum(picodollars);
  status.idle_gpu_time = GpuTime{gpu_micros};
  return status;
}

PoolStatus split(const ForeignTime& foreign, PoolStatus status) {
  foreign.split(status);
  return status;
}

TEST(ForeignTime, APoolOfWhichNothingWasSaidIsIdle) {
  const ForeignTime foreign;
  const PoolStatus status = split(foreign, idle_of(100, 10));
  EXPECT_EQ(status.idle, UsdSum(100));
  EXPECT_EQ(status.foreign, UsdSum{});
}

TEST(ForeignTime, OnlyWhatIdleGrewByWhileOthersWorkedIsForeign) {
  ForeignTime foreign;
  foreign.set(pool, true, idle_of(100, 10));
  const PoolStatus running = split(foreign, idle_of(130, 13));
  EXPECT_EQ(running.idle, UsdSum(100));
  EXPECT_EQ(running.foreign, UsdSum(30));
  EXPECT_EQ(running.foreign_gpu_time, GpuTime{3});
  foreign.set(pool, false, idle_of(150, 15));
  const PoolStatus later = split(foreign, idle_of(1000, 100));
  EXPECT_EQ(later.idle, UsdSum(950));
  EXPECT_EQ(later.foreign, UsdSum(50));
  EXPECT_EQ(later.foreign_gpu_time, GpuTime{5});
}

TEST(ForeignTime, SayingTheSameAgainChangesNothing) {
  ForeignTime foreign;
  foreign.set(pool, true, idle_of(100, 10));
  foreign.set(pool, true, idle_of(120, 12));
  EXPECT_EQ(split(foreign, idle_of(130, 13)).foreign, UsdSum(30));
}

// Law: idle and foreign together are what the pool called idle, and neither ever falls.
TEST(ForeignTime, TheSplitLosesNothingAndNothingFalls) {
  std::mt19937_64 random(testing::seed());
  ForeignTime foreign;
  PoolStatus whole = idle_of(0, 0), last = whole;
  for (int step = 0; step < 5000; ++step) {
    whole.idle += UsdSum(static_cast<std::int64_t>(random() % 1000));
    whole.idle_gpu_time += GpuTime{static_cast<std::int64_t>(random() % 1000)};
    if (random() % 3 == 0) foreign.set(pool, random() % 2 == 0, whole);
    const PoolStatus now = split(foreign, whole);
    ASSERT_EQ(now.idle + now.foreign, whole.idle);
    ASSERT_EQ(now.idle_gpu_time + now.foreign_gpu_time, whole.idle_gpu_time);
    ASSERT_GE(now.idle, last.idle);
    ASSERT_GE(now.foreign, last.foreign);
    last = now;
  }
}

}  // namespace
}  // namespace tollgate
