#include "backends/usage_scanner.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

// Pitfall 9: cached tokens added to the input twice, or ignored; 12: cache writes ignored.
TEST(ParseUsage, ClassesAreDisjoint) {
  const auto usage = parse_usage(R"({"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},"completion_tokens_details":{"reasoning_tokens":20}})");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->input, TokenCount{30});
  EXPECT_EQ(usage->cached_input, TokenCount{60});
  EXPECT_EQ(usage->cache_write, TokenCount{10});
  EXPECT_EQ(usage->output, TokenCount{30}) << "reasoning is inside output, never added";
  EXPECT_EQ(usage->reasoning, TokenCount{20});
}

TEST(ParseUsage, AudioAndImagesAreTakenOutOfTheText) {
  const auto usage = parse_usage(
      R"({"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"audio_tokens":30,"image_tokens":20,"cached_tokens":25,"cached_tokens_details":{"audio_tokens":10}},"completion_tokens_details":{"audio_tokens":40,"reasoning_tokens":5}})");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->input, TokenCount{35});
  EXPECT_EQ(usage->cached_input, TokenCount{15});
  EXPECT_EQ(usage->of(RareClass::input_audio), TokenCount{20});
  EXPECT_EQ(usage->of(RareClass::cached_input_audio), TokenCount{10});
  EXPECT_EQ(usage->of(RareClass::input_image), TokenCount{20});
  EXPECT_EQ(usage->output, TokenCount{10});
  EXPECT_EQ(usage->of(RareClass::output_audio), TokenCount{40});
  EXPECT_EQ(usage->total_input(), TokenCount{100});
  EXPECT_EQ(usage->total_output(), TokenCount{50});
  EXPECT_FALSE(usage->unclear);
}

TEST(ParseUsage, HowMuchOfTheAudioWasCachedMayBeUntold) {
  const auto usage = parse_usage(R"({"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"audio_tokens":80,"cached_tokens":30}})");
  ASSERT_TRUE(usage);
  EXPECT_TRUE(usage->unclear);
  EXPECT_EQ(usage->total_input(), TokenCount{100}) << "the sum is known all the same";
}

// Pitfall 14: reasoning not counted at all.
TEST(ParseUsage, ReasoningThatOnlyTheTotalHoldsIsOutput) {
  const auto xai = parse_usage(R"({"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}})");
  ASSERT_TRUE(xai);
  EXPECT_EQ(xai->output, TokenCount{105});
  EXPECT_EQ(xai->reasoning, TokenCount{100});
  const auto google = parse_usage(R"({"prompt_tokens":10,"completion_tokens":5,"total_tokens":65})");
  ASSERT_TRUE(google);
  EXPECT_EQ(google->output, TokenCount{55});
  EXPECT_EQ(google->reasoning, TokenCount{50});
}

// Pitfall 13: details whose parts come to more than their whole, because one kind holds the other (xAI's text_tokens hold the cached ones).
TEST(ParseUsage, TextTokensThatHoldTheCachedOnesAreNotAdded) {
  const auto usage = parse_usage(R"({"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"text_tokens":100,"cached_tokens":90}})");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->input, TokenCount{10});
  EXPECT_EQ(usage->cached_input, TokenCount{90});
}

// Pitfall 19: searches are counted in the usage by those who charge for them.
TEST(ParseUsage, SearchesAreCounted) {
  EXPECT_EQ(parse_usage(R"({"prompt_tokens":1,"completion_tokens":1,"num_search_queries":3})")->web_searches, 3);
  EXPECT_EQ(parse_usage(R"({"prompt_tokens":1,"completion_tokens":1,"server_tool_use":{"web_search_requests":2}})")->web_searches, 2);
}

// Pitfall 23: rejected predictions are in completion_tokens already.
TEST(ParseUsage, RejectedPredictionsAreNotAddedAgain) {
  const auto usage = parse_usage(R"({"prompt_tokens":1,"completion_tokens":40,"completion_tokens_details":{"accepted_prediction_tokens":10,"rejected_prediction_tokens":20}})");
  EXPECT_EQ(usage->output, TokenCount{40});
}

TEST(ParseUsage, ZeroIsAValueAndNullIsAbsent) {
  EXPECT_EQ(parse_usage(R"({"prompt_tokens":0,"completion_tokens":0})"), Usage{});
  EXPECT_EQ(parse_usage(R"({"prompt_tokens":5,"prompt_tokens_details":null,"completion_tokens":null})")->input, TokenCount{5});
  EXPECT_FALSE(parse_usage(R"({"prompt_tokens":5,"completion_tokens":null})", true)) << "unknown is not zero";
  EXPECT_FALSE(parse_usage(R"({"completion_tokens":5})")) << "unknown is not zero";
  EXPECT_FALSE(parse_usage("{}"));
  EXPECT_FALSE(parse_usage(R"({"prompt_tokens":null})"));
}

TEST(ParseUsage, WhatCannotBeIsNotMended) {
  for (const char* bad : {R"({"prompt_tokens":-1,"completion_tokens":1})", R"({"prompt_tokens":1.5,"completion_tokens":1})",
                          R"({"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":6}})",
                          R"({"prompt_tokens":5,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":2}})",
                          R"({"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":"x"})",
                          R"({"prompt_tokens":9000000000000000000,"completion_tokens":1})", R"({"prompt_tokens":"5"})", "[]", "nonsense"}) {
    EXPECT_FALSE(parse_usage(bad)) << bad;
  }
}

TEST(FindUsage, FindsTheTopLevelMemberOnly) {
  const auto value = [](std::string_view json) -> std::string {
    const auto found = find_usage(json);
    return found ? std::string(json.substr(found->value, found->end - found->value)) : "none";
  };
  EXPECT_EQ(value(R"({"a":1,"usage":{"p":{"q":1}}})"), R"({"p":{"q":1}})");
  EXPECT_EQ(value(R"({"a":1,"usage": null })"), "null");
  EXPECT_EQ(value(R"({"usage":{"x":1},"z":[{"usage":{"y":2}}]})"), R"({"x":1})");
  EXPECT_EQ(value(R"({"x_groq":{"usage":{"y":2}}})"), "none");
  EXPECT_EQ(value(R"({"x_groq":{"usage":{"y":2}},"usage":{"x":1}})"), R"({"x":1})");
  EXPECT_EQ(value(R"({"choices":[{"delta":{"content":"say \"usage\":{} loud"}}]})"), "none");
  EXPECT_EQ(value(R"({"a":1,"usage" : {"x":1}})"), R"({"x":1})");
  EXPECT_EQ(value("{}"), "none");
}

// Pitfall 5: the counts of all events added up; 20: n > 1 multiplied.
TEST(RunningUsage, TheFinalCountWinsAndRunningCountsAreSummedOverChoices) {
  RunningUsage one(1);
  EXPECT_EQ(one.usage().second, UsageSource::none);
  one.running(R"({"prompt_tokens":5,"completion_tokens":2})", "{}");
  one.running(R"({"prompt_tokens":5,"completion_tokens":3})", "{}");
  EXPECT_EQ(one.usage().first.output, TokenCount{3});
  EXPECT_EQ(one.usage().second, UsageSource::continuous);
  one.final(R"({"prompt_tokens":5,"completion_tokens":4})");
  EXPECT_EQ(one.usage().first.output, TokenCount{4});
  EXPECT_EQ(one.usage().second, UsageSource::exact);

  RunningUsage two(2);
  two.running(R"({"prompt_tokens":5,"completion_tokens":2})", R"({"choices":[{"index":0}]})");
  two.running(R"({"prompt_tokens":5,"completion_tokens":7})", R"({"choices":[{"index":1}]})");
  EXPECT_EQ(two.usage().first.output, TokenCount{9});
  EXPECT_EQ(two.usage().first.input, TokenCount{5}) << "the prompt counts once";
}

TEST(RunningUsage, EachOfSeveralPromptsCountsOnce) {
  RunningUsage usage(2);   // vLLM: index = prompt * n + choice
  for (const char* index : {"0", "1", "3", "2"}) {
    const bool second = index[0] >= '2';
    usage.running(second ? R"({"prompt_tokens":3,"completion_tokens":2})" : R"({"prompt_tokens":5,"completion_tokens":7})", std::string(R"({"choices":[{"index": )") + index + "}]}");
  }
  EXPECT_EQ(usage.usage().first.input, TokenCount{8});
  EXPECT_EQ(usage.usage().first.output, TokenCount{18});
}

TEST(RunningUsage, CountsOfTheWholeAnswerAreNotSummed) {
  RunningUsage usage(2, false);
  usage.running(R"({"prompt_tokens":5,"completion_tokens":2})", R"({"choices":[{"index":0}]})");
  usage.running(R"({"prompt_tokens":5,"completion_tokens":7})", R"({"choices":[{"index":1}]})");
  EXPECT_EQ(usage.usage().first.output, TokenCount{7});
}

TEST(RunningUsage, MoreChoicesThanAreWatchedAreUnknown) {
  RunningUsage usage(1);
  usage.running(R"({"prompt_tokens":5,"completion_tokens":2})", R"({"choices":[{"index":0}]})");
  usage.running(R"({"prompt_tokens":5,"completion_tokens":2})", R"({"choices":[{"index":999999999}]})");
  EXPECT_EQ(usage.usage().second, UsageSource::none);
  EXPECT_LT(usage.memory_bytes(), 1024U);
}

}  // namespace
}  // namespace tollgate
