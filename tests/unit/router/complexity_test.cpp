#include "router/complexity.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <sstream>

#include "labelled_requests.hpp"
#include "requests.hpp"
#include "router/model.hpp"
#include "router/wording.hpp"

namespace tollgate {
namespace {

using testing::Escape;
using testing::LabelledRequest;
using testing::Request;

void fill(Request& request, const LabelledRequest& labelled) {
  if (!labelled.system.empty()) request.system(testing::filled(labelled.system));
  if (!labelled.before.empty()) request.user(testing::filled(labelled.before)).assistant("Here it is.");
  request.user(testing::filled(labelled.user));
}

float score(std::string_view user) {
  Request request;
  request.user(user);
  return score_of(features_of(request.chat()));
}

std::string parts_text(const Features& features) {
  std::ostringstream out;
  for (const Part& part : base_model().parts(terms_of(features), features.lexical)) {
    if (part.adds() != 0) out << "\n  " << part.adds() << "  " << part.name;
  }
  return out.str();
}

// None of these was trained on. A trained model is not right everywhere, so some may miss their tier; those must be
// near it.
TEST(Complexity, LabelledRequestsGetTheirTiersOrComeNear) {
  constexpr float near = 0.12F;
  constexpr std::array<float, 5> border = {0, 0.25F, 0.5F, 0.75F, 1.01F};  // of TierBounds' defaults
  std::size_t missed = 0;
  for (const LabelledRequest& labelled : testing::labelled_requests) {
    Request request;
    fill(request, labelled);
    const Complexity complexity = classify(request.chat(), TierBounds{});
    if (complexity.tier >= labelled.low && complexity.tier <= labelled.high) continue;
    ++missed;
    const float low = border[static_cast<std::size_t>(labelled.low)] - near;
    const float high = border[static_cast<std::size_t>(labelled.high) + 1] + near;
    EXPECT_TRUE(complexity.score >= low && complexity.score <= high)
        << complexity.score << " " << name_of(complexity.tier) << ", wanted " << name_of(labelled.low) << " to "
        << name_of(labelled.high) << ": " << labelled.user << parts_text(features_of(request.chat()));
  }
  EXPECT_LE(missed * 8, std::size(testing::labelled_requests)) << missed << " missed their tiers";
}

TEST(Complexity, BothWritingsOfATextScoreAlike) {
  for (const LabelledRequest& labelled : testing::labelled_requests) {
    Request utf8(Escape::utf8), ascii(Escape::ascii);
    fill(utf8, labelled);
    fill(ascii, labelled);
    // The density of code marks is taken over raw bytes, so it may fall on the other side of a tree's threshold.
    EXPECT_NEAR(classify(utf8.chat(), {}).score, classify(ascii.chat(), {}).score, 0.06) << labelled.user;
  }
}

TEST(Complexity, TheScoreIsTheLogisticOfItsParts) {
  Request request;
  request.user("Prove that 3 is prime and explain why.");
  const Features features = features_of(request.chat());
  float sum = 0;
  for (const Part& part : base_model().parts(terms_of(features), features.lexical)) sum += part.adds();
  const float logit = std::log(score_of(features) / (1 - score_of(features)));
  EXPECT_NEAR(logit, sum + base_model().typical_logit(), 2e-3);
}

TEST(Complexity, TheDemoSplitsWhereItPromises) {
  EXPECT_LT(score("What is the capital of France?"), 0.25F);
  EXPECT_GT(score("Prove the theorem with a long argument: every bounded sequence has a convergent subsequence."),
            0.6F);
}

TEST(Complexity, APastedDocumentDoesNotMakeItsSummaryHard) {
  std::string text = "Summarise the following text:\n\n";
  for (int i = 0; i < 30; ++i) text += std::string(testing::article) + "\n\n";
  EXPECT_LT(score(text), 0.25F);
}

TEST(Complexity, ALongSystemPromptDoesNotMakeEverythingHard) {
  Request request;
  std::string system;
  for (int i = 0; i < 40; ++i) system += testing::agent;
  request.system(system).user("What is the capital of France?");
  EXPECT_EQ(classify(request.chat(), {}).tier, Tier::simple);
}

TEST(Complexity, ToolsAloneDoNotMakeAFactHard) {
  Request request;
  request.user("What is the capital of France?");
  request.chat().tools = 40;
  EXPECT_EQ(classify(request.chat(), {}).tier, Tier::simple);
}

TEST(Complexity, AScoreOnABoundReachesItsTier) {
  const TierBounds bounds{0.2, 0.6, 0.9};
  EXPECT_EQ(tier_of(0.1999F, bounds), Tier::simple);
  EXPECT_EQ(tier_of(0.2F, bounds), Tier::medium);
  EXPECT_EQ(tier_of(0.6F, bounds), Tier::complex);
  EXPECT_EQ(tier_of(0.9F, bounds), Tier::reasoning);
  EXPECT_EQ(tier_of(1.0F, bounds), Tier::reasoning);
}

// Longer than a short text, shorter than the head of a long one, and no paragraph in it: what an earlier request left
// in memory must not be read with it.
TEST(Complexity, WhatWasJudgedBeforeChangesNothing) {
  std::string plain, other;
  while (plain.size() < 720) plain += "and then it went on ";
  while (other.size() < 1600) other += "(a), \"b\"; c = [1, 2]: ";
  Request first, second;
  first.user(plain);
  second.user(other);
  const Features before = features_of(first.chat());
  static_cast<void>(features_of(second.chat()));
  const Features after = features_of(first.chat());
  EXPECT_EQ(before.now.shape.commas, 0);
  EXPECT_EQ(after.now.shape.commas, 0);
  EXPECT_EQ(after.now.shape.brackets, 0);
  EXPECT_EQ(terms_of(before), terms_of(after));
}

TEST(Complexity, AnEmptyRequestIsSimple) { EXPECT_EQ(classify(ChatView{}, {}).tier, Tier::simple); }

}  // namespace
}  // namespace tollgate
