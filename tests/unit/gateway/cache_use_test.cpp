#include "gateway/cache_use.hpp"

#include <gtest/gtest.h>

#include "gateway/answer_check.hpp"

namespace tollgate {
namespace {

CacheWishes wishes(std::string_view value, std::string_view name = "Cache-Control") {
  const HeaderField fields[] = {{"host", "x"}, {name, value}};
  return cache_wishes(fields);
}

TEST(CacheWishes, AreReadFromTheHeader) {
  EXPECT_TRUE(wishes("no-cache").no_cache);
  EXPECT_FALSE(wishes("no-cache").no_store);
  EXPECT_TRUE(wishes("no-store").no_store);
  const CacheWishes both = wishes(" max-age=30 ,No-Store,no-cache ");
  EXPECT_TRUE(both.no_cache && both.no_store);
  EXPECT_EQ(both.max_age, std::chrono::seconds{30});
  EXPECT_TRUE(wishes("no-cache", "CACHE-CONTROL").no_cache);
}

TEST(CacheWishes, WhatIsNotUnderstoodIsNoWish) {
  for (const char* const value : {"", ",", "max-age", "max-age=", "max-age=x", "max-age=-1", "no-cachet", "public", "only-if-cached"}) {
    const CacheWishes read = wishes(value);
    EXPECT_FALSE(read.no_cache || read.no_store || read.max_age) << value;
  }
  EXPECT_FALSE(wishes("no-cache", "x-cache-control").no_cache);
}

TEST(CacheUse, AnAnswerThatIsTooLongIsGivenUp) {
  CacheUse use;
  use.stores = true;
  use.bytes_max = 4;
  use.fill("abc");
  EXPECT_EQ(use.bytes, "abc");
  use.fill("de");
  EXPECT_FALSE(use.stores);
  use.fill("f");
  EXPECT_EQ(use.bytes, "");
}

ChatView asked() { return ChatView{}; }

AnswerCheck check(ClientForm form, bool stream, std::string_view bytes) { return check_answer(answer_as_chat(form, stream, bytes), asked()); }

// Answers of all three forms, whole and streamed, are looked at before they are kept.
TEST(AnswerAsChat, AnswersOfMessagesAreRead) {
  constexpr std::string_view head = R"({"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"Paris it is."}],"stop_sequence":null,)"
                                    R"("usage":{"input_tokens":1,"output_tokens":2},"stop_reason":)";
  EXPECT_EQ(check(ClientForm::messages, false, std::string(head) + "\"end_turn\"}"), AnswerCheck::ok);
  EXPECT_EQ(check(ClientForm::messages, false, std::string(head) + "\"max_tokens\"}"), AnswerCheck::truncated);
  EXPECT_EQ(check(ClientForm::messages, false, std::string(head) + "\"refusal\"}"), AnswerCheck::refusal);
}

std::string messages_stream(std::string_view stop_reason) {
  return "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"x\",\"content\":[],"
         "\"stop_reason\":null,\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n"
         "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
         "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Paris it is.\"}}\n\n"
         "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
         "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" +
         std::string(stop_reason) +
         "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":3}}\n\n"
         "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
}

TEST(AnswerAsChat, StreamsOfMessagesAreRead) {
  EXPECT_EQ(check(ClientForm::messages, true, messages_stream("end_turn")), AnswerCheck::ok);
  EXPECT_EQ(check(ClientForm::messages, true, messages_stream("max_tokens")), AnswerCheck::truncated);
  EXPECT_EQ(check(ClientForm::messages, true, messages_stream("refusal")), AnswerCheck::refusal);
}

std::string response(std::string_view status, std::string_view more = "") {
  return R"({"id":"r","object":"response","status":")" + std::string(status) +
         R"(","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Paris it is."}]}])" + std::string(more) + "}";
}
constexpr std::string_view cut = R"(,"incomplete_details":{"reason":"max_output_tokens"})";

TEST(AnswerAsChat, ResponsesAreRead) {
  EXPECT_EQ(check(ClientForm::responses, false, response("completed")), AnswerCheck::ok);
  EXPECT_EQ(check(ClientForm::responses, false, response("incomplete", cut)), AnswerCheck::truncated);
}

TEST(AnswerAsChat, StreamsOfResponsesAreReadByTheirLastEvent) {
  const auto stream = [](const char* type, const std::string& whole) {
    return std::string("event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\",\"output\":[]}}\n\n") + "event: " + type +
           "\ndata: {\"type\":\"" + type + "\",\"response\":" + whole + "}\n\n";
  };
  EXPECT_EQ(check(ClientForm::responses, true, stream("response.completed", response("completed"))), AnswerCheck::ok);
  EXPECT_EQ(check(ClientForm::responses, true, stream("response.incomplete", response("incomplete", cut))), AnswerCheck::truncated);
  EXPECT_NE(check(ClientForm::responses, true, stream("response.failed", response("failed"))), AnswerCheck::ok);
}

TEST(AnswerAsChat, StreamsOfChatAreRead) {
  const auto stream = [](const char* finish) {
    return std::string("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Paris it is.\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"") + finish +
           "\"}]}\n\ndata: [DONE]\n\n";
  };
  EXPECT_EQ(check(ClientForm::openai, true, stream("stop")), AnswerCheck::ok);
  EXPECT_EQ(check(ClientForm::openai, true, stream("length")), AnswerCheck::truncated);
  EXPECT_EQ(check(ClientForm::openai, true, stream("content_filter")), AnswerCheck::refusal);
}

}  // namespace
}  // namespace tollgate
