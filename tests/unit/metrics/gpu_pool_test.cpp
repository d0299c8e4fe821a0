#include "metrics/gpu_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "testing.hpp"

namespace tollgate {
namespace {

using testing::at;
using testing::pool_of;
using testing::second_ns;

constexpr Int128 dollar = 1'000'000'000'000;
const Int128 one_per_second = 3600 * dollar;  // per hour

void expect_conserved(GpuPool& pool, MonoTime now) {
  const GpuPool::Audit audit = pool.audit(now);
  EXPECT_EQ(audit.billed - audit.settled - audit.running - audit.idle - audit.cold_start - audit.carried, Int128{0});
  const PoolStatus status = pool.status(now);
  EXPECT_EQ(status.billed, status.attributed + status.idle + status.cold_start + status.rounding);
  const Int128 bound = static_cast<Int128>(audit.charges) / 2 + 4;
  EXPECT_LE(status.rounding.picodollars(), bound);
  EXPECT_GE(status.rounding.picodollars(), -bound);
}

// Pitfall 38: idle hardware that no line shows.
TEST(GpuPool, IdleTimeIsNobodysCharge) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  const PoolStatus status = pool.status(at(10 * second_ns));
  EXPECT_EQ(status.billed, UsdSum(10 * dollar));
  EXPECT_EQ(status.idle, UsdSum(10 * dollar));
  EXPECT_EQ(status.attributed, UsdSum{});
}

TEST(GpuPool, ARequestAlonePaysItsWholeTime) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  const GpuPool::Run run = pool.begin(at(second_ns));
  EXPECT_EQ(pool.end(run, at(3 * second_ns)).charge, Usd{static_cast<std::int64_t>(2 * dollar)});
  EXPECT_EQ(pool.status(at(4 * second_ns)).idle, UsdSum(2 * dollar));
}

TEST(GpuPool, RequestsTogetherShareNotMultiply) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  const GpuPool::Run a = pool.begin(at(0));
  const GpuPool::Run b = pool.begin(at(2 * second_ns));
  EXPECT_EQ(pool.end(a, at(4 * second_ns)).charge, Usd{static_cast<std::int64_t>(3 * dollar)});  // 2 alone, 2 shared
  EXPECT_EQ(pool.end(b, at(5 * second_ns)).charge, Usd{static_cast<std::int64_t>(2 * dollar)});
  expect_conserved(pool, at(5 * second_ns));
}

TEST(GpuPool, WeightsShareInProportion) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  const GpuPool::Run heavy = pool.begin(at(0), 3);
  const GpuPool::Run light = pool.begin(at(0), 1);
  EXPECT_EQ(pool.end(heavy, at(4 * second_ns)).charge, Usd{static_cast<std::int64_t>(3 * dollar)});
  EXPECT_EQ(pool.end(light, at(4 * second_ns)).charge, Usd{static_cast<std::int64_t>(dollar)});
}

TEST(GpuPool, AttributedCountsWhatRunsHaveAccruedSoFar) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  (void)pool.begin(at(0));
  const PoolStatus status = pool.status(at(second_ns));
  EXPECT_EQ(status.attributed, UsdSum(dollar));
  EXPECT_EQ(status.in_flight, 1);
}

TEST(GpuPool, TimeThatGoesBackwardsIsNoTime) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  const GpuPool::Run run = pool.begin(at(5 * second_ns));
  EXPECT_EQ(pool.end(run, at(4 * second_ns)).charge, Usd{});
  EXPECT_EQ(pool.status(at(second_ns)).billed, UsdSum(5 * dollar));
}

TEST(GpuPool, ARunThatReachedNoEngineIsChargedNothingAndItsTimeWasIdle) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  const GpuPool::Run lost = pool.begin(at(0));
  const GpuPool::Run served = pool.begin(at(0));
  pool.withdraw(lost, at(2 * second_ns));
  EXPECT_EQ(pool.end(served, at(2 * second_ns)).charge, Usd{static_cast<std::int64_t>(dollar)});
  const PoolStatus status = pool.status(at(2 * second_ns));
  EXPECT_EQ(status.idle, UsdSum(dollar));
  EXPECT_EQ(status.idle_gpu_time, GpuTime{1'000'000});
  EXPECT_EQ(status.busy_gpu_time, GpuTime{1'000'000});
  expect_conserved(pool, at(2 * second_ns));
}

TEST(GpuPool, ANewPriceHoldsFromNowOn) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  const GpuPool::Run run = pool.begin(at(0));
  pool.change_rate(pool_of("p", 2 * one_per_second, 1, 4), at(second_ns));
  EXPECT_EQ(pool.end(run, at(2 * second_ns)).charge, Usd{static_cast<std::int64_t>(3 * dollar)});
  EXPECT_EQ(pool.status(at(2 * second_ns)).busy_gpu_time, GpuTime{5'000'000});
}

TEST(GpuPool, WhatIsBilledNoLongerCostsNothing) {
  GpuPool pool(pool_of("p", one_per_second), at(0));
  pool.stop_billing(at(second_ns));
  EXPECT_EQ(pool.status(at(100 * second_ns)).billed, UsdSum(dollar));
  EXPECT_EQ(pool.status(at(100 * second_ns)).idle_gpu_time, GpuTime{1'000'000});
}

TEST(GpuPool, ARateThatDividesBadlyIsStillBilledExactly) {
  // Three GPUs at 2.49 USD and 2,000 USD a month: (7.47e12 · 8760 + 2000e12 · 12) / 8760 picodollars an hour.
  const Int128 rate = static_cast<Int128>(7'470'000'000'000) * 8760 + static_cast<Int128>(24'000) * dollar;
  GpuPool pool(pool_of("p", rate, 8760, 3), at(0));
  std::int64_t now = 0;
  for (int i = 0; i < 1000; ++i)
    (void)pool.status(at(now += 3'600'000'000 + i % 2));  // 1000 steps, 500 ns over an hour
  const Int128 exact = rate * (3'600'000'000'000 + 500) / (static_cast<Int128>(8760) * 3'600'000'000'000);
  EXPECT_EQ(pool.status(at(now)).billed, UsdSum(exact));
}

TEST(GpuPool, ACenturyInOneStepAtAnAbsurdRateDoesNotOverflow) {
  const Int128 rate = static_cast<Int128>(1'000'000'000) * dollar * 8760;  // a billion dollars an hour
  GpuPool pool(pool_of("p", rate, 8760), at(0));
  const std::int64_t century = 100LL * 365 * 24 * 3600 * second_ns;
  EXPECT_EQ(pool.status(at(century)).billed, UsdSum(static_cast<Int128>(100LL * 365 * 24) * 1'000'000'000 * dollar));
}

TEST(GpuPool, ThreadsShareAPoolWithoutLosingMoney) {
  GpuPool pool(pool_of("p", one_per_second + 7), std::chrono::steady_clock::now());
  std::array<Int128, 4> charged{};
  std::vector<std::thread> reactors;
  for (std::size_t i = 0; i < charged.size(); ++i) {
    reactors.emplace_back([&pool, &sum = charged[i]] {
      for (int n = 0; n < 5000; ++n) {
        const GpuPool::Run run = pool.begin(std::chrono::steady_clock::now());
        sum += pool.end(run, std::chrono::steady_clock::now()).charge.count();
      }
    });
  }
  for (std::thread& reactor : reactors) reactor.join();
  const MonoTime now = std::chrono::steady_clock::now();
  expect_conserved(pool, now);
  EXPECT_EQ(pool.status(now).attributed, UsdSum(charged[0] + charged[1] + charged[2] + charged[3]));
}

}  // namespace
}  // namespace tollgate
