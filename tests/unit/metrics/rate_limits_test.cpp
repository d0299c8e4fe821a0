#include "metrics/rate_limits.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

using std::chrono::seconds;

NameId id(std::string_view name) { return Names::global().intern(name); }
MonoTime at(std::int64_t s) { return MonoTime{seconds{1'000 + s}}; }

RateLimit limit(std::string_view name, RateLimit::Each each, std::int64_t requests, std::int64_t tokens = 0,
                std::int64_t concurrent = 0) {
  RateLimit made;
  made.name = id(name);
  made.each = each;
  made.requests_per_minute = requests;
  made.tokens_per_minute = tokens;
  made.concurrent = concurrent;
  return made;
}

class RateLimitsTest : public ::testing::Test {
 protected:
  void adopt(std::vector<RateLimit> rules, std::int64_t now = 0) {
    Config config;
    config.limits = std::move(rules);
    limits_.adopt(config, at(now));
  }
  std::optional<RateRefusal> ask(const Payer& payer, std::int64_t tokens = 0, std::int64_t now = 0) {
    RatePermit permit(limits_);
    std::optional<RateRefusal> refused = permit.admit(payer, tokens, at(now));
    permit.settle(tokens, at(now));
    return refused;
  }
  RateLimits limits_;
  Payer red_{id("k1"), id("red"), id("auto"), id("direct")}, blue_{id("k2"), id("blue"), id("auto"), id("other")};
};

TEST_F(RateLimitsTest, AMinutesWorthMayComeAtOnceAndThenComesEvenly) {
  adopt({limit("few", RateLimit::Each::key, 60)});
  for (int i = 0; i < 60; ++i) ASSERT_FALSE(ask(red_));
  const auto refused = ask(red_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(text(refused->limit), "few");
  EXPECT_EQ(refused->retry_after, seconds{1});
  EXPECT_FALSE(ask(red_, 0, 1));
  EXPECT_TRUE(ask(red_, 0, 1));
}

TEST_F(RateLimitsTest, EachHasAnAllowanceOfItsOwnOrAllShareOne) {
  const std::pair<RateLimit::Each, bool> cases[] = {{RateLimit::Each::key, false},
                                                    {RateLimit::Each::team, false},
                                                    {RateLimit::Each::model, true},
                                                    {RateLimit::Each::route, false},
                                                    {RateLimit::Each::all, true}};
  for (const auto& [each, shared] : cases) {
    adopt({limit("l" + std::to_string(static_cast<int>(each)), each, 1)});
    EXPECT_FALSE(ask(red_));
    EXPECT_EQ(ask(blue_).has_value(), shared) << static_cast<int>(each);
  }
}

TEST_F(RateLimitsTest, ALimitActsOnWhomItsScopeMeans) {
  RateLimit only = limit("only", RateLimit::Each::all, 1);
  only.scope.routes = {"oth*"};
  adopt({only});
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(ask(red_));
  EXPECT_FALSE(ask(blue_));
  EXPECT_TRUE(ask(blue_));
  EXPECT_EQ(limits_.states_of(red_, at(0)).requests.limit, 0);
}

TEST_F(RateLimitsTest, ARefusedRequestTakesNothingOfAnyLimit) {
  adopt({limit("wide", RateLimit::Each::all, 100), limit("narrow", RateLimit::Each::all, 1)});
  EXPECT_FALSE(ask(red_));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(ask(red_));
  const std::vector<RateLimitStatus> all = limits_.status();
  EXPECT_EQ(all[0].admitted, 1U);
  EXPECT_EQ(all[1].refused[0], 10U);
}

TEST_F(RateLimitsTest, ReservedTokensBecomeTheRealOnes) {
  adopt({limit("tokens", RateLimit::Each::key, 0, 1'000)});
  RatePermit permit(limits_);
  EXPECT_FALSE(permit.admit(red_, 900, at(0)));
  EXPECT_EQ(limits_.states_of(red_, at(0)).tokens.remaining, 100);
  permit.settle(50, at(0));
  EXPECT_EQ(limits_.states_of(red_, at(0)).tokens.remaining, 950);
}

TEST_F(RateLimitsTest, AnAnswerThatWasLongerThanThoughtHasToBeMadeUpFor) {
  adopt({limit("tokens", RateLimit::Each::key, 0, 600)});
  RatePermit permit(limits_);
  EXPECT_FALSE(permit.admit(red_, 100, at(0)));
  permit.settle(1'200, at(0));
  const auto refused = ask(red_, 10);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->retry_after, seconds{61});  // 600 below nothing, and 10 above it, at 10 a second
  EXPECT_FALSE(ask(red_, 10, 61));
}

TEST_F(RateLimitsTest, WhatNeverFitsHasNoTimeToTryAgain) {
  adopt({limit("tokens", RateLimit::Each::key, 0, 600)});
  const auto refused = ask(red_, 601);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, LimitKind::tokens);
  EXPECT_FALSE(refused->retry_after);
}

TEST_F(RateLimitsTest, APlaceComesFreeWhenItsRequestEndsHoweverItEnds) {
  adopt({limit("places", RateLimit::Each::key, 0, 0, 1)});
  {
    RatePermit permit(limits_);
    EXPECT_FALSE(permit.admit(red_, 0, at(0)));
    EXPECT_EQ(ask(red_)->kind, LimitKind::concurrent);
  }
  EXPECT_FALSE(ask(red_));
}

TEST_F(RateLimitsTest, AReloadKeepsWhatIsUsedAndNewLimitsActAtOnce) {
  adopt({limit("few", RateLimit::Each::key, 10)});
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(ask(red_));
  adopt({limit("few", RateLimit::Each::key, 5)});
  EXPECT_EQ(limits_.states_of(red_, at(0)).requests.remaining, 2);
  EXPECT_EQ(limits_.states_of(red_, at(0)).requests.limit, 5);
  adopt({});
  EXPECT_FALSE(limits_.any());
}

TEST(DurationText, IsWrittenAsOpenAiDoes) {
  using std::chrono::microseconds;
  EXPECT_EQ(duration_text(microseconds{0}), "0ms");
  EXPECT_EQ(duration_text(microseconds{12'000}), "12ms");
  EXPECT_EQ(duration_text(microseconds{7'660'000}), "7.66s");
  EXPECT_EQ(duration_text(microseconds{360'000'000}), "6m0s");
}

}  // namespace
}  // namespace tollgate
