#include "gateway/answer_copy.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gateway/answer_check.hpp"
#include "gateway/answer_review.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;

TEST(AnswerCopyTest, AStreamIsPutTogetherToTheAnswerItStandsFor) {
  const std::string events =
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hel\"}}]}\n\n"
      ": keep-alive\n\n"
      "data: "
      "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}},{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}"
      "\r\n\r\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
      "data: {\"choices\":[],\"usage\":{}}\n\n"
      "data: [DONE]\n\n";
  const Json whole = Json::parse(stitched_answer(events));
  EXPECT_EQ(whole["choices"][0]["message"]["content"], "Hello");
  EXPECT_EQ(whole["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(whole["choices"][1]["message"]["content"], "other");
  EXPECT_EQ(first_text(whole.dump()), "Hello");
}

TEST(AnswerCopyTest, ToolCallsOfAStreamArePutTogetherByIndex) {
  const std::string events =
      "data: "
      "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{"
      "\\\"x\\\"\"}}]}}]}\n\n"
      "data: "
      "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]},\"finish_"
      "reason\":\"tool_calls\"}]}\n\n";
  const Json call = Json::parse(stitched_answer(events))["choices"][0]["message"]["tool_calls"][0];
  EXPECT_EQ(call["function"]["arguments"], "{\"x\":1}");
  EXPECT_EQ(check_answer(stitched_answer(events), {}), AnswerCheck::ok);
}

TEST(AnswerCopyTest, AnAnswerPastTheLimitIsNotKept) {
  AnswerCopy copy;
  EXPECT_FALSE(copy.complete());
  copy.add("abc");
  EXPECT_TRUE(copy.complete());
  copy.add(std::string(AnswerCopy::bytes_max, 'x'));
  copy.add("more");
  EXPECT_FALSE(copy.complete());
}

std::string events_of(const std::vector<Json>& events) {
  std::string text;
  for (const Json& event : events) text += "event: " + event["type"].get<std::string>() + "\ndata: " + event.dump() + "\n\n";
  return text;
}

/// A Messages stream of one block, in two pieces, that ended for that reason.
std::string messages_stream(const Json& block, const std::vector<Json>& deltas, const std::string& reason) {
  std::vector<Json> events{{{"type", "message_start"}, {"message", {{"id", "msg_1"}, {"model", "m"}, {"usage", {{"input_tokens", 3}, {"output_tokens", 1}}}}}},
                           {{"type", "ping"}},
                           {{"type", "content_block_start"}, {"index", 0}, {"content_block", block}}};
  for (const Json& delta : deltas) events.push_back({{"type", "content_block_delta"}, {"index", 0}, {"delta", delta}});
  events.push_back({{"type", "content_block_stop"}, {"index", 0}});
  events.push_back({{"type", "message_delta"}, {"delta", {{"stop_reason", reason}}}, {"usage", {{"output_tokens", 9}}}});
  events.push_back({{"type", "message_stop"}});
  return events_of(events);
}

std::string said_in_messages(const std::string& text, const std::string& reason = "end_turn") {
  const std::size_t half = text.size() / 2;
  return messages_stream({{"type", "text"}, {"text", ""}},
                         {{{"type", "text_delta"}, {"text", text.substr(0, half)}}, {{"type", "text_delta"}, {"text", text.substr(half)}}}, reason);
}

Json response_of(const std::vector<Json>& output, const std::string& status = "completed", const Json& incomplete = nullptr) {
  return {{"id", "resp_1"}, {"object", "response"}, {"status", status}, {"incomplete_details", incomplete}, {"output", Json(output)}};
}

Json said_item(const std::string& text) {
  return {{"type", "message"}, {"role", "assistant"}, {"content", {{{"type", "output_text"}, {"text", text}}}}};
}

std::string responses_stream(const Json& response, const std::vector<Json>& before = {}) {
  std::vector<Json> events{{{"type", "response.created"}, {"response", response_of({}, "in_progress")}}};
  events.insert(events.end(), before.begin(), before.end());
  events.push_back({{"type", "response." + response["status"].get<std::string>()}, {"response", response}});
  return events_of(events);
}

TEST(AnswerCopyTest, AStreamInTheClientsOwnProtocolIsPutTogetherToo) {
  EXPECT_EQ(first_text(whole_answer(said_in_messages("Hello"), ClientForm::messages, true)), "Hello");
  EXPECT_EQ(first_text(whole_answer(responses_stream(response_of({said_item("Hello")})), ClientForm::responses, true)), "Hello");
}

TEST(AnswerCopyTest, AWholeAnswerInTheClientsOwnProtocolIsReadAsAChatCompletion) {
  const Json message{{"type", "message"}, {"role", "assistant"}, {"content", {{{"type", "text"}, {"text", "Hello"}}}}, {"stop_reason", "end_turn"},
                     {"usage", {{"input_tokens", 3}, {"output_tokens", 2}}}};
  EXPECT_EQ(first_text(whole_answer(message.dump(), ClientForm::messages, false)), "Hello");
  EXPECT_EQ(first_text(whole_answer(response_of({said_item("Hello")}).dump(), ClientForm::responses, false)), "Hello");
  EXPECT_EQ(whole_answer("no JSON", ClientForm::messages, false), "");
}

TEST(AnswerCopyTest, AResponseWhoseOutputIsEmptyIsTakenFromItsItems) {
  const std::string events = responses_stream(response_of({}), {{{"type", "response.output_item.done"}, {"output_index", 0}, {"item", said_item("Hello")}}});
  EXPECT_EQ(first_text(whole_answer(events, ClientForm::responses, true)), "Hello");
}

/// What the review says of a stream in the client's own protocol.
OutcomeVerdict reviewed(ClientForm form, std::string events, bool json = false, const std::string& schema = "") {
  AnswerReview::Job job;
  job.written_in = form;
  job.streamed = true;
  job.json_output = json;
  job.json_schema = !schema.empty();
  job.response_schema = schema;
  job.answer = std::move(events);
  return review(job);
}

TEST(AnswerReviewTest, StreamsOfMessagesAreLookedAtForEverything) {
  constexpr ClientForm form = ClientForm::messages;
  const std::string schema = R"({"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}})";
  EXPECT_EQ(reviewed(form, said_in_messages("Paris it is.")), OutcomeVerdict::ok);
  EXPECT_EQ(reviewed(form, said_in_messages(" ")), OutcomeVerdict::empty);
  EXPECT_EQ(reviewed(form, said_in_messages("I can't help with that.")), OutcomeVerdict::refusal);
  EXPECT_EQ(reviewed(form, said_in_messages("Well.", "refusal")), OutcomeVerdict::refusal);
  EXPECT_EQ(reviewed(form, said_in_messages("The first of the", "max_tokens")), OutcomeVerdict::truncated);
  EXPECT_EQ(reviewed(form, said_in_messages("{\"a\": "), true), OutcomeVerdict::invalid_json);
  EXPECT_EQ(reviewed(form, said_in_messages("{\"a\": 1}"), true, schema), OutcomeVerdict::ok);
  EXPECT_EQ(reviewed(form, said_in_messages("{\"a\": \"1\"}"), true, schema), OutcomeVerdict::schema);
  const Json tool{{"type", "tool_use"}, {"id", "toolu_1"}, {"name", "f"}, {"input", Json::object()}};
  const Json piece{{"type", "input_json_delta"}, {"partial_json", "{\"x\":"}};
  EXPECT_EQ(reviewed(form, messages_stream(tool, {piece}, "tool_use")), OutcomeVerdict::invalid_json);
  EXPECT_EQ(reviewed(form, messages_stream(tool, {piece, {{"type", "input_json_delta"}, {"partial_json", "1}"}}}, "tool_use")), OutcomeVerdict::ok);
}

TEST(AnswerReviewTest, StreamsOfResponsesAreLookedAtForEverything) {
  constexpr ClientForm form = ClientForm::responses;
  const auto stream = [](const Json& item, const char* cut_by = nullptr) {
    return responses_stream(response_of({item}, cut_by == nullptr ? "completed" : "incomplete", cut_by == nullptr ? Json() : Json{{"reason", cut_by}}));
  };
  EXPECT_EQ(reviewed(form, stream(said_item("Paris it is."))), OutcomeVerdict::ok);
  EXPECT_EQ(reviewed(form, stream(said_item(""))), OutcomeVerdict::empty);
  const Json refused{{"type", "message"}, {"content", {{{"type", "refusal"}, {"refusal", "No."}}}}};
  EXPECT_EQ(reviewed(form, stream(refused)), OutcomeVerdict::refusal);
  EXPECT_EQ(reviewed(form, stream(said_item("Well."), "content_filter")), OutcomeVerdict::refusal);
  EXPECT_EQ(reviewed(form, stream(said_item("The first of the"), "max_output_tokens")), OutcomeVerdict::truncated);
  EXPECT_EQ(reviewed(form, stream(said_item("no JSON")), true), OutcomeVerdict::invalid_json);
  EXPECT_EQ(reviewed(form, stream(said_item("[]")), true), OutcomeVerdict::schema);
  EXPECT_EQ(reviewed(form, stream({{"type", "function_call"}, {"name", "f"}, {"arguments", "{\"x\":"}})), OutcomeVerdict::invalid_json);
}

TEST(AnswerReviewTest, ATextCompletionThatStreamedIsReviewedByItsText) {
  AnswerReview::Job job;
  job.surface = Surface::completions;
  job.streamed = true;
  job.answer = "data: {\"choices\":[{\"text\":\"fine\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
  EXPECT_EQ(review(job), OutcomeVerdict::ok);
  job.answer = "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}]}\n\n";
  EXPECT_EQ(review(job), OutcomeVerdict::empty);
}

}  // namespace
}  // namespace tollgate
