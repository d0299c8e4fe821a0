#include "gateway/routing_counts.hpp"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

namespace tollgate {
namespace {

NameId id(const char* name) { return Names::global().intern(name); }

TEST(RoutingCounts, ReactorsAddUpByRouteAndTargets) {
  RoutingCounts one, other;
  one.spilled(id("auto"), id("gpu/a"), id("cloud/b"));
  one.spilled(id("auto"), id("gpu/a"), id("cloud/b"));
  other.spilled(id("auto"), id("gpu/a"), id("cloud/b"));
  other.spilled(id("auto"), id("gpu/a"), id("cloud/c"));
  RoutingCounts::Totals totals;
  one.add_to(totals);
  other.add_to(totals);
  std::vector<prometheus::MetricFamily> families;
  collect_routing(totals, families);
  ASSERT_EQ(families.size(), 2U);
  EXPECT_EQ(families[0].name, "tollgate_spillovers_total");
  ASSERT_EQ(families[0].metric.size(), 2U);
  EXPECT_EQ(families[0].metric[0].counter.value, 3);
  EXPECT_EQ(families[0].metric[0].label[2].value, "cloud/b");
  EXPECT_EQ(families[0].metric[1].counter.value, 1);
  EXPECT_TRUE(families[1].metric.empty());
}

TEST(RoutingCounts, EscalationsAreCountedByWhatWasWrong) {
  RoutingCounts counts;
  counts.escalated(id("auto"), AnswerCheck::schema);
  counts.escalated(id("auto"), AnswerCheck::empty);
  counts.escalated(id("auto"), AnswerCheck::schema);
  RoutingCounts::Totals totals;
  counts.add_to(totals);
  std::vector<prometheus::MetricFamily> families;
  collect_routing(totals, families);
  EXPECT_TRUE(families[0].metric.empty());
  EXPECT_EQ(families[1].name, "tollgate_escalations_total");
  ASSERT_EQ(families[1].metric.size(), 2U);
  EXPECT_EQ(families[1].metric[0].label[1].value, "empty");
  EXPECT_EQ(families[1].metric[1].label[1].value, "schema");
  EXPECT_EQ(families[1].metric[1].counter.value, 2);
}

TEST(RoutingCounts, TheFamilyIsThereBeforeAnythingIsCounted) {
  std::vector<prometheus::MetricFamily> families;
  collect_routing({}, families);
  ASSERT_EQ(families.size(), 2U);
  EXPECT_TRUE(families[0].metric.empty());
}

}  // namespace
}  // namespace tollgate
