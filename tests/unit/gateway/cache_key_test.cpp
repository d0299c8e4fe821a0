#include "gateway/cache_key.hpp"

#include <gtest/gtest.h>

#include <set>

namespace tollgate {
namespace {

NameId name(const char* text) { return Names::global().intern(text); }

CacheAsked asked() {
  CacheAsked made;
  made.team = name("red");
  made.route = name("faq");
  return made;
}

Sha256 hash(std::string_view body, const CacheAsked& of = asked()) { return cache_key(of, body).value().hash; }

constexpr std::string_view question = R"({"model":"auto","messages":[{"role":"user","content":"What?"}]})";

TEST(CacheKey, TheSameRequestHasTheSameKey) { EXPECT_EQ(hash(question), hash(question)); }

TEST(CacheKey, TheOrderOfMembersDoesNotMatter) {
  EXPECT_EQ(hash(R"({"model":"auto","temperature":0.5,"n":2})"), hash(R"({ "n" : 2 , "temperature":0.5 , "model" : "auto" })"));
}

TEST(CacheKey, WhateverCanChangeTheAnswerIsPartOfIt) {
  std::set<Sha256> all{hash(question)};
  for (const char* const body : {
           R"({"model":"other","messages":[{"role":"user","content":"What?"}]})",
           R"({"model":"auto","messages":[{"role":"user","content":"What? "}]})",
           R"({"model":"auto","messages":[{"role":"system","content":"What?"}]})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"temperature":0})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"temperature":1})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"seed":1})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"n":2})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"max_tokens":5})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"tools":[{"type":"function","function":{"name":"f"}}]})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"response_format":{"type":"json_object"}})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"logprobs":true})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"service_tier":"flex"})",
           R"({"model":"auto","messages":[{"role":"user","content":"What?"}],"what_nobody_has_heard_of":1})"}) {
    EXPECT_TRUE(all.insert(hash(body)).second) << body;
  }
}

TEST(CacheKey, WhatNoAnswerDependsOnIsNot) {
  for (const char* const more : {R"("user":"ann")", R"("metadata":{"a":"b"})", R"("store":true)", R"("prompt_cache_key":"k")", R"("safety_identifier":"s")",
                                 R"("stream":false)", R"("usage":{"include":true})", R"("stream_options":{"include_usage":true})"}) {
    EXPECT_EQ(hash(std::string(R"({"model":"auto","messages":[{"role":"user","content":"What?"}],)") + more + "}"), hash(question)) << more;
  }
}

TEST(CacheKey, ValuesCannotRunIntoNames) {
  EXPECT_NE(hash(R"({"a":"b","c":"d"})"), hash(R"({"a":"b\",\"c\":\"d"})"));
  EXPECT_NE(hash(R"({"a":1,"b":23})"), hash(R"({"a":12,"b":3})"));
}

TEST(CacheKey, TeamsRoutesFormsAndStreamsAreApart) {
  std::set<Sha256> all{hash(question)};
  CacheAsked other = asked();
  other.team = name("blue");
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "team";
  other = asked();
  other.route = name("chat");
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "route";
  other = asked();
  other.key = name("laptop");
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "key, where it counts";
  other = asked();
  other.form = ClientForm::messages;
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "Messages";
  other.beta = "context-1m";
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "a beta of Messages";
  other = asked();
  other.form = ClientForm::responses;
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "Responses";
  other = asked();
  other.surface = Surface::completions;
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "surface";
  other = asked();
  other.stream = true;
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "stream";
  other.wants_cost = true;
  EXPECT_TRUE(all.insert(hash(question, other)).second) << "a stream with the cost in its usage";
}

TEST(CacheKey, OfAStreamTheOptionsCount) {
  CacheAsked stream = asked();
  stream.stream = true;
  EXPECT_NE(hash(R"({"model":"a","stream":true})", stream), hash(R"({"model":"a","stream":true,"stream_options":{"include_usage":true}})", stream));
}

TEST(CacheKey, AResponseRepeatsWhatItWasAskedWith) {
  CacheAsked responses = asked();
  responses.form = ClientForm::responses;
  EXPECT_NE(hash(R"({"model":"a","input":"b","metadata":{"x":"1"}})", responses), hash(R"({"model":"a","input":"b","metadata":{"x":"2"}})", responses));
  EXPECT_EQ(hash(R"({"model":"a","input":"b","stream":false})", responses), hash(R"({"model":"a","input":"b"})", responses));
}

TEST(CacheKey, OnlyTemperatureZeroIsDeterministic) {
  const auto deterministic = [](std::string_view body) { return cache_key(asked(), body).value().deterministic; };
  EXPECT_TRUE(deterministic(R"({"model":"a","temperature":0})"));
  EXPECT_TRUE(deterministic(R"({"model":"a","temperature": 0.0 })"));
  EXPECT_FALSE(deterministic(R"({"model":"a","temperature":0.01})"));
  EXPECT_FALSE(deterministic(R"({"model":"a","temperature":null})"));
  EXPECT_FALSE(deterministic(R"({"model":"a"})")) << "the default of every API is 1";
}

TEST(CacheKey, WhatCannotBeReadHasNone) {
  EXPECT_FALSE(cache_key(asked(), "[1]"));
  EXPECT_FALSE(cache_key(asked(), R"({"a":)"));
}

}  // namespace
}  // namespace tollgate
