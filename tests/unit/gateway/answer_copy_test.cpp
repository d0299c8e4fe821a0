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
