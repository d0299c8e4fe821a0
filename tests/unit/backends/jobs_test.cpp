#include "backends/jobs.hpp"

#include <gtest/gtest.h>

#include "backends/job_dialect.hpp"

namespace tollgate {
namespace {

Job submitted(DialectName dialect, std::string path) { return Job{dialect, std::move(path), "", false}; }

TEST(Jobs, AReplicatePredictionIsAskedAboutUntilItHasEnded) {
  Job job = submitted(DialectName::replicate, "/v1/models/meta/llama/predictions");
  auto step = next_step(job, R"({"id":"p1x","status":"starting","urls":{"get":"https://elsewhere.example/v1/predictions/p1x"}})");
  ASSERT_TRUE(step);
  EXPECT_EQ(step.value().kind, JobStep::Kind::ask_again);
  EXPECT_EQ(step.value().path, "/v1/predictions/p1x") << "never where the answer points to: the key would go there";
  step = next_step(job, R"({"id":"p1x","status":"processing"})");
  ASSERT_TRUE(step);
  EXPECT_EQ(step.value().kind, JobStep::Kind::ask_again);
  EXPECT_FALSE(job.over);
  EXPECT_EQ(cancel_of(job).method, "POST");
  EXPECT_EQ(cancel_of(job).path, "/v1/predictions/p1x/cancel");
  step = next_step(job, R"({"id":"p1x","status":"succeeded","output":["a"]})");
  ASSERT_TRUE(step);
  EXPECT_EQ(step.value().kind, JobStep::Kind::done);
  EXPECT_TRUE(job.over);
}

TEST(Jobs, ARunpodJobIsAskedAboutAtItsEndpoint) {
  Job job = submitted(DialectName::runpod, "/abc123/runsync");
  const auto step = next_step(job, R"({"id":"sync-7","status":"IN_QUEUE","delayTime":30000})");
  ASSERT_TRUE(step);
  EXPECT_EQ(step.value().path, "/abc123/status/sync-7");
  EXPECT_EQ(cancel_of(job).path, "/abc123/cancel/sync-7");
}

TEST(Jobs, AFalJobIsAskedAboutWithoutItsSubpathAndFetched) {
  Job job = submitted(DialectName::fal, "/fal-ai/any-llm/enterprise");
  auto step = next_step(job, R"({"request_id":"r-9","status":"IN_QUEUE","response_url":"https://queue.fal.run/x"})");
  ASSERT_TRUE(step);
  EXPECT_EQ(step.value().path, "/fal-ai/any-llm/requests/r-9/status");
  step = next_step(job, R"({"status":"COMPLETED","request_id":"r-9"})");
  ASSERT_TRUE(step);
  EXPECT_EQ(step.value().kind, JobStep::Kind::fetch);
  EXPECT_EQ(step.value().path, "/fal-ai/any-llm/requests/r-9");
  EXPECT_EQ(fetched(job, R"({"output":"hi"})"), R"({"id":"r-9","output":{"output":"hi"}})");
  EXPECT_EQ(cancel_of(job).method, "PUT");
}

TEST(Jobs, AFailedJobIsAnErrorWithItsReason) {
  for (const auto& [dialect, body] : {std::pair{DialectName::replicate, R"({"id":"p","status":"failed","error":"CUDA out of memory"})"},
                                      std::pair{DialectName::runpod, R"({"id":"p","status":"FAILED","error":"CUDA out of memory"})"},
                                      std::pair{DialectName::fal, R"({"request_id":"p","status":"COMPLETED","error":"CUDA out of memory"})"}}) {
    Job job = submitted(dialect, "/a/b");
    const auto step = next_step(job, body);
    ASSERT_FALSE(step);
    EXPECT_EQ(step.error().fault, Fault::upstream_status);
    EXPECT_NE(step.error().message.find("CUDA out of memory"), std::string::npos);
    EXPECT_TRUE(job.over) << "there is nothing to cancel";
  }
}

TEST(Jobs, WhatIsNoJobIsGarbage) {
  for (const char* body : {"[]", "nonsense", "{}", R"({"id":"../../x","status":"starting"})", R"({"id":"p","status":"dancing"})", R"({"id":"p"})"}) {
    Job job = submitted(DialectName::replicate, "/v1/predictions");
    const auto step = next_step(job, body);
    ASSERT_FALSE(step) << body;
    EXPECT_EQ(step.error().fault, Fault::upstream_garbage);
  }
}

struct Written {
  std::string path, body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> dropped;
};

Result<Written> write(DialectName name, std::string upstream, std::string_view text, bool drop = false) {
  ClientBody client;
  client.text = text;
  Backend backend;
  backend.dialect = name;
  backend.drop_unsupported = drop;
  Target target;
  target.upstream = std::move(upstream);
  WireBody wire;
  TOLLGATE_TRY(JobDialect(name).write(client, backend, target, wire));
  return Written{wire.path, std::string(wire.pieces.front()), wire.headers, wire.dropped};
}

constexpr std::string_view question = R"({"model":"auto","stream":true,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}],"max_tokens":9,"stop":["a","b"]})";

TEST(JobDialect, ReplicateIsAskedWithAPromptAtTheModelsPath) {
  const auto written = write(DialectName::replicate, "meta/llama", question);
  ASSERT_TRUE(written);
  EXPECT_EQ(written.value().path, "/v1/models/meta/llama/predictions");
  EXPECT_EQ(written.value().body, R"({"input":{"prompt":"Why?","system_prompt":"Be brief.","max_tokens":9,"stop_sequences":"a,b"}})");
  EXPECT_EQ(written.value().headers.front().first, "prefer");
}

TEST(JobDialect, ReplicateVersionsAndDeploymentsHavePathsOfTheirOwn) {
  EXPECT_EQ(write(DialectName::replicate, "deployments/acme/chat", question).value().path, "/v1/deployments/acme/chat/predictions");
  const auto version = write(DialectName::replicate, "acme/chat:5c7d5dc6", question);
  EXPECT_EQ(version.value().path, "/v1/predictions");
  EXPECT_NE(version.value().body.find(R"("version":"5c7d5dc6")"), std::string::npos);
}

TEST(JobDialect, AConversationBecomesOnePromptWithItsRoles) {
  const auto written = write(DialectName::fal, "fal-ai/any-llm",
                             R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Why?"}]})");
  ASSERT_TRUE(written);
  EXPECT_EQ(written.value().path, "/fal-ai/any-llm");
  EXPECT_EQ(written.value().body, R"({"prompt":"User: Hi\n\nAssistant: Hello\n\nUser: Why?\n\nAssistant:"})");
}

TEST(JobDialect, RunpodsWorkerGetsTheClientsBodyWithoutItsStream) {
  const auto written = write(DialectName::runpod, "abc123/meta-llama/Llama-3.1-8B", question);
  ASSERT_TRUE(written);
  EXPECT_EQ(written.value().path, "/abc123/runsync");
  EXPECT_EQ(written.value().body.find(R"({"input":{"openai_route":"/v1/chat/completions","openai_input":{"model":"meta-llama/Llama-3.1-8B","stream":false,)"), 0U);
}

TEST(JobDialect, WhatAPromptCannotSayIsRefusedByNameOrDropped) {
  const std::string_view tools = R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"n":2})";
  const auto refused = write(DialectName::replicate, "a/b", tools);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::unsupported);
  const auto dropped = write(DialectName::replicate, "a/b", tools, true);
  ASSERT_TRUE(dropped);
  EXPECT_EQ(dropped.value().dropped, (std::vector<std::string>{"tools", "n"}));
}

std::string padded(std::string text) {
  text.reserve(text.size() + 64);
  return text;
}

TEST(JobDialect, AReplicateResultIsReadWithItsTokensWhereItTellsThem) {
  const std::string body = padded(R"({"id":"p","status":"succeeded","output":["Be","cause."],"metrics":{"predict_time":1.5,"input_token_count":7,"output_token_count":2}})");
  const auto answer = JobDialect(DialectName::replicate).read_answer(Surface::chat, body);
  ASSERT_TRUE(answer);
  EXPECT_NE(answer.value().owned.find("Because."), std::string::npos);
  EXPECT_EQ(answer.value().usage.output, TokenCount{2});
  EXPECT_EQ(answer.value().usage_source, UsageSource::exact);
  const auto untold = JobDialect(DialectName::replicate).read_answer(Surface::chat, padded(R"({"id":"p","output":"x","metrics":{"predict_time":1.5}})"));
  ASSERT_TRUE(untold);
  EXPECT_EQ(untold.value().usage_source, UsageSource::none) << "unknown, not zero";
}

TEST(JobDialect, ARunpodResultIsTheWorkersOwnAnswer) {
  const std::string body = padded(
      R"({"id":"s","status":"COMPLETED","executionTime":900,"output":[{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}]})");
  const auto answer = JobDialect(DialectName::runpod).read_answer(Surface::chat, body);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer.value().owned.find(R"({"id":"c")"), 0U);
  EXPECT_EQ(answer.value().usage.input, TokenCount{3});
}

TEST(JobDialect, AResultWithoutTextIsGarbage) {
  for (const DialectName name : {DialectName::replicate, DialectName::fal}) {
    const auto answer = JobDialect(name).read_answer(Surface::chat, padded(R"({"id":"p","output":{"images":[]}})"));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault, Fault::upstream_garbage);
  }
}

}  // namespace
}  // namespace tollgate
