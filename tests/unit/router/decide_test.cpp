#include <gtest/gtest.h>

#include <limits>

#include "fleets.hpp"
#include "router/router.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::id;
using testing::Request;
using testing::ruled_out_of;
using testing::steps_of;

class Decide : public ::testing::Test {
 protected:
  Decide() {
    fleet_.pool("home", "llama", 0.6);
    fleet_.managed("cloud", "big", 1.0, 3, 15);
    fleet_.managed("cheap", "small", 0.7, 1, 2);
    fleet_.route("auto", {"auto"});
    request_.user("hello");
  }
  Target& target(std::size_t i) { return fleet_.config.targets[i]; }
  std::string steps() { return steps_of(fleet_.decide(request_)); }
  std::string ruled_out() { return ruled_out_of(fleet_.decide(request_)); }
  Error refusal() {
    const Result<Plan> plan = fleet_.decide(request_);
    return plan ? fail(Fault::internal, "was not refused: " + steps_of(plan)) : plan.error();
  }
  std::vector<Why> whys() {
    std::vector<Why> out;
    const Result<Plan> plan = fleet_.decide(request_);
    for (const Step& step : plan.value().steps) out.push_back(step.why);
    return out;
  }
  Fleet fleet_;
  Request request_;
};

TEST_F(Decide, CheapestOrdersByForecastAndTheRestAreFallbacks) {
  EXPECT_EQ(steps(), "home/llama cheap/small cloud/big");
  EXPECT_EQ(whys(), (std::vector{Why::cheapest, Why::fallback, Why::fallback}));
}

TEST_F(Decide, FirstKeepsTheOrderWritten) {
  fleet_.config.routes[0].choose = Choose::first;
  fleet_.config.routes[0].among = {1, 0, 2};
  EXPECT_EQ(steps(), "cloud/big home/llama cheap/small");
  EXPECT_EQ(whys()[0], Why::first_listed);
}

TEST_F(Decide, TiesKeepTheOrderWritten) {
  fleet_.config.routes[0].among = {2, 1};
  target(1).prices = target(2).prices;
  EXPECT_EQ(steps(), "cheap/small cloud/big");
}

TEST_F(Decide, UnpricedTargetsCompeteLast) {
  target(2).prices.reset();
  EXPECT_EQ(steps(), "home/llama cloud/big cheap/small");
  const Result<Plan> plan = fleet_.decide(request_);
  EXPECT_FALSE(plan.value().steps[2].forecast_known);
}

TEST_F(Decide, CapabilityKeepsHardRequestsFromWeakTargets) {
  fleet_.complexity = {0.65F, Tier::complex};
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  EXPECT_EQ(ruled_out(), "home/llama:capability");
}

TEST_F(Decide, CapabilityOfExactlyTheScoreIsEnough) {
  fleet_.complexity = {0.6F, Tier::complex};
  EXPECT_EQ(steps(), "home/llama cheap/small cloud/big");
}

TEST_F(Decide, WhereNoneIsTrustedTheMostCapableRemain) {
  target(1).capability = target(2).capability = 0.7;
  fleet_.complexity = {0.95F, Tier::reasoning};
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  const Result<Plan> plan = fleet_.decide(request_);
  EXPECT_NE(reason_text(plan.value(), 0).find("none is trusted with complexity 0.95"), std::string::npos);
}

TEST_F(Decide, WhoNamesATargetHasJudgedItsCapability) {
  fleet_.complexity = {0.95F, Tier::reasoning};
  request_.chat().model = "home/llama";
  EXPECT_EQ(steps(), "home/llama");
  EXPECT_EQ(whys(), (std::vector{Why::asked_for}));
}

TEST_F(Decide, ConstraintsBindDirectRequestsToo) {
  fleet_.constraint("stay").trust = Trust::internal;
  request_.chat().model = "cloud/big";
  EXPECT_EQ(refusal().fault, Fault::constraint_unsatisfied);
}

TEST_F(Decide, ConstraintsComeBeforePrice) {
  fleet_.constraint("leave").trust = Trust::external;
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  const Result<Plan> plan = fleet_.decide(request_);
  EXPECT_EQ(plan.value().ruled_out[0].constraint, id("leave"));
}

TEST_F(Decide, AConstraintThatLeavesNothingIsNamed) {
  fleet_.constraint("stay").trust = Trust::internal;
  fleet_.constraint("eu-only").labels["region"] = {"eu"};
  const Error error = refusal();
  EXPECT_EQ(error.fault, Fault::constraint_unsatisfied);
  EXPECT_EQ(error.param, "");
  EXPECT_EQ(error.message, "constraints eu-only, stay leave no target for this request on route \"auto\"");
}

TEST_F(Decide, AContextTooShortRulesOut) {
  target(0).context_tokens = 100;
  request_.chat().output_tokens_max = 96;  // 5 tokens of input: "hello" and its message
  EXPECT_EQ(ruled_out(), "home/llama:context");
  request_.chat().output_tokens_max = 95;
  EXPECT_EQ(ruled_out(), "");
}

TEST_F(Decide, AHugeMaxTokensDoesNotOverflow) {
  target(0).context_tokens = target(1).context_tokens = 100;
  request_.chat().output_tokens_max = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(ruled_out(), "home/llama:context cloud/big:context");
}

TEST_F(Decide, MaxTokensPastATargetsOutputRulesItOut) {
  target(0).output_tokens_max = 50;
  request_.chat().output_tokens_max = 51;
  EXPECT_EQ(ruled_out(), "home/llama:context");
}

TEST_F(Decide, ToolsImagesSchemaAndSurfaceMustBeTaken) {
  target(0).tools = false;
  request_.chat().tool_results = 1;
  EXPECT_EQ(ruled_out(), "home/llama:tools");
  request_.chat().tool_results = 0;
  request_.chat().images = 1;
  target(1).images = true;
  EXPECT_EQ(ruled_out(), "home/llama:images cheap/small:images");
  request_.chat().images = 0;
  request_.chat().json_schema = true;
  target(2).json_schema = false;
  EXPECT_EQ(ruled_out(), "cheap/small:schema");
  request_.chat().json_schema = false;
  request_.chat().surface = Surface::embeddings;
  EXPECT_EQ(refusal().fault, Fault::unsupported);
  target(1).surfaces = {Surface::embeddings};
  EXPECT_EQ(steps(), "cloud/big");
}

TEST_F(Decide, NoSurfacesListedMeansChatAndCompletions) {
  target(0).surfaces.clear();
  EXPECT_EQ(steps(), "home/llama cheap/small cloud/big");
}

TEST_F(Decide, WhatNoTargetCanDoIsSaid) {
  request_.chat().images = 1;
  const Error error = refusal();
  EXPECT_EQ(error.fault, Fault::unsupported);
  EXPECT_EQ(error.param, "messages");
  EXPECT_EQ(error.message, "no target on route \"auto\" takes images");
}

TEST_F(Decide, UnavailableTargetsAreRuledOut) {
  fleet_.states[0].availability = Availability::breaker_open;
  fleet_.states[2].availability = Availability::draining;
  EXPECT_EQ(steps(), "cloud/big");
  EXPECT_EQ(ruled_out(), "home/llama:breaker_open cheap/small:draining");
  EXPECT_EQ(whys(), (std::vector{Why::only_one}));
}

TEST_F(Decide, WithAllDownTheReasonsAreSaid) {
  fleet_.states[0].availability = Availability::breaker_open;
  fleet_.states[1].availability = Availability::unreachable;
  fleet_.states[2].availability = Availability::draining;
  const Error error = refusal();
  EXPECT_EQ(error.fault, Fault::no_target_up);
  EXPECT_EQ(error.message,
            "no target is usable now: home/llama (breaker_open), cloud/big (unreachable), cheap/small (draining)");
}

TEST_F(Decide, AHardRequestIsNotGivenToAWeakTargetBecauseTheStrongOneIsDown) {
  fleet_.complexity = {0.9F, Tier::reasoning};
  fleet_.states[1].availability = Availability::unreachable;
  EXPECT_EQ(refusal().fault, Fault::no_target_up);
}

TEST_F(Decide, ASaturatedTargetGoesToTheEnd) {
  target(0).concurrency_max = 4;
  fleet_.states[0].in_flight = 4;
  EXPECT_EQ(steps(), "cheap/small cloud/big home/llama");
  EXPECT_EQ(whys(), (std::vector{Why::spill_over, Why::fallback, Why::saturated}));
  fleet_.states[0].in_flight = 3;
  EXPECT_EQ(steps(), "home/llama cheap/small cloud/big");
}

TEST_F(Decide, FirstSpillsOverToo) {
  fleet_.config.routes[0].choose = Choose::first;
  target(0).concurrency_max = 4;
  fleet_.states[0].in_flight = 9;
  EXPECT_EQ(steps(), "cloud/big cheap/small home/llama");
}

TEST_F(Decide, ASaturatedTargetThatIsAloneIsStillUsed) {
  fleet_.config.routes[0].among = {0};
  target(0).concurrency_max = 4;
  fleet_.states[0].in_flight = 9;
  EXPECT_EQ(steps(), "home/llama");
}

TEST_F(Decide, TheLoadedBasisMayPreferAManagedTarget) {
  fleet_.config.routes[0].cost_basis = CostBasis::loaded;
  fleet_.states[0].loaded_usd_per_million_tokens = Usd{400'000'000'000'000};
  EXPECT_EQ(steps(), "cheap/small cloud/big home/llama");
}

TEST_F(Decide, APoolWhoseLoadedCostIsNotKnownYetIsUsedToLearnIt) {
  fleet_.config.routes[0].cost_basis = CostBasis::loaded;
  const Result<Plan> plan = fleet_.decide(request_);
  EXPECT_EQ(steps_of(plan), "home/llama cheap/small cloud/big");
  EXPECT_FALSE(plan.value().steps[0].forecast_known);
}

TEST_F(Decide, WithoutStatesTargetsCountAsUp) {
  EXPECT_EQ(steps_of(decide(fleet_.facts(request_), fleet_.config, {})), "home/llama cheap/small cloud/big");
}

TEST_F(Decide, ARouteWithoutTargetsIsRefused) {
  fleet_.config.routes[0].among.clear();
  EXPECT_EQ(refusal().fault, Fault::unsupported);
}

}  // namespace
}  // namespace tollgate
