#include "backends/first_answer_times.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "support/seed.hpp"

namespace tollgate {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(FirstAnswerTimes, SaysNothingBeforeItKnowsEnough) {
  FirstAnswerTimes times;
  EXPECT_FALSE(times.percentile(0.95, 0));
  for (int i = 0; i < 19; ++i) times.add(milliseconds{100});
  EXPECT_FALSE(times.percentile(0.95, 20));
  times.add(milliseconds{100});
  EXPECT_TRUE(times.percentile(0.95, 20));
}

// Against the sorted samples: never below the true percentile, never more than an eighth above.
TEST(FirstAnswerTimes, PercentilesAreTrueToAnEighth) {
  const unsigned seed = test_seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> spread(12.5, 0.8);
  FirstAnswerTimes times;
  std::vector<std::int64_t> sorted;
  for (int i = 0; i < 2'000; ++i) {
    sorted.push_back(static_cast<std::int64_t>(spread(random)));
    times.add(microseconds{sorted.back()});
  }
  std::sort(sorted.begin(), sorted.end());
  for (const double share : {0.5, 0.9, 0.95, 0.99}) {
    const std::int64_t truth = sorted[static_cast<std::size_t>(share * 2'000) - 1];
    const std::int64_t said = times.percentile(share, 20)->count();
    EXPECT_GE(said, truth);
    EXPECT_LE(said, truth * 9 / 8 + 1);
  }
}

TEST(FirstAnswerTimes, ForgetsWhatIsOld) {
  FirstAnswerTimes times;
  for (std::uint32_t i = 0; i < FirstAnswerTimes::samples_max; ++i) times.add(milliseconds{5'000});
  EXPECT_GE(*times.percentile(0.5, 1), milliseconds{5'000});
  for (std::uint32_t i = 0; i < 2 * FirstAnswerTimes::samples_max; ++i) times.add(milliseconds{100});
  EXPECT_LE(*times.percentile(0.5, 1), milliseconds{113});
  EXPECT_LE(times.samples(), FirstAnswerTimes::samples_max);
}

TEST(FirstAnswerTimes, TakesTimesPastItsEnds) {
  FirstAnswerTimes times;
  times.add(microseconds{-5});
  times.add(microseconds{0});
  EXPECT_LE(*times.percentile(1, 1), microseconds{72});
  times.add(std::chrono::hours{24});
  EXPECT_GE(*times.percentile(1, 1), std::chrono::minutes{17});
}

TEST(FirstAnswerTimes, ManyThreadsLoseNextToNothing) {
  FirstAnswerTimes times;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 400; ++i) times.add(milliseconds{10 + i % 10});
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(times.samples(), 1'600U);
  EXPECT_LE(*times.percentile(0.99, 20), milliseconds{22});
}

}  // namespace
}  // namespace tollgate
