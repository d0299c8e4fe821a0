#include "backends/bedrock.hpp"

#include "backends/aws_signature.hpp"
#include "backends/transfer.hpp"
#include "tests/unit/backends/translation_test.hpp"

namespace tollgate {
namespace {

constexpr auto dialect = DialectName::bedrock;

std::string event(std::string_view type, const Json& json) { return make_frame("event", type, json.dump()); }

std::string answer_stream() {
  return event("messageStart", {{"role", "assistant"}}) + event("contentBlockDelta", {{"contentBlockIndex", 0}, {"delta", {{"text", "Grüße"}}}}) +
         event("contentBlockStop", {{"contentBlockIndex", 0}}) +
         event("contentBlockStart", {{"contentBlockIndex", 1}, {"start", {{"toolUse", {{"toolUseId", "t1"}, {"name", "f"}}}}}}) +
         event("contentBlockDelta", {{"contentBlockIndex", 1}, {"delta", {{"toolUse", {{"input", "{\"a\":1}"}}}}}}) + event("contentBlockStop", {{"contentBlockIndex", 1}}) +
         event("messageStop", {{"stopReason", "tool_use"}}) +
         event("metadata", {{"usage", {{"inputTokens", 9}, {"outputTokens", 4}, {"totalTokens", 13}, {"cacheReadInputTokens", 3}}}, {"metrics", {{"latencyMs", 5}}}});
}

TEST(BedrockWrite, AConversationWithToolsAndAnImageIsSaidInItsWords) {
  const auto out = written(dialect, conversation(), false, "anthropic.claude-x-v1:0");
  ASSERT_TRUE(out->outcome);
  EXPECT_EQ(out->wire.path, "/model/anthropic.claude-x-v1%3A0/converse-stream");
  const Json expected = Json::parse(R"({"messages":[
    {"role":"user","content":[{"text":"What is this?"},{"image":{"format":"png","source":{"bytes":"iVBO"}}}]},
    {"role":"assistant","content":[{"toolUse":{"toolUseId":"call_1","name":"look_up","input":{"name":"tower"}}},{"toolUse":{"toolUseId":"call_2","name":"now","input":{}}}]},
    {"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"{\"height\": 300}"}]}},{"toolResult":{"toolUseId":"call_2","content":[{"text":"noon"}]}},{"text":"And?"}]}],
    "system":[{"text":"Answer in one line."}],
    "toolConfig":{"tools":[{"toolSpec":{"name":"look_up","description":"Finds things","inputSchema":{"json":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}}}},
      {"toolSpec":{"name":"now","inputSchema":{"json":{"type":"object","properties":{}}}}}],"toolChoice":{"any":{}}},
    "inferenceConfig":{"maxTokens":300,"temperature":0.5,"stopSequences":["END"]}})");
  EXPECT_EQ(nlohmann::json(out->body), nlohmann::json(expected));
}

TEST(BedrockAnswer, IsReadIntoOpenAisForm) {
  const std::string body = R"({"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"text":"Hi"},
    {"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13,"cacheReadInputTokens":3,
    "cacheWriteInputTokens":8,"cacheDetails":[{"ttl":"1h","inputTokens":6},{"ttl":"5m","inputTokens":2}]},"serviceTier":{"type":"flex"}})";
  const auto answer = dialect_of(dialect).read_answer(Surface::chat, body).value();
  EXPECT_EQ(answer.usage.input, TokenCount{9});
  EXPECT_EQ(answer.usage.cached_input, TokenCount{3});
  EXPECT_EQ(answer.usage.cache_write, TokenCount{2});
  EXPECT_EQ(answer.usage.of(RareClass::cache_write_1h), TokenCount{6});
  EXPECT_EQ(answer.service_tier, "flex");
  const Json message = Json::parse(answer.owned)["choices"][0]["message"];
  EXPECT_EQ(message["content"], "Hi");
  EXPECT_EQ(message["thinking_blocks"][0]["signature"], "s");
  EXPECT_EQ(message["tool_calls"][0]["id"], "t1");
}

TEST(BedrockStream, TheSameChunksComeOutWhereverTheFramesAreParted) {
  const std::string stream = answer_stream();
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const StreamRead read = read_stream(dialect, stream, cut);
    ASSERT_TRUE(read.fed && read.finished && read.done) << cut;
    const Json message = assembled(read);
    ASSERT_EQ(message["content"], "Grüße");
    ASSERT_EQ(message["calls"], Json::parse(R"([{"id":"t1","name":"f","arguments":"{\"a\":1}"}])"));
    ASSERT_EQ(message["finish"], "tool_calls");
    ASSERT_EQ(read.reader->usage().first.cached_input, TokenCount{3});
    ASSERT_EQ(read.reader->usage().second, UsageSource::exact);
  }
}

TEST(BedrockStream, AByteThatWasChangedIsNoticed) {
  const std::string stream = answer_stream();
  for (std::size_t at = 0; at < stream.size(); ++at) {
    std::string changed = stream;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    const StreamRead read = read_stream(dialect, changed, 0);
    ASSERT_FALSE(read.fed && read.finished) << at;
  }
}

TEST(BedrockStream, AnExceptionInTheMiddleIsToldAndOneBeforeContentIsNot) {
  const std::string start = event("messageStart", {{"role", "assistant"}});
  const std::string busy = make_frame("exception", "throttlingException", R"({"message":"Too many"})");
  const StreamRead early = read_stream(dialect, start + busy, 0);
  EXPECT_EQ(early.fed.error().fault, Fault::upstream_busy);
  EXPECT_EQ(early.text, "");
  const StreamRead late = read_stream(dialect, start + event("contentBlockDelta", {{"contentBlockIndex", 0}, {"delta", {{"text", "a"}}}}) + busy, 0);
  EXPECT_EQ(late.chunks.back()["error"]["message"], "Too many");
}

TEST(BedrockStream, WithoutMetadataTheAnswerIsWholeAndItsUsageUnknown) {
  std::string stream = answer_stream();
  stream.resize(stream.size() - event("metadata", {{"usage", {{"inputTokens", 9}, {"outputTokens", 4}, {"totalTokens", 13}, {"cacheReadInputTokens", 3}}}, {"metrics", {{"latencyMs", 5}}}}).size());
  const StreamRead read = read_stream(dialect, stream, 0);
  EXPECT_TRUE(read.finished);
  EXPECT_TRUE(read.done);
  EXPECT_EQ(read.reader->usage().second, UsageSource::none);
}

// The keys and the moment are those of AWS's documentation; botocore 1.43 signs the same request the same way.
TEST(AwsSignature, AgreesWithOneComputedApart) {
  AwsKeys keys;
  keys.region = "eu-central-1";
  keys.access_key_id = Secret("AKIDEXAMPLE");
  keys.secret_access_key = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
  keys.session_token = Secret("token");
  const std::string_view body[] = {"{\"messages\":", "[]}"};
  SignedRequest request;
  request.host = "bedrock-runtime.eu-central-1.amazonaws.com";
  request.path = "/model/anthropic.claude-x-v1%3A0/converse";
  request.body = body;
  request.service = "bedrock";
  const auto headers = aws_headers(request, keys, std::chrono::system_clock::from_time_t(1440938160));
  std::map<std::string, std::string> by_name(headers.begin(), headers.end());
  EXPECT_EQ(by_name["x-amz-date"], "20150830T123600Z");
  EXPECT_EQ(by_name["x-amz-security-token"], "token");
  EXPECT_EQ(by_name["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/bedrock/aws4_request, "
            "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=475280603ac4e0c52c90b6346c6f73e60103dad14751873b2dfbad299d43ec88");
  EXPECT_FALSE(by_name.contains("host"));
}

}  // namespace
}  // namespace tollgate
