#include "metrics/serverless_workers.hpp"

#include <gtest/gtest.h>

#include <array>

#include "metrics/gpu_pool.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using testing::at;
using testing::second_ns;

constexpr std::int64_t dollar = 1'000'000'000'000;

/// One GPU at a dollar a second, so that dollars are seconds.
Pool serverless(const ServerlessRules& rules) {
  Pool pool = testing::pool_of("serverless", Int128{3600} * dollar);
  pool.billing = Billing::serverless;
  pool.serverless = rules;
  return pool;
}

ServerlessRules rules_of(int cold_start_s, int idle_timeout_s) {
  ServerlessRules rules;
  rules.cold_start = std::chrono::seconds{cold_start_s};
  rules.idle_timeout = std::chrono::seconds{idle_timeout_s};
  return rules;
}

/// All lines in seconds, once everything is over; they must sum to the bill.
struct Seconds {
  std::int64_t billed, attributed, idle, cold_start, minimum;
  friend bool operator==(const Seconds&, const Seconds&) = default;
};
Seconds seconds_of(GpuPool& pool, std::int64_t at_s) {
  const PoolStatus s = pool.status(at(at_s * second_ns));
  EXPECT_EQ(s.billed, s.attributed + s.idle + s.cold_start + s.minimum + s.down + s.rounding);
  EXPECT_EQ(s.rounding, UsdSum{});
  const auto whole = [](UsdSum sum) {
    EXPECT_EQ(sum.picodollars() % dollar, 0);
    return static_cast<std::int64_t>(sum.picodollars() / dollar);
  };
  return {whole(s.billed), whole(s.attributed), whole(s.idle), whole(s.cold_start), whole(s.minimum)};
}

Usd serve(GpuPool& pool, std::int64_t from_s, std::int64_t to_s) {
  const GpuPool::Run run = pool.begin(at(from_s * second_ns));
  return pool.end(run, at(to_s * second_ns)).charge;
}

void PrintTo(const Seconds& s, std::ostream* out) {
  *out << "billed " << s.billed << ", attributed " << s.attributed << ", idle " << s.idle << ", cold start "
       << s.cold_start << ", minimum " << s.minimum;
}

// The request comes at 0, finds no worker, waits 4 s for one and is worked on for 10 s; the worker idles 60 s and
// stops.
TEST(ServerlessWorkers, AColdStartOf4sWorkOf10sAndAnIdleTimeoutOf60sBill74Seconds) {
  GpuPool pool(serverless(rules_of(4, 60)), at(0));
  EXPECT_EQ(serve(pool, 0, 14), Usd{10 * dollar});
  EXPECT_EQ(seconds_of(pool, 1000), (Seconds{74, 10, 60, 4, 0}));
}

// An H100 at 0.001097 USD per second, three requests of 2 s of work at 0, 4 and 60, 20 s of cold start, 5 s of idle
// timeout: 31 s and 27 s, 58 s in all.
TEST(ServerlessWorkers, ThreeShortRequestsInTwoWindowsBill58Seconds) {
  Pool h100 = serverless(rules_of(20, 5));
  h100.rate_picodollars = Int128{3600} * 1'097'000'000;
  // Its times count from when the first worker is ready, which began to boot 20 s before.
  GpuPool pool(h100, at(0));
  (void)serve(pool, 0, 22);
  (void)serve(pool, 24, 26);
  (void)serve(pool, 60, 82);
  const PoolStatus status = pool.status(at(1000 * second_ns));
  EXPECT_EQ(status.billed, UsdSum(58 * Int128{1'097'000'000}));
  EXPECT_EQ(status.attributed, UsdSum(6 * Int128{1'097'000'000}));
  EXPECT_EQ(status.cold_start, UsdSum(40 * Int128{1'097'000'000}));
  EXPECT_EQ(status.idle, UsdSum(12 * Int128{1'097'000'000}));
}

TEST(ServerlessWorkers, WithoutWorkNothingIsBilled) {
  GpuPool pool(serverless(rules_of(4, 60)), at(0));
  EXPECT_EQ(seconds_of(pool, 100'000), (Seconds{0, 0, 0, 0, 0}));
}

TEST(ServerlessWorkers, AWorkerThatIsUpNeedsNoColdStart) {
  GpuPool pool(serverless(rules_of(4, 60)), at(0));
  (void)serve(pool, 0, 14);
  EXPECT_EQ(serve(pool, 34, 44), Usd{10 * dollar});
  EXPECT_EQ(seconds_of(pool, 1000), (Seconds{4 + 10 + 20 + 10 + 60, 20, 80, 4, 0}));
}

TEST(ServerlessWorkers, ARequestAtTheMomentOfTheTimeoutStillFindsTheWorker) {
  GpuPool pool(serverless(rules_of(4, 60)), at(0));
  (void)serve(pool, 0, 14);
  (void)serve(pool, 74, 75);
  EXPECT_EQ(seconds_of(pool, 1000), (Seconds{74 + 1 + 60, 11, 120, 4, 0}));
}

TEST(ServerlessWorkers, ColdStartsMayBeFree) {
  ServerlessRules rules = rules_of(4, 60);
  rules.cold_start_billed = false;
  GpuPool pool(serverless(rules), at(0));
  (void)serve(pool, 0, 14);
  EXPECT_EQ(seconds_of(pool, 1000), (Seconds{70, 10, 60, 0, 0}));
}

TEST(ServerlessWorkers, AWorkersTimeIsRoundedUpToTheMinimumAndTheIncrement) {
  ServerlessRules rules = rules_of(4, 5);
  rules.min_billed = std::chrono::seconds{60};
  GpuPool least(serverless(rules), at(0));
  (void)serve(least, 0, 6);  // 4 + 2 + 5
  EXPECT_EQ(seconds_of(least, 1000), (Seconds{60, 2, 5, 4, 49}));
  rules.increment = std::chrono::seconds{60};
  GpuPool minutes(serverless(rules), at(0));
  (void)serve(minutes, 0, 64);  // 4 + 60 + 5
  EXPECT_EQ(seconds_of(minutes, 1000), (Seconds{120, 60, 5, 4, 51}));
}

TEST(ServerlessWorkers, ABurstStartsAsManyWorkersAsItNeedsAndTheyGoOneByOne) {
  ServerlessRules rules = rules_of(4, 60);
  rules.workers_max = 3;
  rules.requests_per_worker = 2;
  GpuPool pool(serverless(rules), at(0));
  std::vector<GpuPool::Run> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(pool.begin(at(0)));
  EXPECT_EQ(pool.status(at(second_ns)).workers_up, 3);
  Int128 charged = 0;
  for (int i = 4; i >= 2; --i)
    charged += pool.end(runs[static_cast<std::size_t>(i)], at(14 * second_ns)).charge.count();
  for (int i = 1; i >= 0; --i)
    charged += pool.end(runs[static_cast<std::size_t>(i)], at(24 * second_ns)).charge.count();
  EXPECT_EQ(pool.status(at(80 * second_ns)).workers_up, 1);  // two have idled since 14
  // Three boot 4 s and work 10 s; one works 10 s more; all idle 60 s.
  EXPECT_EQ(seconds_of(pool, 1000), (Seconds{12 + 30 + 10 + 180, 40, 180, 12, 0}));
  EXPECT_EQ(charged, 40 * Int128{dollar});
  EXPECT_EQ(pool.status(at(1000 * second_ns)).workers_up, 0);
}

TEST(ServerlessWorkers, WhatDoesNotFitSharesTheWorkersThereAre) {
  GpuPool pool(serverless(rules_of(0, 0)), at(0));
  const GpuPool::Run a = pool.begin(at(0)), b = pool.begin(at(0));
  EXPECT_EQ(pool.end(a, at(10 * second_ns)).charge, Usd{5 * dollar});
  EXPECT_EQ(pool.end(b, at(10 * second_ns)).charge, Usd{5 * dollar});
  EXPECT_EQ(seconds_of(pool, 1000), (Seconds{10, 10, 0, 0, 0}));
}

TEST(ServerlessWorkers, WhoLooksOftenSeesTheSameBillAsWhoLooksLater) {
  ServerlessRules rules = rules_of(4, 60);
  rules.workers_max = 2;
  rules.increment = std::chrono::milliseconds{700};
  GpuPool watched(serverless(rules), at(0)), alone(serverless(rules), at(0));
  std::array<GpuPool*, 2> pools{&watched, &alone};
  std::array<std::vector<GpuPool::Run>, 2> runs;
  std::mt19937_64 random(testing::seed());
  std::int64_t now = 0;
  for (int i = 0; i < 500; ++i) {
    now += static_cast<std::int64_t>(random() % 60'000) * 1'000'000;
    const bool begin = runs[0].empty() || random() % 2 == 0;
    for (std::size_t p = 0; p < 2; ++p) {
      if (begin) {
        runs[p].push_back(pools[p]->begin(at(now)));
      } else {
        (void)pools[p]->end(runs[p].back(), at(now));
        runs[p].pop_back();
      }
    }
    for (int look = 1; look <= 20; ++look) (void)watched.status(at(now + look));
  }
  const PoolStatus a = watched.status(at(now + 1000 * second_ns)), b = alone.status(at(now + 1000 * second_ns));
  EXPECT_EQ(a.billed, b.billed);
  EXPECT_EQ(a.idle, b.idle);
  EXPECT_EQ(a.cold_start, b.cold_start);
  EXPECT_EQ(a.minimum, b.minimum);
}

TEST(ServerlessWorkers, APoolThatLeavesTheConfigurationStopsAsItsProviderStopsIt) {
  GpuPool pool(serverless(rules_of(4, 60)), at(0));
  (void)serve(pool, 0, 14);
  pool.stop_billing(at(15 * second_ns));
  EXPECT_EQ(seconds_of(pool, 1000), (Seconds{74, 10, 60, 4, 0}));
}

TEST(ReportedPool, ACallCostsTheTimeItsProviderReports) {
  Pool reported = serverless({});
  reported.billing = Billing::reported;
  GpuPool pool(reported, at(0));
  const GpuPool::Run a = pool.begin(at(0)), b = pool.begin(at(0)), c = pool.begin(at(0));
  EXPECT_EQ(pool.end_reported(a, GpuTime{3'250'000}, at(90 * second_ns)), Usd{3 * dollar + dollar / 4});
  EXPECT_EQ(pool.end_reported(b, GpuTime{0}, at(90 * second_ns)), Usd{}) << "nothing, and that is known";
  EXPECT_EQ(pool.end_reported(c, std::nullopt, at(90 * second_ns)), std::nullopt);
  const PoolStatus status = pool.status(at(100 * second_ns));
  EXPECT_EQ(status.billed, UsdSum(3 * dollar + dollar / 4));
  EXPECT_EQ(status.attributed, status.billed);
  EXPECT_EQ(status.idle, UsdSum{});
  EXPECT_EQ(status.busy_gpu_time, GpuTime{3'250'000});
}

}  // namespace
}  // namespace tollgate
