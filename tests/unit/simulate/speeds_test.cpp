#include "simulate/speeds.hpp"

#include <gtest/gtest.h>

#include "traffic_maker.hpp"

namespace tollgate::simulate {
namespace {

using testing::config_of;
using testing::fleet;
using testing::TrafficMaker;

TEST(Fit, FindsThePartsOfStreams) {
  std::vector<TimedRow> rows;
  for (int i = 1; i <= 50; ++i) {
    const double input = 100.0 * i, output = 20 + i % 7;
    rows.push_back({input, output, 50'000 + 10 * input + 20'000, 50'000 + 10 * input + 20'000 * output, 0});
  }
  const TargetSpeed speed = fit(rows);
  EXPECT_NEAR(speed.overhead_us, 50'000, 500);
  EXPECT_NEAR(speed.us_per_input, 10, 0.1);
  EXPECT_NEAR(speed.us_per_output, 20'000, 200);
}

TEST(Fit, FindsThePartsOfWholeAnswers) {
  std::vector<TimedRow> rows;
  for (int i = 1; i <= 50; ++i) {
    const double input = 100.0 * ((i * 7) % 50), output = 10 + (i * 13) % 41;
    rows.push_back({input, output, -1, 30'000 + 5 * input + 10'000 * output, 0});
  }
  const TargetSpeed speed = fit(rows);
  EXPECT_NEAR(speed.time(1000, 30).whole_us, 30'000 + 5'000 + 300'000, 3'000);
}

TEST(Fit, WhatRanInCompanyDoesNotCountWhereThereIsEnoughElse) {
  std::vector<TimedRow> rows;
  for (int i = 0; i < 100; ++i) rows.push_back({100, 10, -1, i % 2 == 0 ? 100'000.0 : 300'000.0, i % 2 == 0 ? 0.0 : 8.0});
  EXPECT_NEAR(fit(rows).time(100, 10).whole_us, 100'000, 1'000);
}

TEST(Measure, APoolsKneeShowsInWhatSlowsDown) {
  const ConfigPtr config = config_of(fleet());
  TrafficMaker maker(config);
  maker.chat.text_bytes = 400;
  // One at a time they take a second; four at a time two: it serves two at full speed.
  std::int64_t at = 0;
  for (int i = 0; i < 100; ++i, at += 10'000'000) {
    maker.took_us = 1'000'000;
    maker.add(at, 0.2F);
  }
  for (int i = 0; i < 100; ++i, at += 10'000'000) {
    maker.took_us = 2'000'000;
    for (int k = 0; k < 4; ++k) maker.add(at, 0.2F);
  }
  const SpeedBook book = measure(maker.traffic(), *config);
  EXPECT_EQ(book.of(0).source, SpeedSource::measured);
  EXPECT_NEAR(book.of(0).time(100, 100).whole_us, 1e6, 1e4);
  EXPECT_TRUE(book.pools[0].seen_full);
  EXPECT_NEAR(book.pools[0].full_speed, 2, 0.1);
  EXPECT_EQ(book.of(1).source, SpeedSource::everything) << "nothing went to the cloud";
}

}  // namespace
}  // namespace tollgate::simulate
