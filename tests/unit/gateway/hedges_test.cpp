#include "gateway/hedges.hpp"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include "support/seed.hpp"

namespace tollgate {
namespace {

TEST(HedgeShare, HedgesAreAtMostOneAndTheirShareOfTheRequests) {
  const unsigned seed = test_seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const double share : {0.01, 0.05, 0.5, 1.0}) {
    HedgeShare bucket;
    std::int64_t requests = 0, hedges = 0;
    for (int i = 0; i < 100'000; ++i) {
      bucket.request(share);
      ++requests;
      if (random() % 2 == 0 && bucket.take()) ++hedges;
      ASSERT_LE(hedges, 1 + static_cast<std::int64_t>(share * static_cast<double>(requests) + 0.5));
    }
    EXPECT_GE(hedges, static_cast<std::int64_t>(std::min(share, 0.4) * 90'000)) << "what it allows can be had";
  }
}

TEST(HedgeShare, WhatIsSavedWhileAllIsFastIsBounded) {
  HedgeShare bucket;
  for (int i = 0; i < 100'000; ++i) bucket.request(0.05);
  int at_once = 0;
  while (bucket.take()) ++at_once;
  EXPECT_EQ(at_once, HedgeShare::saved_max / HedgeShare::one);
}

TEST(HedgeShare, AHedgeThatCouldNotBeMadeIsGivenBack) {
  HedgeShare bucket;
  ASSERT_TRUE(bucket.take());
  EXPECT_FALSE(bucket.take());
  bucket.give_back();
  EXPECT_TRUE(bucket.take());
}

TEST(Hedges, ThoseMadeAndThoseLeftOutAreTwoSeries) {
  Hedges hedges;
  const NameId route = Names::global().intern("auto"), target = Names::global().intern("b/y");
  hedges.count(route, target, Hedges::What::won);
  hedges.count(route, target, Hedges::What::won);
  hedges.count(route, NameId::none, Hedges::What::no_share);
  Hedges::Totals totals;
  hedges.add_to(totals);
  std::vector<prometheus::MetricFamily> families;
  collect_hedges(totals, families);
  ASSERT_EQ(families.size(), 2U);
  ASSERT_EQ(families[0].metric.size(), 1U);
  EXPECT_EQ(families[0].metric[0].counter.value, 2);
  ASSERT_EQ(families[1].metric.size(), 1U);
  EXPECT_EQ(families[1].metric[0].label[1].value, "no_share");
}

}  // namespace
}  // namespace tollgate
