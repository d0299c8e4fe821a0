#include <gtest/gtest.h>

#include <algorithm>

#include "fleets.hpp"
#include "router/wording.hpp"

namespace tollgate {
namespace {

using testing::Fleet;

class Reasons : public ::testing::Test {
 protected:
  Reasons() {
    fleet_.pool("home", "llama", 0.6);
    fleet_.managed("cloud", "big", 1.0, 3, 15);
    fleet_.route("auto", {"auto"});
  }
  std::string reason(std::size_t step = 0, std::string_view model = "auto") {
    const Result<Plan> plan = fleet_.decide(model);
    return plan ? reason_text(plan.value(), step) : "refused";
  }
  Fleet fleet_;
};

TEST_F(Reasons, TheCheapestIsSaidWithBothForecasts) {
  EXPECT_EQ(reason(), "cheapest of 2 that can: $0 against $0.004515");
}

TEST_F(Reasons, AFallbackIsSaidWithItsPlace) { EXPECT_EQ(reason(1), "fallback, 2 of 2: $0.004515"); }

TEST_F(Reasons, TheOnlyOneSaysWhyTheOthersAreOut) {
  fleet_.complexity = {0.8F, Tier::reasoning};
  EXPECT_EQ(reason(), "only one of 2 left (home/llama: capability)");
}

TEST_F(Reasons, AConstraintIsNamed) {
  fleet_.constraint("stay").trust = Trust::internal;
  EXPECT_EQ(reason(), "only one of 2 left (cloud/big: constraint stay)");
}

TEST_F(Reasons, ANamedTargetWasAskedFor) { EXPECT_EQ(reason(0, "cloud/big"), "asked for by name"); }

TEST_F(Reasons, AnUnknownCostIsSaid) {
  fleet_.config.targets[1].prices.reset();
  EXPECT_EQ(reason(), "cheapest of 2 that can: $0 against cost unknown");
}

TEST_F(Reasons, ASaturatedTargetSaysSo) {
  fleet_.config.targets[0].concurrency_max = 1;
  fleet_.states[0].in_flight = 1;
  EXPECT_EQ(reason(1), "saturated: behind the targets with room, 2 of 2");
}

TEST_F(Reasons, TheyArePrintableAndShortWhateverTheNames) {
  Fleet fleet;
  fleet.pool("heim\n", "größe", 0.6);
  for (int i = 0; i < 30; ++i) fleet.managed("external" + std::to_string(i), "modèle", 1.0, 3, 15);
  fleet.constraint("stay\r\nhere").trust = Trust::internal;
  fleet.route("auto", {"auto"});
  const Result<Plan> plan = fleet.decide("auto");
  const std::string said = reason_text(plan.value(), 0);
  EXPECT_LE(said.size(), 200U);
  EXPECT_TRUE(std::all_of(said.begin(), said.end(), [](char c) { return c >= 0x20 && c <= 0x7E; })) << said;
}

TEST_F(Reasons, AStepThatIsNotThereHasNone) { EXPECT_EQ(reason(9), ""); }

TEST(Wording, EveryWhyHasAName) {
  EXPECT_EQ(name_of(Why::cheapest), "cheapest");
  EXPECT_EQ(name_of(Why::constraint), "constraint");
  EXPECT_EQ(name_of(Why::breaker_open), "breaker_open");
  EXPECT_EQ(name_of(Why::saturated), "saturated");
}

}  // namespace
}  // namespace tollgate
