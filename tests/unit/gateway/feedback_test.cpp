#include "gateway/feedback.hpp"

#include <gtest/gtest.h>

#include "metrics/records.hpp"

namespace tollgate {
namespace {

const std::string id = std::string(text(RequestId{4242}).view());

std::string body(const std::string& members) { return R"({"request_id":")" + id + "\"" + members + "}"; }
std::string refused(const std::string& text) {
  const Result<Outcome> parsed = parse_feedback(text, true);
  return parsed ? "accepted" : parsed.error().param;
}

TEST(Feedback, ARatingAScoreOrBothSayWhatTheAnswerWasWorth) {
  EXPECT_EQ(parse_feedback(body(R"(,"rating":"good")"), true).value().verdict, OutcomeVerdict::good);
  EXPECT_EQ(parse_feedback(body(R"(,"score":0.49)"), true).value().verdict, OutcomeVerdict::bad);
  EXPECT_EQ(parse_feedback(body(R"(,"score":0.5)"), true).value().verdict, OutcomeVerdict::good);
  const Outcome both = parse_feedback(body(R"(,"score":0.9,"rating":"bad")"), true).value();
  EXPECT_EQ(both.verdict, OutcomeVerdict::bad) << "the rating decides";
  EXPECT_EQ(both.score_ppm, 900'000);
  EXPECT_EQ(both.request, RequestId{4242});
}

TEST(Feedback, CommentsAreKeptOnlyWhereTheyAreWanted) {
  const std::string said = body(R"(,"rating":"good","comment":"nice")");
  EXPECT_EQ(parse_feedback(said, true).value().comment, "nice");
  EXPECT_EQ(parse_feedback(said, false).value().comment, "");
}

TEST(Feedback, EveryRefusalNamesItsMember) {
  EXPECT_EQ(refused(R"({"rating":"good"})"), "request_id");
  EXPECT_EQ(refused(R"({"request_id":"chatcmpl-1","rating":"good"})"), "request_id");
  EXPECT_EQ(refused(R"({"request_id":7,"rating":"good"})"), "request_id");
  EXPECT_EQ(refused(body("")), "rating");
  EXPECT_EQ(refused(body(R"(,"rating":"great")")), "rating");
  EXPECT_EQ(refused(body(R"(,"score":1.01)")), "score");
  EXPECT_EQ(refused(body(R"(,"score":"1")")), "score");
  EXPECT_EQ(refused(body(R"(,"rating":"good","comment":7)")), "comment");
  EXPECT_EQ(refused(body(R"(,"rating":"good","stars":5)")), "stars");
  EXPECT_EQ(refused(body(R"(,"rating":"good","comment":")" + std::string(5000, 'x') + "\"")), "comment");
}

TEST(Feedback, WhatIsNoObjectIsRefusedHoweverDeep) {
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("7"), std::string(100'000, '['),
        std::string(R"({"request_id":)") + std::string(50, '[') + std::string(50, ']') + "}"}) {
    EXPECT_FALSE(parse_feedback(bad, true)) << bad.substr(0, 40);
  }
}

}  // namespace
}  // namespace tollgate
