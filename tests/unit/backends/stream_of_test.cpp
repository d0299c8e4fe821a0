#include "backends/stream_of.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

constexpr std::string_view whole =
    R"({"id":"c1","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}})";

ClientBody asking(bool usage, bool cost) {
  ClientBody client;
  client.stream = true;
  client.include_usage = usage;
  client.wants_cost = cost;
  return client;
}

TEST(StreamOf, AWholeAnswerBecomesItsChunksAndTheEndMark) {
  const auto events = stream_of(whole, asking(false, false), "");
  ASSERT_TRUE(events);
  EXPECT_EQ(events.value(),
            "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\","
            "\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"},\"index\":0}]},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
            "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,"
            "\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n");
}

TEST(StreamOf, UsageComesIfAskedForAndTheCostDigitForDigit) {
  const auto usage = stream_of(whole, asking(true, false), "");
  ASSERT_TRUE(usage);
  EXPECT_NE(usage.value().find("\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}\n\ndata: [DONE]"), std::string::npos);
  const auto cost = stream_of(whole, asking(false, true), "0.000000000001");
  ASSERT_TRUE(cost);
  EXPECT_NE(cost.value().find("\"total_tokens\":4,\"cost\":0.000000000001}}\n\n"), std::string::npos);
}

TEST(StreamOf, CompletionsKeepTheirTextAndShape) {
  ClientBody client = asking(false, false);
  client.surface = Surface::completions;
  const auto events = stream_of(R"({"id":"x","object":"text_completion","choices":[{"index":0,"text":"once","finish_reason":"length"}]})", client, "");
  ASSERT_TRUE(events);
  EXPECT_NE(events.value().find("\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"once\""), std::string::npos);
  EXPECT_NE(events.value().find("\"finish_reason\":\"length\""), std::string::npos);
}

TEST(StreamOf, WhatHasNoChoicesIsGarbage) {
  EXPECT_FALSE(stream_of("{}", asking(false, false), ""));
  EXPECT_FALSE(stream_of("nonsense", asking(false, false), ""));
}

}  // namespace
}  // namespace tollgate
