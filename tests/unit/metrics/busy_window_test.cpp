#include "metrics/busy_window.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

constexpr std::int64_t s = 1'000'000'000;

TEST(BusyWindow, IsTheShareOfTheTimeThereWas) {
  BusyWindow window(1000 * s);
  EXPECT_EQ(window.ratio(1000 * s), 0);
  window.add(1000 * s, 1003 * s, true);
  window.add(1003 * s, 1004 * s, false);
  EXPECT_DOUBLE_EQ(window.ratio(1004 * s), 0.75);
}

TEST(BusyWindow, ForgetsWhatIsOlderThanFiveMinutes) {
  BusyWindow window(0);
  window.add(0, 300 * s, true);
  window.add(300 * s, 630 * s, false);
  EXPECT_EQ(window.ratio(630 * s), 0);
}

TEST(BusyWindow, KeepsWhatIsYounger) {
  BusyWindow window(0);
  window.add(0, 600 * s, false);
  window.add(600 * s, 750 * s, true);
  EXPECT_DOUBLE_EQ(window.ratio(750 * s), 150.0 / 330);  // ten complete intervals and the current one
}

TEST(BusyWindow, AYearInOneStepIsNotWalkedThrough) {
  BusyWindow window(0);
  window.add(0, 365 * 24 * 3600 * s, true);
  EXPECT_DOUBLE_EQ(window.ratio(365 * 24 * 3600 * s), 1.0);
  window.add(365 * 24 * 3600 * s, 730 * 24 * 3600 * s, false);
  EXPECT_EQ(window.ratio(730 * 24 * 3600 * s), 0);
}

}  // namespace
}  // namespace tollgate
