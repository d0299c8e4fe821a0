#include "advice/score_use.hpp"

#include <gtest/gtest.h>

namespace tollgate::advice {
namespace {

constexpr const char* fleet = R"(version: 1
backends:
  gpu: {dialect: vllm, simulated: {}, models: {llama: {capability: 0.6}, tiny: {capability: 0.2}}, pool: {billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: "2"}}
  api: {dialect: openai, simulated: {}, models: {large: {capability: 1.0}, mini: {capability: 1.0}}}
)";

ConfigPtr loaded(const std::string& rest) {
  Result<ConfigPtr> config = load_text(fleet + rest, "test.yaml", [](std::string_view) { return std::nullopt; });
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config.value();
}

TEST(ScoreUse, CapabilitiesWithinARouteAreABoundary) {
  const ConfigPtr config =
      loaded("routes: [{name: auto, when: {model: auto}, among: [gpu/llama, gpu/tiny, api/large]}]\n");
  const Result<ScoreUse> use = score_use_of(*config, "");
  ASSERT_TRUE(use) << use.error().message;
  EXPECT_DOUBLE_EQ(use.value().now, 0.6);
  ASSERT_EQ(use.value().keys.size(), 1U);
  EXPECT_EQ(use.value().keys[0].text(), "backends.gpu.models.llama.capability");
  EXPECT_EQ(use.value().weak.size(), 2U);
  EXPECT_EQ(use.value().strong.size(), 1U);
  EXPECT_FALSE(use.value().by_tier);
}

TEST(ScoreUse, TiersThatTellRoutesApartAreABoundary) {
  for (const char* const routes : {"routes: [{name: hard, when: {model: auto, tier: [COMPLEX, REASONING]}, among: "
                                   "[api/large]}, {name: easy, when: {model: auto}, among: [gpu/llama]}]\n",
                                   "routes: [{name: easy, when: {model: auto, tier: [SIMPLE, MEDIUM]}, among: "
                                   "[gpu/llama]}, {name: hard, when: {model: auto}, among: [api/large]}]\n"}) {
    const ConfigPtr config = loaded(routes);
    const Result<ScoreUse> use = score_use_of(*config, "");
    ASSERT_TRUE(use) << use.error().message;
    EXPECT_TRUE(use.value().by_tier);
    EXPECT_EQ(use.value().tier, Tier::complex);
    EXPECT_DOUBLE_EQ(use.value().now, 0.5);
    EXPECT_EQ(use.value().keys[0].text(), "tiers.complex");
    EXPECT_EQ(text(use.value().strong[0]->id), "api/large");
    EXPECT_EQ(text(use.value().weak[0]->id), "gpu/llama");
    EXPECT_EQ(use.value().routes.size(), 2U);
  }
}

TEST(ScoreUse, BandsOfComplexityAreABoundary) {
  const ConfigPtr config = loaded(
      "routes: [{name: hard, when: {model: auto, complexity: {from: 0.7}}, among: [api/large]}, {name: easy, when: "
      "{model: auto, complexity: {below: 0.7}}, among: [gpu/llama]}]\n");
  const Result<ScoreUse> use = score_use_of(*config, "");
  ASSERT_TRUE(use) << use.error().message;
  ASSERT_EQ(use.value().keys.size(), 2U);
  EXPECT_EQ(use.value().keys[0].text(), "routes.hard.when.complexity.from");
  EXPECT_EQ(use.value().keys[1].text(), "routes.easy.when.complexity.below");
}

TEST(ScoreUse, SeveralBoundariesMustBeToldApart) {
  const ConfigPtr config = loaded(
      "routes: [{name: a, when: {model: auto}, among: [gpu/llama, api/large]}, {name: b, when: {model: other-auto}, "
      "among: [gpu/tiny, api/large]}]\n");
  const Result<ScoreUse> both = score_use_of(*config, "");
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().message.find("--route"), std::string::npos);
  const Result<ScoreUse> one = score_use_of(*config, "b");
  ASSERT_TRUE(one);
  EXPECT_DOUBLE_EQ(one.value().now, 0.2);
  EXPECT_FALSE(score_use_of(*config, "c"));
}

TEST(ScoreUse, WhereNoScoreDecidesItSaysWhatToDo) {
  const ConfigPtr config = loaded("routes: [{name: auto, when: {model: auto}, among: [api/mini, api/large]}]\n");
  const Result<ScoreUse> use = score_use_of(*config, "");
  ASSERT_FALSE(use);
  EXPECT_NE(use.error().message.find("different capabilities"), std::string::npos);
}

TEST(ScoreUse, TheOtherBoundsStayUnlessTheyWouldNotRise) {
  const TierBounds now;
  const TierBounds near = moved_bounds(now, Tier::complex, 0.54);
  EXPECT_DOUBLE_EQ(near.medium, 0.25);
  EXPECT_DOUBLE_EQ(near.complex, 0.54);
  EXPECT_DOUBLE_EQ(near.reasoning, 0.75);
  for (const Tier tier : {Tier::medium, Tier::complex, Tier::reasoning}) {
    for (const double bound : {0.01, 0.2, 0.5, 0.8, 0.99}) {
      const TierBounds moved = moved_bounds(now, tier, bound);
      EXPECT_LT(0, moved.medium);
      EXPECT_LT(moved.medium, moved.complex);
      EXPECT_LT(moved.complex, moved.reasoning);
      EXPECT_DOUBLE_EQ(bound_below(moved, tier), bound);
    }
  }
}

}  // namespace
}  // namespace tollgate::advice
