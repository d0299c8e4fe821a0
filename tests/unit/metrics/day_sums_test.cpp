#include "metrics/day_sums.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

constexpr std::int64_t noon_us = 20'000 * day_us + day_us / 2;

OpenRequest request_at(std::int64_t arrived_us, std::int64_t picodollars, Pricing pricing = Pricing::priced) {
  OpenRequest request;
  request.row.arrived_us = arrived_us;
  request.row.result = RowResult::ok();
  request.row.attempts = 1;
  request.attempts[0].pricing = pricing;
  request.attempts[0].charge[ChargeKind::output] = Usd{picodollars};
  request.attempts[0].usage.output = TokenCount{7};
  return request;
}

TEST(DaySums, NothingCountsBeforeItsCommitAndNothingOfOneThatFailed) {
  SumsByDay sums;
  sums.add(request_at(noon_us, 5));
  EXPECT_EQ(sums.committed().on(20'000).requests, 0U);
  sums.forget();
  sums.add(request_at(noon_us, 3));
  sums.publish();
  EXPECT_EQ(sums.committed().on(20'000).requests, 1U);
  EXPECT_EQ(sums.committed().on(20'000).spend, UsdSum(Usd{3}));
}

TEST(DaySums, ARequestBelongsToTheDayOnWhichItArrived) {
  SumsByDay sums;
  sums.add(request_at(20'001 * day_us - 1, 1));
  sums.add(request_at(20'001 * day_us, 2));
  sums.publish();
  EXPECT_EQ(sums.committed().on(20'000).spend, UsdSum(Usd{1}));
  EXPECT_EQ(sums.committed().on(20'001).spend, UsdSum(Usd{2}));
  EXPECT_EQ(sums.committed().on(20'002).requests, 0U);
}

TEST(DaySums, OnlyTheLatestDaysAreKept) {
  SumsByDay sums;
  for (std::int64_t day = 1; day <= 10; ++day) {
    sums.add(request_at(day * day_us, 1));
    sums.publish();
  }
  ASSERT_EQ(sums.committed().days.size(), SumsByDay::days_max);
  EXPECT_EQ(sums.committed().days.back().day, 10);
}

TEST(DaySums, SharesOfPoolsAndUnknownCostsAreToldApart) {
  SumsByDay sums;
  OpenRequest shared = request_at(noon_us, 10);
  shared.attempts[0].charge[ChargeKind::gpu] = Usd{4};
  sums.add(shared);
  OpenRequest failed = request_at(noon_us, 0, Pricing::unpriced);
  failed.row.result = RowResult::of(Fault::upstream_garbage);
  sums.add(failed);
  sums.publish();
  const DaySums day = sums.committed().on(20'000);
  EXPECT_EQ(day.spend, UsdSum(Usd{14}));
  EXPECT_EQ(day.gpu, UsdSum(Usd{4}));
  EXPECT_EQ(day.unpriced, 1U);
  EXPECT_EQ(day.failed, 1U);
  EXPECT_EQ(day.output_tokens, 14);
}

TEST(DaySums, ABaselineComparesOnlyWhereBothCostsAreKnown) {
  const NameId baseline = Names::global().intern("all-managed");
  SumsByDay sums;
  OpenRequest known = request_at(noon_us, 10), unknown = request_at(noon_us, 0, Pricing::unpriced);
  known.row.target = Names::global().intern("gpu/open");
  sums.add(known, baseline, BaselineCost{Usd{25}});
  sums.add(known, baseline, BaselineCost{});
  sums.add(unknown, baseline, BaselineCost{Usd{100}});
  sums.publish();
  const DayBaseline day = sums.committed().on(20'000).baselines.at(baseline);
  EXPECT_EQ(day.compared, 1U);
  EXPECT_EQ(day.unknown, 2U);
  EXPECT_EQ(day.baseline, UsdSum(Usd{25}));
  EXPECT_EQ(day.actual, UsdSum(Usd{10}));
  EXPECT_EQ(sums.committed().worth.at({baseline, known.row.target}), UsdSum(Usd{25}));
}

}  // namespace
}  // namespace tollgate
