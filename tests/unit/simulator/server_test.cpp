// The server over real loopback sockets: streams, aborts, faults, and that its counters say what was answered.

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "backends/simulator/simulator.hpp"
#include "unit/simulator/client.hpp"

namespace tollgate::simulator {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

class Server : public ::testing::Test {
 protected:
  Server() { options.time_scale = 20; }
  void start() {
    simulator = std::make_unique<Simulator>(options);
    simulator->start();
  }
  static Json chat(const std::string& text, bool stream = false) {
    return {{"model", "simulated-model"},
            {"stream", stream},
            {"messages", Json::array({{{"role", "user"}, {"content", text}}})}};
  }
  static Json with_usage(Json body, bool continuous = false) {
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    if (continuous) body["stream_options"]["continuous_usage_stats"] = true;
    return body;
  }
  Client client() {
    if (!simulator) start();
    return Client(simulator->port());
  }
  Reply get(const std::string& path) {
    Client one = client();
    one.get(path);
    return one.read_whole();
  }
  Reply post(const Json& body, const std::string& headers = "", const std::string& path = "/v1/chat/completions") {
    Client one = client();
    one.post(path, body, headers);
    return one.read_whole();
  }
  /// The value of a series, whatever its labels but for `more`.
  double metric(const std::string& name, const std::string& more = "") {
    const std::string text = get("/metrics").body;
    const std::size_t at = text.find("\n" + name + "{engine=\"0\",model_name=\"simulated-model\"" + more + "} ");
    EXPECT_NE(at, std::string::npos) << name;
    return std::stod(text.substr(text.find("} ", at) + 2));
  }
  Json truth(const std::string& id) { return get("/sim/requests?id=" + id).json(); }
  /// Asks until it holds, at most 5 s.
  template <class Holds>
  static bool eventually(Holds holds) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (std::chrono::steady_clock::now() < deadline) {
      if (holds()) return true;
      std::this_thread::sleep_for(2ms);
    }
    return false;
  }
  Options options;
  std::unique_ptr<Simulator> simulator;
};

TEST_F(Server, AnswersWholeAndCountsWhatItAnswered) {
  const Reply reply = post(chat("Hello [[sim-tokens: 30]]"));
  EXPECT_EQ(reply.status, 200);
  const Json usage = reply.json()["usage"];
  EXPECT_EQ(usage["completion_tokens"], 30);
  EXPECT_EQ(metric("vllm:generation_tokens_total"), 30);
  EXPECT_EQ(metric("vllm:prompt_tokens_total"), usage["prompt_tokens"].get<double>());
  EXPECT_EQ(metric("vllm:request_success_total", ",finished_reason=\"stop\""), 1);
  const Json record = truth(reply.header("x-request-id"));
  EXPECT_EQ(record["generated_tokens"], 30);
  EXPECT_EQ(record["finish_reason"], "stop");
  EXPECT_NEAR(record["gpu_seconds"].get<double>(), metric("sim:busy_seconds_total"), 1e-6);
}

TEST_F(Server, AStreamHasOneEventForEachTokenAndIsTheSameText) {
  const std::string whole = post(chat("Hello")).json()["choices"][0]["message"]["content"];
  Client one = client();
  one.post("/v1/chat/completions", with_usage(chat("Hello")));
  EXPECT_EQ(one.read_head().header("content-type"), "text/event-stream; charset=utf-8");
  std::string text, event;
  std::vector<Json> chunks;
  while ((event = one.next_event()) != "[DONE]") {
    ASSERT_FALSE(event.empty());
    chunks.push_back(Json::parse(event));
  }
  EXPECT_EQ(one.next_event(), "");
  EXPECT_TRUE(one.stream_complete());
  const Json usage = chunks.back()["usage"];
  EXPECT_TRUE(chunks.back()["choices"].empty());
  EXPECT_EQ(chunks.size(), usage["completion_tokens"].get<std::size_t>() + 3) << "role, tokens, finish, usage";
  EXPECT_EQ(chunks.front()["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(chunks[chunks.size() - 2]["choices"][0]["finish_reason"], "stop");
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
    EXPECT_FALSE(chunks[i].contains("usage")) << "vLLM leaves it out";
    text += chunks[i]["choices"][0]["delta"].value("content", "");
  }
  EXPECT_EQ(text, whole);
}

TEST_F(Server, ContinuousUsageCountsUpWithEachToken) {
  Client one = client();
  one.post("/v1/chat/completions", with_usage(chat("Hello [[sim-tokens: 5]]"), true));
  (void)one.read_head();
  std::vector<int> counts;
  for (std::string event = one.next_event(); event != "[DONE]"; event = one.next_event())
    counts.push_back(Json::parse(event)["usage"]["completion_tokens"]);
  EXPECT_EQ(counts, (std::vector<int>{0, 1, 2, 3, 4, 5, 5, 5}));
}

TEST_F(Server, TheManagedApiSendsNullUsageAndItsHeaders) {
  options.engine.personality = DialectName::openai;
  Client one = client();
  one.post("/v1/chat/completions", with_usage(chat("Hello [[sim-tokens: 3]]")));
  const Reply head = one.read_head();
  EXPECT_EQ(head.header("x-request-id").substr(0, 4), "req_");
  EXPECT_FALSE(head.header("openai-processing-ms").empty());
  EXPECT_FALSE(head.header("x-ratelimit-remaining-tokens").empty());
  EXPECT_EQ(head.header("x-simulated"), "true");
  const Json first = Json::parse(one.next_event());
  EXPECT_TRUE(first.contains("usage") && first["usage"].is_null());
  EXPECT_EQ(first["service_tier"], "default");
  EXPECT_EQ(get("/metrics").status, 404);
}

TEST_F(Server, ALeavingClientStopsGenerationWithinATenthOfASecond) {
  options.time_scale = 1;
  double fastest = 1;
  for (int attempt = 1; attempt <= 5 && fastest >= 0.1; ++attempt) {  // a busy machine may be late, but not always
    Client one = client();
    one.post("/v1/chat/completions", with_usage(chat("Hello [[sim-tokens: 2000]]"), true));
    const std::string id = one.read_head().header("x-request-id");
    int seen = 0;
    for (int i = 0; i < 6; ++i) seen = Json::parse(one.next_event())["usage"]["completion_tokens"];
    const double left = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    one.close();
    ASSERT_TRUE(eventually([&] { return !truth(id)["aborted_at"].is_null(); }));
    const Json record = truth(id);
    const double aborted = record["aborted_at"], started = record["started_at"], generated = record["generated_tokens"];
    fastest = std::min(fastest, aborted - left);
    EXPECT_GE(generated, seen);
    EXPECT_LE(generated, 60 * (aborted - started) + 2) << "not one token after the abort";
    EXPECT_EQ(record["finish_reason"], "abort");
    EXPECT_EQ(metric("vllm:request_success_total", ",finished_reason=\"abort\""), attempt);
    if (attempt == 1) {
      EXPECT_EQ(metric("vllm:generation_tokens_total"), generated);
    }
  }
  EXPECT_LT(fastest, 0.1);
  EXPECT_EQ(metric("vllm:num_requests_running"), 0);
}

TEST_F(Server, ALeavingClientStopsAWholeAnswerToo) {
  options.time_scale = 1;
  options.engine.slots = 1;
  Client one = client(), queued = client();
  one.post("/v1/chat/completions", chat("Hello [[sim-tokens: 2000]]"), "x-request-id: first\r\n");
  queued.post("/v1/chat/completions", chat("Hello [[sim-tokens: 2000]]"), "x-request-id: second\r\n");
  ASSERT_TRUE(eventually([&] { return metric("vllm:num_requests_waiting") == 1; }));
  queued.close();
  ASSERT_TRUE(eventually([&] { return truth("second")["finish_reason"] == "abort"; }));
  EXPECT_EQ(truth("second")["prompt_processed"], false);
  EXPECT_EQ(truth("second")["gpu_seconds"], 0);
  one.close();
  ASSERT_TRUE(eventually([&] { return truth("first")["finish_reason"] == "abort"; }));
  EXPECT_GT(truth("first")["gpu_seconds"].get<double>(), 0);
}

TEST_F(Server, SeveralChoicesAreSeveralSequencesOfOnePrompt) {
  Json body = chat("Hello");
  body["n"] = 3;
  body["max_tokens"] = 5;
  const Json json = post(body).json();
  EXPECT_EQ(json["choices"].size(), 3U);
  EXPECT_EQ(json["usage"]["completion_tokens"], 15);
  EXPECT_EQ(metric("vllm:prompt_tokens_total"), json["usage"]["prompt_tokens"].get<double>());
  EXPECT_EQ(metric("vllm:request_success_total", ",finished_reason=\"length\""), 3);
}

TEST_F(Server, ASystemPromptSeenBeforeIsReportedAsCached) {
  Json body = chat("Hello [[sim-tokens: 2]]");
  const Json system{{"role", "system"}, {"content", std::string(600, 'x') + " end"}};
  body["messages"] = Json::array({system, body["messages"][0]});
  EXPECT_TRUE(post(body).json()["usage"]["prompt_tokens_details"].is_null());
  EXPECT_EQ(post(body).json()["usage"]["prompt_tokens_details"]["cached_tokens"].get<int>(), 96)
      << "105 tokens, in blocks of 16";
  EXPECT_EQ(metric("vllm:prompt_tokens_cached_total"), 96);
}

TEST_F(Server, ServesCompletionsAndEmbeddings) {
  const Json completion = post({{"model", "simulated-model"}, {"prompt", Json::array({"a", "b"})}, {"max_tokens", 4}},
                               "", "/v1/completions")
                              .json();
  EXPECT_EQ(completion["object"], "text_completion");
  EXPECT_EQ(completion["choices"].size(), 2U);
  EXPECT_EQ(completion["usage"]["completion_tokens"], 8);
  const Json ask{{"model", "simulated-model"}, {"input", "hello"}, {"dimensions", 2}, {"encoding_format", "base64"}};
  const Json embedding = post(ask, "", "/v1/embeddings").json();
  EXPECT_EQ(embedding["data"][0]["embedding"].get<std::string>().size(), 12U) << "eight bytes";
  EXPECT_EQ(embedding["usage"]["prompt_tokens"], 1);
}

std::vector<Json> events_in(const std::string& body) {
  std::vector<Json> events;
  constexpr std::string_view mark = "\ndata: ";
  for (std::size_t at = body.find(mark); at != std::string::npos; at = body.find(mark, at + 1)) {
    const std::size_t begin = at + mark.size();
    events.push_back(Json::parse(body.substr(begin, body.find('\n', begin) - begin)));
  }
  return events;
}

TEST_F(Server, ServesResponsesWholeAndInEventsOfTheSameTextAndCounts) {
  options.engine.personality = DialectName::openai;
  const Json asked{{"model", "simulated-model"}, {"input", "Hello [[sim-tokens: 5]]"}};
  const Json whole = post(asked, "", "/v1/responses").json();
  EXPECT_EQ(whole["object"], "response");
  EXPECT_EQ(whole["status"], "completed");
  EXPECT_EQ(whole["usage"]["output_tokens"], 5);
  const std::string text = whole["output"][0]["content"][0]["text"];
  Json streamed = asked;
  streamed["stream"] = true;
  std::string said, last;
  std::int64_t number = 0;
  for (const Json& event : events_in(post(streamed, "", "/v1/responses").body)) {
    EXPECT_EQ(event["sequence_number"], number++);
    last = event["type"];
    if (last == "response.output_text.delta") said += event["delta"].get<std::string>();
    if (last == "response.completed") {
      EXPECT_EQ(event["response"]["usage"], whole["usage"]);
    }
  }
  EXPECT_EQ(last, "response.completed");
  EXPECT_EQ(said, text);
}

TEST_F(Server, ResponsesCallTheFunctionThatIsSpokenOfAndKnowWhatTheyWereTold) {
  options.engine.personality = DialectName::openai;
  Json asked{{"model", "simulated-model"},
             {"input", "Use look_up now"},
             {"tools", {{{"type", "function"}, {"name", "look_up"}, {"parameters", {{"type", "object"}}}}, {{"type", "web_search"}}}}};
  const Json call = post(asked, "", "/v1/responses").json()["output"][0];
  EXPECT_EQ(call["type"], "function_call");
  EXPECT_EQ(call["name"], "look_up");
  asked["input"] = {{{"role", "user"}, {"content", "Use look_up now"}}, call};
  EXPECT_NE(post(asked, "", "/v1/responses").body.find("No tool output found"), std::string::npos);
  asked["input"].push_back({{"type", "function_call_output"}, {"call_id", call["call_id"]}, {"output", "42"}});
  EXPECT_EQ(post(asked, "", "/v1/responses").json()["output"][0]["type"], "message");
  asked["frobnicate"] = true;
  const Json refused = post(asked, "", "/v1/responses").json();
  EXPECT_EQ(refused["error"]["message"], "Unknown parameter: 'frobnicate'.");
}

TEST_F(Server, CountsTokensAsItsAnswersCountThem) {
  options.engine.personality = DialectName::anthropic;
  const Json asked{{"model", "simulated-model"}, {"system", "Be brief."}, {"messages", {{{"role", "user"}, {"content", "Hello there"}}}}};
  const Json counted = post(asked, "", "/v1/messages/count_tokens").json();
  Json message = asked;
  message["max_tokens"] = 5;
  EXPECT_EQ(counted["input_tokens"], post(message, "", "/v1/messages").json()["usage"]["input_tokens"]);
  EXPECT_NE(post(message, "", "/v1/messages/count_tokens").body.find("max_tokens: Extra inputs"), std::string::npos);
}

TEST_F(Server, MembersOfABetaAreKnownWithItsHeaderOnly) {
  options.engine.personality = DialectName::anthropic;
  const Json asked{{"model", "simulated-model"},
                   {"max_tokens", 5},
                   {"context_management", {{"edits", Json::array()}}},
                   {"messages", {{{"role", "user"}, {"content", "Hello"}}, {{"role", "system"}, {"content", "Be brief."}}}}};
  EXPECT_EQ(post(asked, "", "/v1/messages").status, 400);
  EXPECT_EQ(post(asked, "anthropic-beta: context-management-2025-06-27,mid-conversation-system-2026-04-07\r\n", "/v1/messages").status, 200);
  EXPECT_EQ(post(asked, "anthropic-beta: context-management-2025-06-27\r\n", "/v1/messages").status, 400);
}

TEST_F(Server, PagesAndErrorsHaveTheEnginesShape) {
  EXPECT_EQ(get("/health").status, 200);
  const Json model = get("/v1/models").json()["data"][0];
  EXPECT_EQ(model["id"], "simulated-model");
  EXPECT_EQ(model["max_model_len"], 131072);
  EXPECT_EQ(get("/v1/models/nope").status, 404);
  EXPECT_EQ(get("/nope").json()["error"]["code"], 404);
  EXPECT_EQ(get("/v1/chat/completions").status, 405);
  EXPECT_EQ(post("{").json()["error"]["type"], "BadRequestError");
  Json unknown = chat("x");
  unknown["model"] = "unknown";
  EXPECT_EQ(post(unknown).status, 404);
  Json huge = chat("x");
  huge["max_tokens"] = 200'000;
  EXPECT_EQ(post(huge).status, 400);
  EXPECT_EQ(get("/sim/requests?id=nope").status, 404);
}

TEST_F(Server, AKeyIsDemandedWhereOneIsSet) {
  options.api_key = "secret";
  EXPECT_EQ(get("/v1/models").status, 401);
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_EQ(post(chat("[[sim-tokens: 2]]"), "authorization: Bearer wrong1\r\n").status, 401);
  EXPECT_EQ(post(chat("[[sim-tokens: 2]]"), "authorization: Bearer secret\r\n").status, 200);
}

TEST_F(Server, AConnectionServesManyRequestsAlsoPipelined) {
  Client one = client();
  for (int i = 0; i < 3; ++i) one.post("/v1/chat/completions", chat("[[sim-echo: answer " + std::to_string(i) + "]]"));
  one.get("/health");
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(one.read_whole().json()["choices"][0]["message"]["content"], "answer " + std::to_string(i));
  EXPECT_EQ(one.read_whole().status, 200);
}

TEST_F(Server, ReadingAheadIsBoundedAndNothingIsLost) {
  options.engine.prefill_tokens_per_second = 10'000'000;
  Client one = client();
  one.post("/v1/chat/completions", chat("[[sim-tokens: 10]]"));
  std::thread sender([&one] {
    for (int i = 0; i < 20; ++i)
      one.post("/v1/chat/completions", chat(std::string(100'000, 'x') + "[[sim-tokens: 1]]"));
  });
  for (int i = 0; i < 21; ++i) EXPECT_EQ(one.read_whole().status, 200);
  sender.join();
}

TEST_F(Server, AHeadRequestHasNoBody) {
  Client one = client();
  one.send("HEAD /v1/models HTTP/1.1\r\nhost: x\r\n\r\n");
  EXPECT_EQ(one.read_head().status, 200);
  one.get("/health");
  EXPECT_EQ(one.read_whole().status, 200) << "the next answer begins where the head ended";
}

TEST_F(Server, WhatIsNotHttpIsRefusedAndOthersGoOn) {
  Client one = client();
  one.send("complete nonsense\r\n\r\n");
  EXPECT_EQ(one.read_whole().status, 400);
  EXPECT_TRUE(one.closed_by_server());
  EXPECT_EQ(get("/health").status, 200);
}

TEST_F(Server, ChunkedRequestBodiesAndExpectContinueWork) {
  Client one = client();
  const std::string body = chat("[[sim-echo: hi]]").dump();
  one.send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n");
  EXPECT_EQ(one.read_head().status, 100);
  one.send("5\r\n" + body.substr(0, 5) + "\r\n");
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", body.size() - 5);
  one.send(size + body.substr(5) + "\r\n0\r\n\r\n");
  EXPECT_EQ(one.read_whole().json()["choices"][0]["message"]["content"], "hi");
}

TEST_F(Server, FaultsOfStatusComeWithRetryAfter) {
  const Reply reply = post(chat("x"), "x-sim-fault: status=429,retry-after=7\r\n");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.header("retry-after"), "7");
  EXPECT_EQ(post(chat("[[sim-fault: status=503]]")).status, 503) << "through the prompt as well";
  EXPECT_EQ(post(chat("x"), "x-sim-fault: nonsense\r\n").status, 400);
  EXPECT_EQ(metric("vllm:generation_tokens_total"), 0);
}

TEST_F(Server, FaultsBreakAnAnswerOff) {
  const auto events_until_end = [this](const std::string& fault, bool& complete, bool& reset) {
    Client one = client();
    one.post("/v1/chat/completions", chat("[[sim-tokens: 30]] [[sim-fault: " + fault + "]]", true));
    (void)one.read_head();
    int events = 0;
    while (!one.next_event().empty()) ++events;
    complete = one.stream_complete();
    reset = one.was_reset();
    return events;
  };
  bool complete = false, reset = false;
  EXPECT_EQ(events_until_end("cut=5", complete, reset), 5);
  EXPECT_FALSE(complete || reset);
  EXPECT_LE(events_until_end("reset=5", complete, reset), 5);
  EXPECT_TRUE(reset);
  EXPECT_EQ(events_until_end("error-event=2", complete, reset), 3);
  EXPECT_TRUE(complete);
  (void)events_until_end("cut-bytes=300", complete, reset);
  EXPECT_FALSE(complete);
  EXPECT_EQ(post(chat("x"), "x-sim-fault: reset\r\n").status, 0);
  const Reply half = post(chat("x"), "x-sim-fault: cut=0\r\n");
  EXPECT_LT(half.body.size(), std::stoul(half.header("content-length")));
  EXPECT_TRUE(eventually([&] { return metric("vllm:num_requests_running") == 0; }))
      << "what was broken off is not generated";
}

TEST_F(Server, FaultsOfSilenceLastUntilTheClientLeaves) {
  for (const char* fault : {"stall=head", "stall=first-byte", "stall=2"}) {
    Client one = client();
    one.post("/v1/chat/completions", chat(std::string("[[sim-tokens: 4]] [[sim-fault: ") + fault + "]]", true));
    if (std::string(fault) != "stall=head") {
      EXPECT_EQ(one.read_head().status, 200);
    }
    if (std::string(fault) == "stall=2") {
      EXPECT_FALSE(one.next_event().empty());
      EXPECT_FALSE(one.next_event().empty());
    }
    EXPECT_TRUE(one.silent_for(150ms)) << fault;
  }
}

TEST_F(Server, FaultsOfContent) {
  EXPECT_FALSE(Json::accept(post(chat("x"), "x-sim-fault: garbage\r\n").body));
  EXPECT_EQ(post(chat("[[sim-tokens: 1]]"), "x-sim-fault: content-type=text/html\r\n").header("content-type"),
            "text/html");
  EXPECT_FALSE(post(chat("[[sim-tokens: 1]]"), "x-sim-fault: usage=none\r\n").json().contains("usage"));
  EXPECT_EQ(post(chat("[[sim-tokens: 1]]"), "x-sim-fault: usage=zero\r\n").json()["usage"]["completion_tokens"], 0);
  EXPECT_NE(post(chat("[[sim-tokens: 1]]"), "x-sim-fault: usage=wrong\r\n").json()["usage"]["completion_tokens"], 1);
  EXPECT_EQ(post(chat("[[sim-tokens: 1]]"), "x-sim-fault: slow-drip=1ms\r\n").status, 200);
  EXPECT_GT(post(chat("[[sim-tokens: 1]]", true), "x-sim-fault: huge-event\r\n").body.size(), 1U << 20);
  Client one = client();
  one.post("/v1/chat/completions", chat("[[sim-tokens: 1]]"), "x-sim-fault: close-after-answer\r\n");
  const Reply reply = one.read_whole();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("connection"), "") << "keep-alive was promised";
  EXPECT_TRUE(one.closed_by_server());
}

TEST_F(Server, FaultsOfTheFlagsHitTheirShare) {
  options.faults = {"status=500", 0.5};
  int failed = 0;
  for (int i = 0; i < 60; ++i) failed += post(chat("[[sim-tokens: 1]]")).status == 500 ? 1 : 0;
  EXPECT_GT(failed, 15);
  EXPECT_LT(failed, 45);
  EXPECT_EQ(metric("sim:faults_total"), failed);
}

TEST_F(Server, ManyStreamsAtOnceAreNotMixedUpAndAddUp) {
  options.engine.slots = 64;
  std::deque<Client> clients;
  constexpr int streams = 200;
  start();
  for (int i = 0; i < streams; ++i) clients.emplace_back(simulator->port());
  for (std::size_t i = 0; i < streams; ++i)
    clients[i].post("/v1/chat/completions",
                    chat("[[sim-echo: stream" + std::to_string(i) + "]] [[sim-tokens: 40]]", true));
  for (std::size_t i = 0; i < streams; ++i) {
    (void)clients[i].read_head();
    std::string text;
    for (std::string event = clients[i].next_event(); event != "[DONE]"; event = clients[i].next_event()) {
      ASSERT_FALSE(event.empty());
      text += Json::parse(event)["choices"][0]["delta"].value("content", "");
    }
    const std::string mark = "stream" + std::to_string(i);
    EXPECT_EQ(text.substr(0, 2 * mark.size() + 1), mark + " " + mark);
  }
  EXPECT_EQ(metric("vllm:generation_tokens_total"), 40 * streams);
  EXPECT_NEAR(metric("sim:gpu_seconds_total"), metric("sim:busy_seconds_total"), 1e-6);
  double gpu = 0;
  const Json list = get("/sim/requests?limit=1000").json();
  for (const Json& record : list["requests"]) gpu += record["gpu_seconds"].get<double>();
  EXPECT_NEAR(gpu, metric("sim:busy_seconds_total"), 1e-4);
}

TEST_F(Server, StoppingEndsWhateverIsOpen) {
  Client idle = client(), streaming = client();
  streaming.post("/v1/chat/completions", chat("[[sim-tokens: 100000]]", true));
  (void)streaming.read_head();
  simulator.reset();
  EXPECT_TRUE(idle.closed_by_server());
  EXPECT_TRUE(streaming.closed_by_server());
}

TEST_F(Server, AnAddressInUseAndSenselessOptionsAreSaid) {
  start();
  options.port = simulator->port();
  EXPECT_THROW(Simulator another(options), std::runtime_error);
  options.port = 0;
  options.engine.slots = 0;
  EXPECT_THROW(Simulator another(options), std::runtime_error);
  options.engine.slots = 1;
  options.faults.text = "nonsense";
  EXPECT_THROW(Simulator another(options), std::runtime_error);
}

TEST_F(Server, IsHarmlessWhenNeverStarted) {
  const Simulator unstarted(options);
  EXPECT_NE(unstarted.port(), 0);
}

}  // namespace
}  // namespace tollgate::simulator
