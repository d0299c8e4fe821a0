#include "config/time_zone.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace tollgate {
namespace {

constexpr std::int64_t hour = 3600;

std::int64_t utc(int year, unsigned month, unsigned day, int hours = 0) {
  using namespace std::chrono;
  const sys_days date{std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}};
  return date.time_since_epoch().count() * 24 * hour + hours * hour;
}

TimeZone zone(std::string_view name) { return *find_time_zone(name).value(); }

TEST(TimeZone, KnowsSummerAndWinterAlsoPastTheTableOfItsFile) {
  for (const int year : {1996, 2026, 2050, 2150}) {
    EXPECT_EQ(zone("Europe/Berlin").offset_at(utc(year, 1, 15)), hour) << year;
    EXPECT_EQ(zone("Europe/Berlin").offset_at(utc(year, 7, 15)), 2 * hour) << year;
  }
  EXPECT_EQ(zone("Asia/Kathmandu").offset_at(utc(2026, 1, 1)), 5 * hour + 45 * 60);
  EXPECT_EQ(zone("UTC").offset_at(utc(2026, 1, 1)), 0);
}

TEST(TimeZone, ChangesAtTheMomentOfTheRule) {
  const TimeZone berlin = zone("Europe/Berlin");
  EXPECT_EQ(berlin.next_change(utc(2026, 1, 1)), utc(2026, 3, 29, 1));
  EXPECT_EQ(berlin.offset_at(utc(2026, 3, 29, 1) - 1), hour);
  EXPECT_EQ(berlin.offset_at(utc(2026, 3, 29, 1)), 2 * hour);
  EXPECT_EQ(zone("UTC").next_change(0), TimeZone::never);
}

TEST(TimeZone, AMidnightThatDoesNotExistBeginsWithTheChange) {
  // Santiago puts its clocks forward at midnight: 2026-09-06 begins at 01:00.
  EXPECT_EQ(zone("America/Santiago").first_instant_of(utc(2026, 9, 6)), utc(2026, 9, 6, 4));
}

TEST(TimeZone, ATimeThatIsShownTwiceIsTheFirst) {
  EXPECT_EQ(zone("Europe/Berlin").first_instant_of(utc(2026, 10, 25, 2)), utc(2026, 10, 25, 0));
}

TEST(TimeZone, ANameThatIsNoneIsRefused) {
  for (const char* name : {"Europe/Berlun", "", "../../etc/passwd", "/etc/localtime", "Europe"}) {
    const Result<TimeZonePtr> found = find_time_zone(name);
    ASSERT_FALSE(found.has_value()) << name;
    EXPECT_EQ(found.error().fault, Fault::bad_config);
  }
}

TEST(TimeZone, ADamagedFileIsRefused) {
  EXPECT_FALSE(TimeZone::parse("x", "").has_value());
  EXPECT_FALSE(TimeZone::parse("x", "TZif2").has_value());
  EXPECT_FALSE(TimeZone::parse("x", std::string("TZif2") + std::string(39, '\xff')).has_value());
}

}  // namespace
}  // namespace tollgate
