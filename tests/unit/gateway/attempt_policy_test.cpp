#include "gateway/attempt_policy.hpp"

#include <gtest/gtest.h>

#include "support/seed.hpp"

namespace tollgate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = AttemptPolicy::Time;

constexpr Time start{seconds{1'000}};
constexpr std::uint64_t dice = 7;

AttemptPolicy::Failure busy(std::optional<milliseconds> retry_after = std::nullopt) { return {RetryOn::busy, retry_after}; }

AttemptPolicy of(std::size_t steps, milliseconds total = seconds{60}) { return {steps, start + total}; }

TEST(AttemptPolicy, AnotherTargetIsAskedAtOnceBeforeTheSameOneAgain) {
  AttemptPolicy policy = of(2);
  policy.failed(0, busy(), {}, start, dice);
  const auto move = policy.next(start);
  EXPECT_EQ(move.step, 1U);
  EXPECT_EQ(move.wait, milliseconds{0});
  EXPECT_FALSE(move.again);
}

TEST(AttemptPolicy, WhenAllHaveFailedTheOneThatMayBeAskedSoonestIsAskedAgain) {
  AttemptPolicy policy = of(2);
  policy.failed(0, busy(seconds{3}), {}, start, dice);
  policy.failed(1, busy(), {}, start, dice);
  const auto move = policy.next(start);
  EXPECT_EQ(move.step, 1U);
  EXPECT_TRUE(move.again);
  EXPECT_GE(move.wait, milliseconds{125});
  EXPECT_LE(move.wait, milliseconds{250});
}

TEST(AttemptPolicy, PreferringTheSameTargetAsksItAgainFirst) {
  AttemptPolicy policy = of(2);
  RetryRules rules;
  rules.same_first = true;
  rules.retries = 1;
  policy.failed(0, busy(), rules, start, dice);
  EXPECT_EQ(policy.next(start).step, 0U);
  policy.failed(0, busy(), rules, start, dice);
  EXPECT_EQ(policy.next(start).step, 1U) << "its retries are used up";
}

TEST(AttemptPolicy, RetryAfterIsHonouredAndTooLongAWaitIsNoWaitAtAll) {
  AttemptPolicy patient = of(1);
  patient.failed(0, busy(seconds{4}), {}, start, dice);
  EXPECT_GE(patient.next(start).wait, seconds{4});
  EXPECT_LT(patient.next(start).wait, milliseconds{4'100});
  AttemptPolicy asked_too_much = of(1);
  asked_too_much.failed(0, busy(milliseconds{5'001}), {}, start, dice);
  EXPECT_EQ(asked_too_much.next(start).step, AttemptPolicy::Move::give_up);
}

TEST(AttemptPolicy, NoWaitEndsPastTheDeadline) {
  AttemptPolicy policy = of(1, seconds{2});
  policy.failed(0, busy(seconds{2}), {}, start, dice);
  EXPECT_EQ(policy.next(start).step, AttemptPolicy::Move::give_up);
  AttemptPolicy late = of(2, seconds{2});
  late.failed(0, busy(), {}, start, dice);
  EXPECT_EQ(late.next(start + seconds{2}).step, AttemptPolicy::Move::give_up) << "not even another target";
}

TEST(AttemptPolicy, WhatIsNotWorthARetryIsNotRetried) {
  for (const Fault fault : {Fault::upstream_refused, Fault::upstream_credentials, Fault::unsupported, Fault::escalated}) {
    EXPECT_FALSE(retry_kind_of(fault)) << facts_of(fault).name;
  }
  AttemptPolicy policy = of(1);
  policy.failed(0, {RetryOn::timeout}, {}, start, dice);
  EXPECT_EQ(policy.next(start).step, AttemptPolicy::Move::give_up) << "a timeout is not among the usual ones";
  RetryRules rules;
  rules.on = static_cast<std::uint8_t>(RetryOn::timeout);
  AttemptPolicy asked_for = of(1);
  asked_for.failed(0, {RetryOn::timeout}, rules, start, dice);
  EXPECT_EQ(asked_for.next(start).step, 0U);
}

TEST(AttemptPolicy, AnotherKeyIsTriedAtOnce) {
  AttemptPolicy policy = of(2);
  policy.failed(0, {RetryOn::busy, seconds{60}, true}, {}, start, dice);
  EXPECT_EQ(policy.next(start).step, 0U);
  EXPECT_EQ(policy.next(start).wait, milliseconds{0});
}

TEST(AttemptPolicy, AClosedStepIsNeverAsked) {
  AttemptPolicy policy = of(2);
  policy.close(1);
  policy.failed(0, {}, {}, start, dice);
  EXPECT_EQ(policy.next(start).step, AttemptPolicy::Move::give_up);
}

TEST(Backoff, DoublesUpToTheLongestAndTakesOffAtMostHalf) {
  const RetryRules rules{.first = milliseconds{100}, .longest = milliseconds{1'000}};
  for (std::uint64_t draw = 0; draw < 1'000; ++draw) {
    std::int64_t whole = 100;
    for (unsigned retry = 1; retry < 40; ++retry) {
      const milliseconds wait = backoff(rules, retry, draw);
      EXPECT_GE(wait.count(), whole - whole / 2);
      EXPECT_LE(wait.count(), whole);
      whole = std::min<std::int64_t>(whole * 2, 1'000);
    }
  }
  EXPECT_NE(backoff(rules, 1, 1), backoff(rules, 1, 2)) << "requests that failed together come back apart";
}

TEST(AttemptPolicy, APostponedStepIsReachedLaterAndOnce) {
  AttemptPolicy policy = of(2);
  policy.postpone(0, start + seconds{2});
  EXPECT_TRUE(policy.take_postponed(0));
  EXPECT_FALSE(policy.take_postponed(0));
  EXPECT_EQ(policy.next(start).step, 1U) << "what may be asked now goes first";
  policy.failed(1, {}, {}, start, dice);
  const auto move = policy.next(start);
  EXPECT_EQ(move.step, 0U);
  EXPECT_EQ(move.wait, seconds{2});
  EXPECT_FALSE(move.again);
  policy.postpone(0, start + seconds{4});
  EXPECT_FALSE(policy.take_postponed(0)) << "a second time closes it";
}

// Whatever fails and however long upstreams ask to wait: the moves end, each wait is bounded, and none passes the deadline.
TEST(AttemptPolicy, EveryWaitIsBoundedAndEndsBeforeTheDeadline) {
  const std::uint64_t seed = test_seed();
  std::uint64_t state = seed | 1;
  const auto draw = [&state](std::uint64_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % below;
  };
  for (int round = 0; round < 2'000; ++round) {
    const std::size_t steps = 1 + draw(4);
    const Time deadline = start + milliseconds{draw(20'000)};
    AttemptPolicy policy(steps, deadline);
    const RetryRules rules{.retries = static_cast<unsigned>(draw(4)), .first = milliseconds{10 + draw(500)}, .longest = milliseconds{600 + draw(5'000)}, .on = 63,
                           .same_first = draw(2) == 0};
    Time now = start;
    std::vector<unsigned> attempts(steps, 0);
    std::size_t step = 0;
    for (int count = 0; step != AttemptPolicy::Move::give_up; ++count) {
      ASSERT_LT(count, 40) << "seed " << seed;
      ++attempts[step];
      now += milliseconds{draw(300)};
      std::optional<milliseconds> asked;
      if (draw(3) == 0) asked = milliseconds{draw(8'000)};
      policy.failed(step, {RetryOn::busy, asked}, rules, now, draw(1'000'000));
      const auto move = policy.next(now);
      if (move.step == AttemptPolicy::Move::give_up) break;
      ASSERT_LE(move.wait, rules.longest + rules.first) << "seed " << seed;
      ASSERT_LT(now + move.wait, deadline + milliseconds{1}) << "seed " << seed;
      now += move.wait;
      step = move.step;
    }
    for (const unsigned each : attempts) ASSERT_LE(each, rules.retries + 1) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tollgate
