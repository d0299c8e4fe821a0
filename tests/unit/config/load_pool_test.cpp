#include <gtest/gtest.h>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using namespace std::chrono_literals;

constexpr Int128 usd = 1'000'000'000'000;

Pool pool_of(const std::string& inside) {
  const ConfigPtr config = testing::loaded(
      "version: 1\nbackends: {a: {dialect: vllm, url: \"http://gpu\", pool: {" + inside + "}, models: {m: {}}}}\n", {});
  return config->backends[0].pool.value();
}

TEST(LoadPool, ReplicasMultiplyTheHardwareButNotItsOperations) {
  const Pool pool =
      pool_of("billing: dedicated, gpus: 2, usd_per_gpu_hour: \"2.50\", replicas: 3, ops_usd_per_month: 730");
  EXPECT_EQ(pool.gpus, 6);
  EXPECT_EQ(pool.replicas, 3);
  EXPECT_TRUE(pool.rate_picodollars == 16 * usd * pool.rate_denominator);  // 6 x 2.50 + 1
  EXPECT_TRUE(pool.billed_while_down);
  EXPECT_FALSE(pool_of("billing: dedicated, gpus: 1, usd_per_gpu_hour: 1, billed_while_down: false").billed_while_down);
}

TEST(LoadPool, AServerlessPoolsRateIsOfOneWorker) {
  const Pool pool = pool_of(
      "billing: serverless, gpus: 2, usd_per_gpu_second: \"0.001097\", cold_start_seconds: 20.5, cold_start_billed: "
      "false, "
      "idle_timeout_seconds: 5, min_billed_seconds: 60, increment_seconds: 1, workers_max: 4, requests_per_worker: 8");
  EXPECT_EQ(pool.billing, Billing::serverless);
  EXPECT_TRUE(pool.rate_picodollars == 2 * 3600 * Int128{1'097'000'000} * pool.rate_denominator);
  const ServerlessRules rules{20'500ms, false, 5s, 60s, 1s, 4, 8};
  EXPECT_EQ(pool.serverless, rules);
  EXPECT_EQ(pool_of("billing: serverless, gpus: 1, usd_per_gpu_second: 1").serverless, ServerlessRules{});
}

TEST(LoadPool, BusyTimeIsSharedByTokensWhereTheSpeedsAreWritten) {
  const std::string rented = "billing: dedicated, gpus: 1, usd_per_gpu_hour: 1";
  const std::string speeds = ", prefill_tokens_per_second: 12000, decode_tokens_per_second: 2000";
  EXPECT_FALSE(pool_of(rented).token_weights.calibrated());
  EXPECT_TRUE(pool_of(rented + speeds).token_weights.calibrated());
  EXPECT_EQ(pool_of(rented + speeds + ", attribution: tokens").token_weights.prefill_per_second, 12'000);
  EXPECT_FALSE(pool_of(rented + speeds + ", attribution: time").token_weights.calibrated());
}

TEST(LoadPool, AReportedPoolKnowsWhereItsSecondsStand) {
  const Pool header =
      pool_of("billing: reported, gpus: 1, usd_per_gpu_second: 1, billed_seconds: {header: X-Billed-Ms, unit: ms}");
  EXPECT_EQ(header.billed_seconds.header, "x-billed-ms");
  EXPECT_TRUE(header.billed_seconds.milliseconds);
  const Pool json =
      pool_of("billing: reported, gpus: 1, usd_per_gpu_second: 1, billed_seconds: {json: metrics.predict_time}");
  EXPECT_EQ(json.billed_seconds.json, (std::vector<std::string>{"metrics", "predict_time"}));
  EXPECT_FALSE(json.billed_seconds.milliseconds);
}

}  // namespace
}  // namespace tollgate
