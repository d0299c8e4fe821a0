#include "advice/calibration.hpp"

#include <gtest/gtest.h>

namespace tollgate::advice {
namespace {

ScoredRequest request(std::int32_t score_ppm, std::int64_t weak = 1, std::int64_t strong = 10) {
  return {score_ppm, Usd{weak}, Usd{strong}, {}, {}};
}

ScoredRequest judged(std::int32_t score_ppm, double weak, double strong) {
  return {score_ppm, Usd{1}, Usd{10}, weak, strong};
}

TEST(Calibration, ACutLiesBetweenTwoScores) {
  const Curve curve({request(100'000), request(300'000), request(600'000), request(900'000)}, QualitySource::none);
  ASSERT_EQ(curve.points().size(), 5U);
  const CurvePoint* half = curve.nearest_share(0.5);
  EXPECT_EQ(half->strong, 2);
  EXPECT_EQ(half->bound_text(), "0.5");  // the shortest decimal inside 0.3 … 0.6, next to its middle
  EXPECT_DOUBLE_EQ(curve.share(*half), 0.5);
  EXPECT_EQ(half->cost, UsdSum{22});
  EXPECT_EQ(curve.nearest_share(0)->strong, 0);
  EXPECT_EQ(curve.nearest_share(1)->strong, 4);
}

TEST(Calibration, EqualScoresStayTogether) {
  const Curve curve({request(500'000), request(500'000), request(500'000), request(700'000)}, QualitySource::none);
  ASSERT_EQ(curve.points().size(), 3U);
  EXPECT_EQ(curve.nearest_share(0.5)->strong, 1);  // 25 % is nearer than 100 %
}

TEST(Calibration, ScoresNextToEachOtherLeaveNoRoomForABound) {
  const Curve curve({request(500'000), request(500'001), request(500'003)}, QualitySource::none);
  for (const CurvePoint& point : curve.points()) {
    EXPECT_NE(point.strong, 2);
    EXPECT_GT(point.bound_ppm(), point.below_ppm);
    EXPECT_LT(point.bound_ppm(), point.above_ppm);
  }
  EXPECT_EQ(curve.nearest_share(0.34)->bound_text(), "0.500002");
}

TEST(Calibration, AnUnknownCostMakesTheSumUnknownOnlyWhereItCounts) {
  const Curve curve({{200'000, Usd{1}, std::nullopt, {}, {}}, request(800'000)}, QualitySource::none);
  EXPECT_TRUE(curve.nearest_share(0)->cost.has_value());
  EXPECT_TRUE(curve.nearest_share(0.5)->cost.has_value());
  EXPECT_FALSE(curve.nearest_share(1)->cost.has_value());
}

TEST(Calibration, QualityOfPairedOutcomesIsExact) {
  const Curve curve({judged(100'000, 1, 1), judged(300'000, 1, 1), judged(600'000, 0, 1), judged(900'000, 0, 1)},
                    QualitySource::paired);
  EXPECT_DOUBLE_EQ(*curve.quality_of_strong(), 1);
  EXPECT_DOUBLE_EQ(*curve.kept(*curve.nearest_share(0)), 0.5);
  EXPECT_DOUBLE_EQ(*curve.kept(*curve.nearest_share(0.25)), 0.75);
  const CurvePoint* least = curve.least_for_quality(0.95);
  ASSERT_NE(least, nullptr);
  EXPECT_EQ(least->strong, 2);  // cheaper than all, and as good
}

TEST(Calibration, QualityIsUnknownWhereNothingWasRated) {
  std::vector<ScoredRequest> rows;
  for (int i = 0; i < 100; ++i) {
    ScoredRequest each = request(10'000 * i + 5'000);
    if (i < 50) each.weak_quality = i % 10 == 0 ? 0.0 : 1.0;  // the weak side answered the easy half
    if (i >= 50) each.strong_quality = 1.0;
    rows.push_back(each);
  }
  const Curve curve(rows, QualitySource::rated);
  EXPECT_EQ(curve.weak_outcomes(), 50);
  EXPECT_FALSE(curve.kept(*curve.nearest_share(0)).has_value());
  EXPECT_NEAR(*curve.kept(*curve.nearest_share(0.5)), 0.95, 1e-9);
  EXPECT_EQ(curve.least_for_quality(0.95)->strong, 50);
  EXPECT_EQ(Curve({request(400'000)}, QualitySource::none).least_for_quality(0.1), nullptr);
}

TEST(Calibration, ThinnedPointsRiseAndKeepTheEnds) {
  std::vector<ScoredRequest> rows;
  for (int i = 1; i < 1000; ++i) rows.push_back(request(1'000 * i));
  const Curve curve(rows, QualitySource::none);
  const auto points = curve.thinned(10);
  ASSERT_EQ(points.size(), 11U);
  EXPECT_EQ(points.front()->strong, 0);
  EXPECT_EQ(points.back()->strong, 999);
  EXPECT_EQ(curve.above(0.75), 249);
}

TEST(Calibration, WithoutRequestsThereIsNoPoint) {
  const Curve curve({}, QualitySource::none);
  EXPECT_TRUE(curve.points().empty());
  EXPECT_EQ(curve.nearest_share(0.2), nullptr);
}

}  // namespace
}  // namespace tollgate::advice
