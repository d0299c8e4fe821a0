#include "simulate/what_if.hpp"

#include <gtest/gtest.h>

#include "traffic_maker.hpp"

namespace tollgate::simulate {
namespace {

using testing::config_of;
using testing::fleet;
using testing::Running;
using testing::TrafficMaker;

TEST(Sweep, IsReadWithItsStepsAndRoundValues) {
  const Result<Sweep> sweep = parse_sweep("complexity.threshold=0.3..0.9");
  ASSERT_TRUE(sweep);
  ASSERT_EQ(sweep.value().values.size(), 13U);
  EXPECT_EQ(sweep.value().values[1], 0.35);
  EXPECT_EQ(sweep.value().values.back(), 0.9);
  EXPECT_EQ(parse_sweep("tiers.medium=0.1..0.2:2").value().values.size(), 2U);
  EXPECT_EQ(parse_sweep("capability.home/llama=0..1").value().setting, "capability.home/llama");
  for (const char* wrong : {"", "x=0.1..0.2", "tiers.medium=0.2..0.1", "tiers.medium=0.1", "tiers.medium=0..2", "tiers.medium=0..1:1", "capability.=0..1"}) {
    EXPECT_FALSE(parse_sweep(wrong)) << wrong;
  }
}

TEST(Sweep, TheThresholdIsWhatAllButTheMostCapableAreTrustedWith) {
  const ConfigPtr config = config_of(fleet("0.6"));
  const ConfigPtr changed = with(*config, parse_sweep("complexity.threshold=0.3..0.9").value(), 0.45).value();
  EXPECT_EQ(changed->targets[0].capability, 0.45);
  EXPECT_EQ(changed->targets[1].capability, 1.0);
  EXPECT_EQ(config->targets[0].capability, 0.6) << "the original stays";
  EXPECT_FALSE(with(*config_of(fleet("1.0")), parse_sweep("complexity.threshold=0.3..0.9").value(), 0.45)) << "nothing would change";
  EXPECT_FALSE(with(*config, parse_sweep("capability.no/such=0..1").value(), 0.4));
}

TEST(Sweep, CostFallsAndRiskRisesWithTheThreshold) {
  const ConfigPtr config = config_of(fleet("0.5"));
  TrafficMaker maker(config);
  maker.chat.text_bytes = 4000;
  for (int i = 0; i < 400; ++i) maker.add(i * 1'000'000, static_cast<float>(i % 20) / 20);
  const Running running(config, maker.traffic());
  std::vector<SweepPoint> points;
  const Sweep sweep = parse_sweep("complexity.threshold=0..1:5").value();
  for (const double value : sweep.values) {
    const Rules rules(with(*config, sweep, value).value());
    points.push_back(point_of(value, run({rules, maker.traffic(), running.speeds, running.quality, 1, 1, {0.5, 1.0}}, running.blocks), 1));
  }
  for (std::size_t i = 1; i < points.size(); ++i) {
    EXPECT_LT(points[i].usd, points[i - 1].usd);
    EXPECT_GE(points[i].at_risk, points[i - 1].at_risk);
  }
  EXPECT_EQ(points[2].at_risk, 0) << "up to what it is trusted with there is no risk";
  mark_knee(points);
  EXPECT_TRUE(points[2].is_knee) << "all that comes free of risk is taken";
}

TEST(Knee, AStraightLineHasNone) {
  std::vector<SweepPoint> points(5);
  for (int i = 0; i < 5; ++i) {
    points[static_cast<std::size_t>(i)].usd = UsdSum{Int128{100 - 10 * i}};
    points[static_cast<std::size_t>(i)].requests = 100;
    points[static_cast<std::size_t>(i)].at_risk = 10 * i;
  }
  mark_knee(points);
  for (const SweepPoint& point : points) EXPECT_FALSE(point.is_knee);
}

TEST(MorePool, HasMoreGpusRateAndRoom) {
  const ConfigPtr config = config_of(fleet("0.6", "", "", ", concurrency_max: 4"));
  const ConfigPtr changed = with(*config, parse_more_pool("home=2").value()).value();
  const Pool &was = *config->backends[0].pool, &now = *changed->backends[0].pool;
  EXPECT_EQ(now.gpus, 3 * was.gpus);
  EXPECT_EQ(now.rate_picodollars * was.rate_denominator, 3 * was.rate_picodollars * now.rate_denominator);
  EXPECT_EQ(changed->targets[0].concurrency_max, 12U);
  SpeedBook speeds;
  speeds.pools = {{2, true, 4}, {}};
  scale_pools(*config, *changed, speeds);
  EXPECT_EQ(speeds.pools[0].full_speed, 6);
  EXPECT_EQ(speeds.pools[0].places, 12U);
  EXPECT_FALSE(with(*config, parse_more_pool("cloud").value())) << "not hardware";
  EXPECT_FALSE(parse_more_pool("home=0"));
}

}  // namespace
}  // namespace tollgate::simulate
