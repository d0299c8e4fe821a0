#include "gateway/cli/time_spec.hpp"

#include <gtest/gtest.h>

namespace tollgate::cli {
namespace {

constexpr std::int64_t noon_us = 1'795'262'400'000'000;  // 2026-11-21T12:00:00Z

std::string read(std::string_view text) {
  const Result<std::int64_t> time = parse_time(text, noon_us);
  return time ? time_text(time.value()) : "refused";
}

TEST(TimeSpecTest, SpansGoBackFromNow) {
  EXPECT_EQ(read("30m"), "2026-11-21T11:30:00Z");
  EXPECT_EQ(read("24h"), "2026-11-20T12:00:00Z");
  EXPECT_EQ(read("7d"), "2026-11-14T12:00:00Z");
  EXPECT_EQ(read("2w"), "2026-11-07T12:00:00Z");
}

TEST(TimeSpecTest, WordsAndDatesAreInUtc) {
  EXPECT_EQ(read("now"), "2026-11-21T12:00:00Z");
  EXPECT_EQ(read("today"), "2026-11-21T00:00:00Z");
  EXPECT_EQ(read("yesterday"), "2026-11-20T00:00:00Z");
  EXPECT_EQ(read("month"), "2026-11-01T00:00:00Z");
  EXPECT_EQ(read("2024-02-29"), "2024-02-29T00:00:00Z");
  EXPECT_EQ(read("2026-11-01T12:30"), "2026-11-01T12:30:00Z");
  EXPECT_EQ(read("2026-11-01T12:30:15Z"), "2026-11-01T12:30:15Z");
}

TEST(TimeSpecTest, WhatIsNoTimeIsRefusedWithWhatWouldBeRight) {
  for (const char* const text : {"", "d", "7", "-7d", "7y", "2025-02-29", "2026-13-01", "2026-11-01T25:00", "2026-1-1",
                                 "2026-11-01T12:30+01:00", "99999999d"}) {
    EXPECT_EQ(read(text), "refused") << text;
  }
  EXPECT_NE(parse_time("soon", noon_us).error().message.find("2026-11-01"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::cli
