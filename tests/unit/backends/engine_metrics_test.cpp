// The exposition reader on the shapes that engines write, and on what no engine should.

#include "backends/engine_metrics.hpp"

#include <gtest/gtest.h>

#include <string>

#include "backends/engine_timings.hpp"

namespace tollgate {
namespace {

EngineSample read(std::string_view text) {
  const Result<EngineSample> sample = read_engine_metrics(text);
  EXPECT_TRUE(sample.has_value());
  return sample ? sample.value() : EngineSample{};
}

std::string error_of(std::string_view text) {
  const Result<EngineSample> sample = read_engine_metrics(text);
  EXPECT_FALSE(sample.has_value());
  return sample ? "" : sample.error().message;
}

TEST(EngineMetrics, VllmTellsLoadCacheAndTokens) {
  const EngineSample sample = read(R"(# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="meta-llama/Llama-3.3-70B-Instruct"} 3.0
vllm:num_requests_waiting{engine="0",model_name="meta-llama/Llama-3.3-70B-Instruct"} 2.0
vllm:kv_cache_usage_perc{engine="0",model_name="meta-llama/Llama-3.3-70B-Instruct"} 0.25
vllm:prompt_tokens_total{engine="0",model_name="meta-llama/Llama-3.3-70B-Instruct"} 8.128902e+06
vllm:prompt_tokens_created{engine="0",model_name="meta-llama/Llama-3.3-70B-Instruct"} 1.79e+09
vllm:generation_tokens_total{engine="0",model_name="meta-llama/Llama-3.3-70B-Instruct"} 7557572
vllm:prefix_cache_hits_total{engine="0",model_name="meta-llama/Llama-3.3-70B-Instruct"} 512
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.001",model_name="meta-llama/Llama-3.3-70B-Instruct"} 0.0
)");
  EXPECT_EQ(sample.kind, EngineKind::vllm);
  EXPECT_EQ(sample.running, 3);
  EXPECT_EQ(sample.waiting, 2);
  EXPECT_DOUBLE_EQ(*sample.kv_cache_usage, 0.25);
  EXPECT_EQ(sample.prompt_tokens, 8'128'902U);
  EXPECT_EQ(sample.generation_tokens, 7'557'572U);
  EXPECT_EQ(sample.cached_prompt_tokens, 512U);
  EXPECT_FALSE(sample.prompt_excludes_cached);
}

TEST(EngineMetrics, DataRanksAddUpAndTheirCachesAreAveraged) {
  const EngineSample sample = read(
      "vllm:num_requests_running{engine=\"0\"} 1\nvllm:num_requests_running{engine=\"1\"} 2\n"
      "vllm:kv_cache_usage_perc{engine=\"0\"} 0.2\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.6\n"
      "vllm:generation_tokens_total{engine=\"0\"} 10\nvllm:generation_tokens_total{engine=\"1\"} 30\n");
  EXPECT_EQ(sample.running, 3);
  EXPECT_DOUBLE_EQ(*sample.kv_cache_usage, 0.4);
  EXPECT_EQ(sample.generation_tokens, 40U);
}

TEST(EngineMetrics, OldNamesOfVllmAreKnown) {
  const EngineSample sample = read(
      "vllm:num_requests_running{model_name=\"m\"} 1\nvllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n"
      "vllm:gpu_prefix_cache_hits{model_name=\"m\"} 7\nvllm:prompt_tokens{model_name=\"m\"} 9\n");
  EXPECT_DOUBLE_EQ(*sample.kv_cache_usage, 0.5);
  EXPECT_EQ(sample.cached_prompt_tokens, 7U);
  EXPECT_EQ(sample.prompt_tokens, 9U);
}

TEST(EngineMetrics, OldAndNewNameOfOneNumberCountOnce) {
  const EngineSample sample = read(
      "vllm:gpu_cache_usage_perc 0.5\nvllm:kv_cache_usage_perc 0.25\n"
      "vllm:gpu_prefix_cache_hits_total 5\nvllm:prefix_cache_hits_total 5\nvllm:prompt_tokens_cached_total 4\n");
  EXPECT_DOUBLE_EQ(*sample.kv_cache_usage, 0.25);
  EXPECT_EQ(sample.cached_prompt_tokens, 4U);
}

TEST(EngineMetrics, UnderscoreIsAsGoodAsColon) {
  EXPECT_EQ(read("vllm_num_requests_running{model_name=\"m\"} 4\n").running, 4);
  EXPECT_EQ(read("sglang_num_running_reqs 5\n").running, 5);
}

TEST(EngineMetrics, SglangsTensorRanksAreTheSameRequests) {
  const EngineSample sample = read(R"(# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="m",moe_ep_rank="0",pp_rank="0",tp_rank="0"} 8.0
sglang:num_running_reqs{engine_type="unified",model_name="m",moe_ep_rank="0",pp_rank="0",tp_rank="1"} 8.0
sglang:num_running_reqs{engine_type="unified",model_name="m",moe_ep_rank="0",pp_rank="0",tp_rank="0",dp_rank="1"} 1.0
sglang:num_queue_reqs{model_name="m",tp_rank="0"} 2
sglang:token_usage{model_name="m",tp_rank="0"} 0.28
sglang:prompt_tokens_total{model_name="m"} 8.128902e+06
sglang:generation_tokens_total{model_name="m"} 7.557572e+06
sglang:cached_tokens_total{cache_source="device",model_name="m"} 100
sglang:cached_tokens_total{cache_source="host",model_name="m"} 20
)");
  EXPECT_EQ(sample.kind, EngineKind::sglang);
  EXPECT_EQ(sample.running, 9);
  EXPECT_EQ(sample.waiting, 2);
  EXPECT_DOUBLE_EQ(*sample.kv_cache_usage, 0.28);
  EXPECT_EQ(sample.prompt_tokens, 8'128'902U);
  EXPECT_EQ(sample.cached_prompt_tokens, 120U);
}

TEST(EngineMetrics, LlamacppCountsThePromptItComputed) {
  const EngineSample sample = read(
      "# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.\n# TYPE llamacpp:prompt_tokens_total "
      "counter\n"
      "llamacpp:prompt_tokens_total 900\nllamacpp:tokens_predicted_total 44\nllamacpp:requests_processing 1\n"
      "llamacpp:requests_deferred 0\nllamacpp:prompt_tokens_seconds 12.5\n");
  EXPECT_EQ(sample.kind, EngineKind::llamacpp);
  EXPECT_EQ(sample.prompt_tokens, 900U);
  EXPECT_EQ(sample.generation_tokens, 44U);
  EXPECT_TRUE(sample.prompt_excludes_cached);
  EXPECT_FALSE(sample.kv_cache_usage.has_value());
}

TEST(EngineMetrics, NewerLlamacppTellsTheCachedPartBesideIt) {
  const EngineSample sample = read("llamacpp:prompt_tokens_total 900\nllamacpp:prompt_tokens_cached_total 100\n");
  EXPECT_EQ(sample.prompt_tokens, 1000U);
  EXPECT_FALSE(sample.prompt_excludes_cached);
}

TEST(EngineMetrics, TgisTokensAreSumsOfHistograms) {
  const EngineSample sample = read(
      "tgi_batch_current_size 4\ntgi_queue_size 7\ntgi_request_generated_tokens_bucket{le=\"1\"} 0\n"
      "tgi_request_generated_tokens_sum 8123\ntgi_request_generated_tokens_count 44\ntgi_request_input_length_sum "
      "5000\n");
  EXPECT_EQ(sample.kind, EngineKind::tgi);
  EXPECT_EQ(sample.running, 4);
  EXPECT_EQ(sample.waiting, 7);
  EXPECT_EQ(sample.generation_tokens, 8123U);
  EXPECT_EQ(sample.prompt_tokens, 5000U);
}

TEST(EngineMetrics, WhatAnEngineDoesNotTellIsUnknownAndNotZero) {
  const EngineSample sample = read("trtllm_num_requests_running{model_name=\"m\"} 2\n");
  EXPECT_EQ(sample.kind, EngineKind::trtllm);
  EXPECT_EQ(sample.running, 2);
  EXPECT_FALSE(sample.waiting || sample.kv_cache_usage || sample.prompt_tokens || sample.generation_tokens);
}

TEST(EngineMetrics, OddLinesArePassedOver) {
  const EngineSample sample = read(
      "vllm:num_requests_running NaN\nvllm:num_requests_waiting -1\nvllm:kv_cache_usage_perc +Inf\n"
      "vllm:prompt_tokens_total{model_name=\"un\\\"clo\n{} 5\nvllm:prompt_tokens_total\nvllm:prompt_tokens_total x\n"
      "vllm:prompt_tokens_total{a=\"}{\\\\\"} 12 1795246293000\r\n   vllm:generation_tokens_total   7   \n"
      "vllm:generation_tokens_total{le=\"0\"} 1 # {trace_id=\"ab\"} 0.5\n# EOF\n");
  EXPECT_FALSE(sample.running || sample.waiting || sample.kv_cache_usage);
  EXPECT_EQ(sample.prompt_tokens, 12U);
  EXPECT_EQ(sample.generation_tokens, 8U);
}

TEST(EngineMetrics, CacheUseStaysBetweenNoneAndAll) {
  EXPECT_DOUBLE_EQ(*read("vllm:kv_cache_usage_perc 1.5\n").kv_cache_usage, 1.0);
}

TEST(EngineMetrics, APageOfNoKnownEngineSaysWhatItIs) {
  EXPECT_NE(error_of("<html><body>not found</body></html>").find("HTML"), std::string::npos);
  EXPECT_NE(error_of("[{\"iter\": 1}]").find("JSON"), std::string::npos);
  EXPECT_NE(error_of(" \n").find("empty"), std::string::npos);
  EXPECT_NE(error_of("process_cpu_seconds_total 1\n").find("no series"), std::string::npos);
  EXPECT_NE(error_of("xvllm:num_requests_running 1\nvllm:num_requests_running_x 1\n").find("no series"),
            std::string::npos);
}

TEST(EngineMetrics, EveryBeginningOfAPageCanBeRead) {
  const std::string page =
      "vllm:num_requests_running{a=\"b\\\"c\",d=\"e\"} 1.5e2 17\n# HELP x y\nvllm:prompt_tokens_total{} 3\n";
  for (std::size_t length = 0; length <= page.size(); ++length) {
    (void)read_engine_metrics(std::string(page, 0, length));  // must not read past the end; the sanitizers watch
  }
}

TEST(EngineMetrics, LabelsAreFoundWholeAndByName) {
  const auto sample = read_sample("name{ a=\"1\", tp_rank = \"2\",b=\"x\\\"tp_rank=\\\"9\" } 1");
  ASSERT_TRUE(sample.has_value());
  EXPECT_EQ(label_of(*sample, "tp_rank"), "2");
  EXPECT_EQ(label_of(*sample, "rank"), std::nullopt);
  EXPECT_EQ(label_of(*sample, "a"), "1");
}

TEST(EngineTimings, AreReadInMicroseconds) {
  const EngineTimings timings =
      read_timings(R"({"time_to_first_token_ms":12.5,"generation_time_ms":300,"queue_time_ms":0,"mean_itl_ms":2})");
  EXPECT_EQ(timings.first_token, std::chrono::microseconds(12'500));
  EXPECT_EQ(timings.generation, std::chrono::microseconds(300'000));
  EXPECT_EQ(timings.queue, std::chrono::microseconds(0));
}

TEST(EngineTimings, WhatCannotBeIsUnknown) {
  EXPECT_FALSE(read_timings("null").known());
  EXPECT_FALSE(
      read_timings("{\"time_to_first_token_ms\":null,\"generation_time_ms\":-1,\"queue_time_ms\":1e300}").known());
  EXPECT_FALSE(read_timings("{broken").known());
}

TEST(FindMember, CutsOneCommaWithIt) {
  const auto without = [](std::string json) {
    const auto member = find_member(json, "metrics");
    if (!member) return std::string("none");
    return json.erase(member->cut_begin, member->cut_end - member->cut_begin);
  };
  EXPECT_EQ(without(R"({"a":1,"metrics":{"x":[1,"}"]},"b":2})"), R"({"a":1,"b":2})");
  EXPECT_EQ(without(R"({"metrics":null , "b":2})"), R"({ "b":2})");
  EXPECT_EQ(without(R"({"a":"metrics","metrics":"}"})"), R"({"a":"metrics"})");
  EXPECT_EQ(without(R"({"metrics":1})"), "{}");
  EXPECT_EQ(without(R"({"a":{"metrics":1}})"), "none");
  EXPECT_EQ(without(R"({"a":1)"), "none");
  EXPECT_EQ(without("{}"), "none");
  EXPECT_EQ(without("[1]"), "none");
}

}  // namespace
}  // namespace tollgate
