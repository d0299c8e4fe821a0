#include "training/boost.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tollgate::training {
namespace {

std::size_t term_with_sign(int sign) {
  for (std::size_t i = 0; i < term_count; ++i) {
    if (term_sign(i) == sign) return i;
  }
  return term_count;
}

struct Rows {
  std::vector<TermValues> terms;
  std::vector<Example> examples;
};

/// Rows with one term that varies and a target that follows from it.
template <class Target>
Rows rows_of(std::size_t term, Target target) {
  Rows rows;
  for (int i = 0; i < 600; ++i) {
    TermValues& values = rows.terms.emplace_back();
    values.fill(0);
    values[term] = static_cast<float>(i % 100) / 100;
  }
  for (const TermValues& values : rows.terms) rows.examples.push_back({&values, target(values[term])});
  return rows;
}

constexpr BoostOptions small{.rounds = 60, .rate = 0.2F, .leaf_min = 10, .terms_share = 1, .rows_share = 1};

TEST(Boost, FindsAStep) {
  const Rows rows = rows_of(3, [](float x) { return x > 0.6F ? 1.0F : 0.0F; });
  const std::vector<Tree> trees = boost(rows.examples, small);
  TermValues low{}, high{};
  high[3] = 0.9F;
  EXPECT_NEAR(sum_of(trees, high) - sum_of(trees, low), 1, 0.05);
}

TEST(Boost, KeepsToASignThatTheTargetContradicts) {
  const std::size_t rising = term_with_sign(1);
  const Rows rows = rows_of(rising, [](float x) { return 1 - x; });
  BoostOptions options = small;
  options.keep_signs = true;
  const std::vector<Tree> trees = boost(rows.examples, options);
  float last = -100;
  for (float x = 0; x <= 1; x += 0.05F) {
    TermValues values{};
    values[rising] = x;
    const float said = sum_of(trees, values);
    EXPECT_GE(said, last - 1e-6F) << x;
    last = said;
  }
}

TEST(Boost, IsMonotoneInASignedTermWhateverTheOthersAre) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0, 1);
  const std::size_t rising = term_with_sign(1), falling = term_with_sign(-1), other = term_with_sign(0);
  Rows rows;
  for (int i = 0; i < 1500; ++i) {
    TermValues& values = rows.terms.emplace_back();
    values.fill(0);
    for (const std::size_t term : {rising, falling, other}) values[term] = uniform(random);
  }
  for (const TermValues& values : rows.terms) {
    rows.examples.push_back({&values, std::sin(9 * values[rising]) * (values[other] - 0.5F) + values[falling]});
  }
  BoostOptions options = small;
  options.keep_signs = true;
  const std::vector<Tree> trees = boost(rows.examples, options);
  for (int i = 0; i < 400; ++i) {
    TermValues low{};
    for (const std::size_t term : {rising, falling, other}) low[term] = uniform(random);
    TermValues high = low;
    high[rising] = std::min(1.0F, low[rising] + uniform(random));
    EXPECT_GE(sum_of(trees, high), sum_of(trees, low) - 1e-5F);
    high = low;
    high[falling] = std::min(1.0F, low[falling] + uniform(random));
    EXPECT_LE(sum_of(trees, high), sum_of(trees, low) + 1e-5F);
  }
}

TEST(Boost, GivesTheSameTreesForTheSameSeed) {
  const Rows rows = rows_of(3, [](float x) { return x * x; });
  BoostOptions options = small;
  options.rows_share = options.terms_share = 0.5F;
  const std::vector<Tree> first = boost(rows.examples, options), second = boost(rows.examples, options);
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].value, second[i].value);
    EXPECT_EQ(first[i].term, second[i].term);
  }
}

TEST(Boost, HeavierRowsPullHarder) {
  Rows rows = rows_of(3, [](float) { return 0.0F; });
  for (std::size_t i = 0; i < rows.examples.size(); ++i) {
    rows.examples[i].target = (*rows.examples[i].terms)[3] > 0.5F ? (i % 2 == 0 ? 1.0F : -1.0F) : 0;
    rows.examples[i].weight = i % 2 == 0 ? 3 : 1;
  }
  const std::vector<Tree> trees = boost(rows.examples, small);
  TermValues low{}, high{};
  high[3] = 0.9F;
  EXPECT_NEAR(sum_of(trees, high) - sum_of(trees, low), 0.5, 0.1);
}

TEST(Boost, NothingGivesNoTrees) { EXPECT_TRUE(boost({}, small).empty()); }

}  // namespace
}  // namespace tollgate::training
