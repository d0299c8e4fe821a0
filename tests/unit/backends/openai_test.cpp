#include "backends/openai.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

const std::string role = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9,\"completion_tokens\":0}}\n\n";
const std::string word = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":9,\"total_tokens\":10,\"completion_tokens\":1}}\n\n";
const std::string stop = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"total_tokens\":10,\"completion_tokens\":1}}\n\n";
const std::string last = "data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"total_tokens\":10,\"completion_tokens\":1}}\n\n";
const std::string done = "data: [DONE]\n\n";

struct Read {
  std::string text;
  Result<void> fed = success(), finished = success();
  std::unique_ptr<StreamReader> reader;
};

Read read_split(const ClientBody& client, const std::string& stream, std::size_t cut) {
  Read read;
  read.reader = dialect_of(DialectName::vllm).stream_reader(client);
  const auto take = [&](std::string_view bytes) {
    Pieces out;
    if (read.fed) read.fed = read.reader->feed(bytes, out);
    for (const std::string_view piece : out) read.text.append(piece);
  };
  take(std::string_view(stream).substr(0, cut));
  take(std::string_view(stream).substr(cut));
  Pieces out;
  read.finished = read.reader->finish(out);
  for (const std::string_view piece : out) read.text.append(piece);
  return read;
}

std::string without_usage(std::string event) {
  const std::size_t at = event.find(",\"usage\"");
  return event.erase(at, event.rfind("}\n\n") - at);
}

// Pitfall 4: no usage because the client did not ask for it.
TEST(OpenAiStream, UsageNobodyAskedForIsTakenOutAtEverySplit) {
  const std::string stream = role + word + stop + last + done;
  const std::string expected = without_usage(role) + without_usage(word) + without_usage(stop) + done;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const Read read = read_split(ClientBody{}, stream, cut);
    ASSERT_TRUE(read.fed && read.finished) << cut;
    EXPECT_EQ(read.text, expected) << cut;
    EXPECT_TRUE(read.reader->complete());
    EXPECT_EQ(read.reader->usage().first.output, TokenCount{1});
    EXPECT_EQ(read.reader->usage().second, UsageSource::exact);
  }
}

TEST(OpenAiStream, IncludeUsageGetsNullsAndTheLastChunk) {
  ClientBody client;
  client.include_usage = true;
  const Read read = read_split(client, role + word + stop + last + done, 20);
  EXPECT_EQ(read.text.find("\"usage\":{"), read.text.rfind("\"usage\":{"));
  EXPECT_NE(read.text.find("\"usage\":null"), std::string::npos);
  EXPECT_NE(read.text.find(last), std::string::npos);
}

TEST(OpenAiStream, ContinuousUsageIsPassedThroughInOnePiece) {
  ClientBody client;
  client.include_usage = client.continuous_usage = true;
  const std::string stream = role + word + stop + last + done;
  const auto reader = dialect_of(DialectName::vllm).stream_reader(client);
  Pieces out;
  ASSERT_TRUE(reader->feed(stream, out));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out.front().data(), stream.data());
  EXPECT_EQ(out.front(), stream);
}

TEST(OpenAiStream, CostIsPutIntoTheLastUsageAndHeldUntilKnown) {
  ClientBody client;
  client.wants_cost = true;
  Read read = read_split(client, role + word + stop + last + done, 7);
  EXPECT_TRUE(read.reader->holding());
  EXPECT_EQ(read.text.find("[DONE]"), std::string::npos);
  Pieces out;
  read.reader->release("0.0001", out);
  std::string tail;
  for (const std::string_view piece : out) tail.append(piece);
  EXPECT_EQ(tail, last.substr(0, last.size() - 4) + ",\"cost\":0.0001}}\n\n" + done);
}

TEST(OpenAiStream, AnEndWithoutDoneCountsOnlyAfterAFinishReason) {
  EXPECT_TRUE(read_split(ClientBody{}, role + word + stop, 3).finished);
  const Read broken = read_split(ClientBody{}, role + word, 3);
  ASSERT_FALSE(broken.finished);
  EXPECT_EQ(broken.finished.error().fault, Fault::upstream_broke_off);
  EXPECT_EQ(broken.reader->usage().second, UsageSource::continuous);
}

TEST(OpenAiStream, ErrorsInTheMiddleArePassedOnWithTheCodeAsText) {
  const Read read = read_split(ClientBody{}, role + "data: {\"error\":{\"message\":\"boom\",\"type\":\"X\",\"code\":500}}\n\n", 5);
  ASSERT_FALSE(read.fed);
  EXPECT_EQ(read.fed.error().fault, Fault::upstream_status);
  const std::size_t at = read.text.find("{\"error\"");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(read.text.substr(at, read.text.rfind("\n\n") - at))["error"]["code"], "500");
}

TEST(OpenAiStream, ContentIsSeenAndCounted) {
  const auto reader = dialect_of(DialectName::openai).stream_reader(ClientBody{});
  Pieces out;
  ASSERT_TRUE(reader->feed(role, out));
  EXPECT_FALSE(reader->content_seen());
  ASSERT_TRUE(reader->feed(word, out));
  EXPECT_TRUE(reader->content_seen());
  EXPECT_EQ(reader->content_bytes(), 2U);
  EXPECT_LT(reader->memory_bytes(), 700U);
}

// What an upstream of the OpenAI dialect sends, whole, as the client gets it.
Read read_openai(const ClientBody& client, const std::string& stream) {
  Read read;
  read.reader = dialect_of(DialectName::openai).stream_reader(client);
  Pieces out;
  read.fed = read.reader->feed(stream, out);
  for (const std::string_view piece : out) read.text.append(piece);
  return read;
}

std::string released(StreamReader& reader, std::string_view cost) {
  Pieces out;
  reader.release(cost, out);
  std::string text;
  for (const std::string_view piece : out) text.append(piece);
  return text;
}

TEST(OpenAiStream, AFirstMemberUsageIsTakenOutWithTheCommaBehindIt) {
  const std::string rest = "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
  EXPECT_EQ(read_openai(ClientBody{}, "data: {\"usage\":null , " + rest).text, "data: { " + rest);
  EXPECT_EQ(read_openai(ClientBody{}, "data: {\"usage\":null}\n\n").text, "data: {}\n\n");
}

// Mistral, DeepSeek and others: no chunk for usage alone.
const std::string ending = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n";

TEST(OpenAiStream, UsageOnTheEndingChunkIsExactAndReachesWhoAskedForIt) {
  ClientBody client;
  EXPECT_EQ(read_openai(client, ending + done).text, without_usage(ending) + done);
  EXPECT_EQ(read_openai(client, ending + done).reader->usage().second, UsageSource::exact);
  client.include_usage = true;
  EXPECT_EQ(read_openai(client, ending + done).text, ending + done);
  client.wants_cost = true;
  const Read read = read_openai(client, ending + done);
  EXPECT_EQ(read.text, "");
  EXPECT_EQ(released(*read.reader, "0.5"), ending.substr(0, ending.size() - 4) + ",\"cost\":0.5}}\n\n" + done);
}

TEST(OpenAiStream, RunningCountsOfAnEngineAreNotTakenForTheEnd) {
  EXPECT_EQ(read_split(ClientBody{}, role + word + stop, 0).reader->usage().second, UsageSource::continuous);
}

TEST(OpenAiStream, ACostInAnEmptyUsageObjectIsStillJson) {
  ClientBody client;
  client.wants_cost = true;
  const Read read = read_openai(client, "data: {\"choices\":[],\"usage\":{ }}\n\n" + done);
  EXPECT_EQ(released(*read.reader, "null"), "data: {\"choices\":[],\"usage\":{ \"cost\":null}}\n\n" + done);
}

TEST(OpenAiStream, BlanksBetweenTokensChangeNothing) {
  const std::string stream =
      "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"hello\"}, \"finish_reason\" : \"stop\"}]}\n\n"
      "data: {\"choices\" : [ ], \"usage\" : {\"prompt_tokens\": 5, \"completion_tokens\": 1}}\n\n";
  const Read read = read_split(ClientBody{}, stream, 11);
  EXPECT_TRUE(read.finished);
  EXPECT_EQ(read.text, stream.substr(0, stream.find("\n\n") + 2)) << "the usage chunk is nobody's";
  EXPECT_EQ(read.reader->content_bytes(), 5U);
  EXPECT_EQ(read.reader->usage().second, UsageSource::exact);
}

TEST(OpenAiStream, UsageIsFoundInEventsOfSeveralLinesToo) {
  const std::string stream = "data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":5,\ndata: \"completion_tokens\":1}}\n\n" + done;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const Read read = read_split(ClientBody{}, stream, cut);
    EXPECT_EQ(read.text, done) << cut;
    EXPECT_EQ(read.reader->usage().second, UsageSource::exact) << cut;
  }
}

TEST(OpenAiStream, OnlyAnErrorThatIsOneEndsTheStream) {
  const std::string harmless = "data: {\"object\":\"ping\",\"error\":null}\n\n" + word + done;
  EXPECT_TRUE(read_split(ClientBody{}, harmless, 4).fed);
  const Read read = read_split(ClientBody{}, "data: {\"error\":{\"code\":502,\"message\":\"lost\"},\"choices\":[{\"index\":0,\"finish_reason\":\"error\"}]}\n\n", 9);
  ASSERT_FALSE(read.fed);
  EXPECT_EQ(read.fed.error().fault, Fault::upstream_status);
}

TEST(OpenAiStream, EveryFormIsTheSameAtEverySplit) {
  const std::string transcripts[] = {role + word + stop + last + done, ": ping\r\n\r\n" + word + ending + done, "data: {\"usage\":null,\"choices\":[]}\n\n" + word + last};
  for (const std::string& stream : transcripts) {
    for (unsigned wish = 0; wish < 8; ++wish) {
      ClientBody client;
      client.include_usage = (wish & 1U) != 0;
      client.continuous_usage = client.include_usage && (wish & 2U) != 0;
      client.wants_cost = (wish & 4U) != 0;
      Read whole = read_split(client, stream, 0);
      const std::string expected = whole.text + released(*whole.reader, "1");
      for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
        Read read = read_split(client, stream, cut);
        EXPECT_EQ(read.text + released(*read.reader, "1"), expected) << cut << " wish " << wish;
        EXPECT_EQ(read.reader->usage(), whole.reader->usage()) << cut;
      }
    }
  }
}

// vLLM gives its timings on the chunk that has the usage.
TEST(OpenAiStream, TimingsThatTheClientDidNotAskForAreReadAndTakenOutAtEverySplit) {
  std::string timed = last;
  timed.insert(timed.size() - 3, R"(,"metrics":{"time_to_first_token_ms":12.5,"generation_time_ms":300,"queue_time_ms":0,"mean_itl_ms":null})");
  const std::string stream = role + word + stop + timed + done;
  ClientBody client;
  client.include_usage = client.continuous_usage = client.ask_metrics = true;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const Read read = read_split(client, stream, cut);
    ASSERT_TRUE(read.fed && read.finished) << cut;
    ASSERT_EQ(read.text, role + word + stop + last + done) << cut;
    EXPECT_EQ(read.reader->timings().first_token, std::chrono::microseconds(12'500));
    EXPECT_EQ(read.reader->timings().generation, std::chrono::milliseconds(300));
    EXPECT_EQ(read.reader->timings().queue, std::chrono::microseconds(0));
  }
  client.include_metrics = true;
  EXPECT_EQ(read_split(client, stream, 9).text, stream);
  EXPECT_TRUE(read_split(client, stream, 9).reader->timings().known());
}

Result<Answer> answer_of(std::string body) {
  body.reserve(body.size() + 64);
  return dialect_of(DialectName::openai).read_answer(Surface::chat, body);
}

TEST(OpenAiAnswer, TellsUsageAndWhereCostBelongs) {
  const std::string body = R"({"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":3,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":1}} ,"x":{"usage":{"prompt_tokens":9}}})";
  const Result<Answer> answer = answer_of(body);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer.value().usage.output, TokenCount{2});
  EXPECT_EQ(answer.value().usage_source, UsageSource::exact);
  std::string with = body;
  with.insert(answer.value().usage_close, ",\"cost\":1");
  EXPECT_EQ(nlohmann::json::parse(with)["usage"]["cost"], 1);
  EXPECT_GE(answer.value().content_bytes, 5U);
}

TEST(OpenAiAnswer, TellsTheEnginesTimingsAndWhereTheyStand) {
  const std::string body = R"({"metrics":{"time_to_first_token_ms":7,"x":"}"},"choices":[{"message":{"content":"the \"metrics\": 1"}}]})";
  const Result<Answer> answer = answer_of(body);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer.value().timings.first_token, std::chrono::milliseconds(7));
  EXPECT_FALSE(answer.value().timings.generation);
  std::string without = body;
  without.erase(answer.value().metrics_begin, answer.value().metrics_end - answer.value().metrics_begin);
  EXPECT_EQ(without, R"({"choices":[{"message":{"content":"the \"metrics\": 1"}}]})");
  const Result<Answer> plain = answer_of(R"({"choices":[{"message":{"metrics":{"queue_time_ms":1}}}],"metrics":null})");
  EXPECT_FALSE(plain.value().timings.known());
}

TEST(OpenAiAnswer, WithoutUsageNothingIsInvented) {
  EXPECT_EQ(answer_of(R"({"choices":[]})").value().usage_source, UsageSource::none);
  EXPECT_EQ(answer_of(R"({"choices":[],"usage":null})").value().usage_source, UsageSource::none);
}

TEST(OpenAiAnswer, GarbageAndErrorsWithStatus200AreFaults) {
  EXPECT_EQ(answer_of("<html>").error().fault, Fault::upstream_garbage);
  EXPECT_EQ(answer_of(R"({"error":{"message":"no"}})").error().fault, Fault::upstream_status);
}

TEST(OpenAiAnswer, ATruncatedOrDoubledAnswerIsGarbage) {
  EXPECT_EQ(answer_of(R"({"choices":[{"message":{"content":"h"}})").error().fault, Fault::upstream_garbage);
  EXPECT_EQ(answer_of(R"({"choices":[]} {"b":2})").error().fault, Fault::upstream_garbage);
  EXPECT_TRUE(answer_of("{\"choices\":[]} \n"));
}

TEST(OpenAiAnswer, ToolCallsAreAnswerTextAndNullIsNone) {
  const Result<Answer> answer = answer_of(R"({"choices":[{"message":{"content":null,"tool_calls":[{"function":{"arguments":"{}"}}]}},{"text":"abc"}]})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer.value().content_bytes, std::string_view(R"({"function":{"arguments":"{}"}})").size() + 3);
}

TEST(OpenAiAnswer, UnknownOutputIsNotNoOutput) {
  EXPECT_EQ(answer_of(R"({"choices":[],"usage":{"prompt_tokens":3}})").value().usage_source, UsageSource::none);
  EXPECT_EQ(answer_of(R"({"choices":[],"usage":{}})").value().usage_close, 0U);
  std::string body = R"({"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}})";
  body.reserve(body.size() + 64);
  EXPECT_EQ(dialect_of(DialectName::openai).read_answer(Surface::embeddings, body).value().usage_source, UsageSource::exact);
}

// The dated API's paths name the deployment, except those of what is kept (files, batches); the v1 API's are OpenAI's below /openai.
TEST(AzureOpenAi, PassedPathsNameTheDeploymentInTheDatedApiOnly) {
  const Dialect& dialect = dialect_of(DialectName::azure_openai);
  Backend dated, v1;
  dated.api_version = "2024-10-21";
  Target target;
  target.upstream = "my pictures";
  const auto path = [&](const Backend& backend, Surface surface, std::string_view asked) { return dialect.passed_path(surface, asked, backend, target).value(); };
  EXPECT_EQ(path(dated, Surface::images, "/v1/images/generations"), "/openai/deployments/my%20pictures/images/generations?api-version=2024-10-21");
  EXPECT_EQ(path(dated, Surface::transcriptions, "/v1/audio/translations"), "/openai/deployments/my%20pictures/audio/translations?api-version=2024-10-21");
  EXPECT_EQ(path(dated, Surface::files, "/v1/files?purpose=batch"), "/openai/files?purpose=batch&api-version=2024-10-21");
  EXPECT_EQ(path(dated, Surface::batches, "/v1/batches/b-1/cancel"), "/openai/batches/b-1/cancel?api-version=2024-10-21");
  EXPECT_EQ(path(v1, Surface::images, "/v1/images/edits"), "/openai/v1/images/edits");
  EXPECT_EQ(path(v1, Surface::files, "/v1/files/f-1/content"), "/openai/v1/files/f-1/content");
}

TEST(AzureOpenAi, WhatAzureDoesNotServeIsRefusedBeforeItIsSent) {
  const Dialect& dialect = dialect_of(DialectName::azure_openai);
  const Target target{};
  for (const auto& [surface, path] : {std::pair{Surface::moderations, "/v1/moderations"}, std::pair{Surface::images, "/v1/images/variations"}}) {
    const Result<std::string> passed = dialect.passed_path(surface, path, Backend(), target);
    ASSERT_FALSE(passed) << path;
    EXPECT_EQ(passed.error().fault, Fault::unsupported);
    EXPECT_NE(passed.error().message.find(path), std::string::npos);
  }
}

TEST(OpenAiError, ARefusalOfTheRequestDoesNotSpeakAgainstTheTarget) {
  const Dialect& dialect = dialect_of(DialectName::openai);
  for (const int status : {400, 404, 405, 413, 415, 422, 451}) EXPECT_EQ(dialect.read_error(status, "{}").fault, Fault::upstream_refused) << status;
  for (const int status : {401, 402, 403}) EXPECT_EQ(dialect.read_error(status, "{}").fault, Fault::upstream_credentials) << status;
  EXPECT_EQ(dialect.read_error(301, "{}").fault, Fault::upstream_garbage);
  EXPECT_EQ(dialect.read_error(422, R"({"detail":[{"loc":["body","n"],"msg":"bad n"}]})").message, "bad n");
  EXPECT_EQ(dialect.read_error(404, R"({"detail":"Not Found"})").code, "upstream_model_not_found");
}

TEST(OpenAiError, StatusesBecomeFaultsAndKeysAreNeverRepeated) {
  const Dialect& dialect = dialect_of(DialectName::openai);
  const Error refused = dialect.read_error(400, R"({"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})");
  EXPECT_EQ(refused.fault, Fault::upstream_refused);
  EXPECT_EQ(refused.http_status, 400);
  EXPECT_EQ(refused.code, "context_length_exceeded");
  EXPECT_EQ(refused.param, "messages");
  const Error credentials = dialect.read_error(401, R"({"error":{"message":"Incorrect API key provided: sk-secret"}})");
  EXPECT_EQ(credentials.fault, Fault::upstream_credentials);
  EXPECT_EQ(credentials.message.find("sk-secret"), std::string::npos);
  EXPECT_EQ(dialect.read_error(429, "{}").http_status, 429);
  EXPECT_EQ(dialect.read_error(529, "{}").http_status, 503);
  EXPECT_EQ(dialect.read_error(422, "<html><b>Oh  no</b></html>").message, "Oh no");
  EXPECT_EQ(dialect.read_error(502, "<html>proxy-7.internal is down</html>").message, "the upstream answered with status 502");
  EXPECT_EQ(dialect.read_error(500, "").fault, Fault::upstream_status);
}

}  // namespace
}  // namespace tollgate
