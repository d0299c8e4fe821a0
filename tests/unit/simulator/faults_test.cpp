#include "backends/simulator/faults.hpp"

#include <gtest/gtest.h>

namespace tollgate::simulator {
namespace {

using namespace std::chrono_literals;

FaultPlan plan(const char* text) {
  Result<FaultPlan> read = parse_faults(text);
  EXPECT_TRUE(read) << text;
  return read ? std::move(read.value()) : FaultPlan{};
}

TEST(Faults, NothingIsNoFault) {
  EXPECT_FALSE(plan("").any());
  EXPECT_FALSE(plan("  ").any());
}

TEST(Faults, AreReadFromCommaSeparatedItems) {
  const FaultPlan both = plan("status=429, retry-after=7 ,delay=250ms");
  EXPECT_EQ(both.status, 429);
  EXPECT_EQ(both.retry_after, 7);
  EXPECT_EQ(both.delay, 250ms);
  EXPECT_EQ(plan("stall=first-byte").stall, Stall::first_byte);
  EXPECT_EQ(plan("stall=4").stall_after, 4U);
  EXPECT_EQ(plan("cut=5").cut, 5U);
  EXPECT_EQ(plan("cut-bytes=9").cut_bytes, 9U);
  EXPECT_TRUE(plan("reset").reset_head);
  EXPECT_EQ(plan("reset=2").reset, 2U);
  EXPECT_EQ(plan("error-event=2").error_event, 2U);
  EXPECT_TRUE(plan("garbage").garbage);
  EXPECT_EQ(plan("content-type=text/html; charset=x").content_type, "text/html; charset=x");
  EXPECT_EQ(plan("usage=zero").usage, UsageFault::zero);
  EXPECT_EQ(plan("slow-drip").drip, 10ms);
  EXPECT_EQ(plan("slow-drip=2s").drip, 2s);
  EXPECT_TRUE(plan("close-after-answer").close_after_answer);
  EXPECT_EQ(plan("huge-event").huge_event, 1024U * 1024U);
}

TEST(Faults, AWrongItemIsNamedWithWhatWouldBeRight) {
  for (const char* text : {"status=200", "status", "delay=5", "delay=5h", "stall", "stall=x", "cut=-1", "cut=x",
                           "usage=some", "garbage=1", "slow-drip=0ms", "huge-event=0", "huge-event=99999999999",
                           "retry-after=3", "content-type=a\r\nb", "cut=5,,", "nonsense"}) {
    const Result<FaultPlan> read = parse_faults(text);
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.error().message.find("fault \""), std::string::npos) << read.error().message;
  }
}

}  // namespace
}  // namespace tollgate::simulator
