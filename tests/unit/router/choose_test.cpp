// How a route chooses among targets that may, can and are up.
#include <gtest/gtest.h>

#include <map>

#include "fleets.hpp"
#include "router/explain.hpp"
#include "router/forecast.hpp"

namespace tollgate {
namespace {

using std::chrono::milliseconds;
using testing::Fleet;
using testing::id;
using testing::Request;
using testing::ruled_out_of;
using testing::steps_of;

class Choosing : public ::testing::Test {
 protected:
  Choosing() {
    fleet_.pool("home", "llama", 0.6);
    fleet_.managed("cloud", "big", 1.0, 3, 15);
    fleet_.managed("cheap", "small", 0.7, 1, 2);
    fleet_.route("auto", {"auto"});
    request_.user("hello").chat().stream = true;
  }
  Route& route() { return fleet_.config.routes[0]; }
  TargetState& state(std::size_t i) { return fleet_.states[i]; }
  Target& target(std::size_t i) { return fleet_.config.targets[i]; }
  Result<Plan> plan(std::uint64_t dice = 0) {
    RequestFacts facts = fleet_.facts(request_);
    facts.dice = dice;
    facts.conversation = conversation_;
    return decide(facts, fleet_.config, fleet_.states);
  }
  std::string steps(std::uint64_t dice = 0) { return steps_of(plan(dice)); }
  std::string reason(std::uint64_t dice = 0) { return reason_text(plan(dice).value(), 0); }
  Why why() { return plan().value().steps[0].why; }
  /// A request that does not explore.
  std::uint64_t settled_dice() {
    for (std::uint64_t dice = 0;; ++dice) {
      if (plan(dice).value().steps[0].wait.count() > 0) return dice;
    }
  }

  Fleet fleet_;
  Request request_;
  RequestFacts::Conversation conversation_;
};

TEST_F(Choosing, FastestOrdersByTheTimeToTheFirstToken) {
  route().choose = Choose::fastest;
  state(0).first_token_mean = milliseconds(300);
  state(1).first_token_mean = milliseconds(100);
  state(2).first_token_mean = milliseconds(200);
  EXPECT_EQ(steps(), "cloud/big cheap/small home/llama");
  EXPECT_EQ(reason(), "fastest of 3 that can: 100 ms to the first token against 200 ms");
}

TEST_F(Choosing, FastestCountsTheWaitInAQueue) {
  route().choose = Choose::fastest;
  for (std::size_t i = 0; i < 3; ++i) state(i).first_token_mean = milliseconds(100);
  state(0).duration_mean = milliseconds(2000);
  state(0).engine_waiting = 8;
  state(0).engine_running = 4;
  EXPECT_EQ(steps(), "cloud/big cheap/small home/llama");
  EXPECT_EQ(plan().value().steps[2].first_token, milliseconds(4100));
}

TEST_F(Choosing, ATargetOfUnknownSpeedComesLastButIsTriedNowAndThen) {
  route().choose = Choose::fastest;
  state(0).first_token_mean = milliseconds(300);
  state(1).first_token_mean = milliseconds(100);
  EXPECT_EQ(steps(settled_dice()), "cloud/big home/llama cheap/small");
  int explored = 0;
  for (std::uint64_t dice = 0; dice < 1600; ++dice) explored += steps(dice).starts_with("cheap/small") ? 1 : 0;
  EXPECT_GT(explored, 60);  // 100 expected
  EXPECT_LT(explored, 150);
}

TEST_F(Choosing, AllSpeedsUnknownKeepTheOrderWritten) {
  route().choose = Choose::fastest;
  for (std::uint64_t dice = 0; dice < 100; ++dice) EXPECT_EQ(steps(dice), "home/llama cloud/big cheap/small");
  EXPECT_EQ(reason(), "no target's speed is known yet: the first listed");
}

TEST_F(Choosing, WhoWaitsForTheWholeAnswerWaitsForItsEnd) {
  route().choose = Choose::fastest;
  request_.chat().stream = false;
  state(0).first_token_mean = milliseconds(50);
  state(0).duration_mean = milliseconds(3000);
  state(1).duration_mean = milliseconds(2000);
  state(2).duration_mean = milliseconds(1000);
  EXPECT_EQ(steps(), "cheap/small cloud/big home/llama");
  EXPECT_EQ(reason(), "fastest of 3 that can: 1000 ms to the whole answer against 2000 ms");
}

TEST_F(Choosing, WeightedDrawsByShareAndTheSameForTheSameRequest) {
  route().choose = Choose::weighted;
  route().weights = {6, 3, 1};
  std::map<std::string, int> first, second;
  constexpr int rounds = 20'000;
  for (std::uint64_t dice = 0; dice < rounds; ++dice) {
    const Result<Plan> decided = plan(dice);
    ++first[std::string(text(decided.value().steps[0].target->id))];
    ++second[std::string(text(decided.value().steps[1].target->id))];
    if (dice < 100) {
      EXPECT_EQ(steps(dice), steps_of(decided));
    }
  }
  EXPECT_NEAR(first["home/llama"], rounds * 0.6, rounds * 0.02);
  EXPECT_NEAR(first["cloud/big"], rounds * 0.3, rounds * 0.02);
  EXPECT_NEAR(first["cheap/small"], rounds * 0.1, rounds * 0.02);
  // Without putting back: the second is home in what is left of each first draw.
  EXPECT_NEAR(second["home/llama"], rounds * (0.3 * 6 / 7 + 0.1 * 6 / 9), rounds * 0.02);
}

TEST_F(Choosing, AWeightOfZeroIsAFallbackOnly) {
  route().choose = Choose::weighted;
  route().weights = {0, 3, 0};
  for (std::uint64_t dice = 0; dice < 200; ++dice) EXPECT_EQ(steps(dice), "cloud/big home/llama cheap/small");
  EXPECT_EQ(reason(), "weighted: drawn with 3 of 3 shares");
  state(1).availability = Availability::unreachable;
  EXPECT_EQ(steps(), "home/llama cheap/small");
}

TEST_F(Choosing, TargetsExpectedTooLateAreRuledOut) {
  route().first_token = milliseconds(250);
  state(0).first_token_mean = milliseconds(300);
  state(1).first_token_mean = milliseconds(100);
  EXPECT_EQ(steps(), "cheap/small cloud/big") << "what is not known is not late";
  EXPECT_EQ(ruled_out_of(plan()), "home/llama:first_token");
}

TEST_F(Choosing, TheDeadlineIsForTheWholeAnswer) {
  route().deadline = milliseconds(5000);
  for (std::size_t i = 0; i < 3; ++i) {
    state(i).first_token_mean = milliseconds(100);
    state(i).output_tokens_mean = 200;
  }
  state(0).output_token_mean = milliseconds(30);
  state(1).output_token_mean = milliseconds(10);
  state(2).output_token_mean = milliseconds(20);
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  EXPECT_EQ(ruled_out_of(plan()), "home/llama:deadline");
  request_.chat().output_tokens_max = 50;  // a short answer is there in time
  EXPECT_EQ(steps(), "home/llama cheap/small cloud/big");
}

TEST_F(Choosing, LateIsBetterThanNever) {
  route().first_token = milliseconds(50);
  state(0).first_token_mean = milliseconds(300);
  state(1).first_token_mean = milliseconds(100);
  state(2).first_token_mean = milliseconds(200);
  EXPECT_EQ(steps(), "cloud/big");
  EXPECT_EQ(why(), Why::in_time);
  EXPECT_EQ(reason(), "no target is expected to answer in time; the fastest, 100 ms");
}

TEST_F(Choosing, MinCapabilityRulesOutWhateverTheComplexity) {
  route().min_capability = 0.7;
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  EXPECT_EQ(ruled_out_of(plan()), "home/llama:min_capability");
  fleet_.constraint("stay").trust = Trust::internal;
  EXPECT_EQ(plan().error().message,
            "no target on route \"auto\" that may take this request and can do it reaches the route's min_capability "
            "of 0.70");
}

TEST_F(Choosing, ASpillOverSaysFromWhere) {
  target(0).concurrency_max = 4;
  state(0).in_flight = 4;
  const Result<Plan> decided = plan();
  EXPECT_EQ(steps_of(decided), "cheap/small cloud/big home/llama");
  ASSERT_NE(decided.value().spilled_from, nullptr);
  EXPECT_EQ(text(decided.value().spilled_from->id), "home/llama");
  EXPECT_TRUE(reason().starts_with("spill-over: home/llama is saturated; cheapest of 2 with room: $")) << reason();
}

TEST_F(Choosing, ASaturatedTargetThatWouldNotHaveComeFirstIsNoSpillOver) {
  target(1).concurrency_max = 1;
  state(1).in_flight = 1;
  EXPECT_EQ(plan().value().spilled_from, nullptr);
  EXPECT_EQ(why(), Why::cheapest);
}

TEST_F(Choosing, WithoutTheSectionSpillOverHasNoMemoryAndLooksAtNoEngine) {
  target(0).concurrency_max = 10;
  state(0).in_flight = 9;
  state(0).was_saturated = true;
  state(0).engine_waiting = 100;
  state(0).kv_cache_usage = 1;
  EXPECT_TRUE(steps().starts_with("home/llama"));
}

TEST_F(Choosing, WithHysteresisASaturatedTargetMustFallBackFurther) {
  fleet_.config.spill_over.is_on = true;
  target(0).concurrency_max = 10;
  state(0).in_flight = 9;
  EXPECT_TRUE(steps().starts_with("home/llama"));
  state(0).was_saturated = true;
  EXPECT_TRUE(steps().starts_with("cheap/small"));
  state(0).in_flight = 8;  // back_at: 0.8
  EXPECT_TRUE(steps().starts_with("home/llama"));
}

TEST_F(Choosing, AnEnginesQueueAndCacheSaturateToo) {
  fleet_.config.spill_over.is_on = true;
  state(0).engine_waiting = 4;
  EXPECT_EQ(why(), Why::spill_over);
  state(0).engine_waiting = 3;
  EXPECT_EQ(why(), Why::cheapest);
  state(0).kv_cache_usage = 0.96F;
  EXPECT_EQ(why(), Why::spill_over);
  fleet_.config.spill_over.kv_cache_share = 0;
  EXPECT_EQ(why(), Why::cheapest);
}

/// Two managed targets; cached input costs a tenth at the dearer one.
class Sticky : public Choosing {
 protected:
  Sticky() {
    route().among = {1, 2};
    route().sticky = true;
    target(1).prices->input = testing::per_million(3);
    target(1).prices->output = target(2).prices->output = testing::per_million(4);
    target(1).prices->cached_input = UsdPerToken{target(1).prices->input.count() / 10};
    target(2).prices->input = testing::per_million(2);
    request_.user(std::string(80'000, 'x'));  // 20,000 tokens
  }
};

TEST_F(Sticky, AConversationStaysWhileItsCacheMakesThatCheaper) {
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  conversation_ = {id("cloud/big"), TokenCount{20'000}};
  EXPECT_EQ(steps(), "cloud/big cheap/small");
  EXPECT_EQ(why(), Why::sticky);
  EXPECT_TRUE(
      reason().starts_with("sticky: this conversation's last turn went here, 20000 input tokens should be cached: $"))
      << reason();
  conversation_.cached = TokenCount{5'000};  // too little of it: 3 x 15 + 0.3 x 5 > 2 x 20
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  EXPECT_EQ(why(), Why::cheapest);
}

TEST_F(Sticky, OnlyWhereTheRouteSaysSo) {
  route().sticky = false;
  conversation_ = {id("cloud/big"), TokenCount{20'000}};
  EXPECT_EQ(steps(), "cheap/small cloud/big");
}

TEST_F(Sticky, ACacheOfMoreThanTheInputCountsAsTheInput) {
  conversation_ = {id("cloud/big"), TokenCount{1'000'000}};
  EXPECT_GT(plan().value().steps[0].forecast, Usd{});
  EXPECT_EQ(plan().value().steps[0].cached.count(), 20'009);
}

TEST_F(Sticky, PrefixesTooShortForAnyProvidersCacheDoNotCount) {
  conversation_ = {id("cloud/big"), TokenCount{cached_prefix_min.count() - 1}};
  EXPECT_EQ(steps(), "cheap/small cloud/big");
}

TEST_F(Sticky, ConstraintsAndAvailabilityComeFirst) {
  conversation_ = {id("cloud/big"), TokenCount{20'000}};
  state(1).availability = Availability::breaker_open;
  EXPECT_EQ(steps(), "cheap/small");
}

TEST_F(Sticky, WhatIsSaturatedIsLeftAnyway) {
  conversation_ = {id("cloud/big"), TokenCount{20'000}};
  target(1).concurrency_max = 2;
  state(1).in_flight = 2;
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  EXPECT_EQ(why(), Why::spill_over);
}

TEST_F(Sticky, TiesStayWithTheConversation) {
  target(1).prices = target(2).prices;
  conversation_ = {id("cheap/small"), TokenCount{0}};
  EXPECT_EQ(steps(), "cheap/small cloud/big");
  conversation_ = {id("cloud/big"), TokenCount{0}};
  EXPECT_EQ(steps(), "cloud/big cheap/small");
}

TEST_F(Sticky, AWeightedDrawIsNotRepeatedForAConversationThatIsNoDearer) {
  route().choose = Choose::weighted;
  route().weights = {0, 1};  // new conversations go to cheap/small
  conversation_ = {id("cloud/big"), TokenCount{20'000}};
  EXPECT_EQ(steps(), "cloud/big cheap/small");
  EXPECT_EQ(why(), Why::sticky);
  conversation_.cached = TokenCount{0};
  EXPECT_EQ(steps(), "cheap/small cloud/big");
}

TEST_F(Choosing, ExplanationsSayWhatTheRouteAsksAndWhatIsExpected) {
  route().choose = Choose::fastest;
  route().min_capability = 0.5;
  route().first_token = milliseconds(250);
  state(0).first_token_mean = milliseconds(300);
  state(1).first_token_mean = milliseconds(100);
  state(1).output_token_mean = milliseconds(10);
  state(2).first_token_mean = milliseconds(120);
  const RequestFacts facts = fleet_.facts(request_);
  const std::string said = explain_text(facts, fleet_.config, plan());
  EXPECT_NE(said.find("choose fastest, capability from 0.50, first token within 250 ms"), std::string::npos) << said;
  EXPECT_NE(said.find("(first token 100 ms, answer 3100 ms)"), std::string::npos) << said;
  EXPECT_NE(said.find("first_token: expected after 300 ms, the route allows 250 ms"), std::string::npos) << said;
}

}  // namespace
}  // namespace tollgate
