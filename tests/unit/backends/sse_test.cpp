#include "backends/sse.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tollgate {
namespace {

std::vector<std::string> events_of(SseSplitter& splitter, std::string_view bytes) {
  std::vector<std::string> events;
  EXPECT_TRUE(splitter.feed(bytes, [&](std::string_view raw) { events.emplace_back(raw); }));
  return events;
}

TEST(Sse, EventsAreTheSameWhereverTheBytesAreSplit) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const std::string text = "\xEF\xBB\xBF" "data: a" + end + end + ": comment" + end + end + "event: x" + end + "data: b" + end + "data: c" + end + end + "data: [DONE]" + end + end;
    SseSplitter whole;
    std::vector<std::string> expected = events_of(whole, text);
    for (const std::string& last : events_of(whole, "data: z\n\n")) expected.push_back(last);
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      SseSplitter splitter;
      std::vector<std::string> events = events_of(splitter, text.substr(0, cut));
      for (const std::string& event : events_of(splitter, text.substr(cut) + "data: z\n\n")) events.push_back(event);
      std::string joined, wanted, scratch;
      std::vector<std::string> data, data_wanted;
      for (const std::string& event : events) {
        joined += event;
        if (const auto payload = event_data(event, scratch); !payload.empty()) data.emplace_back(payload);
      }
      for (const std::string& event : expected) {
        wanted += event;
        if (const auto payload = event_data(event, scratch); !payload.empty()) data_wanted.emplace_back(payload);
      }
      EXPECT_EQ(joined, wanted) << "cut at " << cut;
      EXPECT_EQ(data, data_wanted) << "cut at " << cut;
      EXPECT_EQ(data, (std::vector<std::string>{"a", "b\nc", "[DONE]", "z"})) << "cut at " << cut;
    }
  }
}

TEST(Sse, WholeEventsAreViewsOfTheFedBytes) {
  SseSplitter splitter;
  const std::string bytes = "data: a\n\ndata: b\n\n";
  ASSERT_TRUE(splitter.feed(bytes, [&](std::string_view raw) { EXPECT_TRUE(raw.data() >= bytes.data() && raw.data() < bytes.data() + bytes.size()); }));
  EXPECT_TRUE(splitter.rest().empty());
}

TEST(Sse, AnEventPastTheLimitIsRefused) {
  SseSplitter splitter;
  const std::string big(SseSplitter::event_bytes_max, 'x');
  EXPECT_TRUE(splitter.feed(big, [](std::string_view) {}));
  EXPECT_FALSE(splitter.feed("y", [](std::string_view) {}));
}

TEST(Sse, OnlyDataFieldsAreData) {
  std::string joined;
  EXPECT_EQ(event_data("database: x\n\n", joined), "");
  EXPECT_EQ(event_data("data:x\n\n", joined), "x");
  EXPECT_EQ(event_data("data:  x\n\n", joined), " x");
  EXPECT_EQ(event_data(": data: x\n\n", joined), "");
}

}  // namespace
}  // namespace tollgate
