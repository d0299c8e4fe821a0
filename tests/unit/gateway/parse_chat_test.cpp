#include "gateway/parse_chat.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

struct Parsed {
  std::string body;
  ChatView chat;
  ClientBody map;
  Result<void> outcome = success();
  explicit Parsed(std::string text, Surface surface = Surface::chat) : body(std::move(text)) {
    body.reserve(body.size() + ChatParser::padding);
    ChatParser parser(256);
    outcome = parser.parse(body, surface, chat, map);
  }
  [[nodiscard]] std::string refused() const { return outcome ? "" : outcome.error().param + "|" + outcome.error().message; }
};

TEST(ParsePassed, ReadsWhatRulesAndPricesNeedAndLeavesTheRest) {
  const Parsed p(R"({"prompt":"a cat","n":2,"size":"1024x1024","quality":"hd","response_format":"b64_json","usage":3,"tools":"any","model":"auto"})", Surface::images);
  ASSERT_TRUE(p.outcome) << p.refused();
  ASSERT_EQ(p.chat.texts.size(), 1U);
  EXPECT_EQ(p.chat.texts[0].raw, "a cat");
  EXPECT_EQ(p.chat.image_size, "1024x1024");
  EXPECT_EQ(p.chat.image_quality, "hd");
  EXPECT_EQ(p.chat.choices, 2);
  EXPECT_EQ(p.map.model_value.of(p.body), "\"auto\"");
}

TEST(ParsePassed, AModelIsNotNeeded) {
  EXPECT_TRUE(Parsed(R"({"input":"x"})", Surface::moderations).outcome);
  EXPECT_TRUE(Parsed("{}", Surface::files).outcome);
  EXPECT_EQ(Parsed(R"({"input":"x","input":"y"})", Surface::moderations).refused().substr(0, 6), "input|");
}

TEST(ParsePassed, ModerationsHoldTextsAndParts) {
  const Parsed p(R"({"input":["a",{"type":"text","text":"b"},{"type":"image_url","image_url":{"url":"https://x"}}]})", Surface::moderations);
  ASSERT_TRUE(p.outcome) << p.refused();
  ASSERT_EQ(p.chat.texts.size(), 2U);
  EXPECT_EQ(p.chat.texts[1].raw, "b");
  EXPECT_EQ(p.chat.images, 1U);
}

TEST(ParseChat, TellsModelTextsAndFlags) {
  const Parsed p(R"({"model":"auto","messages":[{"role":"system","content":"Be short."},{"content":"Hi \"you\"","role":"user"}],
                     "stream":true,"stream_options":{"include_usage":true},"max_tokens":7,"tools":[{},{}]})");
  ASSERT_TRUE(p.outcome) << p.refused();
  EXPECT_EQ(p.chat.model, "auto");
  ASSERT_EQ(p.chat.texts.size(), 2U);
  EXPECT_EQ(p.chat.texts[0].role, Role::system);
  EXPECT_EQ(p.chat.texts[1].role, Role::user) << "the role may stand behind the content";
  EXPECT_EQ(p.chat.texts[1].raw, R"(Hi \"you\")");
  EXPECT_TRUE(p.chat.stream && p.map.include_usage && !p.map.continuous_usage);
  EXPECT_EQ(p.chat.output_tokens_max, 7);
  EXPECT_EQ(p.chat.tools, 2U);
  EXPECT_EQ(p.chat.tool_bytes, 7U) << "as they stand";
}

TEST(ParseChat, SpansCoverExactlyTheMembersADialectChanges) {
  const Parsed p(R"({ "stream_options" : {"a":[1,2]} , "usage" : {"include": true} , "model" : "m" ,"messages":[{"role":"user","content":[]}]})");
  ASSERT_TRUE(p.outcome) << p.refused();
  EXPECT_EQ(p.map.model_value.of(p.body), "\"m\"");
  EXPECT_EQ(p.map.stream_options_value.of(p.body), R"({"a":[1,2]})");
  EXPECT_TRUE(p.map.wants_cost);
  std::string cut = p.body;
  cut.erase(p.map.usage_member.offset, p.map.usage_member.length);
  const auto json = nlohmann::json::parse(cut);
  EXPECT_FALSE(json.contains("usage"));
  EXPECT_EQ(json.size(), 3U);
}

TEST(ParseChat, TellsWhoSentItAndWhatTheySayOfIt) {
  const Parsed p(R"({"model":"m","messages":[{"role":"user"}],"user":"al\u0069ce","prompt_cache_key":"k-1",
                     "metadata":{"purpose":"eval","r\u0075n":"a\"b","count":3,"none":null,"empty":""}})");
  ASSERT_TRUE(p.outcome) << p.refused();
  EXPECT_EQ(p.chat.user, "alice");
  EXPECT_EQ(p.chat.prompt_cache_key, "k-1");
  ASSERT_EQ(p.chat.metadata.size(), 3U);
  EXPECT_EQ(p.chat.metadata[0].name, "purpose");
  EXPECT_EQ(p.chat.metadata[0].value, "eval");
  EXPECT_GE(p.chat.metadata[0].name.data(), p.body.data()) << "without escapes nothing is copied";
  EXPECT_LT(p.chat.metadata[0].name.data(), p.body.data() + p.body.size());
  EXPECT_EQ(p.chat.metadata[1].name, "run");
  EXPECT_EQ(p.chat.metadata[1].value, "a\"b");
  EXPECT_EQ(p.chat.metadata[2].name, "empty");
  EXPECT_EQ(p.chat.metadata[2].value, "");
}

TEST(ParseChat, WhatIsNotTextThereIsTheUpstreamsToJudge) {
  const Parsed p(R"({"model":"m","messages":[{"role":"user"}],"user":7,"metadata":["a"],"prompt_cache_key":null})");
  ASSERT_TRUE(p.outcome) << p.refused();
  EXPECT_EQ(p.chat.user, "");
  EXPECT_TRUE(p.chat.metadata.empty());
}

TEST(ParseChat, UsageMemberIsCutWithOneCommaWhereverItStands) {
  for (const char* body : {R"({"usage":{},"model":"m","messages":[{"role":"user"}]})", R"({"model":"m","messages":[{"role":"user"}],"usage":{"include":false}})"}) {
    const Parsed p(body);
    ASSERT_TRUE(p.outcome) << p.refused();
    std::string cut = p.body;
    cut.erase(p.map.usage_member.offset, p.map.usage_member.length);
    EXPECT_EQ(nlohmann::json::parse(cut).size(), 2U) << cut;
  }
}

TEST(ParseChat, CountsPartsToolCallsAndResults) {
  const Parsed p(R"({"model":"m","messages":[
    {"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:"}}]},
    {"role":"assistant","content":null,"tool_calls":[{"id":"1"},{"id":"2"}]},{"role":"tool","tool_call_id":"1","content":"42"}]})");
  ASSERT_TRUE(p.outcome) << p.refused();
  EXPECT_EQ(p.chat.images, 1U);
  EXPECT_EQ(p.chat.tool_calls, 2U);
  EXPECT_EQ(p.chat.tool_results, 1U);
  EXPECT_EQ(p.chat.messages, 3U);
}

TEST(ParseChat, PromptsAndInputsMayBeTextTextsOrTokens) {
  EXPECT_EQ(Parsed(R"({"model":"m","prompt":"a"})", Surface::completions).chat.texts.size(), 1U);
  EXPECT_EQ(Parsed(R"({"model":"m","prompt":["a","b"]})", Surface::completions).chat.texts.size(), 2U);
  EXPECT_TRUE(Parsed(R"({"model":"m","input":[1,2,3]})", Surface::embeddings).outcome);
  EXPECT_TRUE(Parsed(R"({"model":"m","input":[[1],[2]]})", Surface::embeddings).outcome);
}

TEST(ParseChat, TheModelOutlivesTheNextParse) {
  ChatParser parser(256);
  std::string first = R"({"model":"a\u0062c","messages":[{"role":"user"}]})", second = R"({"model":"zzzzzz","messages":[{"role":"user"}]})";
  first.reserve(first.size() + ChatParser::padding);
  second.reserve(second.size() + ChatParser::padding);
  ChatView chat, other;
  ClientBody map;
  ASSERT_TRUE(parser.parse(first, Surface::chat, chat, map));
  ASSERT_TRUE(parser.parse(second, Surface::chat, other, map));
  EXPECT_EQ(chat.model, "abc");
  EXPECT_EQ(other.model, "zzzzzz");
}

struct Bad {
  const char* body;
  const char* param;
  const char* says;
};

TEST(ParseChat, RefusesWithTheFieldAtFault) {
  const Bad table[] = {
      {"", "", "empty"},
      {"hello", "", "JSON"},
      {"[]", "", "object"},
      {"{\"model\":\"m\"", "", "JSON"},
      {R"({"model":"m","messages":[{"role":"user"}]} trailing)", "", "JSON"},
      {R"({"model":"m","messages":[{"role":"user"}]} {})", "", "behind"},
      {R"({"messages":[{"role":"user"}]})", "model", "model"},
      {R"({"model":"","messages":[]})", "model", "empty"},
      {R"({"model":5,"messages":[]})", "model", "a string"},
      {R"({"model":"m"})", "messages", "missing"},
      {R"({"model":"m","messages":[]})", "messages", "empty"},
      {R"({"model":"m","messages":"hi"})", "messages", "array"},
      {R"({"model":"m","messages":[5]})", "messages[0]", "object"},
      {R"({"model":"m","messages":[{"content":"x"}]})", "messages[0].role", "missing"},
      {R"({"model":"m","messages":[{"role":"user","content":5}]})", "messages[0].content", "string or an array"},
      {R"({"model":"m","messages":[{"role":"user"}],"stream":"yes"})", "stream", "true or false"},
      {R"({"model":"m","messages":[{"role":"user"}],"stream_options":[]})", "stream_options", "object"},
      {R"({"model":"m","messages":[{"role":"user"}],"max_tokens":0})", "max_tokens", "at least 1"},
      {R"({"model":"m","messages":[{"role":"user"}],"max_tokens":"5"})", "max_tokens", "integer"},
      {R"({"model":"m","messages":[{"role":"user"}],"n":1000})", "n", "1 to 128"},
      {R"({"model":"m","messages":[{"role":"user"}],"model":"n"})", "model", "duplicate"},
      {R"({"model":"m","messages":[{"role":"user"}],"mod\u0065l":"n"})", "model", "duplicate"},
      {R"({"model":"m","messages":[{"role":"user"}],"x":1,"x":2})", "x", "duplicate"},
      {"{\"model\":\"\xff\",\"messages\":[]}", "", "UTF-8"},
  };
  for (const Bad& bad : table) {
    const Parsed p(bad.body);
    ASSERT_FALSE(p.outcome) << bad.body;
    EXPECT_EQ(p.outcome.error().fault, Fault::bad_request) << bad.body;
    EXPECT_EQ(p.outcome.error().param, bad.param) << bad.body << " -> " << p.refused();
    EXPECT_NE(p.outcome.error().message.find(bad.says), std::string::npos) << bad.body << " -> " << p.refused();
  }
}

TEST(ParseChat, RefusesDeepNestingAtTheLimitAndNotBefore) {
  const auto nested = [](std::size_t levels) {
    return R"({"model":"m","messages":[{"role":"user"}],"x":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  EXPECT_TRUE(Parsed(nested(255)).outcome) << Parsed(nested(255)).refused();
  EXPECT_FALSE(Parsed(nested(256)).outcome);
  EXPECT_FALSE(Parsed(nested(10'000)).outcome);
  EXPECT_TRUE(Parsed(R"({"model":"m","messages":[{"role":"user","content":")" + std::string(10'000, '[') + "\"}]}").outcome) << "brackets in text do not nest";
}

}  // namespace
}  // namespace tollgate
