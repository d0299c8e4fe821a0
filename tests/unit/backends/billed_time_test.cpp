#include "backends/billed_time.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

TEST(BilledTime, IsReadExactlyAndRoundedToAMicrosecond) {
  EXPECT_EQ(billed_time_of("3.25", false), GpuTime{3'250'000});
  EXPECT_EQ(billed_time_of(" 1532 ", true), GpuTime{1'532'000});
  EXPECT_EQ(billed_time_of("0", false), GpuTime{0});
  EXPECT_EQ(billed_time_of("2.5e-06", false), GpuTime{2}) << "half to even";
  EXPECT_EQ(billed_time_of("3.5e-6", false), GpuTime{4});
  EXPECT_EQ(billed_time_of("1E+1", false), GpuTime{10'000'000});
  EXPECT_EQ(billed_time_of("0.0000000000000001", false), GpuTime{0});
}

TEST(BilledTime, WhatIsNoTimeIsNotKnown) {
  for (const char* text :
       {"", " ", "-1", "nan", "inf", "1,5", "1.5.2", "1e", "1e9999", "99999999999", "3 s", "0x10", "."}) {
    EXPECT_EQ(billed_time_of(text, false), std::nullopt) << text;
  }
}

TEST(BilledTime, IsFoundAtItsPath) {
  const BilledSeconds where{"", {"metrics", "predict_time"}, false};
  EXPECT_EQ(billed_time_in(R"({"id":"x","metrics":{"predict_time":4.031829,"total_time":9}})", where),
            GpuTime{4'031'829});
  EXPECT_EQ(billed_time_in(R"({"metrics":{"predict_time":"2.5"}})", where), GpuTime{2'500'000});
  for (const char* json : {R"({"metrics":{}})", R"({"metrics":7})", R"({"metrics":{"predict_time":null}})",
                           R"({"metrics":{"predict_time":-3}})", "[]", "not json", ""}) {
    EXPECT_EQ(billed_time_in(json, where), std::nullopt) << json;
  }
  EXPECT_EQ(billed_time_in(R"({"executionTime":1532})", {"", {"executionTime"}, true}), GpuTime{1'532'000});
}

TEST(BilledTime, OfAStreamTheLastThatSaysItCounts) {
  const BilledSeconds where{"", {"metrics", "predict_time"}, false};
  const std::string stream =
      "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"predict_time\\\" 9\"}}]}\n\n"
      "data: {\"metrics\":{\"predict_time\":1}}\n\n"
      "data: {\"metrics\":{\"predict_time\":2.5}}\n\ndata: [DONE]\n\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    BilledTimeScan scan(where);
    scan.feed(std::string_view(stream).substr(0, cut));
    scan.feed(std::string_view(stream).substr(cut));
    EXPECT_EQ(scan.billed(), GpuTime{2'500'000}) << cut;
  }
  BilledTimeScan silent(where);
  silent.feed("data: {\"usage\":null}\n\n");
  EXPECT_EQ(silent.billed(), std::nullopt);
}

}  // namespace
}  // namespace tollgate
