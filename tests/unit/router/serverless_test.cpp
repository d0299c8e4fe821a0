#include "router/serverless.hpp"

#include <gtest/gtest.h>

#include "fleets.hpp"
#include "router/forecast.hpp"

namespace tollgate {
namespace {

using testing::Fleet;

class Serverless : public ::testing::Test {
 protected:
  Serverless() {
    fleet_.pool("burst", "llama", 0.6);
    Pool& pool = *fleet_.config.backends[0].pool;
    pool.billing = Billing::serverless;
    pool.rate_picodollars = Int128{3'600} * 1'000'000'000;   // $0.001 a second of one worker
    pool.rate_denominator = 1;
    pool.serverless.cold_start = milliseconds{20'000};
    pool.serverless.idle_timeout = milliseconds{60'000};
    pool.serverless.requests_per_worker = 4;
    pool.serverless.workers_max = 2;
    chat_.text_bytes = 4000;
    state_.output_tokens_mean = 200;
    state_.seconds_per_output_token = 0.05;   // ten seconds
  }
  Pool& pool() { return *fleet_.config.backends[0].pool; }
  void workers(std::int64_t up, std::int64_t in_flight, std::int64_t booting = 0) { note_workers(pool(), {up, booting, in_flight}, state_); }
  [[nodiscard]] Forecast of(CostBasis basis = CostBasis::marginal, bool saturated = false) const {
    return forecast_of(chat_, fleet_.config.targets[0], fleet_.config.backends[0], state_, basis, saturated);
  }
  static Usd milli(std::int64_t dollars_times_1000) { return Usd{dollars_times_1000 * 1'000'000'000}; }

  ChatView chat_;
  Fleet fleet_;
  TargetState state_;
};

TEST_F(Serverless, AColdPoolCostsItsBootItsWorkAndItsWaitForMore) {
  workers(0, 0);
  EXPECT_EQ(of().charge, milli(20 + 10 + 60));
  EXPECT_TRUE(of().known);
}

TEST_F(Serverless, ABootThatIsNotBilledCostsNothing) {
  pool().serverless.cold_start_billed = false;
  workers(0, 0);
  EXPECT_EQ(of().charge, milli(10 + 60));
}

TEST_F(Serverless, MinimumAndIncrementAreOfTheWorkersWholeTime) {
  pool().serverless.min_billed = milliseconds{100'000};
  workers(0, 0);
  EXPECT_EQ(of().charge, milli(100));
  pool().serverless.increment = milliseconds{60'000};
  EXPECT_EQ(of().charge, milli(120));
}

TEST_F(Serverless, AWorkerThatIsUpCostsTheWorkSharedWithThoseOnIt) {
  workers(1, 0);
  EXPECT_EQ(of().charge, milli(10));
  workers(1, 1);
  EXPECT_EQ(of().charge, milli(5));
  workers(2, 6);
  EXPECT_EQ(of().charge, Usd{2'500'000'000});
}

TEST_F(Serverless, OneMoreThanFitsStartsAWorkerUntilThereAreNoMore) {
  workers(1, 4);
  EXPECT_EQ(of().charge, milli(90));
  workers(2, 8);
  EXPECT_LT(of().charge, milli(10));
  EXPECT_FALSE(of(CostBasis::marginal, true).known) << "full: it takes capacity from others, and what that costs was not learned";
  workers(0, 0);
  EXPECT_EQ(of(CostBasis::marginal, true).charge, milli(90)) << "what starts a worker takes nothing from others";
}

TEST_F(Serverless, WhatWasLearnedOfItsSpeedCounts) {
  workers(1, 0);
  state_.duration_mean = std::chrono::seconds{3};
  EXPECT_EQ(of().charge, milli(3));
}

TEST_F(Serverless, NobodyKnowsOfWorkersNothingIsSaid) {
  EXPECT_EQ(of().charge, Usd{});
  fleet_.pool("home", "llama", 0.6);
  note_workers(*fleet_.config.backends[1].pool, {0, 0, 0}, state_);
  EXPECT_EQ(state_.worker, TargetState::Worker::not_known) << "hardware that is up all the time has no workers";
}

TEST_F(Serverless, TheLoadedBasisIsAsBefore) {
  workers(0, 0);
  state_.loaded_usd_per_million_tokens = milli(1000);
  EXPECT_EQ(of(CostBasis::loaded).charge, Usd{1'200'000'000});
}

TEST_F(Serverless, ACallThatIsBilledByItsSecondsCostsThem) {
  pool().billing = Billing::reported;
  EXPECT_EQ(of().charge, milli(10));
}

TEST_F(Serverless, TheBootIsWaitedFor) {
  state_.first_token_mean = std::chrono::milliseconds{200};
  state_.output_token_mean = std::chrono::milliseconds{50};
  const auto waits = [this] { return waits_of(chat_, fleet_.config.targets[0], state_); };
  workers(1, 0);
  EXPECT_EQ(waits().first_token, std::chrono::milliseconds{200});
  workers(0, 0);
  EXPECT_EQ(waits().first_token, std::chrono::milliseconds{20'200});
  EXPECT_EQ(waits().whole, std::chrono::milliseconds{30'200});
  workers(1, 1, 1);
  EXPECT_EQ(waits().first_token, std::chrono::milliseconds{20'200}) << "the only worker boots";
  EXPECT_EQ(of().charge, Usd{5'100'000'000}) << "half of 10.2 s: the wait for the boot is no work";
}

}  // namespace
}  // namespace tollgate
