#include "backends/health.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tollgate {
namespace {

using Now = TargetHealth::Now;
using Pass = TargetHealth::Pass;
const Now start = Now{} + std::chrono::hours{1};

TargetHealth::Failed usual() { return {}; }
TargetHealth::Failed trial() { return {Pass::trial, false, true}; }
TargetHealth::Failed unreachable(Pass pass = Pass::usual, bool others = true) { return {pass, true, others}; }

void fail_times(TargetHealth& health, int times, Now now) {
  for (int i = 0; i < times; ++i) health.failed(now, usual());
}

TEST(Breaker, OpensAfterFailuresInARowOnly) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max - 1, start);
  health.succeeded();
  fail_times(health, TargetHealth::failures_max - 1, start);
  EXPECT_EQ(health.state(start), BreakerState::closed);
  health.failed(start, usual());
  EXPECT_EQ(health.state(start), BreakerState::open);
  EXPECT_FALSE(health.usable(start));
  EXPECT_EQ(health.admit(start), Pass::none);
}

TEST(Breaker, LetsOneThroughWhenHalfOpenAndClosesOnItsSuccess) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max, start);
  const Now later = start + TargetHealth::open_for;
  EXPECT_EQ(health.state(later), BreakerState::half_open);
  EXPECT_EQ(health.admit(later), Pass::trial);
  EXPECT_EQ(health.admit(later), Pass::none) << "only one trial at a time";
  health.succeeded();
  EXPECT_EQ(health.state(later), BreakerState::closed);
  EXPECT_EQ(health.admit(later), Pass::usual);
  EXPECT_EQ(health.admit(later), Pass::usual);
}

TEST(Breaker, AFailedTrialWaitsTwiceAsLong) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max, start);
  const Now later = start + TargetHealth::open_for;
  ASSERT_EQ(health.admit(later), Pass::trial);
  health.failed(later, trial());
  EXPECT_EQ(health.state(later + TargetHealth::open_for), BreakerState::open);
  EXPECT_EQ(health.state(later + 2 * TargetHealth::open_for), BreakerState::half_open);
}

TEST(Breaker, AnAbandonedTrialGivesItsPlaceBack) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max, start);
  const Now later = start + TargetHealth::open_for;
  ASSERT_EQ(health.admit(later), Pass::trial);
  health.abandoned(Pass::usual);
  EXPECT_EQ(health.admit(later), Pass::none) << "another attempt's end is not the trial's";
  health.abandoned(Pass::trial);
  EXPECT_EQ(health.admit(later), Pass::trial);
}

TEST(Breaker, OneProofThatNobodyIsThereOpensItAtOnce) {
  TargetHealth health;
  health.failed(start, unreachable());
  EXPECT_EQ(health.state(start), BreakerState::open);
}

TEST(Breaker, ARequestWithNowhereElseToGoIsNotKeptFromItsRetriesByOneFailure) {
  TargetHealth health;
  for (int i = 1; i < TargetHealth::failures_max; ++i) health.failed(start, unreachable(Pass::usual, false));
  EXPECT_EQ(health.state(start), BreakerState::closed);
  health.failed(start, unreachable(Pass::usual, false));
  EXPECT_EQ(health.state(start), BreakerState::open);
}

TEST(Breaker, HowManyProofsItTakesCanBeSaid) {
  TargetHealth health;
  BreakerRules rules;
  rules.unreachable_failures = 3;
  health.adopt(rules);
  health.failed(start, unreachable());
  health.failed(start, unreachable());
  EXPECT_EQ(health.state(start), BreakerState::closed);
  health.failed(start, unreachable());
  EXPECT_EQ(health.state(start), BreakerState::open);
}

TEST(Breaker, WhatBeganBeforeItOpenedNeitherLengthensTheWaitNorSpeaksForTheTrial) {
  TargetHealth health;
  health.failed(start, unreachable());
  for (int i = 0; i < 64; ++i) health.failed(start, unreachable());   // that were under way at the time
  const Now later = start + TargetHealth::open_for;
  ASSERT_EQ(health.state(later), BreakerState::half_open);
  ASSERT_EQ(health.admit(later), Pass::trial);
  health.failed(later, usual());
  EXPECT_EQ(health.state(later), BreakerState::half_open);
  EXPECT_EQ(health.admit(later), Pass::none) << "the trial is still under way";
  health.failed(later, unreachable(Pass::trial));
  EXPECT_EQ(health.state(later), BreakerState::open);
}

TEST(Breaker, AProbeThatSucceedsLetsATrialThroughAtOnce) {
  TargetHealth health;
  health.failed(start, unreachable());
  health.probed(true);
  EXPECT_EQ(health.state(start), BreakerState::half_open);
  EXPECT_EQ(health.admit(start), Pass::trial);
  health.succeeded();
  EXPECT_EQ(health.state(start), BreakerState::closed);
}

TEST(Breaker, AProbeSaysNothingOfATargetThatAnswersBadly) {
  TargetHealth health;
  fail_times(health, TargetHealth::failures_max, start);
  health.probed(true);
  EXPECT_EQ(health.state(start), BreakerState::open) << "its health page may be all that works";
}

// Many threads, a provider that is dead throughout: per window one attempt is let through, whoever asks.
TEST(Breaker, ADeadTargetCostsOneAttemptPerWindowHoweverManyAsk) {
  TargetHealth health;
  BreakerRules rules;
  rules.open = rules.open_max = std::chrono::milliseconds{100};
  health.adopt(rules);
  health.failed(start, unreachable());
  std::atomic<int> attempts{0};
  constexpr int windows = 50;
  for (int window = 1; window <= windows; ++window) {
    const Now now = start + window * std::chrono::milliseconds{100};
    std::vector<std::thread> crowd;
    for (int t = 0; t < 4; ++t) {
      crowd.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          const Pass pass = health.usable(now) ? health.admit(now) : Pass::none;
          if (pass == Pass::none) continue;
          attempts.fetch_add(1);
          health.failed(now, unreachable(pass));
        }
      });
    }
    for (std::thread& each : crowd) each.join();
  }
  EXPECT_EQ(attempts.load(), windows);
}

TEST(HealthBoard, KeepsOneHealthPerTarget) {
  HealthBoard board;
  EXPECT_EQ(&board.of(NameId{7}), &board.of(NameId{7}));
  EXPECT_NE(&board.of(NameId{7}), &board.of(NameId{8}));
}

}  // namespace
}  // namespace tollgate
