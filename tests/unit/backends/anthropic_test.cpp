#include "backends/anthropic.hpp"

#include "tests/unit/backends/translation_test.hpp"

namespace tollgate {
namespace {

constexpr auto dialect = DialectName::anthropic;

std::string event(const Json& json) { return "event: " + json["type"].get<std::string>() + "\ndata: " + json.dump() + "\n\n"; }

std::string start() {
  return event({{"type", "message_start"},
                {"message", {{"id", "msg_1"}, {"model", "claude-x"}, {"usage", {{"input_tokens", 20}, {"cache_read_input_tokens", 5}, {"output_tokens", 1}, {"service_tier", "standard"}}}}}});
}
std::string text_block() {
  return event({{"type", "content_block_start"}, {"index", 0}, {"content_block", {{"type", "text"}, {"text", ""}}}}) + event({{"type", "ping"}}) +
         event({{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "text_delta"}, {"text", "Grüße, "}}}}) +
         event({{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "text_delta"}, {"text", "\"Welt\"\n😀"}}}}) + event({{"type", "content_block_stop"}, {"index", 0}});
}
std::string end(const std::string& reason) {
  return event({{"type", "message_delta"}, {"delta", {{"stop_reason", reason}, {"stop_sequence", nullptr}}}, {"usage", {{"input_tokens", nullptr}, {"output_tokens", 42}}}}) +
         event({{"type", "message_stop"}});
}

TEST(AnthropicWrite, AConversationWithToolsAndAnImageIsSaidInItsWords) {
  const auto out = written(dialect, conversation());
  ASSERT_TRUE(out->outcome);
  const Json expected = Json::parse(R"({"model":"model-1","max_tokens":300,"system":[{"type":"text","text":"Answer in one line."}],"messages":[
    {"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]},
    {"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"look_up","input":{"name":"tower"}},{"type":"tool_use","id":"call_2","name":"now","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"{\"height\": 300}"},{"type":"tool_result","tool_use_id":"call_2","content":"noon"},{"type":"text","text":"And?"}]}],
    "tools":[{"name":"look_up","description":"Finds things","input_schema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}},
             {"name":"now","input_schema":{"type":"object","properties":{}}}],
    "tool_choice":{"type":"any"},"temperature":0.5,"stop_sequences":["END"],"metadata":{"user_id":"u-7"},"stream":true})");
  EXPECT_EQ(nlohmann::json(out->body), nlohmann::json(expected));
}

TEST(AnthropicWrite, MaxTokensIsTheClientsThenTheTargetsThen4096) {
  const Json request{{"model", "m"}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}};
  EXPECT_EQ(written(dialect, request)->body["max_tokens"], 4096);
  EXPECT_EQ(written(dialect, request, false, "m", 8000)->body["max_tokens"], 8000);
  Json own = request;
  own["max_completion_tokens"] = 7;
  own["max_tokens"] = 9;
  EXPECT_EQ(written(dialect, own)->body["max_tokens"], 7);
}

TEST(AnthropicWrite, WhatItHasNoWordsForIsRefusedByNameOrDroppedAndSaid) {
  Json request{{"model", "m"}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}, {"seed", 1}, {"logprobs", true}, {"n", 2}, {"logit_bias", {{"5", 1}}}, {"temperature", 1.5}};
  const auto refused = written(dialect, request);
  ASSERT_FALSE(refused->outcome);
  EXPECT_EQ(refused->outcome.error().fault, Fault::unsupported);
  EXPECT_NE(refused->outcome.error().message.find("'temperature', 'seed', 'logprobs', 'n', 'logit_bias'"), std::string::npos) << refused->outcome.error().message;
  const auto dropped = written(dialect, request, true);
  ASSERT_TRUE(dropped->outcome);
  EXPECT_EQ(dropped->wire.dropped, (std::vector<std::string>{"temperature", "seed", "logprobs", "n", "logit_bias"}));
  EXPECT_FALSE(dropped->body.contains("temperature"));
}

TEST(AnthropicWrite, DefaultsSaidAloudAndMembersWithoutEffectAreNoReasonToRefuse) {
  const Json request{{"model", "m"}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}, {"n", 1}, {"presence_penalty", 0}, {"store", false}, {"metadata", {{"a", "b"}}},
                     {"logprobs", false}, {"seed", nullptr}, {"modalities", {"text"}}, {"stream_options", {{"include_usage", true}}}, {"parallel_tool_calls", true}};
  EXPECT_TRUE(written(dialect, request)->outcome);
}

TEST(AnthropicWrite, ThinkingGoesBackAsItCame) {
  const Json request{{"model", "m"},
                     {"messages", {{{"role", "user"}, {"content", "x"}},
                                   {{"role", "assistant"}, {"content", "y"}, {"thinking_blocks", {{{"type", "thinking"}, {"thinking", "hm"}, {"signature", "sig"}}, {{"type", "redacted_thinking"}, {"data", "zz"}}}}},
                                   {{"role", "user"}, {"content", "z"}}}},
                     {"reasoning_effort", "high"}};
  const auto out = written(dialect, request);
  EXPECT_EQ(out->body["messages"][1]["content"], Json::parse(R"([{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"zz"},{"type":"text","text":"y"}])"));
  EXPECT_EQ(out->body["output_config"], (Json{{"effort", "high"}}));
}

TEST(AnthropicWrite, ASchemaGoesIntoOutputConfigAndBlankTextIsLeftOut) {
  const Json request{{"model", "m"}, {"messages", {{{"role", "user"}, {"content", {{{"type", "text"}, {"text", "  "}}, {{"type", "text"}, {"text", "x"}}}}}}},
                     {"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "a"}, {"schema", {{"type", "object"}}}}}}}};
  const auto out = written(dialect, request);
  EXPECT_EQ(out->body["output_config"]["format"], (Json{{"type", "json_schema"}, {"schema", {{"type", "object"}}}}));
  EXPECT_EQ(out->body["messages"][0]["content"].size(), 1U);
}

TEST(AnthropicWrite, ArgumentsThatAreNoObjectAreTheClientsFault) {
  Json request = conversation();
  request["messages"][2]["tool_calls"][0]["function"]["arguments"] = "[1";
  const auto out = written(dialect, request);
  ASSERT_FALSE(out->outcome);
  EXPECT_EQ(out->outcome.error().fault, Fault::bad_request);
  EXPECT_EQ(out->outcome.error().param, "messages[2].tool_calls[0].function.arguments");
}

TEST(AnthropicAnswer, TextCallsThinkingAndUsageAreReadIntoOpenAisForm) {
  const std::string body = R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"hm","signature":"s"},
    {"type":"text","text":"Hi"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}],"stop_reason":"tool_use",
    "usage":{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},
    "output_tokens":7,"output_tokens_details":{"thinking_tokens":3},"server_tool_use":{"web_search_requests":2},"service_tier":"priority"}})";
  const auto answer = dialect_of(dialect).read_answer(Surface::chat, body).value();
  EXPECT_EQ(answer.usage_source, UsageSource::exact);
  EXPECT_EQ(answer.usage.input, TokenCount{10});
  EXPECT_EQ(answer.usage.cached_input, TokenCount{100});
  EXPECT_EQ(answer.usage.cache_write, TokenCount{20});
  EXPECT_EQ(answer.usage.of(RareClass::cache_write_1h), TokenCount{30});
  EXPECT_EQ(answer.usage.output, TokenCount{7});
  EXPECT_EQ(answer.usage.reasoning, TokenCount{3});
  EXPECT_EQ(answer.usage.web_searches, 2);
  EXPECT_EQ(answer.service_tier, "priority");
  const Json json = Json::parse(answer.owned);
  EXPECT_EQ(json["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_EQ(json["choices"][0]["message"]["content"], "Hi");
  EXPECT_EQ(json["choices"][0]["message"]["reasoning_content"], "hm");
  EXPECT_EQ(json["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], R"({"a":1})");
  EXPECT_EQ(json["usage"]["prompt_tokens"], 160);
  EXPECT_EQ(json["usage"]["prompt_tokens_details"]["cached_tokens"], 100);
  EXPECT_EQ(json["usage"]["total_tokens"], 167);
  EXPECT_EQ(answer.owned[answer.usage_close], '}');
  std::string with_cost = answer.owned;
  with_cost.insert(answer.usage_close, ",\"cost\":0.5");
  EXPECT_EQ(Json::parse(with_cost)["usage"]["cost"], 0.5);
}

TEST(AnthropicStream, TheSameChunksComeOutWhereverTheBytesArePartedAndTheLastCountIsUsed) {
  const std::string stream = start() + text_block() + end("end_turn");
  ClientBody client;
  client.include_usage = true;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const StreamRead read = read_stream(dialect, stream, cut, client);
    ASSERT_TRUE(read.fed && read.finished && read.done) << cut;
    const Json message = assembled(read);
    ASSERT_EQ(message["content"], "Grüße, \"Welt\"\n😀") << cut;
    ASSERT_EQ(message["finish"], "stop");
    ASSERT_EQ(read.chunks.front()["choices"][0]["delta"]["role"], "assistant");
    ASSERT_EQ(read.chunks.front()["id"], "msg_1");
    ASSERT_TRUE(read.chunks.front()["usage"].is_null());
    ASSERT_EQ(read.chunks.back()["choices"], Json::array());
    ASSERT_EQ(read.chunks.back()["usage"]["completion_tokens"], 42);
    ASSERT_EQ(read.reader->usage().first.input, TokenCount{20});      // null in message_delta keeps what message_start said
    ASSERT_EQ(read.reader->usage().first.cached_input, TokenCount{5});
    ASSERT_EQ(read.reader->usage().second, UsageSource::exact);
    ASSERT_EQ(read.reader->service_tier(), "standard");
  }
}

TEST(AnthropicStream, CallsAreCountedFromZeroWhateverBlocksStandBeforeThem) {
  const auto call = [](int index, const std::string& id, const std::vector<std::string>& pieces) {
    std::string out = event({{"type", "content_block_start"}, {"index", index}, {"content_block", {{"type", "tool_use"}, {"id", id}, {"name", "f" + id}, {"input", Json::object()}}}});
    for (const std::string& piece : pieces) out += event({{"type", "content_block_delta"}, {"index", index}, {"delta", {{"type", "input_json_delta"}, {"partial_json", piece}}}});
    return out + event({{"type", "content_block_stop"}, {"index", index}});
  };
  const StreamRead read = read_stream(dialect, start() + text_block() + call(1, "a", {"", "{\"x\":", "1}"}) + call(2, "b", {}) + end("tool_use"), 0);
  ASSERT_TRUE(read.fed && read.finished);
  EXPECT_EQ(assembled(read)["calls"], Json::parse(R"([{"id":"a","name":"fa","arguments":"{\"x\":1}"},{"id":"b","name":"fb","arguments":"{}"}])"));
  EXPECT_EQ(assembled(read)["finish"], "tool_calls");
}

TEST(AnthropicStream, ThinkingComesAsReasoningAndItsSignedBlockFollows) {
  const std::string thinking = event({{"type", "content_block_start"}, {"index", 0}, {"content_block", {{"type", "thinking"}, {"thinking", ""}}}}) +
                               event({{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "thinking_delta"}, {"thinking", "one "}}}}) +
                               event({{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "thinking_delta"}, {"thinking", "two"}}}}) +
                               event({{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "signature_delta"}, {"signature", "sig"}}}}) +
                               event({{"type", "content_block_stop"}, {"index", 0}});
  const StreamRead read = read_stream(dialect, start() + thinking + end("end_turn"), 0);
  EXPECT_EQ(assembled(read)["reasoning"], "one two");
  Json blocks;
  for (const Json& chunk : read.chunks) blocks = chunk["choices"][0]["delta"].value("thinking_blocks", blocks);
  EXPECT_EQ(blocks, Json::parse(R"([{"type":"thinking","thinking":"one two","signature":"sig"}])"));
}

// Pitfall 2: the placeholder of message_start is billed.
TEST(AnthropicStream, BrokenOffTheInputIsKnownAndThePlaceholderIsNotTakenForTheOutput) {
  const StreamRead read = read_stream(dialect, start() + text_block(), 0);
  ASSERT_TRUE(read.fed);
  ASSERT_FALSE(read.finished);
  EXPECT_EQ(read.finished.error().fault, Fault::upstream_broke_off);
  EXPECT_FALSE(read.done);
  const auto [usage, source] = read.reader->usage();
  EXPECT_EQ(source, UsageSource::estimated);
  EXPECT_EQ(usage.input, TokenCount{20});
  EXPECT_EQ(usage.output, TokenCount{0});
  EXPECT_GT(read.reader->content_bytes(), 10U);
}

TEST(AnthropicStream, AnErrorBeforeTheFirstContentLeavesTheClientUntouched) {
  const std::string error = event({{"type", "error"}, {"error", {{"type", "overloaded_error"}, {"message", "Overloaded"}}}});
  const StreamRead early = read_stream(dialect, start() + error, 0);
  ASSERT_FALSE(early.fed);
  EXPECT_EQ(early.fed.error().fault, Fault::upstream_busy);
  EXPECT_EQ(early.text, "");
  const StreamRead late = read_stream(dialect, start() + text_block() + error, 0);
  ASSERT_FALSE(late.fed);
  EXPECT_EQ(late.fed.error().fault, Fault::upstream_status);
  EXPECT_EQ(late.chunks.back()["error"]["message"], "Overloaded");
}

TEST(AnthropicStream, TheCostIsHeldBackAndPutIntoTheUsage) {
  ClientBody client;
  client.wants_cost = true;
  const StreamRead read = read_stream(dialect, start() + text_block() + end("max_tokens"), 0, client);
  ASSERT_TRUE(read.reader->holding());
  EXPECT_FALSE(read.done);
  Pieces out;
  read.reader->release("0.25", out);
  ASSERT_EQ(out.size(), 1U);
  const std::string last(out.front());
  EXPECT_TRUE(last.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(Json::parse(last.substr(6, last.find("\n\n") - 6))["usage"]["cost"], 0.25);
}

TEST(AnthropicUsage, CountsThatCannotBeAreNotBelieved) {
  EXPECT_FALSE(anthropic_usage(Json::parse(R"({"output_tokens":1})")));
  EXPECT_FALSE(anthropic_usage(Json::parse(R"({"input_tokens":-1,"output_tokens":1})")));
  EXPECT_FALSE(anthropic_usage(Json::parse(R"({"input_tokens":1,"output_tokens":1,"output_tokens_details":{"thinking_tokens":2}})")));
  EXPECT_FALSE(anthropic_usage(Json::parse(R"({"input_tokens":1,"cache_creation_input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":5},"output_tokens":1})")));
  EXPECT_TRUE(anthropic_usage(Json::parse(R"({"input_tokens":1,"cache_read_input_tokens":null,"output_tokens":1})")));
}

}  // namespace
}  // namespace tollgate
