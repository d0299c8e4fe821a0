#include "training/rows.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tollgate::training {
namespace {

class Rows : public ::testing::Test {
 protected:
  std::string write(std::string_view text) {
    path_ = std::filesystem::path(::testing::TempDir()) /
            ("rows_" + std::to_string(reinterpret_cast<std::uintptr_t>(this)) + ".txt");
    std::ofstream(path_) << text;
    return path_;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST_F(Rows, CsvFieldsMayHoldCommasLinesAndQuotes) {
  const auto records = read_csv("a,b\n\"1,\n2\",\"say \"\"hi\"\"\"\n3,\n");
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[1], (std::vector<std::string>{"1,\n2", "say \"hi\""}));
  EXPECT_EQ(records[2], (std::vector<std::string>{"3", ""}));
}

TEST_F(Rows, OutcomesAreReadByTheNamesOfTheirColumns) {
  const Result<Source> source = read_source(write("group,weak_ok,prompt,strong_ok\nfacts,0,Who wrote Emma?,0.5\n"));
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_EQ(source.value().rows.size(), 1U);
  EXPECT_EQ(source.value().rows[0].group, "facts");
  EXPECT_FLOAT_EQ(source.value().rows[0].strong, 0.5F);
  EXPECT_EQ(source.value().rows[0].seen.characters, 15U);
}

TEST_F(Rows, OutcomesThatAreNoNumbersAreRefused) {
  EXPECT_FALSE(read_source(write("prompt,group,weak_ok,strong_ok\nWho?,a,yes,1\n")));
  EXPECT_FALSE(read_source(write("prompt,group,weak_ok\nWho?,a,1\n")));
  EXPECT_FALSE(read_source(write("")));
}

TEST_F(Rows, LabelledRequestsAreSeenAsTheGatewaySeesThem) {
  const auto rows = read_labelled(write(
      R"({"id":"x","kind":"maths","core":7,"lang":"en","tier":"REASONING","messages":[{"role":"user","content":"Prove that there are infinitely many primes."}]})"
      "\n"));
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows.value().size(), 1U);
  EXPECT_EQ(rows.value()[0].tier, 3);
  EXPECT_EQ(rows.value()[0].core, 7);
  EXPECT_GT(rows.value()[0].seen.words.count, 5);
}

TEST_F(Rows, AnUnknownTierIsNamedWithItsLine) {
  const auto rows = read_labelled(write("\n{\"tier\":\"HARD\",\"messages\":[]}\n"));
  ASSERT_FALSE(rows);
  EXPECT_NE(rows.error().message.find(":2: tier must be"), std::string::npos) << rows.error().message;
}

TEST_F(Rows, AMissingFileIsNamed) {
  EXPECT_NE(read_labelled("/nowhere/x.jsonl").error().message.find("/nowhere/x.jsonl"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::training
