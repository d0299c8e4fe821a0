#include "gateway/cli/explain_state.hpp"

#include <gtest/gtest.h>

namespace tollgate::cli {
namespace {

class States : public ::testing::Test {
 protected:
  States() {
    config_.backends.emplace_back();
    for (const char* name : {"gpu/llama:70b", "cloud/big"}) {
      Target target;
      target.id = Names::global().intern(name);
      config_.targets.push_back(std::move(target));
    }
  }
  std::string error(const std::string& line) {
    const auto read = read_states({line}, config_);
    return read ? "(read)" : read.error().message;
  }
  Config config_;
};

TEST_F(States, WithoutLinesAllAreUpAndIdle) {
  const AssumedState assumed = read_states({}, config_).value();
  ASSERT_EQ(assumed.targets.size(), 2U);
  EXPECT_EQ(assumed.targets[1].availability, Availability::up);
  EXPECT_EQ(assumed.conversation.target, NameId::none);
}

TEST_F(States, AServerlessPoolHasNoWorkerUpUnlessALineSaysSo) {
  Pool pool;
  pool.billing = Billing::serverless;
  pool.serverless.cold_start = milliseconds{20'000};
  config_.backends.front().pool = pool;
  EXPECT_EQ(read_states({}, config_).value().targets[0].worker, TargetState::Worker::starts);
  const AssumedState assumed = read_states({"cloud/big: workers=1"}, config_).value();
  EXPECT_EQ(assumed.targets[1].worker, TargetState::Worker::up);
  EXPECT_EQ(read_states({"cloud/big: workers=1, in_flight=1"}, config_).value().targets[1].worker_shared_with, 1U);
}

TEST_F(States, WordsFillTheStateOfTheirTarget) {
  const AssumedState assumed = read_states({"gpu/llama:70b: in_flight=12, waiting=3,running = 4, kv_cache=0.5, "
                                            "first_token_ms=120.5, token_ms=8, answer_ms=900",
                                            "cloud/big: down, cached=5000, was_saturated"},
                                           config_)
                                   .value();
  const TargetState& gpu = assumed.targets[0];
  EXPECT_EQ(gpu.in_flight, 12U);
  EXPECT_EQ(gpu.engine_waiting, 3);
  EXPECT_EQ(gpu.engine_running, 4);
  EXPECT_EQ(gpu.kv_cache_usage, 0.5F);
  EXPECT_EQ(gpu.first_token_mean.count(), 120'500);
  EXPECT_EQ(gpu.output_token_mean.count(), 8'000);
  EXPECT_EQ(gpu.duration_mean.count(), 900'000);
  EXPECT_EQ(assumed.targets[1].availability, Availability::unreachable);
  EXPECT_TRUE(assumed.targets[1].was_saturated);
  EXPECT_EQ(assumed.conversation.target, config_.targets[1].id);
  EXPECT_EQ(assumed.conversation.cached.count(), 5000);
}

TEST_F(States, TheAutopilotsPoolsMayBeOpenOrClosed) {
  const AssumedState assumed = read_states({"gpu/llama:70b: open", "cloud/big: closed"}, config_).value();
  EXPECT_TRUE(assumed.targets[0].stance && assumed.targets[0].stance->open());
  EXPECT_TRUE(assumed.targets[1].stance && !assumed.targets[1].stance->open());
}

TEST_F(States, WhatIsNotUnderstoodIsNamed) {
  EXPECT_NE(error("gpu/llama: down").find("there is no target 'gpu/llama', did you mean 'gpu/llama:70b'?"),
            std::string::npos)
      << error("gpu/llama: down");
  for (const char* word :
       {"up", "in_flight", "in_flight=x", "in_flight=1.5", "in_flight=-1", "kv_cache=2", "speed=3", "waiting=1e300"}) {
    EXPECT_NE(error(std::string("cloud/big: ") + word).find("is not understood; it takes"), std::string::npos) << word;
  }
  EXPECT_NE(error("cloud/big").find("--state takes 'TARGET: WORD"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::cli
