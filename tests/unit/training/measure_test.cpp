#include "training/measure.hpp"

#include <gtest/gtest.h>

namespace tollgate::training {
namespace {

// Two questions that only the strong model answers, two that both do.
std::vector<Scored> four(float first, float second, float third, float fourth) {
  return {{first, 0, 1}, {second, 0, 1}, {third, 1, 1}, {fourth, 1, 1}};
}

TEST(Measure, APerfectOrderHasTheLargestArea) {
  const std::optional<Curve> curve = curve_of(four(0.9F, 0.8F, 0.2F, 0.1F));
  ASSERT_TRUE(curve);
  EXPECT_NEAR(curve->apgr, 0.75, 1e-9);  // half of the calls bring the whole gap: 1/4 + 1/2
  EXPECT_NEAR(curve->cpt50, 25, 1e-9);
  EXPECT_NEAR(curve->cpt80, 40, 1e-9);
}

TEST(Measure, EqualScoresAreChance) {
  const std::optional<Curve> curve = curve_of(four(0.5F, 0.5F, 0.5F, 0.5F));
  ASSERT_TRUE(curve);
  EXPECT_NEAR(curve->apgr, 0.5, 1e-9);
  EXPECT_NEAR(curve->cpt50, 50, 1e-9);
}

TEST(Measure, TheOrderOfRowsDoesNotMatterAmongEquals) {
  std::vector<Scored> rows = four(0.9F, 0.5F, 0.5F, 0.1F);
  const double before = curve_of(rows)->apgr;
  std::swap(rows[1], rows[2]);
  EXPECT_DOUBLE_EQ(curve_of(rows)->apgr, before);
}

TEST(Measure, NoGapHasNoCurve) {
  EXPECT_FALSE(curve_of({{0.5F, 1, 1}}));
  EXPECT_FALSE(curve_of({}));
}

TEST(Measure, BordersSplitWhatCanBeSplit) {
  const Borders borders = borders_of({{0.1F, 0}, {0.2F, 0}, {0.4F, 1}, {0.5F, 1}, {0.7F, 2}, {0.8F, 2}, {0.95F, 3}});
  EXPECT_TRUE(borders[0] > 0.2F && borders[0] < 0.4F) << borders[0];
  EXPECT_TRUE(borders[1] > 0.5F && borders[1] < 0.7F) << borders[1];
  EXPECT_TRUE(borders[2] > 0.8F && borders[2] < 0.95F) << borders[2];
}

TEST(Measure, BordersRiseEvenWhereATierIsMissing) {
  const Borders borders = borders_of({{0.1F, 0}, {0.9F, 3}});
  EXPECT_LT(borders[0], borders[1]);
  EXPECT_LT(borders[1], borders[2]);
}

TEST(Measure, AgreementCountsExactTiersAndNeighbours) {
  const std::vector<TierScore> rows = {{0.1F, 0}, {0.3F, 0}, {0.6F, 0}, {0.9F, 3}};
  const Agreement agreement = agreement_of(rows, {0.25F, 0.5F, 0.75F});
  EXPECT_DOUBLE_EQ(agreement.exact, 0.5);
  EXPECT_DOUBLE_EQ(agreement.within_one, 0.75);
  EXPECT_NEAR(agreement.recall[0], 1.0 / 3, 1e-9);
  EXPECT_DOUBLE_EQ(agreement.recall[3], 1);
}

}  // namespace
}  // namespace tollgate::training
