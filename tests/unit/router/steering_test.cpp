// Where the autopilot puts targets, what its reasons say, and what counts as on offer to a pool.
#include <gtest/gtest.h>

#include "fleets.hpp"
#include "router/asked_facts.hpp"
#include "router/governors.hpp"
#include "router/offered.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::id;
using testing::Request;
using testing::ruled_out_of;
using testing::steps_of;

class Steered : public ::testing::Test {
 protected:
  Steered() {
    fleet_.pool("gpu", "llama", 1).concurrency_max = 4;
    fleet_.pool("sl", "llama", 1);
    fleet_.config.backends.back().pool->billing = Billing::serverless;
    fleet_.config.backends.back().pool->name = id("sl");
    fleet_.managed("dear", "big", 1.0, 3, 15);
    fleet_.managed("cheap", "small", 1.0, 1, 2);
    fleet_.route("auto", {"auto"}).autopilot = true;
    request_.user("hello").chat().stream = true;
  }
  static PoolStance stance(std::uint32_t workers, std::uint32_t places) {
    PoolStance made;
    made.workers = workers;
    made.places = places;
    made.why = workers > 0 ? PoolStance::Why::above : PoolStance::Why::below;
    made.per_second = workers > 0 ? 4.1F : 0.2F;
    made.break_even = 1.3F;
    made.service_seconds = 2;
    made.elsewhere = Usd{400'000'000};
    made.cold_start_us = 20'000'000;
    made.warm = workers > 0;
    return made;
  }
  void open(std::uint32_t places = 8) { fleet_.states[1].stance = stance(2, places); }
  void close() { fleet_.states[1].stance = stance(0, 0); }
  void fill_gpu() { fleet_.states[0].in_flight = 4; }
  Route& route() { return fleet_.config.routes[0]; }
  Result<Plan> plan() { return fleet_.decide(request_); }
  std::string steps() { return steps_of(plan()); }
  std::string reason() { return reason_text(plan().value(), 0); }
  std::size_t offered() { return offered_of(plan().value(), fleet_.config).size(); }

  Fleet fleet_;
  Request request_;
};

TEST_F(Steered, WhatIsPaidForComesFirstWhileItHasRoom) {
  open();
  EXPECT_EQ(steps(), "gpu/llama sl/llama cheap/small dear/big");
  EXPECT_EQ(reason(), "autopilot: paid for and has room");
}

TEST_F(Steered, AnOpenPoolComesBeforeWhatIsBilledByToken) {
  open();
  fill_gpu();
  EXPECT_EQ(steps(), "sl/llama cheap/small dear/big gpu/llama");
  EXPECT_EQ(reason(), "autopilot: gpu/llama is saturated; sl/llama open (2 workers): 4.1 requests/s, worth from 1.3, $0.0004 each elsewhere");
  EXPECT_EQ(plan().value().spilled_from->id, id("gpu/llama"));
}

TEST_F(Steered, AClosedPoolComesBehindThemAndTheReasonSaysWhy) {
  close();
  fill_gpu();
  EXPECT_EQ(steps(), "cheap/small dear/big sl/llama gpu/llama");
  EXPECT_EQ(reason().substr(0, 119), "autopilot: gpu/llama is saturated; sl/llama closed: 0.2 requests/s, worth from 1.3, $0.0004 each elsewhere; cheapest pr");
}

TEST_F(Steered, AFullPoolComesBehindThemToo) {
  open(2);
  fill_gpu();
  fleet_.states[1].in_flight = 2;
  EXPECT_EQ(steps(), "cheap/small dear/big sl/llama gpu/llama");
  EXPECT_NE(reason().find("sl/llama full (2 workers)"), std::string::npos) << reason();
}

TEST_F(Steered, PlacesAreThoseOfThePoolWhateverTheModel) {
  Target& other = fleet_.target("sl2", "qwen", 1);
  other.backend = 1;
  fleet_.config.backends.pop_back();
  open(2);
  fill_gpu();
  fleet_.states.back().in_flight = 2;
  EXPECT_EQ(plan().value().steps.front().target->id, id("cheap/small"));
}

TEST_F(Steered, WhatNobodyMeasuredIsNotChosenByGuess) {
  fill_gpu();
  EXPECT_EQ(steps(), "cheap/small dear/big sl/llama gpu/llama");
  EXPECT_NE(reason().find("sl/llama closed: not measured yet"), std::string::npos) << reason();
}

TEST_F(Steered, WhatHasNoPriceComesAfterAClosedPool) {
  close();
  fill_gpu();
  fleet_.config.targets[3].prices.reset();
  EXPECT_EQ(steps(), "dear/big sl/llama cheap/small gpu/llama");
}

TEST_F(Steered, WithoutAutopilotNothingChanges) {
  route().autopilot = false;
  fill_gpu();
  open();
  EXPECT_EQ(plan().value().steps[0].why, Why::spill_over);
  EXPECT_FALSE(plan().value().steering);
  EXPECT_EQ(offered(), 0U);
}

TEST_F(Steered, WhereAllAreSaturatedItHasNothingToSay) {
  open();
  fill_gpu();
  for (std::size_t i = 1; i < 4; ++i) {
    fleet_.config.targets[i].concurrency_max = 1;
    fleet_.states[i].in_flight = 1;
  }
  EXPECT_EQ(reason().find("autopilot"), std::string::npos) << reason();
}

TEST_F(Steered, ATrialSaysSo) {
  open(1);
  fill_gpu();
  fleet_.states[1].stance->why = PoolStance::Why::trial;
  EXPECT_NE(reason().find("sl/llama open: one request at a time, to measure it"), std::string::npos) << reason();
}

TEST_F(Steered, ALostPoolIsRuledOutAndTheRestIsAsBefore) {
  open();
  fleet_.states[0].availability = Availability::unreachable;
  EXPECT_EQ(steps(), "sl/llama cheap/small dear/big");
  EXPECT_EQ(ruled_out_of(plan()), "gpu/llama:unreachable");
}

TEST_F(Steered, NeverPastAConstraint) {
  open();
  fill_gpu();
  fleet_.config.backends[1].trust = Trust::external;
  fleet_.constraint("home").trust = Trust::internal;
  EXPECT_EQ(steps(), "gpu/llama");
}

TEST_F(Steered, AColdPoolIsLateWhereTheDeadlineIsShorterThanItsBoot) {
  open();
  fill_gpu();
  route().deadline = std::chrono::milliseconds(5000);
  EXPECT_EQ(steps(), "sl/llama cheap/small dear/big gpu/llama");
  fleet_.states[1].stance->warm = false;
  EXPECT_EQ(steps(), "cheap/small dear/big gpu/llama");
  EXPECT_EQ(ruled_out_of(plan()), "sl/llama:deadline");
}

TEST_F(Steered, OnlyWhatPaidForTargetsHaveNoRoomForIsOnOffer) {
  close();
  EXPECT_EQ(offered(), 0U);
  fill_gpu();
  const auto on_offer = offered_of(plan().value(), fleet_.config);
  ASSERT_EQ(on_offer.size(), 1U);
  EXPECT_EQ(on_offer[0].backend, 1U);
  EXPECT_EQ(on_offer[0].elsewhere, plan().value().steps[0].forecast);
}

TEST_F(Steered, AsMuchIsOnOfferWhetherThePoolIsOpenFullOrClosed) {
  fill_gpu();
  close();
  const Usd closed = offered_of(plan().value(), fleet_.config).front().elsewhere;
  open(2);
  EXPECT_EQ(offered_of(plan().value(), fleet_.config).front().elsewhere, closed);
  fleet_.states[1].in_flight = 2;
  EXPECT_EQ(offered_of(plan().value(), fleet_.config).front().elsewhere, closed);
}

TEST_F(Steered, WithoutAPriceElsewhereNothingIsOnOffer) {
  close();
  fill_gpu();
  for (const std::size_t i : {std::size_t{2}, std::size_t{3}}) fleet_.config.targets[i].prices.reset();
  EXPECT_EQ(offered(), 0U);
}

TEST_F(Steered, ASecondPoolIsOfferedWhatTheFirstDoesNotTake) {
  fleet_.pool("sl2", "llama", 1);
  fleet_.config.backends.back().pool->billing = Billing::serverless;
  route().among.push_back(4);
  fill_gpu();
  fleet_.states[4].stance = stance(0, 0);
  close();
  EXPECT_EQ(offered(), 2U);
  open(2);
  EXPECT_EQ(offered(), 1U);
  fleet_.states[1].in_flight = 2;
  EXPECT_EQ(offered(), 2U);
}

TEST_F(Steered, TheLedgersBitsSayWhoWasKeptBehind) {
  const auto bits = [&] {
    const AskedFacts asked(fleet_.config);
    DecisionFacts facts;
    asked.note_plan(plan().value(), fleet_.config, facts);
    return facts.saturated;
  };
  fill_gpu();
  close();
  EXPECT_EQ(bits(), 0b0011U);
  open();
  EXPECT_EQ(bits(), 0b0001U);
}

TEST(PricesNumber, ChangesWithWhatAnythingOnTheRoutesCosts) {
  Fleet fleet;
  fleet.pool("sl", "llama", 1);
  fleet.config.backends.back().pool->billing = Billing::serverless;
  fleet.managed("cloud", "big", 1.0, 3, 15);
  fleet.managed("other", "big", 1.0, 3, 15);
  Route& route = fleet.route("auto", {"auto"});
  route.autopilot = true;
  route.among.pop_back();
  const std::chrono::sys_seconds now{};
  const std::uint64_t was = prices_number(fleet.config, 0, now);
  EXPECT_NE(was, 0U);
  fleet.config.targets[2].prices->output = testing::per_million(1);   // on no such route
  EXPECT_EQ(prices_number(fleet.config, 0, now), was);
  fleet.config.targets[1].prices->output = testing::per_million(1);
  EXPECT_NE(prices_number(fleet.config, 0, now), was);
  fleet.config.targets[1].prices->output = testing::per_million(15);
  fleet.config.backends[0].pool->rate_picodollars += 1;
  EXPECT_NE(prices_number(fleet.config, 0, now), was);
}

TEST(Governors, GovernServerlessPoolsOfRoutesWithAutopilotAndKeepWhatTheyKnow) {
  Fleet fleet;
  fleet.pool("gpu", "llama", 1);
  fleet.pool("sl", "llama", 1);
  fleet.config.backends.back().pool->billing = Billing::serverless;
  fleet.config.backends.back().pool->name = id("sl");
  fleet.route("auto", {"auto"});
  Governors governors;
  governors.adopt(fleet.config);
  EXPECT_TRUE(governors.all().empty());
  fleet.config.routes[0].autopilot = true;
  governors.adopt(fleet.config);
  ASSERT_EQ(governors.all().size(), 1U);
  EXPECT_EQ(governors.all()[0].backend, 1U);
  governors.all()[0].governor.know_service(2);
  PoolGovernor::Seen seen;
  seen.seconds = 60;
  seen.offered = 600;
  seen.elsewhere_usd = 60;
  governors.tick(governors.all()[0], fleet.config, seen, 0, {}, 1000);
  governors.tick(governors.all()[0], fleet.config, seen, 0, {}, 1060);
  EXPECT_TRUE(governors.all()[0].governor.stance().open());
  governors.adopt(fleet.config);
  EXPECT_TRUE(governors.all()[0].governor.stance().open());
  fleet.config.routes[0].autopilot = false;
  governors.adopt(fleet.config);
  EXPECT_TRUE(governors.all().empty());
}

}  // namespace
}  // namespace tollgate
