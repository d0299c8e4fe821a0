#include "metrics/budget_window.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

constexpr std::int64_t second_us = 1'000'000;

std::int64_t utc(int year, unsigned month, unsigned day, int hour = 0, int minute = 0) {
  using namespace std::chrono;
  const sys_days date{std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}};
  return duration_cast<seconds>((date + hours{hour} + minutes{minute}).time_since_epoch()).count() * second_us;
}

TimeZonePtr zone(std::string_view name) { return find_time_zone(name).value(); }

void expect_window(const TimeWindow& window, std::int64_t begin, std::int64_t end) {
  EXPECT_EQ(window.begin_us, begin);
  EXPECT_EQ(window.end_us, end);
}

TEST(BudgetWindow, ADayBeginsAtMidnightOfItsZone) {
  expect_window(window_at(BudgetPeriod::day, *zone("Europe/Berlin"), utc(2026, 11, 21, 12)), utc(2026, 11, 20, 23),
                utc(2026, 11, 21, 23));
  expect_window(window_at(BudgetPeriod::day, *zone("UTC"), utc(2026, 11, 21)), utc(2026, 11, 21), utc(2026, 11, 22));
}

TEST(BudgetWindow, DaysOfTheClockChangeAreLongerAndShorter) {
  expect_window(window_at(BudgetPeriod::day, *zone("Europe/Berlin"), utc(2026, 3, 29, 12)), utc(2026, 3, 28, 23),
                utc(2026, 3, 29, 22));
  expect_window(window_at(BudgetPeriod::day, *zone("Europe/Berlin"), utc(2026, 10, 25, 12)), utc(2026, 10, 24, 22),
                utc(2026, 10, 25, 23));
}

TEST(BudgetWindow, AMonthFollowsTheZoneOverAClockChangeAndTheYear) {
  expect_window(window_at(BudgetPeriod::month, *zone("America/New_York"), utc(2026, 3, 15)), utc(2026, 3, 1, 5),
                utc(2026, 4, 1, 4));
  expect_window(window_at(BudgetPeriod::month, *zone("UTC"), utc(2026, 12, 31, 23, 59)), utc(2026, 12, 1),
                utc(2027, 1, 1));
}

TEST(BudgetWindow, AnHourOfAZoneWithHalfHoursBeginsAtTheHalfHourOfUtc) {
  expect_window(window_at(BudgetPeriod::hour, *zone("Asia/Kolkata"), utc(2026, 11, 21, 12, 10)),
                utc(2026, 11, 21, 11, 30), utc(2026, 11, 21, 12, 30));
}

TEST(BudgetWindow, WindowsFollowEachOtherWithoutGapsInAnyZone) {
  for (const char* name : {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"}) {
    const TimeZonePtr here = zone(name);
    for (const BudgetPeriod period : {BudgetPeriod::hour, BudgetPeriod::day, BudgetPeriod::month}) {
      std::int64_t at = utc(2026, 1, 1);
      for (int i = 0; i < 400; ++i) {
        const TimeWindow window = window_at(period, *here, at);
        ASSERT_LE(window.begin_us, at) << name;
        ASSERT_GT(window.end_us, at) << name;
        const TimeWindow last = window_at(period, *here, window.end_us - second_us);
        ASSERT_EQ(last.begin_us, window.begin_us) << name << " " << at;
        ASSERT_EQ(window_at(period, *here, window.end_us).begin_us, window.end_us) << name << " " << at;
        at = window.end_us;
      }
    }
  }
}

Budget rolling(std::chrono::seconds length) {
  Budget rule;
  rule.period = BudgetPeriod::rolling;
  rule.rolling = length;
  return rule;
}

TEST(BudgetWindow, AChargeLeavesARollingWindowAfterItsLengthAndAtMostASliceMore) {
  const std::int64_t begin = utc(2026, 11, 21), hour = 3600 * second_us, slice = hour / 240;
  for (std::int64_t offset = 0; offset < slice; offset += slice / 7) {
    BudgetWindows windows(rolling(std::chrono::hours{1}), begin);
    windows.turn(begin + offset);
    windows.spend(windows.current(), begin + offset, UsdSum{Usd{5}});
    windows.turn(begin + offset + hour - 1);
    EXPECT_EQ(windows.spent(windows.current()), UsdSum{Usd{5}}) << offset;
    EXPECT_GE(windows.frees(UsdSum{Usd{5}}), begin + offset + hour);
    windows.turn(windows.frees(UsdSum{Usd{5}}));
    EXPECT_EQ(windows.spent(windows.current()), UsdSum{});
    EXPECT_LE(windows.frees(UsdSum{Usd{0}}), begin + offset + hour + 3 * slice);
  }
}

TEST(BudgetWindow, AClockThatIsSetBackOpensNoOldWindow) {
  Budget rule;
  rule.period = BudgetPeriod::day;
  rule.zone = zone("UTC");
  BudgetWindows windows(rule, utc(2026, 11, 21, 12));
  windows.spend(windows.current(), utc(2026, 11, 21, 12), UsdSum{Usd{5}});
  windows.turn(utc(2026, 11, 20, 12));
  EXPECT_EQ(windows.spent(windows.current()), UsdSum{Usd{5}});
  EXPECT_EQ(windows.window().begin_us, utc(2026, 11, 21));
}

}  // namespace
}  // namespace tollgate
