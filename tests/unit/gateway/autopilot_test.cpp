// What reactors count for the autopilot, and its series.
#include "gateway/autopilot.hpp"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include "../router/fleets.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::id;

class Counting : public ::testing::Test {
 protected:
  Counting() {
    fleet_.pool("sl", "llama", 1);
    fleet_.config.backends.back().pool->billing = Billing::serverless;
    fleet_.config.backends.back().pool->name = id("sl");
    fleet_.managed("cloud", "big", 1.0, 2, 10);
    fleet_.route("auto", {"auto"}).autopilot = true;
  }
  AutopilotCounts::Totals totals() const {
    AutopilotCounts::Totals all;
    counts_.add_to(all);
    return all;
  }
  Fleet fleet_;
  AutopilotCounts counts_;
};

TEST_F(Counting, DecisionsAndWhatIsOnOfferAddUp) {
  const Result<Plan> plan = fleet_.decide();
  for (int i = 0; i < 3; ++i) counts_.decided(plan.value(), fleet_.config);
  const AutopilotCounts::Totals all = totals();
  EXPECT_EQ(all.pools.at(id("sl")).offered, 3U);
  EXPECT_EQ(all.pools.at(id("sl")).elsewhere, UsdSum{Usd{3 * plan.value().steps[0].forecast.count()}});
  EXPECT_EQ((all.decisions.at({id("auto"), id("cloud/big"), Standing::priced})), 3U);
}

TEST_F(Counting, ServiceTimesAreKeptApartByWhetherAWorkerWasUp) {
  counts_.served(id("sl"), true, 2'000'000);
  counts_.served(id("sl"), false, 22'000'000);
  counts_.served(id("sl"), true, 4'000'000);
  const AutopilotCounts::OfPool sums = totals().pools.at(id("sl"));
  EXPECT_EQ(sums.served_warm, 2U);
  EXPECT_EQ(sums.warm_us, 6'000'000U);
  EXPECT_EQ(sums.served_cold, 1U);
  EXPECT_EQ(sums.cold_us, 22'000'000U);
}

TEST_F(Counting, ReactorsAddUp) {
  AutopilotCounts other;
  counts_.served(id("sl"), true, 1);
  other.served(id("sl"), true, 2);
  AutopilotCounts::Totals all;
  counts_.add_to(all);
  other.add_to(all);
  EXPECT_EQ(all.pools.at(id("sl")).warm_us, 3U);
}

TEST(AutopilotSeries, AreNoneWhereNoRouteHasIt) {
  std::vector<prometheus::MetricFamily> families;
  Autopilot().collect({}, families);
  EXPECT_TRUE(families.empty());
}

}  // namespace
}  // namespace tollgate
