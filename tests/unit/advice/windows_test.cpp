#include "advice/windows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tollgate::advice {
namespace {

// One request of two seconds at a time: 100 answer tokens at 50 a second.
const Speed one_at_a_time{1e9, 50, 50};

Workload at_seconds(const std::vector<double>& seconds, std::int32_t output = 100) {
  Workload workload;
  for (const double at : seconds) workload.arrivals.push_back({static_cast<std::int64_t>(at * 1e6), 0, output});
  workload.requests = static_cast<std::int64_t>(seconds.size());
  workload.output_tokens = workload.requests * output;
  workload.window_us = workload.arrivals_us = 3'600'000'000;
  return workload;
}

TEST(ServerlessWindows, AWorkerWith4SecondsOfColdStart10OfWorkAnd60OfWaitingBills74) {
  const ServerlessBill bill = serverless_windows(at_seconds({0}, 500), one_at_a_time, {4, 60, true});
  EXPECT_NEAR(bill.billed_seconds, 74, 1e-6);
  EXPECT_NEAR(bill.busy_seconds, 10, 1e-6);
  EXPECT_EQ(bill.cold_starts, 1);
}

// Three requests of 2 s at 0, 4 and 60 s, 20 s of cold start, 5 s of waiting: windows of 31 and 27 s (docs/advice.md).
TEST(ServerlessWindows, TheWorkedExampleBills58SecondsOfWhich6AreUseful) {
  Workload workload = at_seconds({0, 20 + 4, 60});
  const ServerlessBill bill = serverless_windows(workload, one_at_a_time, {20, 5, true});
  EXPECT_NEAR(bill.billed_seconds, 58, 1e-6);
  EXPECT_NEAR(bill.busy_seconds, 6, 1e-6);
  EXPECT_NEAR(bill.cold_seconds, 40, 1e-6);
  EXPECT_NEAR(bill.idle_seconds, 12, 1e-6);
  EXPECT_NEAR(bill.overhead(), 52.0 / 6, 1e-6);
}

TEST(ServerlessWindows, RequestsTogetherShareAWorkerUpToItsPlacesAndThenStartAnother) {
  const Speed four{1e9, 200, 50};
  EXPECT_EQ(four.places(), 4U);
  EXPECT_EQ(serverless_windows(at_seconds({0, 0, 0, 0}), four, {1, 5, true}).cold_starts, 1);
  const ServerlessBill five = serverless_windows(at_seconds({0, 0, 0, 0, 0}), four, {1, 5, true});
  EXPECT_EQ(five.cold_starts, 2);
  EXPECT_EQ(five.workers_at_once, 2U);
}

TEST(ServerlessWindows, TheBillIsTheSumOfItsPartsWhateverArrives) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<double> seconds(200);
    for (double& at : seconds) at = static_cast<double>(random() % 3'600'000) / 1000;
    std::sort(seconds.begin(), seconds.end());
    const ServerlessBill bill = serverless_windows(at_seconds(seconds), {1e4, 150, 50}, {static_cast<double>(random() % 40), static_cast<double>(random() % 90), random() % 2 == 0});
    EXPECT_NEAR(bill.billed_seconds, bill.busy_seconds + bill.idle_seconds + bill.cold_seconds, 1e-6) << "seed " << seed;
    EXPECT_GE(bill.idle_seconds, -1e-6);
    EXPECT_GE(bill.busy_seconds, 200 * 2.0 / 3 - 1e-6) << "three at once at most";
  }
}

TEST(ReplicasNeeded, AreThoseOfTheBusiestMinuteNotOfTheMean) {
  std::vector<double> burst(300, 30.0);                    // 300 requests of 2 s of full work in one minute of an hour
  const Needed needed = replicas_needed(at_seconds(burst), one_at_a_time, 1.0);
  EXPECT_EQ(needed.replicas, 10);
  EXPECT_NEAR(needed.utilisation(), 600.0 / 3600 / 10, 1e-9);
}

TEST(AssumedWorkload, IsTheSameForASeedAndHoldsWhatWasAsked) {
  const Assumed assumed{"m", 30'000'000, 0.75, 0, 8, 7};
  const Workload a = assumed_workload(assumed), b = assumed_workload(assumed);
  EXPECT_EQ(a.requests, 30'000);
  EXPECT_EQ(a.input_tokens, 22'500'000);
  EXPECT_EQ(a.arrivals.size(), 30'000U);
  EXPECT_EQ(a.arrivals.back().at_us, b.arrivals.back().at_us);
  EXPECT_LE(a.arrivals.back().at_us, 8 * 3'600'000'000LL);
  EXPECT_NEAR(shape_of(a).longest_gap_hours, 16, 0.1);
  EXPECT_NEAR(shape_of(a).busy_ratio, 1.0 / 3, 0.01);
}

}  // namespace
}  // namespace tollgate::advice
