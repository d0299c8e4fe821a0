// What routes say about choosing, and the conditions of time, load, user and metadata.
#include <gtest/gtest.h>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using testing::error_of;
using testing::loaded;

std::string with(const std::string& sections) {
  return "version: 1\nbackends: {b: {dialect: vllm, simulated: {}, models: {x: {capability: 0.5, concurrency_max: 4}, "
         "y: {capability: 0.8}}}}\n" +
         sections;
}
std::string route(const std::string& members) { return with("routes: [{name: r, " + members + "}]\n"); }
std::string when(const std::string& condition) { return route("when: {" + condition + "}"); }
bool says(const std::string& yaml, const std::string& what) {
  const std::string error = error_of(yaml);
  EXPECT_NE(error.find(what), std::string::npos) << error;
  return true;
}

TEST(LoadChoice, WithoutTheKeysNothingIsChosenOtherwise) {
  const ConfigPtr config = loaded(route("among: [b/x, b/y]"));
  EXPECT_FALSE(config->spill_over.is_on);
  EXPECT_FALSE(config->knows_conversations);
  EXPECT_FALSE(config->routes[0].sticky);
  EXPECT_EQ(config->routes[0].first_token.count(), 0);
}

TEST(LoadChoice, TheSectionTurnsSpillOverOnWithItsDefaults) {
  EXPECT_TRUE(loaded(with("spill_over: {}\n"))->spill_over.is_on);
  EXPECT_EQ(loaded(with("spill_over: {}\n"))->spill_over.back_at, 0.8);
  EXPECT_EQ(loaded(with("spill_over: {waiting_requests: 9, kv_cache_share: 0.5, back_at: 0.25}\n"))
                ->spill_over.waiting_requests,
            9U);
}

TEST(LoadChoice, TheSectionTurnsHedgingOnWithItsDefaults) {
  EXPECT_FALSE(loaded(route("choose: first"))->hedges);
  const ConfigPtr config = loaded(route("hedge: {}"));
  EXPECT_TRUE(config->hedges && config->routes[0].hedge.is_on);
  EXPECT_EQ(config->routes[0].hedge.percentile, 0.95);
  EXPECT_EQ(config->routes[0].hedge.after_min.count(), 200);
  const ConfigPtr said = loaded(route("hedge: {percentile: 90, after_seconds_min: 0.05, after_seconds_max: 3, unlearned_after_seconds: 1.5, samples_min: 5, share_max: 0.1}"));
  const HedgeRules& hedge = said->routes[0].hedge;
  EXPECT_EQ(hedge.percentile, 0.9);
  EXPECT_EQ(hedge.after_max.count(), 3'000);
  EXPECT_EQ(hedge.unlearned_after.count(), 1'500);
  EXPECT_EQ(hedge.samples_min, 5U);
  EXPECT_EQ(hedge.share_max, 0.1);
}

TEST(LoadChoice, WeightsBelongToTheTargetsThatFit) {
  const ConfigPtr config =
      loaded(route("choose: weighted, among: [{target: b/y, weight: 7}, {target: \"b/*\", weight: 2}]"));
  EXPECT_EQ(config->routes[0].among, (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(config->routes[0].weights, (std::vector<std::uint32_t>{7, 2}));
}

TEST(LoadChoice, ContradictionsAreErrors) {
  says(route("choose: weighted, among: [{target: b/y, weight: 0}]"), "every target has weight 0");
  says(route("among: [{target: b/y, weight: 3}]"), "weights count only with choose: weighted");
  says(route("min_capability: 0.9"), "the most capable target of the route is trusted up to 0.8");
  says(route("choose: fastest, sticky: true"), "choose: fastest does not look at cost");
  says(route("choose: first, sticky: true"), "choose: first does not look at cost");
  says(route("cascade: true, among: b/x"), "the route has only one; add another");
  says(route("cascade: true, when: {stream: true}"), "cascade checks answers that are not streams");
  says(route("hedge: {}, among: b/x"), "hedge asks a second target when the first one is slow, but the route has only one");
  says(route("hedge: {}, cascade: true"), "hedge and cascade cannot be together");
  says(route("hedge: {after_seconds_min: 2, after_seconds_max: 1}"), "after_seconds_max is shorter than after_seconds_min");
  says(route("hedge: {share_max: 0}"), "no hedge would ever be made: remove hedge instead");
  says(route("hedge: {percentile: 100}"), "50 to 99");
  says("attempts_max: 1\n" + route("hedge: {}"), "hedge makes a second attempt, but attempts_max is 1");
  says(route("first_token_ms: 500, deadline_ms: 400"), "deadline_ms is shorter than first_token_ms");
  says(with("constraints: [{name: c, when: {load: {of: b/x, from: 1}}, require: {trust: internal}}]\n"),
       "must not come and go with the load");
}

TEST(LoadChoice, AnUnknownWordIsNamed) {
  says(route("choose: quickest"), "choose");
  says(route("among: [{target: b/y, wieght: 3}]"), "wieght");
  says(route("deadline_ms: 0"), "deadline_ms");
  says(with("spill_over: {back_at: 1.5}\n"), "back_at");
}

TEST(LoadChoice, StickyRoutesWithAChoiceMakeConversationsKnown) {
  EXPECT_TRUE(loaded(route("sticky: true"))->knows_conversations);
  EXPECT_FALSE(loaded(route("sticky: true, among: b/x"))->knows_conversations);
  EXPECT_FALSE(loaded(route("sticky: true") + "sticky: {ttl_seconds: 0}\n")->knows_conversations);
}

TEST(LoadChoice, TimesAreReadAndWrongOnesNamed) {
  const Condition night =
      loaded(when("time: {from: \"22:00\", to: \"06:30\", days: [mon, weekend], utc_offset: \"-05:30\"}"))
          ->routes[0]
          .when;
  EXPECT_EQ(night.time->from_minute, 22 * 60);
  EXPECT_EQ(night.time->to_minute, 6 * 60 + 30);
  EXPECT_EQ(night.time->days, 0x61);
  EXPECT_EQ(night.time->utc_offset_minutes, -330);
  EXPECT_EQ(loaded(when("time: {days: weekdays}"))->routes[0].when.time->to_minute, 1440);
  says(when("time: {from: \"25:00\"}"), "a time of day was expected");
  says(when("time: {from: \"8:00\"}"), "a time of day was expected");
  says(when("time: {from: \"08:00\", to: \"08:00\"}"), "leave no time between them");
  says(when("time: {days: mon, utc_offset: Europe/Berlin}"), "Names of time zones are not known");
  says(when("time: {days: monday}"), "monday");
  says(when("time: {utc_offset: \"+01:00\"}"), "needs days, or from and to");
}

TEST(LoadChoice, LoadsAreReadAndWrongOnesNamed) {
  const Condition busy = loaded(when("load: {of: [\"b/*\"], from: 0.5, below: 1.25}"))->routes[0].when;
  EXPECT_EQ(busy.load->targets, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(busy.load->from, 0.5);
  EXPECT_EQ(busy.load->below, 1.25);
  says(when("load: {of: b/z, from: 0.5}"), "there is no such target");
  says(when("load: {of: b/x}"), "needs from, below or both");
  says(when("load: {from: 0.5}"), "of");
  says(when("load: {of: b/x, from: 0.5, below: 0.5}"), "nothing can match this");
}

TEST(LoadChoice, UsersAndMetadataAreRead) {
  const Condition read =
      loaded(when("user: [alice, \"bot-*\"], metadata: {purpose: eval, run: \"*\"}"))->routes[0].when;
  EXPECT_EQ(read.users, (std::vector<std::string>{"alice", "bot-*"}));
  ASSERT_EQ(read.metadata.size(), 2U);
  EXPECT_EQ(read.metadata[0].any_of, (std::vector<std::string>{"eval"}));
  EXPECT_TRUE(read.metadata[1].any_of.empty());
  says(when("metadata: {}"), "names no member");
  says(when("metadata: {a: [\"*\", b]}"), "'*' means any value");
}

}  // namespace
}  // namespace tollgate
