#include "gateway/judge.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "gateway/answer_copy.hpp"
#include "unit/router/seed.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;

std::string answer_of(const std::string& text) {
  return Json{
      {"choices", {{{"index", 0}, {"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", "stop"}}}}}
      .dump();
}

TEST(Score, IsReadFromTheJsonThatWasAskedFor) {
  EXPECT_EQ(score_in(R"({"score": 0.8})"), 800'000);
  EXPECT_EQ(score_in(R"({"score": 1})"), 1'000'000);
  EXPECT_EQ(score_in(R"({"score": 0})"), 0);
  EXPECT_EQ(score_in(R"({"score": "0.25"})"), 250'000);
}

TEST(Score, IsFoundInFencesAndBehindReasoning) {
  EXPECT_EQ(score_in("```json\n{\"score\": 0.3}\n```"), 300'000);
  EXPECT_EQ(score_in("At first {\"score\": 0.9} seems right. But no: {\"why\": \"{x} is wrong\", \"score\": 0.1}"),
            100'000);
  EXPECT_EQ(score_in(R"({"score": 0.6, "why": "it says {name} where a name belongs"})"), 600'000);
  EXPECT_EQ(score_in(R"({"score": 0.6, "parts": {"facts": 1}})"), 600'000);
}

TEST(Score, ThatIsNotFromZeroToOneIsNone) {
  for (const char* said :
       {"", "0.8", "Score: 8/10", R"({"score": 8})", R"({"score": -0.1})", R"({"score": null})", R"({"score": "good"})",
        R"({"score": true})", R"({"verdict": 1})", R"({"score": 0.5)", "{", "}{"}) {
    EXPECT_EQ(score_in(said), std::nullopt) << said;
  }
}

TEST(Score, AnyBytesAreRead) {
  std::mt19937_64 random(testing::seed());
  const std::string whole = R"(Well. {"why": "{a}", "score": 0.5, "more": {"b": [1, 2]}} Done.)";
  for (int round = 0; round < 2000; ++round) {
    std::string said = whole;
    for (std::size_t k = 1 + random() % 5; k > 0; --k) said[random() % said.size()] = static_cast<char>(random());
    const auto ppm = score_in(said);
    if (ppm) {
      EXPECT_TRUE(*ppm >= 0 && *ppm <= 1'000'000) << said;
    }
  }
}

TEST(ShadowTexts, HoldTheConversationAndTheAnswerInWords) {
  const Json body{{"model", "auto"},
                  {"messages",
                   {{{"role", "system"}, {"content", "Be brief."}},
                    {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "Capital of France?"}}}}}}}};
  const auto texts = shadow_texts(body.dump(), answer_of("Paris"));
  ASSERT_TRUE(texts);
  EXPECT_EQ(texts->question, "[system]\nBe brief.\n[user]\nCapital of France?\n");
  EXPECT_EQ(texts->answer, "Paris");
}

TEST(ShadowTexts, OfAStreamAreThoseOfTheWholeAnswer) {
  const std::string body = R"({"messages":[{"role":"user","content":"Hi"}]})";
  const std::string events =
      "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: "
      "{\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\ndata: [DONE]\n\n";
  ASSERT_TRUE(shadow_texts(body, stitched_answer(events)));
  EXPECT_EQ(shadow_texts(body, stitched_answer(events))->answer, "Hello");
}

TEST(ShadowTexts, OfWhatCannotBeReadAreNone) {
  const std::string asked = R"({"messages":[{"role":"user","content":"Hi"}]})";
  EXPECT_FALSE(
      shadow_texts(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]})",
                   answer_of("a")));
  EXPECT_FALSE(
      shadow_texts(R"({"messages":[{"role":"user","content":[{"type":"file","file":{}}]}]})", answer_of("a")));
  EXPECT_FALSE(shadow_texts(asked, answer_of("")));
  EXPECT_FALSE(shadow_texts(asked, "not json"));
  EXPECT_FALSE(shadow_texts("[]", answer_of("a")));
  EXPECT_FALSE(shadow_texts(R"({"messages":"hi"})", answer_of("a")));
}

TEST(ShadowTexts, ToolCallsAreSaid) {
  const Json body{
      {"messages", {{{"role", "user"}, {"content", "Weather in Rome?"}}}},
      {"tools", {{{"type", "function"}, {"function", {{"name", "weather"}, {"description", "of a city"}}}}}}};
  const Json answer{
      {"choices",
       {{{"message",
          {{"content", nullptr},
           {"tool_calls", {{{"function", {{"name", "weather"}, {"arguments", "{\"city\":\"Rome\"}"}}}}}}}}}}}};
  const auto texts = shadow_texts(body.dump(), answer.dump());
  ASSERT_TRUE(texts);
  EXPECT_EQ(texts->answer, "[calls the tool weather with {\"city\":\"Rome\"}]");
  EXPECT_EQ(texts->question, "[tools that may be called]\n- weather: of a city\n[user]\nWeather in Rome?\n");
}

TEST(ShadowTexts, LongOnesKeepBeginningAndEndAndWholeCharacters) {
  std::string text = "begin ";
  while (text.size() < 3 * judged_question_bytes_max) text += "ü";
  text += " end";
  const auto texts =
      shadow_texts(Json{{"messages", {{{"role", "user"}, {"content", text}}}}}.dump(), answer_of("a"));
  ASSERT_TRUE(texts);
  EXPECT_LT(texts->question.size(), judged_question_bytes_max + 64);
  EXPECT_TRUE(texts->question.starts_with("[user]\nbegin "));
  EXPECT_TRUE(texts->question.ends_with(" end\n"));
  EXPECT_NO_THROW(static_cast<void>(Json(texts->question).dump())) << "valid UTF-8";
}

TEST(ShadowRequest, IsForOneAnswerAndHoldsNothingThatOneProviderAloneKnows) {
  const Json body{{"model", "auto"},
                  {"messages", {{{"role", "user"}, {"content", "Hi"}}}},
                  {"stream", true},
                  {"n", 3},
                  {"max_tokens", 50},
                  {"guided_json", "{}"},
                  {"store", true},
                  {"temperature", 0},
                  {"response_format", {{"type", "json_object"}}}};
  const auto texts = shadow_texts(body.dump(), answer_of("a"));
  ASSERT_TRUE(texts);
  const Json expected{
      {"model", "far/large"}, {"messages", body["messages"]}, {"response_format", body["response_format"]}};
  Json managed = expected, engine = expected;
  managed["max_completion_tokens"] = 50;
  engine["max_tokens"] = 50;
  EXPECT_EQ(Json::parse(shadow_request(texts->request, "far/large", DialectName::openai)), managed);
  EXPECT_EQ(Json::parse(shadow_request(texts->request, "far/large", DialectName::vllm)), engine);
}

TEST(JudgeRequest, SetsTheTextsApartByTheMark) {
  const std::string said =
      judge_request({"good", "better"}, "the question", "req_1", "far/judge", 64, DialectName::anthropic);
  const Json body = Json::parse(said);
  EXPECT_EQ(body["model"], "far/judge");
  EXPECT_EQ(body["max_tokens"], 64);
  EXPECT_EQ(body["messages"][0]["role"], "system");
  const std::string material = body["messages"][1]["content"];
  EXPECT_NE(material.find("--- conversation req_1 begins ---\nthe question\n--- conversation req_1 ends ---"),
            std::string::npos);
  EXPECT_NE(material.find("--- reference answer req_1 begins ---\nbetter\n"), std::string::npos);
  EXPECT_NE(material.find("--- candidate answer req_1 begins ---\ngood\n"), std::string::npos);
}

}  // namespace
}  // namespace tollgate
