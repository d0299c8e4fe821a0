#include "backends/simulator/answer.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "backends/simulator/tokens.hpp"
#include "backends/simulator/wire.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::json;

Json chat(const std::string& text) {
  return {{"model", "m"}, {"messages", Json::array({{{"role", "user"}, {"content", text}}})}};
}

Ask read(const Json& body, DialectName personality = DialectName::vllm) {
  Result<Ask> ask = read_ask(Surface::chat, personality, body.dump());
  EXPECT_TRUE(ask) << (ask ? "" : ask.error().message);
  return ask ? std::move(ask.value()) : Ask{};
}

Answer answer(const Json& body, std::uint32_t choice = 0, AnswerLimits limits = {1, 120, 4000}) {
  return compose(read(body), 0, choice, limits);
}

/// What a reader tells in answer.tokens steps.
std::string told(const Answer& whole) {
  AnswerReader reader;
  std::string text;
  for (std::uint32_t i = 0; i < whole.tokens; ++i) {
    const Delta delta = reader.next(whole);
    if (delta.kind == Delta::Kind::call_begin)
      text += "<" + std::string(delta.piece) + ">";
    else
      text += delta.piece;
  }
  EXPECT_EQ(reader.next(whole).kind, Delta::Kind::nothing) << "nothing is left";
  return text;
}

TEST(Answer, DependsOnPromptAndSeedAloneNotOnHowItIsSent) {
  Json streamed = chat("Hello");
  streamed["stream"] = true;
  streamed["model"] = "other";
  EXPECT_EQ(answer(chat("Hello")).text, answer(streamed).text);
  EXPECT_NE(answer(chat("Hello")).text, answer(chat("Hello!")).text);
  EXPECT_NE(answer(chat("Hello")).text, answer(chat("Hello"), 0, {2, 120, 4000}).text);
  EXPECT_NE(answer(chat("Hello")).text, answer(chat("Hello"), 1).text) << "choices differ";
}

TEST(Answer, ToldTokenByTokenIsTheWholeText) {
  const Answer whole = answer(chat("Hello"));
  EXPECT_EQ(told(whole), whole.text);
  EXPECT_EQ(count_tokens(whole.text), whole.tokens);
  EXPECT_EQ(whole.finish_reason, "stop");
}

TEST(Answer, EndsAtMaxTokens) {
  Json body = chat("Hello [[sim-tokens: 50]]");
  body["max_tokens"] = 7;
  const Answer cut = answer(body);
  EXPECT_EQ(cut.tokens, 7U);
  EXPECT_EQ(cut.finish_reason, "length");
  EXPECT_EQ(cut.engine_reason, FinishReason::length);
  EXPECT_EQ(told(cut), cut.text);
  body["max_tokens"] = 50;
  EXPECT_EQ(answer(body).finish_reason, "stop") << "exactly at the limit";
}

TEST(Answer, IgnoreEosFillsMaxTokens) {
  Json body = chat("Hello");
  body["ignore_eos"] = true;
  body["max_tokens"] = 333;
  EXPECT_EQ(answer(body).tokens, 333U);
}

TEST(Answer, StopSequencesAreGeneratedButNotShown) {
  Json body = chat("[[sim-echo: one two three four]]");
  body["stop"] = Json::array({"ree f", "zzz"});
  const Answer stopped = answer(body);
  EXPECT_EQ(stopped.text, "one two th");
  EXPECT_EQ(stopped.tokens, 4U) << "the token in which the stop sequence ended was generated";
  EXPECT_EQ(stopped.finish_reason, "stop");
  EXPECT_EQ(told(stopped), "one two th");
}

TEST(Answer, EchoIsRepeatedToTheTokensAskedFor) {
  const Answer echoed = answer(chat("[[sim-echo: client 17]] [[sim-tokens: 25]]"));
  EXPECT_EQ(echoed.tokens, 25U);
  EXPECT_EQ(echoed.text.substr(0, 19), "client 17 client 17");
}

Json weather_tool() {
  return Json::parse(R"([{"type":"function","function":{"name":"get_weather","parameters":{"type":"object",
    "properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":3},"unit":{"enum":["c","f"]},
    "deep":{"type":"object","properties":{"list":{"type":"array","items":{"type":"boolean"}}}}}}}}])");
}

TEST(Answer, CallsTheToolThePromptSpeaksOf) {
  Json body = chat("How is the weather?");
  body["tools"] = weather_tool();
  const Answer called = answer(body);
  ASSERT_EQ(called.calls.size(), 1U);
  EXPECT_EQ(called.finish_reason, "tool_calls");
  const Json arguments = Json::parse(called.calls[0].arguments);
  EXPECT_TRUE(arguments["city"].is_string());
  EXPECT_GE(arguments["days"].get<int>(), 1);
  EXPECT_LE(arguments["days"].get<int>(), 3);
  EXPECT_TRUE(arguments["unit"] == "c" || arguments["unit"] == "f");
  EXPECT_TRUE(arguments["deep"]["list"][0].is_boolean());
  EXPECT_EQ(told(called), "<get_weather>" + called.calls[0].arguments);
}

TEST(Answer, ToolsAreCalledOnlyWhenAskedFor) {
  Json body = chat("How are you?");
  body["tools"] = weather_tool();
  EXPECT_TRUE(answer(body).calls.empty());
  body["tool_choice"] = "required";
  EXPECT_EQ(answer(body).calls.size(), 1U);
  body["tool_choice"] = "none";
  EXPECT_TRUE(answer(body).calls.empty());
  body["tool_choice"] = {{"type", "function"}, {"function", {{"name", "get_weather"}}}};
  EXPECT_EQ(answer(body).calls.size(), 1U);
  body["messages"].push_back({{"role", "tool"}, {"tool_call_id", "x"}, {"content", "sunny"}});
  EXPECT_TRUE(answer(body).calls.empty()) << "after its result comes text";
}

TEST(Answer, JsonSchemasAreFollowed) {
  Json body = chat("hi");
  body["response_format"] =
      Json::parse(R"({"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{
    "when":{"type":"string","format":"date"},"ref":{"$ref":"#/$defs/n"},"any":{"anyOf":[{"type":"null"},{"type":"string"}]},
    "k":{"const":5},"rows":{"type":"array","minItems":3,"items":{"type":"number"}}},"$defs":{"n":{"type":"integer","minimum":7,"maximum":7}}}}})");
  const Json value = Json::parse(answer(body).text);
  EXPECT_EQ(value["ref"], 7);
  EXPECT_TRUE(value["any"].is_null());
  EXPECT_EQ(value["k"], 5);
  EXPECT_EQ(value["rows"].size(), 3U);
  body["response_format"] = {{"type", "json_object"}};
  EXPECT_TRUE(Json::parse(answer(body).text).is_object());
}

TEST(Answer, ASchemaThatRefersToItselfEnds) {
  const std::string text = invent_json(
      R"({"type":"object","properties":{"next":{"$ref":"#"},"all":{"type":"array","items":{"$ref":"#"}}}})", 1);
  EXPECT_TRUE(Json::accept(text));
  EXPECT_LT(text.size(), 1'000'000U);
  std::string many = R"({"type":"object","properties":{)";
  for (char name = 'a'; name <= 'z'; ++name)
    many += std::string(name == 'a' ? "" : ",") + "\"" + name + R"(":{"$ref":"#"})";
  EXPECT_LT(invent_json(many + "}}", 1).size(), 1'000'000U);
}

struct Refusal {
  const char* member;
  Json value;
};

TEST(Ask, WrongFieldsAreRefusedByName) {
  const Refusal refusals[] = {{"messages", Json::array()},
                              {"messages", "hi"},
                              {"temperature", 3},
                              {"max_tokens", 0},
                              {"max_tokens", -5},
                              {"max_tokens", 1e300},
                              {"n", 1.5},
                              {"n", 1000},
                              {"stream", "yes"},
                              {"stop", 5},
                              {"tools", 1},
                              {"response_format", "json"},
                              {"best_of", 3},
                              {"stream_options", {{"include_usage", true}}}};
  for (const Refusal& refusal : refusals) {
    Json body = chat("hi");
    body[refusal.member] = refusal.value;
    const Result<Ask> ask = read_ask(Surface::chat, DialectName::vllm, body.dump());
    ASSERT_FALSE(ask) << body;
    EXPECT_EQ(ask.error().param.substr(0, 4), std::string(refusal.member).substr(0, 4));
  }
  EXPECT_FALSE(read_ask(Surface::chat, DialectName::vllm, "{"));
  EXPECT_FALSE(read_ask(Surface::chat, DialectName::vllm, "[]"));
  EXPECT_FALSE(read_ask(Surface::chat, DialectName::vllm, "{\"model\":\"\xff\"}"));
  EXPECT_FALSE(read_ask(Surface::embeddings, DialectName::vllm, R"({"model":"m","input":[1.5]})"));
  const std::string deep =
      R"({"model":"m","messages":[{"role":"user","content":"x","y":)" + std::string(1'000'000, '[');
  EXPECT_FALSE(read_ask(Surface::chat, DialectName::vllm, deep + std::string(1'000'000, ']') + "}]}"));
  EXPECT_FALSE(read_directives("[[sim-tokens: many]]"));
  EXPECT_FALSE(read_directives("[[sim-echo: open"));
}

TEST(Ask, TheManagedApiRefusesWhatOnlyVllmKnows) {
  Json body = chat("hi");
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}, {"continuous_usage_stats", true}};
  EXPECT_TRUE(read(body, DialectName::vllm).continuous_usage);
  const Result<Ask> ask = read_ask(Surface::chat, DialectName::openai, body.dump());
  ASSERT_FALSE(ask);
  EXPECT_EQ(ask.error().code, "unknown_parameter");
}

TEST(Embedding, IsOfUnitLengthAndNearForTextsThatShareWords) {
  const auto of = [](const char* text) {
    Prompt prompt;
    prompt.text = text;
    return embed(prompt, 256);
  };
  const auto dot = [](const std::vector<float>& a, const std::vector<float>& b) {
    float sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  };
  const auto cat = of("the cat sat"), cats = of("the cat sat down"), bonds = of("yields of bonds");
  EXPECT_NEAR(dot(cat, cat), 1, 1e-5);
  EXPECT_GT(dot(cat, cats), dot(cat, bonds) + 0.3F);
  EXPECT_EQ(cat, of("the cat sat"));
}

TEST(Wire, EscapesWhatJsonCannotHold) {
  std::string out;
  append_escaped(out, "a\"b\\c\n\t\x01é");
  EXPECT_EQ(Json::parse("\"" + out + "\""), "a\"b\\c\n\t\x01é");
}

TEST(Wire, ErrorCodesAreNumbersOfVllmAndWordsOfTheManagedApi) {
  EXPECT_EQ(Json::parse(error_body(DialectName::vllm, {404, "no", "model", "model_not_found"}))["error"]["code"], 404);
  EXPECT_EQ(Json::parse(error_body(DialectName::openai, {404, "no", "model", "model_not_found"}))["error"]["code"],
            "model_not_found");
  EXPECT_TRUE(Json::parse(error_body(DialectName::openai, {400, "no", "", ""}))["error"]["code"].is_null());
}

}  // namespace
}  // namespace tollgate::simulator
