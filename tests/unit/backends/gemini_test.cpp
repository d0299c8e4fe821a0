#include "backends/gemini.hpp"

#include "tests/unit/backends/translation_test.hpp"

namespace tollgate {
namespace {

constexpr auto dialect = DialectName::gemini;

std::string event(const Json& json) { return "data: " + json.dump() + "\r\n\r\n"; }

Json chunk(const Json& part, const Json& usage, const std::string& finish = "") {
  Json candidate{{"content", {{"role", "model"}, {"parts", Json::array({part})}}}, {"index", 0}};
  if (!finish.empty()) candidate["finishReason"] = finish;
  return {{"candidates", Json::array({candidate})}, {"usageMetadata", usage}, {"modelVersion", "gemini-x"}, {"responseId", "r1"}};
}

TEST(GeminiWrite, AConversationWithToolsAndAnImageIsSaidInItsWords) {
  const auto out = written(dialect, conversation(), true, "gemini-2.5-flash");
  ASSERT_TRUE(out->outcome);
  EXPECT_EQ(out->wire.path, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
  const Json expected = Json::parse(R"({"systemInstruction":{"parts":[{"text":"Answer in one line."}]},"contents":[
    {"role":"user","parts":[{"text":"What is this?"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},
    {"role":"model","parts":[{"functionCall":{"name":"look_up","args":{"name":"tower"}}},{"functionCall":{"name":"now","args":{}}}]},
    {"role":"user","parts":[{"functionResponse":{"name":"look_up","response":{"height":300}}},{"functionResponse":{"name":"now","response":{"result":"noon"}}},{"text":"And?"}]}],
    "tools":[{"functionDeclarations":[{"name":"look_up","description":"Finds things","parametersJsonSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}},{"name":"now"}]}],
    "toolConfig":{"functionCallingConfig":{"mode":"ANY"}},
    "generationConfig":{"maxOutputTokens":300,"temperature":0.5,"stopSequences":["END"]}})");
  EXPECT_EQ(nlohmann::json(out->body), nlohmann::json(expected));
}

TEST(GeminiWrite, EffortIsABudgetBeforeGeneration3AndALevelFromItOn) {
  const Json request{{"model", "m"}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}, {"reasoning_effort", "medium"}};
  EXPECT_EQ(written(dialect, request, false, "gemini-2.5-pro")->body["generationConfig"]["thinkingConfig"], (Json{{"thinkingBudget", 8192}, {"includeThoughts", true}}));
  EXPECT_EQ(written(dialect, request, false, "gemini-3.8-flash")->body["generationConfig"]["thinkingConfig"], (Json{{"thinkingLevel", "medium"}, {"includeThoughts", true}}));
}

TEST(GeminiWrite, SignaturesGoBackAndCallsOfOtherModelsCarryTheDocumentedStandIn) {
  Json request = conversation();
  request["messages"][2]["tool_calls"][0]["extra_content"] = {{"google", {{"thought_signature", "sig"}}}};
  const auto own = written(dialect, request, false, "gemini-3-pro");
  EXPECT_EQ(own->body["contents"][1]["parts"][0]["thoughtSignature"], "sig");
  EXPECT_FALSE(own->body["contents"][1]["parts"][1].contains("thoughtSignature"));
  const auto other = written(dialect, conversation(), false, "gemini-3-pro");
  EXPECT_EQ(other->body["contents"][1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
  EXPECT_FALSE(other->body["contents"][1]["parts"][1].contains("thoughtSignature"));
}

TEST(GeminiWrite, SeedPenaltiesChoicesAndSchemasHaveWordsButLogprobsHaveNot) {
  Json request{{"model", "m"}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}, {"seed", 3}, {"n", 2}, {"presence_penalty", 0.5},
               {"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "a"}, {"schema", {{"type", "object"}}}}}}}};
  const auto out = written(dialect, request);
  ASSERT_TRUE(out->outcome);
  EXPECT_EQ(nlohmann::json(out->body["generationConfig"]),
            nlohmann::json::parse(R"({"seed":3,"presencePenalty":0.5,"candidateCount":2,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}})"));
  request["logprobs"] = true;
  EXPECT_EQ(written(dialect, request)->outcome.error().fault, Fault::unsupported);
}

TEST(GeminiAnswer, TextThoughtsCallsAndUsageAreReadIntoOpenAisForm) {
  const std::string body = R"({"candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"Hi"},{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"sig"}]},
    "finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":10,"thoughtsTokenCount":5,"totalTokenCount":115,
    "promptTokensDetails":[{"modality":"TEXT","tokenCount":70},{"modality":"AUDIO","tokenCount":30}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":10}]},"modelVersion":"gemini-x","responseId":"r1"})";
  const auto answer = dialect_of(dialect).read_answer(Surface::chat, body).value();
  EXPECT_EQ(answer.usage.input, TokenCount{20});
  EXPECT_EQ(answer.usage.cached_input, TokenCount{50});
  EXPECT_EQ(answer.usage.of(RareClass::input_audio), TokenCount{20});
  EXPECT_EQ(answer.usage.of(RareClass::cached_input_audio), TokenCount{10});
  EXPECT_EQ(answer.usage.output, TokenCount{15});
  EXPECT_EQ(answer.usage.reasoning, TokenCount{5});
  const Json json = Json::parse(answer.owned);
  const Json& message = json["choices"][0]["message"];
  EXPECT_EQ(message["content"], "Hi");
  EXPECT_EQ(message["reasoning_content"], "hm");
  EXPECT_EQ(message["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "sig");
  EXPECT_EQ(message["tool_calls"][0]["id"].get<std::string>().size(), 29U);
  EXPECT_EQ(json["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_EQ(json["usage"]["prompt_tokens"], 100);
  EXPECT_EQ(json["usage"]["completion_tokens"], 15);
}

TEST(GeminiAnswer, ABlockedPromptIsAContentFilter) {
  const auto answer = dialect_of(dialect).read_answer(Surface::chat, R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}})").value();
  EXPECT_EQ(Json::parse(answer.owned)["choices"][0]["finish_reason"], "content_filter");
  EXPECT_EQ(answer.usage.input, TokenCount{9});
}

TEST(GeminiAnswer, AWrongKeyIsTheGatewaysTroubleThoughItIsA400) {
  const Error error = dialect_of(dialect).read_error(400, R"({"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}})");
  EXPECT_EQ(error.fault, Fault::upstream_credentials);
  EXPECT_EQ(dialect_of(dialect).read_error(400, R"([{"error":{"code":400,"message":"bad"}}])").message, "bad");
}

TEST(GeminiStream, TheSameChunksComeOutWhereverTheBytesArePartedAndTheLastCountIsFinalAtTheEnd) {
  const std::string stream = event(chunk({{"text", "Grü"}}, {{"promptTokenCount", 8}, {"candidatesTokenCount", 1}})) +
                             event(chunk({{"functionCall", {{"name", "f"}, {"args", {{"a", 1}}}}}}, {{"promptTokenCount", 8}, {"candidatesTokenCount", 4}})) +
                             event(chunk({{"text", "ße"}}, {{"promptTokenCount", 8}, {"candidatesTokenCount", 5}, {"thoughtsTokenCount", 2}}, "STOP"));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const StreamRead read = read_stream(dialect, stream, cut);
    ASSERT_TRUE(read.fed && read.finished && read.done) << cut;
    const Json message = assembled(read);
    ASSERT_EQ(message["content"], "Grüße") << cut;
    ASSERT_EQ(message["finish"], "tool_calls");
    ASSERT_EQ(message["calls"][0]["arguments"], R"({"a":1})");
    ASSERT_EQ(read.reader->usage().first.output, TokenCount{7});
    ASSERT_EQ(read.reader->usage().second, UsageSource::exact);
  }
}

TEST(GeminiStream, EndedBeforeItsFinishReasonItIsBrokenOffWithARunningCount) {
  const StreamRead read = read_stream(dialect, event(chunk({{"text", "a"}}, {{"promptTokenCount", 8}, {"candidatesTokenCount", 1}})), 0);
  EXPECT_EQ(read.finished.error().fault, Fault::upstream_broke_off);
  EXPECT_EQ(read.reader->usage().second, UsageSource::continuous);
  EXPECT_FALSE(read.done);
}

TEST(GeminiUsage, CountsThatCannotBeAreNotBelieved) {
  EXPECT_FALSE(gemini_usage(Json::parse(R"({"candidatesTokenCount":1})")));
  EXPECT_FALSE(gemini_usage(Json::parse(R"({"promptTokenCount":1,"cachedContentTokenCount":2})")));
  EXPECT_FALSE(gemini_usage(Json::parse(R"({"promptTokenCount":1,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":2}]})")));
}

}  // namespace
}  // namespace tollgate
