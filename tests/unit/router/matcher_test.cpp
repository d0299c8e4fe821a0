#include "router/matcher.hpp"

#include <gtest/gtest.h>

#include "fleets.hpp"

namespace tollgate {
namespace {

using testing::id;
using testing::Request;

class Matcher : public ::testing::Test {
 protected:
  Matcher() { request_.user("hello"); }
  bool holds(const Condition& when) { return matches(when, {&request_.chat(), complexity_, headers_, team_, key_}); }
  bool header_holds(std::vector<std::string> any_of) {
    Condition when;
    when.headers.push_back({"x-data-class", std::move(any_of)});
    return holds(when);
  }
  Request request_;
  Complexity complexity_{0.6F, Tier::complex};
  std::vector<HeaderField> headers_;
  NameId team_{}, key_{};
};

TEST_F(Matcher, AnEmptyConditionMatchesEverything) { EXPECT_TRUE(holds({})); }

TEST(Glob, StarIsAnyTextAndQuestionMarkOneByte) {
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("gpt-*", "gpt-4"));
  EXPECT_TRUE(matches_glob("*/llama-*b", "home/llama-70b"));
  EXPECT_TRUE(matches_glob("a*b*c", "aXbXbXc"));
  EXPECT_TRUE(matches_glob("gpt-?", "gpt-4"));
  EXPECT_FALSE(matches_glob("gpt-?", "gpt-40"));
  EXPECT_FALSE(matches_glob("gpt-*", "GPT-4"));
  EXPECT_FALSE(matches_glob("", "x"));
  EXPECT_FALSE(matches_glob("a*b", "a"));
}

TEST(Glob, ManyStarsEndInTime) { EXPECT_FALSE(matches_glob("*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a'))); }

TEST_F(Matcher, HeadersMatchWithoutCaseInNameAndValue) {
  headers_ = {{"X-Data-Class", " PHI "}};
  EXPECT_TRUE(header_holds({"phi", "pii"}));
  EXPECT_FALSE(header_holds({"public"}));
}

TEST_F(Matcher, AHeaderWithoutValuesNeedsOnlyBePresent) {
  EXPECT_FALSE(header_holds({}));
  headers_ = {{"x-data-class", ""}};
  EXPECT_TRUE(header_holds({}));
}

TEST_F(Matcher, AnyElementAndAnyRepetitionOfAHeaderCounts) {
  headers_ = {{"x-data-class", "public, phi"}};
  EXPECT_TRUE(header_holds({"phi"}));
  headers_ = {{"x-data-class", "public"}, {"X-DATA-CLASS", "phi"}};
  EXPECT_TRUE(header_holds({"phi"}));
}

TEST_F(Matcher, AllHeadersMustMatch) {
  headers_ = {{"a", "1"}};
  Condition when;
  when.headers = {{"a", {"1"}}, {"b", {}}};
  EXPECT_FALSE(holds(when));
}

TEST_F(Matcher, TeamsAndKeysAreSets) {
  Condition when;
  when.teams = {id("red"), id("blue")};
  EXPECT_FALSE(holds(when));
  team_ = id("blue");
  EXPECT_TRUE(holds(when));
  when.keys = {id("ci")};
  EXPECT_FALSE(holds(when));
}

TEST_F(Matcher, TiersAreABitSet) {
  Condition when;
  when.tiers = 1U << static_cast<unsigned>(Tier::complex);
  EXPECT_TRUE(holds(when));
  when.tiers = static_cast<std::uint8_t>(~*when.tiers);
  EXPECT_FALSE(holds(when));
}

TEST_F(Matcher, ComplexityRangesIncludeTheirStart) {
  Condition when;
  when.complexity_from = 0.6;
  EXPECT_TRUE(holds(when));
  when.complexity_below = 0.6;
  EXPECT_FALSE(holds(when));
  when.complexity_from = 0.5;
  when.complexity_below = 0.61;
  EXPECT_TRUE(holds(when));
}

TEST_F(Matcher, InputTokensAreEstimated) {
  request_.user(std::string(4000, 'x'));
  Condition when;
  when.input_tokens_from = 1000;
  when.input_tokens_below = 1100;
  EXPECT_TRUE(holds(when));
  when.input_tokens_from = 1100;
  when.input_tokens_below.reset();
  EXPECT_FALSE(holds(when));
}

TEST_F(Matcher, FlagsMatchBothWays) {
  const auto check = [this](std::optional<bool> Condition::*flag, auto set) {
    Condition yes, no;
    yes.*flag = true;
    no.*flag = false;
    EXPECT_FALSE(holds(yes));
    EXPECT_TRUE(holds(no));
    set(request_.chat());
    EXPECT_TRUE(holds(yes));
    EXPECT_FALSE(holds(no));
  };
  check(&Condition::tools, [](ChatView& chat) { chat.tools = 2; });
  check(&Condition::images, [](ChatView& chat) { chat.images = 1; });
  check(&Condition::json_output, [](ChatView& chat) { chat.json_output = true; });
  check(&Condition::stream, [](ChatView& chat) { chat.stream = true; });
}

}  // namespace
}  // namespace tollgate
