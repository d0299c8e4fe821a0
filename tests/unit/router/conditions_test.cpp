// Conditions on time, load, user and metadata; how loaded a target is.
#include <gtest/gtest.h>

#include "fleets.hpp"
#include "router/forecast.hpp"
#include "router/matcher.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::Request;

// 2026-11-21 is a Saturday.
constexpr std::int64_t saturday = 1'795'219'200;
constexpr std::int64_t minute = 60, hour = 3600, day = 24 * hour;

Schedule hours(int from_hour, int to_hour) {
  Schedule schedule;
  schedule.from_minute = static_cast<std::int16_t>(from_hour * 60);
  schedule.to_minute = static_cast<std::int16_t>(to_hour * 60);
  return schedule;
}

TEST(Times, AWindowBeginsOnItsMinuteAndEndsBeforeItsEnd) {
  const Schedule working = hours(8, 18);
  EXPECT_FALSE(is_within(working, saturday + 8 * hour - 1));
  EXPECT_TRUE(is_within(working, saturday + 8 * hour));
  EXPECT_TRUE(is_within(working, saturday + 18 * hour - 1));
  EXPECT_FALSE(is_within(working, saturday + 18 * hour));
}

TEST(Times, DaysAreThoseOfTheWeek) {
  Schedule weekend;
  weekend.days = 0x60;
  EXPECT_FALSE(is_within(weekend, saturday - 1));
  EXPECT_TRUE(is_within(weekend, saturday));
  EXPECT_TRUE(is_within(weekend, saturday + 2 * day - 1));
  EXPECT_FALSE(is_within(weekend, saturday + 2 * day));
}

TEST(Times, PastMidnightBelongsToTheDayOnWhichTheWindowBegan) {
  Schedule night = hours(22, 6);
  night.days = 0x10;  // Friday
  EXPECT_FALSE(is_within(night, saturday - day + 5 * hour)) << "Thursday's night";
  EXPECT_TRUE(is_within(night, saturday - 2 * hour));
  EXPECT_TRUE(is_within(night, saturday + 6 * hour - minute));
  EXPECT_FALSE(is_within(night, saturday + 6 * hour));
  EXPECT_FALSE(is_within(night, saturday + 22 * hour)) << "Saturday's night";
}

TEST(Times, TheClockMayBeFarFromUtc) {
  Schedule working = hours(8, 18);
  working.utc_offset_minutes = 60;
  EXPECT_TRUE(is_within(working, saturday + 7 * hour));
  EXPECT_FALSE(is_within(working, saturday + 17 * hour));
  Schedule sunday;
  sunday.days = 0x40;
  sunday.utc_offset_minutes = 120;
  EXPECT_TRUE(is_within(sunday, saturday + 22 * hour));
}

TEST(Times, TheEpochWasAThursday) {
  Schedule thursday;
  thursday.days = 0x08;
  EXPECT_TRUE(is_within(thursday, 0));
  EXPECT_FALSE(is_within(thursday, -1));
  EXPECT_TRUE(is_within(thursday, -7 * day));
}

class Conditions : public ::testing::Test {
 protected:
  Conditions() {
    fleet_.pool("home", "llama", 0.6);
    fleet_.pool("lab", "llama", 0.6);
    request_.user("hello");
  }
  bool holds(const Condition& when) {
    RequestFacts facts = fleet_.facts(request_);
    facts.arrived_us = saturday * 1'000'000;
    return matches(when, facts);
  }
  bool load_holds(std::optional<double> from, std::optional<double> below) {
    Condition when;
    when.load = LoadCondition{{0, 1}, from, below};
    return matches_load(when, fleet_.config, fleet_.states);
  }
  Fleet fleet_;
  Request request_;
};

TEST_F(Conditions, TimeIsWhenTheRequestArrived) {
  Condition when;
  when.time = hours(0, 1);
  EXPECT_TRUE(holds(when));
  when.time = hours(1, 2);
  EXPECT_FALSE(holds(when));
}

TEST_F(Conditions, UsersAreMatchedByPattern) {
  Condition when;
  when.users = {"alice-*", "bob"};
  EXPECT_FALSE(holds(when)) << "no user is not any user";
  request_.chat().user = "alice-7";
  EXPECT_TRUE(holds(when));
  request_.chat().user = "bobby";
  EXPECT_FALSE(holds(when));
}

TEST_F(Conditions, MetadataMustHaveAllThatIsNamed) {
  Condition when;
  when.metadata = {{"purpose", {"eval", "batch"}}, {"run", {}}};
  request_.chat().metadata = {{"purpose", "EVAL"}};
  EXPECT_FALSE(holds(when));
  request_.chat().metadata.push_back({"run", ""});
  EXPECT_TRUE(holds(when));
  request_.chat().metadata[0].name = "Purpose";
  EXPECT_FALSE(holds(when)) << "names are as written";
}

TEST_F(Conditions, OfSeveralTargetsTheLeastLoadedCounts) {
  fleet_.config.targets[0].concurrency_max = fleet_.config.targets[1].concurrency_max = 10;
  fleet_.states[0].in_flight = 9;
  fleet_.states[1].in_flight = 5;
  EXPECT_TRUE(load_holds(0.5, 0.6));
  EXPECT_FALSE(load_holds(0.6, {}));
  fleet_.states[1].availability = Availability::unreachable;
  EXPECT_TRUE(load_holds(0.9, {})) << "what is down has no room";
  fleet_.states[0].availability = Availability::draining;
  EXPECT_FALSE(load_holds(0.0, {})) << "nothing is known";
}

TEST_F(Conditions, ALoadThatIsNotKnownHoldsNothing) {
  EXPECT_FALSE(load_holds({}, 1.0));
  EXPECT_FALSE(load_holds(0.0, {}));
}

TEST_F(Conditions, ARouteOnLoadIsPassedOver) {
  fleet_.config.targets[0].concurrency_max = 2;
  fleet_.route("busy", {"auto"}).when.load = LoadCondition{{0}, 0.5, {}};
  fleet_.route("auto", {"auto"});
  EXPECT_EQ(fleet_.decide().value().route, testing::id("auto"));
  fleet_.states[0].in_flight = 1;
  EXPECT_EQ(fleet_.decide().value().route, testing::id("busy"));
}

TEST_F(Conditions, LoadIsTheGreatestOfWhatIsKnown) {
  const SpillOver limits;
  Target& target = fleet_.config.targets[0];
  TargetState& state = fleet_.states[0];
  EXPECT_FALSE(load_of(target, state, limits));
  state.engine_waiting = 0;
  EXPECT_EQ(load_of(target, state, limits), 0.0);
  state.engine_waiting = 1;
  EXPECT_EQ(load_of(target, state, limits), 0.25);
  target.concurrency_max = 10;
  state.in_flight = 3;
  EXPECT_EQ(load_of(target, state, limits), 0.3);
  state.engine_running = 6;
  EXPECT_EQ(load_of(target, state, limits), 0.3) << "concurrency_max is for the requests that pass here";
  state.kv_cache_usage = 0.95F;
  EXPECT_NEAR(*load_of(target, state, limits), 1.0, 1e-6);
}

}  // namespace
}  // namespace tollgate
