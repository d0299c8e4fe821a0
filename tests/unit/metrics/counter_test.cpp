#include "metrics/counter.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace tollgate {
namespace {

TEST(MoneyCounter, GoesPastSixtyFourBits) {
  MoneyCounter counter;
  Int128 sum = 0;
  for (const std::int64_t amount :
       {INT64_MAX, INT64_MAX, std::int64_t{5}, INT64_MAX, (std::int64_t{1} << 62) - 1, std::int64_t{1}}) {
    counter.add(Usd{amount});
    sum += amount;
    EXPECT_EQ(counter.value().picodollars(), sum);
  }
}

TEST(MoneyCounter, AReaderNeverSeesHalfACarry) {
  MoneyCounter counter;
  std::atomic<bool> done{false};
  bool fell = false;
  std::thread reader([&] {
    Int128 last = 0;
    while (!done.load(std::memory_order_relaxed)) {
      const Int128 now = counter.value().picodollars();
      fell = fell || now < last;
      last = now;
    }
  });
  for (int i = 0; i < 300'000; ++i) counter.add(Usd{(std::int64_t{1} << 61) + 12345});  // carries every second time
  done = true;
  reader.join();
  EXPECT_FALSE(fell);
}

TEST(Histogram, BoundsAreInclusiveAndTheLastBucketIsEndless) {
  static constexpr std::array<std::int64_t, 3> bounds{10, 20, 30};
  Histogram<3> histogram(bounds);
  for (const std::int64_t value : {0, 10, 11, 20, 30, 31, 1'000'000}) histogram.observe(value);
  HistogramTotals<3> totals;
  histogram.add_to(totals);
  EXPECT_EQ(totals.counts, (std::array<std::uint64_t, 4>{2, 2, 1, 2}));
  EXPECT_EQ(totals.sum, Int128{1'000'102});
}

}  // namespace
}  // namespace tollgate
