#include "router/correction.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "requests.hpp"
#include "router/complexity.hpp"
#include "router/correction_fit.hpp"
#include "router/scoring.hpp"
#include "seed.hpp"

namespace tollgate {
namespace {

constexpr std::uint32_t some_model = 0x0BADF00D;

/// Rows whose label depends on the base score and, by `weight`, on one feature that the base score knows nothing of.
std::vector<LabelledRow> rows_of(std::size_t count, double weight, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<LabelledRow> rows;
  for (std::size_t i = 0; i < count; ++i) {
    LabelledRow row;
    row.id = static_cast<std::int64_t>(i + 1);
    row.base_score = static_cast<float>(0.05 + 0.9 * unit(random));
    row.features[3] = unit(random) < 0.5 ? 0 : 64;
    row.features[7] = static_cast<std::uint8_t>(unit(random) * 100);
    const double logit = static_cast<double>(logit_of(row.base_score)) + weight * (row.features[3] / 16.0 - 2);
    row.needs_strong = unit(random) < 1 / (1 + std::exp(-logit));
    rows.push_back(row);
  }
  return rows;
}

TEST(CorrectionFit, FindsWhatTheBaseScoreDoesNotKnowOnRowsHeldOut) {
  const FitReport report = fit_correction(rows_of(800, 1.0, 7), nullptr, {});
  EXPECT_TRUE(report.is_better(0.005));
  EXPECT_GT(report.after.auc, report.before.auc + 0.03);
  EXPECT_LT(report.after.log_loss, report.before.log_loss);
  EXPECT_LT(report.after.brier, report.before.brier);
  EXPECT_NEAR(static_cast<double>(report.correction.weights[3]), 1.0, 0.3);
}

TEST(CorrectionFit, IsNotBetterWhereThereIsNothingToLearn) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    EXPECT_FALSE(fit_correction(rows_of(300, 0, seed), nullptr, {}).is_better(0.005)) << "seed " << seed;
  }
}

TEST(CorrectionFit, IsNotBetterThanItselfWhenInForce) {
  const std::vector<LabelledRow> rows = rows_of(800, 1.0, 7);
  const FitReport first = fit_correction(rows, nullptr, {});
  EXPECT_FALSE(fit_correction(rows, &first.correction, {}).is_better(0.005));
}

// Traffic repeats itself: labels that follow no rule must not look like one because the same request was fitted to.
TEST(CorrectionFit, RequestsThatRepeatThemselvesAreNotLearnedByHeart) {
  std::mt19937_64 random(testing::seed());
  std::vector<LabelledRow> kinds = rows_of(12, 0, random());
  std::vector<LabelledRow> rows;
  for (int i = 0; i < 600; ++i) {
    rows.push_back(kinds[random() % kinds.size()]);
    rows.back().id = i + 1;
  }
  for (LabelledRow& kind : kinds) {  // each kind's own fate, drawn as its base score says
    const bool fate = std::uniform_real_distribution<float>(0, 1)(random) < kind.base_score;
    for (LabelledRow& row : rows) {
      if (row.features == kind.features && row.base_score == kind.base_score) row.needs_strong = fate;
    }
  }
  const FitReport report = fit_correction(rows, nullptr, {});
  EXPECT_LT(report.gain, 0.3) << "by heart it would be nearly all that there is";
}

// The promise of `tollgate train`: what it installs is no worse on requests that nobody had seen.
TEST(CorrectionFit, WhatIsBetterOnRowsHeldOutIsNoWorseOnNewOnes) {
  std::mt19937_64 random(testing::seed());
  int installed = 0;
  for (int round = 0; round < 24; ++round) {
    const double weight = std::uniform_real_distribution<double>(0, 0.6)(random);
    const std::uint64_t seed = random();
    const FitReport report = fit_correction(rows_of(200 + random() % 200, weight, seed), nullptr, {});
    if (!report.is_better(0.005)) continue;
    ++installed;
    double gained = 0;
    const std::vector<LabelledRow> fresh = rows_of(4000, weight, seed + 1);
    for (const LabelledRow& row : fresh) {
      const auto loss = [&row](float score) { return -std::log(static_cast<double>(row.needs_strong ? score : 1 - score)); };
      gained += loss(row.base_score) - loss(report.correction.apply(row.base_score, row.features));
    }
    EXPECT_GT(gained / static_cast<double>(fresh.size()), -0.002) << "weight " << weight << ", seed " << seed;
  }
  EXPECT_GT(installed, 0);
}

TEST(CorrectionFit, TheSameRowsGiveTheSameCorrection) {
  const std::vector<LabelledRow> rows = rows_of(250, 0.5, 3);
  EXPECT_EQ(correction_text(fit_correction(rows, nullptr, {}).correction, {}),
            correction_text(fit_correction(rows, nullptr, {}).correction, {}));
}

TEST(Correction, WithoutWeightsItLeavesTheScoreAsItIs) {
  for (const float score : {0.01F, 0.3F, 0.5F, 0.97F}) EXPECT_NEAR(Correction{}.apply(score, {}), score, 1e-4F);
}

TEST(Correction, ClassifyingWithoutOneIsTheBaseModelAndKeepsItsScoreAndFeatures) {
  testing::Request request;
  request.user("Prove that the algorithm terminates, and compare it step by step with two others.");
  const Classified seen = classify(request.chat(), TierBounds{}, Scoring{});
  const Complexity base = classify(request.chat(), TierBounds{});
  EXPECT_EQ(seen.complexity.score, base.score);
  EXPECT_EQ(seen.complexity.tier, base.tier);
  const auto stored = stored_features(seen.features);
  ASSERT_TRUE(stored);
  EXPECT_NEAR(stored->base_score, base.score, 1e-4F);
  EXPECT_EQ(stored->base_model, base_model().id());
  EXPECT_EQ(stored->dense, dense_of(features_of(request.chat())));
}

TEST(Correction, MovesTheScoreAndTheStoredScoreStaysTheBaseModels) {
  testing::Request request;
  request.user("Hello there");
  auto correction = std::make_shared<Correction>();
  correction->intercept = 8;
  const Classified seen = classify(request.chat(), TierBounds{}, Scoring{built_in_model(), correction});
  EXPECT_GT(seen.complexity.score, 0.9F);
  EXPECT_EQ(seen.complexity.tier, Tier::reasoning);
  EXPECT_NEAR(stored_features(seen.features)->base_score, classify(request.chat(), TierBounds{}).score, 1e-4F);
}

TEST(Correction, IsReadBackAsItWasWritten) {
  const FitReport report = fit_correction(rows_of(250, 1.0, 9), nullptr, {});
  const auto read = parse_correction(
      correction_text(report.correction, {some_model, "2026-11-21T00:00:00Z", 500, 0.6, 0.5}), "test", some_model);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read.value()->weights, report.correction.weights);
  EXPECT_EQ(read.value()->slope, report.correction.slope);
}

TEST(Correction, OfAnotherBaseModelOrNoneAtAllIsRefusedWithTheReason) {
  const std::string text = correction_text({}, {some_model});
  ASSERT_TRUE(parse_correction(text, "c.json", some_model));
  const std::string why = parse_correction(text, "c.json", some_model + 1).error().message;
  EXPECT_NE(why.find("another base model (\"0badf00d\") than the one in use (0badf00e)"), std::string::npos) << why;
  std::string other_features = text;
  const std::size_t version = other_features.find("\"feature_version\": ") + 19;
  other_features.replace(version, 1, "0");
  EXPECT_NE(parse_correction(other_features, "c.json", some_model).error().message.find("another version of the features"), std::string::npos);
  for (const char* bad : {"", "{}", "[1]", "{\"format\": \"tollgate-correction\"}"}) {
    EXPECT_FALSE(parse_correction(bad, "c.json", some_model)) << bad;
  }
  std::string infinite = correction_text({}, {some_model});
  infinite.replace(infinite.find("\"intercept\": 0.0"), 16, "\"intercept\": 1e9");
  EXPECT_FALSE(parse_correction(infinite, "c.json", some_model));
}

class InstalledCorrection : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string made = (std::filesystem::temp_directory_path() / "tollgate-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    folder_ = made;
    path_ = (folder_ / "correction.json").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string content() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(InstalledCorrection, RollsBackToTheOneBeforeAndThenToTheBaseModel) {
  ASSERT_TRUE(install_correction(path_, "first"));
  ASSERT_TRUE(install_correction(path_, "second"));
  EXPECT_EQ(content(), "second");
  EXPECT_EQ(roll_back_correction(path_).value(), RolledBack::to_previous);
  EXPECT_EQ(content(), "first");
  EXPECT_EQ(roll_back_correction(path_).value(), RolledBack::to_base_model);
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(roll_back_correction(path_).value(), RolledBack::nothing_installed);
  EXPECT_EQ(load_correction(path_, some_model).value(), nullptr);
}

TEST_F(InstalledCorrection, AFailedInstallLeavesTheOldOne) {
  ASSERT_TRUE(install_correction(path_, "first"));
  EXPECT_FALSE(install_correction((folder_ / "absent" / "c.json").string(), "text"));
  EXPECT_EQ(content(), "first");
}

}  // namespace
}  // namespace tollgate
