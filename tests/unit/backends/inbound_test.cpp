// Messages and Responses said as chat completions, and chat completions said in them.
#include "backends/inbound.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "backends/answer_writer.hpp"
#include "backends/native.hpp"
#include "translation_test.hpp"

namespace tollgate {
namespace {

constexpr std::size_t nesting_max = 64;

struct Said {
  Json chat;
  std::vector<std::string> unsaid;
};

Said said(ClientForm form, const Json& body, const ChatFlavour& flavour = routing_flavour) {
  const Result<InboundRequest> request = read_inbound(form, body.dump(), nesting_max);
  EXPECT_TRUE(request) << request.error().message;
  Result<InboundChat> chat = request.value().chat(flavour);
  EXPECT_TRUE(chat) << chat.error().message;
  return {Json::parse(chat.value().body), chat.value().unsaid};
}

Error refused(ClientForm form, const Json& body) {
  const Result<InboundRequest> request = read_inbound(form, body.dump(), nesting_max);
  if (!request) return request.error();
  const Result<InboundChat> chat = request.value().chat(routing_flavour);
  EXPECT_FALSE(chat);
  return chat ? Error(Fault::internal, "") : chat.error();
}

const Json agent = Json::parse(R"({
  "model": "auto", "max_tokens": 1000, "stream": true, "temperature": 0.5, "stop_sequences": ["END"], "metadata": {"user_id": "u"},
  "system": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two.", "cache_control": {"type": "ephemeral"}}],
  "thinking": {"type": "enabled", "budget_tokens": 4000},
  "tools": [{"name": "look", "description": "Looks", "input_schema": {"type": "object"}}],
  "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
  "messages": [
    {"role": "user", "content": "What is this?"},
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "s1"}, {"type": "text", "text": "Let me see."},
                                      {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}}, {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}]},
    {"role": "user", "content": [
      {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "A picture"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}]},
      {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": "gone"},
      {"type": "text", "text": "And?"}]}]})");

TEST(MessagesRequest, BecomesAChatCompletionWithAllItHolds) {
  const Said read = said(ClientForm::messages, agent);
  EXPECT_TRUE(read.unsaid.empty());
  const Json& messages = read.chat["messages"];
  ASSERT_EQ(messages.size(), 6U);
  EXPECT_EQ(messages[0]["content"][1]["cache_control"]["type"], "ephemeral");
  EXPECT_EQ(messages[1], Json::parse(R"({"role":"user","content":"What is this?"})"));
  EXPECT_EQ(messages[2]["thinking_blocks"][0]["signature"], "s1");
  EXPECT_EQ(messages[2]["tool_calls"][0]["function"]["arguments"], R"({"at":1})");
  EXPECT_EQ(messages[3], Json::parse(R"({"role":"tool","tool_call_id":"toolu_1","content":"A picture"})"));
  EXPECT_EQ(messages[4]["role"], "tool");
  EXPECT_NE(messages[4]["content"].dump().find("failed"), std::string::npos);
  // The picture follows behind all results, before what the user says.
  EXPECT_EQ(messages[5]["content"][0]["text"], "From the result of tool call toolu_1:");
  EXPECT_EQ(messages[5]["content"][1]["image_url"]["url"], "data:image/png;base64,iVBO");
  EXPECT_EQ(messages[5]["content"][2]["text"], "And?");
  EXPECT_EQ(read.chat["tool_choice"], "required");
  EXPECT_EQ(read.chat["parallel_tool_calls"], false);
  EXPECT_EQ(read.chat["stop"], Json::array({"END"}));
  EXPECT_EQ(read.chat["thinking"]["budget_tokens"], 4000);
}

TEST(MessagesRequest, ForOpenAiHoldsOnlyItsOwnMembers) {
  const Said read = said(ClientForm::messages, agent, flavour_of(DialectName::openai));
  EXPECT_TRUE(read.unsaid.empty());
  EXPECT_EQ(read.chat["messages"][0]["content"], "One.\nTwo.");
  EXPECT_EQ(read.chat.dump().find("cache_control"), std::string::npos);
  EXPECT_EQ(read.chat.dump().find("thinking"), std::string::npos);
  EXPECT_EQ(read.chat["reasoning_effort"], "medium");
  EXPECT_EQ(read.chat["max_completion_tokens"], 1000);
  EXPECT_FALSE(read.chat.contains("max_tokens"));
}

TEST(MessagesRequest, NamesWhatAChatCompletionHasNoWordsFor) {
  Json body = agent;
  body["top_k"] = 5;
  body["inference_geo"] = "eu";
  body["tools"].push_back({{"type", "web_search_20250305"}, {"name", "web_search"}});
  body["messages"][0]["content"] = Json::array({{{"type", "image"}, {"source", {{"type", "file"}, {"file_id", "f"}}}}, {{"type", "container_upload"}}});
  const std::vector<std::string> wanted{"messages[0].content[0].source of type 'file'", "messages[0].content[1] of type 'container_upload'", "top_k",
                                        "tools[1] of type 'web_search_20250305'", "inference_geo"};
  EXPECT_EQ(said(ClientForm::messages, body, flavour_of(DialectName::openai)).unsaid, wanted);
  EXPECT_TRUE(said(ClientForm::messages, body, flavour_of(DialectName::vllm)).chat.contains("top_k"));
}

TEST(MessagesRequest, WhatOnlyClearsThinkingIsNoLoss) {
  Json body = agent;
  body["context_management"] = {{"edits", Json::array({{{"type", "clear_thinking_20251015"}}})}};
  EXPECT_TRUE(said(ClientForm::messages, body).unsaid.empty());
  body["context_management"]["edits"].push_back({{"type", "clear_tool_uses_20250919"}});
  EXPECT_EQ(said(ClientForm::messages, body).unsaid, std::vector<std::string>{"context_management"});
}

TEST(MessagesRequest, TheNoteToAnthropicsBillingStaysBehind) {
  const auto system = [](const Json& value) {
    Json body = agent;
    body["system"] = value;
    const Json messages = said(ClientForm::messages, body, flavour_of(DialectName::vllm)).chat["messages"];
    return messages[0]["role"] == "system" ? messages[0]["content"].get<std::string>() : std::string("none");
  };
  const std::string note = "x-anthropic-billing-header: cc_version=2.1.88.a3f; cc_entrypoint=cli; cch=1c8b4;";
  EXPECT_EQ(system(note), "none");
  EXPECT_EQ(system(note + "You are a = b; c"), "You are a = b; c");
  EXPECT_EQ(system(Json::array({{{"type", "text"}, {"text", note}}, {{"type", "text"}, {"text", "You are."}}})), "You are.");
  EXPECT_EQ(system("x-anthropic-billing-header"), "x-anthropic-billing-header");
}

TEST(MessagesRequest, WrongMembersAreNamed) {
  const auto param = [](const char* change) {
    Json body = agent;
    body.merge_patch(Json::parse(change));
    return refused(ClientForm::messages, body).param;
  };
  EXPECT_EQ(param(R"({"model": null})"), "model");
  EXPECT_EQ(param(R"({"messages": []})"), "messages");
  EXPECT_EQ(param(R"({"messages": [{"role": "robot", "content": "x"}]})"), "messages[0].role");
  EXPECT_EQ(param(R"({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]})"), "messages[0].content[0].tool_use_id");
  EXPECT_EQ(param(R"({"tools": [{"name": "x"}]})"), "tools[0].input_schema");
  EXPECT_EQ(param(R"({"max_tokens": "many"})"), "max_tokens");
  EXPECT_EQ(param(R"({"stop_sequences": [1]})"), "stop_sequences");
}

TEST(InboundRequest, IsRefusedIfItCanBeReadInTwoWaysOrIsTooDeep) {
  EXPECT_EQ(read_inbound(ClientForm::messages, R"({"model":"a","model":"b"})", nesting_max).error().param, "model");
  EXPECT_FALSE(read_inbound(ClientForm::messages, "", nesting_max));
  EXPECT_FALSE(read_inbound(ClientForm::messages, "[]", nesting_max));
  EXPECT_FALSE(read_inbound(ClientForm::messages, "{\"a\":\"\xff\"}", nesting_max));
  const std::string deep = "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}";
  EXPECT_NE(read_inbound(ClientForm::messages, deep, nesting_max).error().message.find("deeper"), std::string::npos);
  EXPECT_FALSE(read_inbound(ClientForm::messages, std::string(100000, '['), nesting_max));
}

TEST(InboundRequest, MarksItsPicturesForThoseWhoLookForText) {
  Result<InboundRequest> request = read_inbound(ClientForm::messages, agent.dump(), nesting_max);
  EXPECT_TRUE(request.value().has_pictures());
  EXPECT_NE(request.value().screened().find("data:image/png;base64,iVBO"), std::string::npos);
  InboundRequest marked = std::move(read_inbound(ClientForm::messages, request.value().screened(), nesting_max).value());
  marked.unmark_pictures();
  EXPECT_EQ(marked.text(), request.value().text());
}

TEST(InboundRequest, ItsProtocolIsSeenFromItsMembers) {
  EXPECT_EQ(guess_form(agent.dump()), ClientForm::messages);
  EXPECT_EQ(guess_form(R"({"model":"a","input":"x"})"), ClientForm::responses);
  EXPECT_EQ(guess_form(conversation().dump()), ClientForm::openai);
  EXPECT_EQ(guess_form("no json"), ClientForm::openai);
}

const Json items = Json::parse(R"({
  "model": "auto", "instructions": "Be brief.", "max_output_tokens": 100, "stream": true, "store": true, "parallel_tool_calls": true, "metadata": {"k": "v"},
  "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
  "text": {"format": {"type": "json_schema", "name": "city", "strict": true, "schema": {"type": "object"}}},
  "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": false}], "tool_choice": {"type": "function", "name": "look"},
  "input": [
    {"role": "developer", "content": "Rules."},
    {"role": "user", "content": [{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}]},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "theirs"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Well.", "annotations": []}]},
    {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
    {"type": "function_call", "call_id": "call_2", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "data:image/png;base64,iVBO"}]},
    {"type": "function_call_output", "call_id": "call_2", "output": "18"},
    {"role": "user", "content": "So?"}]})");

TEST(ResponsesRequest, BecomesAChatCompletionWithAllItHolds) {
  const Said read = said(ClientForm::responses, items);
  EXPECT_TRUE(read.unsaid.empty());
  const Json& messages = read.chat["messages"];
  ASSERT_EQ(messages.size(), 8U);
  EXPECT_EQ(messages[0], Json::parse(R"({"role":"system","content":"Be brief."})"));
  EXPECT_EQ(messages[1]["role"], "system");
  EXPECT_EQ(messages[2]["content"][1]["image_url"], Json::parse(R"({"url":"https://x/y.png","detail":"low"})"));
  EXPECT_EQ(messages[3]["content"], "Well.");
  EXPECT_EQ(messages[3]["tool_calls"].size(), 2U);
  EXPECT_EQ(messages[4]["content"], "see");
  EXPECT_EQ(messages[5]["content"], "18");
  EXPECT_EQ(messages[6]["content"][1]["type"], "image_url");
  EXPECT_EQ(messages[7]["content"], "So?");
  EXPECT_EQ(read.chat["response_format"]["json_schema"]["name"], "city");
  EXPECT_EQ(read.chat["reasoning_effort"], "low");
  EXPECT_EQ(read.chat["tool_choice"]["function"]["name"], "look");
  EXPECT_EQ(read.chat["tools"][0]["function"]["strict"], false);
  EXPECT_FALSE(read.chat.contains("parallel_tool_calls"));
  Json keyed = items;
  keyed["prompt_cache_key"] = "k";
  keyed["service_tier"] = "auto";
  EXPECT_EQ(said(ClientForm::responses, keyed, flavour_of(DialectName::openai)).chat["prompt_cache_key"], "k");
  const Json elsewhere = said(ClientForm::responses, keyed, flavour_of(DialectName::mistral)).chat;
  EXPECT_FALSE(elsewhere.contains("prompt_cache_key") || elsewhere.contains("service_tier"));
  EXPECT_TRUE(read.chat.contains("metadata"));
  EXPECT_FALSE(said(ClientForm::responses, items, flavour_of(DialectName::openai)).chat.contains("metadata"));
}

TEST(ResponsesRequest, WhatNeedsAMemoryIsRefused) {
  for (const char* const change : {R"({"previous_response_id": "resp_1"})", R"({"conversation": {"id": "c"}})", R"({"background": true})", R"({"input": [{"type": "item_reference", "id": "x"}]})"}) {
    Json body = items;
    body.merge_patch(Json::parse(change));
    EXPECT_EQ(refused(ClientForm::responses, body).fault, Fault::unsupported) << change;
  }
}

TEST(ResponsesRequest, NamesWhatAChatCompletionHasNoWordsFor) {
  Json body = items;
  body["tools"].push_back({{"type", "web_search"}});
  body["truncation"] = "auto";
  body["max_tool_calls"] = 3;
  body["input"].push_back({{"type", "custom_tool_call"}});
  const std::vector<std::string> wanted{"input[9] of type 'custom_tool_call'", "tools[1] of type 'web_search'", "truncation", "max_tool_calls"};
  EXPECT_EQ(said(ClientForm::responses, body).unsaid, wanted);
}

TEST(ResponsesRequest, GivesSealedThinkingBackToWhoCanReadIt) {
  Json body = Json::parse(R"({"model": "a", "input": [{"role": "user", "content": "x"}, {"type": "reasoning", "summary": []}, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]})");
  body["input"][1]["encrypted_content"] = std::string(sealed_thinking) + R"([{"type":"thinking","thinking":"Hm","signature":"s"}])";
  EXPECT_EQ(said(ClientForm::responses, body).chat["messages"][1]["thinking_blocks"][0]["signature"], "s");
  EXPECT_FALSE(said(ClientForm::responses, body, flavour_of(DialectName::vllm)).chat["messages"][1].contains("thinking_blocks"));
}

// ---- answers

std::string chunk(const std::string& delta, const std::string& finish = "null", const std::string& more = "") {
  return R"(data: {"id":"x1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish + more + "}]}\n\n";
}

std::vector<Json> events_of(const std::string& text) {
  std::vector<Json> events;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t data = text.find("\ndata: ", at), end = text.find("\n\n", at);
    const Json event = Json::parse(text.substr(data + 7, end - data - 7));
    EXPECT_EQ(text.substr(at, data - at), "event: " + event["type"].get<std::string>());
    events.push_back(event);
    at = end + 2;
  }
  return events;
}

const std::string calls_stream = chunk(R"({"role":"assistant","content":""})") + chunk(R"({"reasoning_content":"Hm"})") + chunk(R"({"content":"Hi "})") + chunk(R"({"content":"there"})") +
                                 chunk(R"({"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":""}}]})") +
                                 chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]})") + chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})") +
                                 chunk(R"({"tool_calls":[{"index":1,"id":"call_2","function":{"name":"g","arguments":"{}"}}]})") + chunk("{}", R"("tool_calls")") + "data: [DONE]\n\n";

std::string written(AnswerWriter& writer, const std::string& stream, bool finish = true) {
  std::string out;
  Pieces pieces;
  pieces.push_back(stream);
  const Result<void> fed = writer.feed(pieces, out);
  EXPECT_TRUE(fed);
  Usage usage;
  usage.input = TokenCount{10};
  usage.cached_input = TokenCount{4};
  usage.output = TokenCount{6};
  usage.reasoning = TokenCount{2};
  if (finish) writer.finish(usage, out);
  return out;
}

std::vector<std::string> types_of(const std::vector<Json>& events) {
  std::vector<std::string> types;
  for (const Json& event : events) types.push_back(event["type"].get<std::string>());
  return types;
}

TEST(MessagesAnswer, StreamsBlocksOneAfterTheOther) {
  const auto writer = make_messages_writer(Json::parse(R"({"thinking":{"type":"enabled"}})"));
  writer->expect_input(TokenCount{9});
  const std::vector<Json> events = events_of(written(*writer, calls_stream));
  const std::vector<std::string> wanted{"message_start",       "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
                                        "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",  "content_block_start",
                                        "content_block_delta", "content_block_delta", "content_block_stop",  "content_block_start", "content_block_delta",
                                        "content_block_stop",  "message_delta",       "message_stop"};
  EXPECT_EQ(types_of(events), wanted);
  EXPECT_EQ(events[0]["message"]["usage"]["input_tokens"], 9);
  EXPECT_EQ(events[1]["content_block"]["type"], "thinking");
  EXPECT_EQ(events[3]["delta"]["signature"], unsigned_thinking);
  EXPECT_EQ(events[9]["content_block"], Json::parse(R"({"type":"tool_use","id":"call_1","name":"f","input":{}})"));
  EXPECT_EQ(events[13]["index"], 3);
  EXPECT_EQ(events[16]["delta"]["stop_reason"], "tool_use");
  EXPECT_EQ(events[16]["usage"], Json::parse(R"({"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":6,"output_tokens_details":{"thinking_tokens":2}})"));
}

TEST(MessagesAnswer, ShowsThinkingOnlyWhereItWasAskedFor) {
  const auto writer = make_messages_writer(Json::object());
  EXPECT_EQ(written(*writer, calls_stream).find("thinking_delta"), std::string::npos);
}

TEST(MessagesAnswer, KeepsTheSignatureOfWhoThought) {
  const auto writer = make_messages_writer(Json::parse(R"({"thinking":{"type":"adaptive"}})"));
  const std::string text = written(*writer, chunk(R"({"reasoning_content":"Hm"})") + chunk(R"({"thinking_blocks":[{"type":"thinking","thinking":"Hm","signature":"s9"}]})") + chunk(R"({"content":"x"})"));
  EXPECT_NE(text.find(R"("signature":"s9")"), std::string::npos);
  EXPECT_EQ(text.find(unsigned_thinking), std::string::npos);
}

TEST(MessagesAnswer, NamesWhyItEnded) {
  const auto reason = [](const std::string& finish, const std::string& more = "") {
    const auto writer = make_messages_writer(Json::parse(R"({"stop_sequences":["END"]})"));
    const std::vector<Json> events = events_of(written(*writer, chunk(R"({"content":"x"})") + chunk("{}", "\"" + finish + "\"", more)));
    return events[events.size() - 2]["delta"];
  };
  EXPECT_EQ(reason("stop")["stop_reason"], "end_turn");
  EXPECT_EQ(reason("length")["stop_reason"], "max_tokens");
  EXPECT_EQ(reason("content_filter")["stop_reason"], "refusal");
  EXPECT_EQ(reason("stop", R"(,"stop_reason":"END")"), Json::parse(R"({"stop_reason":"stop_sequence","stop_sequence":"END"})"));
}

TEST(MessagesAnswer, IsTheSameWhole) {
  const auto writer = make_messages_writer(Json::object());
  Usage usage;
  usage.input = TokenCount{3};
  const Result<std::string> whole = writer->whole(R"({"id":"x1","model":"m","choices":[{"message":{"content":"Hi","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}]})", usage);
  const Json message = Json::parse(whole.value());
  EXPECT_EQ(message["content"], Json::parse(R"([{"type":"text","text":"Hi"},{"type":"tool_use","id":"c","name":"f","input":{"a":1}}])"));
  EXPECT_EQ(message["stop_reason"], "tool_use");
  EXPECT_EQ(message["id"], "msg_x1");
  EXPECT_FALSE(writer->whole(R"({"choices":[]})", usage));
}

TEST(MessagesAnswer, ErrorsHaveAnthropicsShape) {
  const Json body = Json::parse(messages_error_body(fail(Fault::over_budget, "no \"money\""), "req_1"));
  EXPECT_EQ(body, Json::parse(R"({"type":"error","error":{"type":"billing_error","message":"no \"money\""},"request_id":"req_1"})"));
  std::string event;
  make_messages_writer(Json::object())->fail(fail(Fault::upstream_broke_off, "cut"), event);
  EXPECT_EQ(event, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"cut\"}}\n\n");
}

TEST(ResponsesAnswer, StreamsItemsOneAfterTheOther) {
  const auto writer = make_responses_writer(Json::parse(R"({"reasoning":{"summary":"auto"},"instructions":"Be brief."})"));
  const std::vector<Json> events = events_of(written(*writer, calls_stream));
  const std::vector<std::string> wanted{"response.created", "response.in_progress", "response.output_item.added", "response.reasoning_summary_part.added",
                                        "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "response.output_item.done",
                                        "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
                                        "response.content_part.done", "response.output_item.done", "response.output_item.added", "response.function_call_arguments.delta",
                                        "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.output_item.done", "response.output_item.added",
                                        "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.output_item.done", "response.completed"};
  EXPECT_EQ(types_of(events), wanted);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i]["sequence_number"], i);
  const Json& response = events.back()["response"];
  ASSERT_EQ(response["output"].size(), 4U);
  EXPECT_EQ(response["output"][1]["content"][0]["text"], "Hi there");
  EXPECT_EQ(response["output"][2]["arguments"], R"({"a":1})");
  EXPECT_EQ(response["usage"]["input_tokens"], 14);
  EXPECT_EQ(response["usage"]["total_tokens"], 20);
  EXPECT_EQ(response["instructions"], "Be brief.");
  EXPECT_EQ(response["store"], false);
}

TEST(ResponsesAnswer, BreaksOffWithAnErrorAndAFailedResponse) {
  const auto writer = make_responses_writer(Json::object());
  std::string out = written(*writer, chunk(R"({"content":"Hi"})"), false);
  writer->fail(fail(Fault::upstream_broke_off, "cut"), out);
  const std::vector<Json> events = events_of(out);
  EXPECT_EQ(events[events.size() - 2]["type"], "error");
  EXPECT_EQ(events.back()["response"]["status"], "failed");
  EXPECT_EQ(events.back()["response"]["output"][0]["status"], "incomplete");
}

TEST(ResponsesAnswer, IsTheSameWhole) {
  const auto writer = make_responses_writer(Json::object());
  const Result<std::string> whole = writer->whole(R"({"id":"x1","model":"m","created":7,"choices":[{"message":{"content":"Hi","refusal":null},"finish_reason":"length"}]})", {});
  const Json response = Json::parse(whole.value());
  EXPECT_EQ(response["status"], "incomplete");
  EXPECT_EQ(response["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(response["output"][0]["content"][0]["text"], "Hi");
  EXPECT_EQ(response["created_at"], 7);
}

// ---- the client's own protocol upstream

Backend anthropic_backend() {
  Backend backend;
  backend.dialect = DialectName::anthropic;
  return backend;
}

TEST(NativeMessages, LosesNothingButTheModelsNameAndUnsignedThinking) {
  const Json body = Json::parse(R"({"model":"auto","max_tokens":5,"unheard_of":{"deep":[1,2.5]},"messages":[{"role":"assistant","content":[
    {"type":"thinking","thinking":"a","signature":"tollgate-unsigned"},{"type":"thinking","thinking":"b","signature":"real"},{"type":"new_block","x":1}]}]})");
  const std::string text = body.dump();
  ClientBody client;
  client.text = text;
  const Backend backend = anthropic_backend();
  Target target;
  target.upstream = "claude";
  WireBody wire;
  ASSERT_TRUE(native_dialect(ClientForm::messages, backend)->write(client, backend, target, wire));
  Json wanted = body;
  wanted["model"] = "claude";
  wanted["messages"][0]["content"].erase(wanted["messages"][0]["content"].begin());
  EXPECT_EQ(Json::parse(wire.pieces.front()), wanted);
}

TEST(NativeMessages, StreamsGoOnAsTheyCameOnceTheySaySomething) {
  const std::string start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"c\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n";
  const std::string rest = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"new\"}}\n\n"
                           "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n"
                           "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  const std::string all = start + rest;
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    const auto reader = native_dialect(ClientForm::messages, anthropic_backend())->stream_reader({});
    std::string text;
    for (const std::string_view bytes : {std::string_view(all).substr(0, cut), std::string_view(all).substr(cut)}) {
      Pieces out;
      ASSERT_TRUE(reader->feed(bytes, out));
      for (const std::string_view piece : out) text.append(piece);
      if (cut > 0 && cut <= start.size() && bytes.size() == cut && bytes.data() == all.data()) {
        EXPECT_EQ(text, "");
      }
    }
    EXPECT_EQ(text, all);
    EXPECT_TRUE(reader->complete());
    EXPECT_EQ(reader->usage().first.output.count(), 3);
  }
}

TEST(NativeMessages, AnErrorBeforeAnythingWasSaidLeavesTheWayToAnotherTarget) {
  const auto reader = native_dialect(ClientForm::messages, anthropic_backend())->stream_reader({});
  Pieces out;
  const Result<void> fed = reader->feed("data: {\"type\":\"message_start\",\"message\":{}}\n\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n", out);
  EXPECT_EQ(fed.error().fault, Fault::upstream_busy);
  EXPECT_TRUE(out.empty());
}

TEST(NativeResponses, ReadsUsageAndEndsAlong) {
  Backend backend;
  backend.responses = true;
  const Dialect* const dialect = native_dialect(ClientForm::responses, backend);
  ASSERT_NE(dialect, nullptr);
  backend.responses = false;
  EXPECT_EQ(native_dialect(ClientForm::responses, backend), nullptr);
  const auto reader = dialect->stream_reader({});
  const std::string stream = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"
                             "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n"
                             "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"service_tier\":\"flex\",\"output\":[{\"type\":\"web_search_call\",\"status\":\"completed\"}],"
                             "\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":2,\"output_tokens_details\":{\"reasoning_tokens\":1}}}}\n\n";
  Pieces out;
  ASSERT_TRUE(reader->feed(stream, out));
  std::string text;
  for (const std::string_view piece : out) text.append(piece);
  EXPECT_EQ(text, stream);
  const auto [usage, source] = reader->usage();
  EXPECT_EQ(source, UsageSource::exact);
  EXPECT_EQ(usage.input.count(), 6);
  EXPECT_EQ(usage.cached_input.count(), 4);
  EXPECT_EQ(usage.web_searches, 1);
  EXPECT_EQ(reader->service_tier(), "flex");
  EXPECT_TRUE(reader->complete());
}

TEST(ResponsesRequest, FunctionsOfANamespaceAreCalledByBothNames) {
  const Json body = Json::parse(R"({"model":"a","input":[
    {"type":"message","role":"user","content":"Go"},
    {"type":"function_call","call_id":"c1","namespace":"agents","name":"spawn","arguments":"{}"},
    {"type":"function_call_output","call_id":"c1","output":"done"}],
    "tools":[{"type":"function","name":"run","parameters":{"type":"object"}},
             {"type":"namespace","name":"agents","description":"Helpers","tools":[{"type":"function","name":"spawn","description":"Starts one","parameters":{"type":"object"}},
                                                                                {"type":"custom","name":"free"}]}],
    "tool_choice":{"type":"function","namespace":"agents","name":"spawn"},"client_metadata":{"who":"codex"}})");
  const Said read = said(ClientForm::responses, body);
  EXPECT_EQ(read.chat["tools"][0]["function"]["name"], "run");
  EXPECT_EQ(read.chat["tools"][1]["function"]["name"], "agents__spawn");
  EXPECT_EQ(read.chat["tool_choice"]["function"]["name"], "agents__spawn");
  EXPECT_EQ(read.chat["messages"][1]["tool_calls"][0]["function"]["name"], "agents__spawn");
  EXPECT_EQ(read.unsaid, std::vector<std::string>{"tools[1].tools[1] of type 'custom'"});
  EXPECT_FALSE(read.chat.contains("client_metadata"));
}

TEST(ResponsesAnswer, ACallOfANamespacesFunctionHasBothNamesApart) {
  const Json request = Json::parse(R"({"tools":[{"type":"namespace","name":"agents","tools":[{"type":"function","name":"spawn"}]}]})");
  const std::string chat = R"({"id":"x","model":"m","choices":[{"message":{"content":null,"tool_calls":[
    {"id":"c1","type":"function","function":{"name":"agents__spawn","arguments":"{}"}},
    {"id":"c2","type":"function","function":{"name":"run__all","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})";
  const Json whole = Json::parse(make_responses_writer(request)->whole(chat, Usage{}).value());
  EXPECT_EQ(whole["output"][0]["namespace"], "agents");
  EXPECT_EQ(whole["output"][0]["name"], "spawn");
  EXPECT_EQ(whole["output"][1]["name"], "run__all");
  EXPECT_FALSE(whole["output"][1].contains("namespace"));
  const std::string chunk = "data: " R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"agents__spawn","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})" "\n\n";
  const auto writer = make_responses_writer(request);
  std::string events;
  ASSERT_TRUE(writer->feed({chunk}, events));
  writer->finish(Usage{}, events);
  EXPECT_NE(events.find(R"("name":"spawn","arguments":"","namespace":"agents")"), std::string::npos) << events;
  EXPECT_EQ(events.find("agents__spawn"), std::string::npos) << events;
}

}  // namespace
}  // namespace tollgate
