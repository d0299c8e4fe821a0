#include "backends/simulator/records.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tollgate::simulator {
namespace {

Record record(const std::string& id, std::uint32_t generated = 0) {
  Record made;
  made.id = id;
  made.response_id = "chatcmpl-" + id;
  made.generated_tokens = generated;
  return made;
}

TEST(Records, AreFoundByEitherId) {
  Records records;
  records.add(record("a", 7));
  ASSERT_NE(records.find("a"), nullptr);
  EXPECT_EQ(records.find("chatcmpl-a")->generated_tokens, 7U);
  EXPECT_EQ(records.find("b"), nullptr);
}

TEST(Records, TheNewestOfAnIdCounts) {
  Records records;
  records.add(record("a", 1));
  records.add(record("a", 2));
  EXPECT_EQ(records.find("a")->generated_tokens, 2U);
}

TEST(Records, TheOldestGoesWhenOneTooManyComes) {
  Records records;
  for (std::size_t i = 0; i < Records::records_max; ++i) records.add(record(std::to_string(i)));
  EXPECT_NE(records.find("0"), nullptr);
  records.add(record("one more"));
  EXPECT_EQ(records.find("0"), nullptr);
  EXPECT_EQ(records.find("chatcmpl-0"), nullptr);
  EXPECT_EQ(records.find("1")->id, "1");
  EXPECT_EQ(records.find("one more")->id, "one more");
  EXPECT_EQ(records.size(), Records::records_max);
}

TEST(Records, AreListedNewestFirstAndUnknownIsNull) {
  Records records;
  records.add(record("a"));
  records.add(record("b"));
  const auto list = nlohmann::json::parse(records.json_list(1));
  ASSERT_EQ(list["requests"].size(), 1U);
  EXPECT_EQ(list["requests"][0]["id"], "b");
  EXPECT_TRUE(list["requests"][0]["aborted_at"].is_null());
  EXPECT_TRUE(list["requests"][0]["finish_reason"].is_null());
}

}  // namespace
}  // namespace tollgate::simulator
