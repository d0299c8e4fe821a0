#include "gateway/answer_check.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "unit/router/seed.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;

/// An answer with this text in OpenAI's form.
std::string answer(const std::string& text, const std::string& finish = "stop") {
  return Json{
      {"choices", {{{"index", 0}, {"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", finish}}}}}
      .dump();
}

class Answers : public ::testing::Test {
 protected:
  std::string_view check(const std::string& body) const { return name_of(check_answer(body, chat_)); }
  std::string_view text(const std::string& content, const std::string& finish = "stop") const {
    return check(answer(content, finish));
  }
  void ask_json(std::string_view schema = "") {
    chat_.json_output = true;
    chat_.json_schema = !schema.empty();
    chat_.response_schema = schema;
  }
  ChatView chat_;
};

TEST_F(Answers, AnOrdinaryAnswerIsFine) {
  EXPECT_EQ(text("Paris."), "ok");
  EXPECT_EQ(text("42"), "ok");
  EXPECT_EQ(text("{\"not\": \"asked for"), "ok");
}

TEST_F(Answers, NothingAndBlanksAreEmpty) {
  EXPECT_EQ(text(""), "empty");
  EXPECT_EQ(text(" \n\t"), "empty");
  EXPECT_EQ(check(R"({"choices":[]})"), "empty");
  EXPECT_EQ(check(R"({"choices":[{"message":{"role":"assistant","content":null},"finish_reason":"stop"}]})"), "empty");
  EXPECT_EQ(check("{}"), "empty");
}

TEST_F(Answers, AToolCallIsAnAnswer) {
  const auto call = [](const std::string& arguments) {
    return Json{
        {"choices",
         {{{"message",
            {{"content", nullptr}, {"tool_calls", {{{"function", {{"name", "f"}, {"arguments", arguments}}}}}}}},
           {"finish_reason", "tool_calls"}}}}}
        .dump();
  };
  EXPECT_EQ(check(call("{\"a\":1}")), "ok");
  EXPECT_EQ(check(call("")), "ok");
  EXPECT_EQ(check(call("{\"a\":")), "invalid_json");
}

TEST_F(Answers, RefusalsAreKnownByFlagFilterAndWords) {
  EXPECT_EQ(check(R"({"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]})"), "refusal");
  EXPECT_EQ(text("Here is", "content_filter"), "refusal");
  for (const char* said :
       {"I'm sorry, but I can't help with that.", "I’m sorry, but I cannot assist with that request.",
        "I can't help with that.", "Sorry, I am unable to do this.", "I cannot provide legal advice.",
        "As an AI language model, I can't browse.", "Es tut mir leid, aber ich kann dabei nicht helfen.",
        "Désolé, mais je ne peux pas vous aider.", "Lo siento, pero no puedo ayudar con eso."}) {
    EXPECT_EQ(text(said), "refusal") << said;
  }
}

TEST_F(Answers, WhatOnlySoundsLikeARefusalIsNone) {
  for (const char* said : {"I can't help but admire this poem.", "Sorry, I can see the mistake now: it is in line 3.",
                           "I'm sorry for your loss.", "I cannot is the negative of I can.",
                           "The answer is: I'm sorry, but I can't help with that."}) {
    EXPECT_EQ(text(said), "ok") << said;
  }
  EXPECT_EQ(text("I'm sorry, but I can't say for certain. " + std::string(60, 'x') +
                 " Here is what is known: " + std::string(400, 'y') + " and more."),
            "ok")
      << "a long answer goes on to answer";
}

TEST_F(Answers, AnAnswerCutOffThatTheClientSetNoLimitForIsTruncated) {
  EXPECT_EQ(text("The first of the", "length"), "truncated");
  EXPECT_EQ(text("", "length"), "truncated");
  chat_.output_tokens_max = 4;
  EXPECT_EQ(text("The first of the", "length"), "ok") << "as short as was asked for";
  EXPECT_EQ(text("", "length"), "empty");
}

TEST_F(Answers, JsonThatWasAskedForMustBeAnObject) {
  ask_json();
  EXPECT_EQ(text(" {\"a\": 1}\n"), "ok");
  EXPECT_EQ(text("{\"a\": 1"), "invalid_json");
  EXPECT_EQ(text("{\"a\": 1", "length"), "truncated");
  EXPECT_EQ(text("```json\n{\"a\": 1}\n```"), "invalid_json");
  EXPECT_EQ(text("[1]"), "schema");
  EXPECT_EQ(text("I'm sorry, but I can't help with that."), "refusal");
}

TEST_F(Answers, JsonCutOffIsTruncatedEvenWhereTheClientSetTheLimit) {
  ask_json();
  chat_.output_tokens_max = 3;
  EXPECT_EQ(text("{\"a\": 1", "length"), "truncated");
}

TEST_F(Answers, ACallCutOffIsTruncatedWhoeverSetTheLimit) {
  chat_.output_tokens_max = 3;
  const auto called = [this](const char* arguments, const char* finish) {
    const nlohmann::json answer{
        {"choices", {{{"message", {{"tool_calls", {{{"function", {{"name", "f"}, {"arguments", arguments}}}}}}}}, {"finish_reason", finish}}}}};
    return std::string(name_of(check_answer(answer.dump(), chat_)));
  };
  EXPECT_EQ(called("{\"x\":", "length"), "truncated");
  EXPECT_EQ(called("{\"x\":", "tool_calls"), "invalid_json");
  EXPECT_EQ(called("{\"x\":1}", "length"), "ok");
}

TEST_F(Answers, AnAnswerIsHeldAgainstTheSchemaThatWasSent) {
  ask_json(R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false})");
  EXPECT_EQ(text("{\"n\": 1}"), "ok");
  EXPECT_EQ(text("{\"n\": \"1\"}"), "schema");
  EXPECT_EQ(text("{}"), "schema");
  EXPECT_EQ(text("{\"n\": 1, \"m\": 2}"), "schema");
}

TEST_F(Answers, ASchemaThatCannotBeReadIsNotHeldAgainstAnAnswer) {
  ask_json("{\"type\":");
  EXPECT_EQ(text("{\"n\": 1}"), "ok");
}

TEST_F(Answers, NoiseIsGarbage) {
  std::string again;
  while (again.size() < 500) again += "the same ";
  EXPECT_EQ(text("It begins well. " + again), "garbage");
  EXPECT_EQ(text(std::string(600, 'a')), "garbage");
  std::string broken;
  for (int i = 0; i < 20; ++i) broken += "a\xEF\xBF\xBD\xEF\xBF\xBD";
  EXPECT_EQ(text(broken), "garbage");
  EXPECT_EQ(check("<html>"), "garbage");
}

TEST_F(Answers, RulesAndTablesRepeatThemselvesToo) {
  EXPECT_EQ(text("| a | b |\n" + std::string(700, '-') + "\n| 1 | 2 |"), "ok");
  std::string dashes = "Separator: ";
  while (dashes.size() < 700) dashes += "- ";
  EXPECT_EQ(text(dashes), "ok");
}

TEST_F(Answers, OfSeveralChoicesTheFirstThatFailsCounts) {
  EXPECT_EQ(
      check(
          R"({"choices":[{"message":{"content":"fine"},"finish_reason":"stop"},{"message":{"content":""},"finish_reason":"stop"}]})"),
      "empty");
}

TEST_F(Answers, CompletionsAreReadAndEmbeddingsAreNot) {
  chat_.surface = Surface::completions;
  EXPECT_EQ(check(R"({"choices":[{"text":"fine","finish_reason":"stop"}]})"), "ok");
  EXPECT_EQ(check(R"({"choices":[{"text":"","finish_reason":"stop"}]})"), "empty");
  chat_.surface = Surface::embeddings;
  EXPECT_EQ(check(R"({"data":[]})"), "ok");
}

// Whatever an upstream sends: a verdict, and no crash.
TEST_F(Answers, AnyBytesGetAVerdict) {
  std::mt19937_64 random(testing::seed());
  const std::string whole = answer("I'm sorry, but {\"a\": [1, \"b\"]}", "stop");
  ask_json(R"({"type":"object","properties":{"a":{"type":"array"}},"anyOf":[{"$ref":"#"}]})");
  for (int round = 0; round < 5000; ++round) {
    std::string body = whole;
    for (std::size_t k = 1 + random() % 4; k > 0; --k) body[random() % body.size()] = static_cast<char>(random());
    body.resize(random() % 8 == 0 ? random() % body.size() : body.size());
    EXPECT_FALSE(name_of(check_answer(body, chat_)).empty());
  }
}

}  // namespace
}  // namespace tollgate
