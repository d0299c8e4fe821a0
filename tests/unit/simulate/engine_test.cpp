#include "simulate/engine.hpp"

#include <gtest/gtest.h>

namespace tollgate::simulate {
namespace {

constexpr double second = 1e6;

/// $3.60 an hour: a thousandth of a dollar a second.
Pool dedicated() {
  Pool pool;
  pool.name = Names::global().intern("home");
  pool.gpus = 1;
  pool.rate_picodollars = Int128{3'600'000'000'000};
  return pool;
}

std::vector<Engine::Finished> run_until(Engine& engine, double us) {
  std::vector<Engine::Finished> done;
  engine.advance(us, [&](const Engine::Finished& one) { done.push_back(one); });
  return done;
}

TEST(Engine, AloneARequestTakesItsTimeAndPaysForIt) {
  Engine engine(dedicated(), {4, true, 8});
  engine.begin(1, {0.5 * second, 2 * second}, 10 * second);
  const auto done = run_until(engine, 20 * second);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_NEAR(done[0].ended_us, 12 * second, 1);
  EXPECT_EQ(done[0].charge.count(), 2'000'000'000);
  EXPECT_NEAR(engine.busy_us(), 2 * second, 1);
}

TEST(Engine, UpToFullSpeedNobodySlowsDownAndBeyondAllDo) {
  Engine engine(dedicated(), {2, true, 8});
  for (std::uint64_t i = 0; i < 4; ++i) engine.begin(i, {0, 1 * second}, 0);
  const auto done = run_until(engine, 10 * second);
  ASSERT_EQ(done.size(), 4U);
  for (const auto& one : done) EXPECT_NEAR(one.ended_us, 2 * second, 1) << "four share what is enough for two";
  EXPECT_EQ(engine.most_at_once(), 4U);
}

TEST(Engine, BeyondItsPlacesRequestsWait) {
  Engine engine(dedicated(), {2, true, 2});
  for (std::uint64_t i = 0; i < 3; ++i) engine.begin(i, {0, 1 * second}, 0);
  EXPECT_EQ(engine.running(), 2U);
  EXPECT_EQ(engine.waiting(), 1U);
  const auto done = run_until(engine, 10 * second);
  ASSERT_EQ(done.size(), 3U);
  EXPECT_NEAR(done[2].ended_us, 2 * second, 1);
}

TEST(Engine, TheBillIsTheHardwaresAndNothingOfItIsLost) {
  Engine engine(dedicated(), {2, true, 8});
  engine.begin(1, {0, 3 * second}, 1 * second);
  engine.begin(2, {0, 1 * second}, 2 * second);
  const auto done = run_until(engine, 10 * second);
  const PoolStatus status = engine.status(10 * second);
  EXPECT_EQ(status.billed.picodollars(), 10'000'000'000);
  EXPECT_EQ(status.billed, status.attributed + status.idle + status.rounding);
  EXPECT_EQ(status.attributed.picodollars(), done[0].charge.count() + done[1].charge.count());
}

TEST(Engine, AServerlessWorkerThatIsDownMakesItsRequestWait) {
  Pool pool = dedicated();
  pool.billing = Billing::serverless;
  pool.serverless.cold_start = std::chrono::seconds(20);
  pool.serverless.idle_timeout = std::chrono::seconds(5);
  Engine engine(pool, {1, true, 8});
  engine.begin(1, {0, 2 * second}, 0);
  auto done = run_until(engine, 23 * second);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_NEAR(done[0].ended_us, 22 * second, 1);
  engine.begin(2, {0, 2 * second}, 24 * second);   // the worker is still up
  done = run_until(engine, 60 * second);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_NEAR(done[0].ended_us, 26 * second, 1);
  engine.begin(3, {0, 2 * second}, 60 * second);   // and now it is not
  done = run_until(engine, 100 * second);
  EXPECT_NEAR(done[0].ended_us, 82 * second, 1);
  EXPECT_EQ(engine.cold_starts(), 2U);
  // The guide's example (docs/advice.md): 58 s billed.
  EXPECT_EQ(engine.status(100 * second).billed.picodollars(), 58'000'000'000);
}

}  // namespace
}  // namespace tollgate::simulate
