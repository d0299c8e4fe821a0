#include "router/routes.hpp"

#include <gtest/gtest.h>

#include "fleets.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::id;
using testing::steps_of;

class Routes : public ::testing::Test {
 protected:
  Routes() {
    fleet_.pool("home", "llama", 0.6);
    fleet_.managed("cloud", "big", 1.0, 3, 15);
    fleet_.managed("other", "llama", 0.6, 1, 1);
  }
  std::string route_of(std::string_view model) {
    const Result<Plan> plan = fleet_.decide(model);
    return plan ? std::string(text(plan.value().route)) : "refused: " + plan.error().message;
  }
  Fleet fleet_;
};

TEST_F(Routes, TheFirstThatMatchesWins) {
  fleet_.route("first", {"auto"});
  fleet_.route("second", {"auto"});
  EXPECT_EQ(route_of("auto"), "first");
}

TEST_F(Routes, AConditionThatFailsLeavesTheRequestToTheNext) {
  fleet_.route("streams", {"auto"}).when.stream = true;
  fleet_.route("rest", {"auto"});
  EXPECT_EQ(route_of("auto"), "rest");
}

TEST_F(Routes, ATargetIdIsTakenDirectly) {
  fleet_.route("auto", {"auto"});
  EXPECT_EQ(route_of("cloud/big"), "direct");
  EXPECT_EQ(steps_of(fleet_.decide("cloud/big")), "cloud/big");
}

TEST_F(Routes, AModelNameLetsAllThatCarryItCompete) {
  EXPECT_EQ(steps_of(fleet_.decide("llama")), "home/llama other/llama");
}

TEST_F(Routes, ARouteThatNamesATargetTakesIt) {
  fleet_.route("audited", {"cloud/*"});
  EXPECT_EQ(route_of("cloud/big"), "audited");
}

TEST_F(Routes, ARouteThatNamesATargetButDoesNotHoldLeavesItDirect) {
  fleet_.route("audited", {"cloud/*"}).when.stream = true;
  EXPECT_EQ(route_of("cloud/big"), "direct");
}

TEST_F(Routes, ARouteWithoutModelsTakesVirtualNamesOnly) {
  fleet_.route("any", {});
  EXPECT_EQ(route_of("auto"), "any");
  EXPECT_EQ(route_of("cloud/big"), "direct");
  EXPECT_EQ(fleet_.decide("gpt-9").error().fault, Fault::model_not_found);
}

TEST_F(Routes, APatternMakesUnlistedNamesKnown) {
  fleet_.route("aliases", {"gpt-*"});
  EXPECT_EQ(route_of("gpt-9"), "aliases");
}

TEST_F(Routes, AnUnknownNameIsRefusedWithSomeThatExist) {
  const Error error = fleet_.decide("gpt-9\n").error();
  EXPECT_EQ(error.fault, Fault::model_not_found);
  EXPECT_EQ(error.param, "model");
  EXPECT_EQ(error.message, "no model \"gpt-9?\"; there are auto, home/llama, cloud/big, other/llama");
}

TEST_F(Routes, ALongNameIsClippedInTheMessage) {
  const std::string name(5000, 'x');
  EXPECT_LT(fleet_.decide(name).error().message.size(), 300U);
}

TEST_F(Routes, AnEmptyNameIsUnknown) { EXPECT_EQ(fleet_.decide("").error().fault, Fault::model_not_found); }

TEST_F(Routes, AKnownNameWithoutARouteIsUnsupported) {
  fleet_.route("streams", {"auto"}).when.stream = true;
  const Error error = fleet_.decide("auto").error();
  EXPECT_EQ(error.fault, Fault::unsupported);
  EXPECT_EQ(error.param, "model");
}

TEST_F(Routes, ATargetListedTwiceCompetesOnce) {
  fleet_.route("auto", {"auto"}).among = {1, 1, 0, 1, 99};
  const Result<Plan> plan = fleet_.decide("auto");
  EXPECT_EQ(steps_of(plan), "home/llama cloud/big");
}

}  // namespace
}  // namespace tollgate
