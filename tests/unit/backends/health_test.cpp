#include "backends/health.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

using Now = TargetHealth::Now;
const Now start = Now{} + std::chrono::hours{1};

void fail_times(TargetHealth& health, int times, Now now) {
  for (int i = 0; i < times; ++i) health.failed(now);
}

TEST(Breaker, OpensAfterFailuresInARowOnly) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max - 1, start);
  health.succeeded();
  fail_times(health, TargetHealth::failures_max - 1, start);
  EXPECT_EQ(health.state(start), BreakerState::closed);
  health.failed(start);
  EXPECT_EQ(health.state(start), BreakerState::open);
  EXPECT_FALSE(health.usable(start) || health.admit(start));
}

TEST(Breaker, LetsOneThroughWhenHalfOpenAndClosesOnItsSuccess) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max, start);
  const Now later = start + TargetHealth::open_for;
  EXPECT_EQ(health.state(later), BreakerState::half_open);
  EXPECT_TRUE(health.admit(later));
  EXPECT_FALSE(health.admit(later)) << "only one trial at a time";
  health.succeeded();
  EXPECT_EQ(health.state(later), BreakerState::closed);
  EXPECT_TRUE(health.admit(later) && health.admit(later));
}

TEST(Breaker, AFailedTrialWaitsTwiceAsLong) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max, start);
  const Now later = start + TargetHealth::open_for;
  ASSERT_TRUE(health.admit(later));
  health.failed(later);
  EXPECT_EQ(health.state(later + TargetHealth::open_for), BreakerState::open);
  EXPECT_EQ(health.state(later + 2 * TargetHealth::open_for), BreakerState::half_open);
}

TEST(Breaker, AnAbandonedTrialGivesItsPlaceBack) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max, start);
  const Now later = start + TargetHealth::open_for;
  ASSERT_TRUE(health.admit(later));
  health.abandoned();
  EXPECT_TRUE(health.admit(later));
}

TEST(HealthBoard, KeepsOneHealthPerTarget) {
  HealthBoard board;
  EXPECT_EQ(&board.of(NameId{7}), &board.of(NameId{7}));
  EXPECT_NE(&board.of(NameId{7}), &board.of(NameId{8}));
}

}  // namespace
}  // namespace tollgate
