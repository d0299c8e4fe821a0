#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>

#include "config/decimal.hpp"
#include "metrics/costs_query.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_sqlite.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using namespace testing;

/// A ledger that the first program wrote.
std::string old_ledger(const Folder& folder) {
  std::ifstream in(TEST_DATA "/ledger_v1.sql");
  const std::string script(std::istreambuf_iterator<char>(in), {});
  const std::string path = folder.file("ledger.db");
  sqlite3* made = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &made), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(made, script.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(made);
  sqlite3_close(made);
  return path;
}

constexpr std::int64_t end_of_time = 4'000'000'000'000'000;

TEST(LedgerMigrationTest, ALedgerOfTheFirstProgramIsReadAsItIs) {
  const Folder folder;
  const std::string path = old_ledger(folder);
  const CostsReport report = LedgerReader::open(path).value()->costs({0, end_of_time, {Dimension::target}}).value();
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.total.requests, 15);
  EXPECT_EQ(report.total.unpriced, 1);
  EXPECT_EQ(decimal_text(report.total.known_usd()), "0.001956385886");
  EXPECT_EQ(Reader(path).number("PRAGMA user_version"), 1);
}

TEST(LedgerMigrationTest, ALedgerOfTheFirstProgramBecomesOneOfThisWithEveryRowAndTakesNewOnes) {
  const Folder folder;
  const std::string path = old_ledger(folder);
  const std::string before = Reader(path).text("SELECT group_concat(request||usd_known||result) FROM requests");
  {
    const auto accounts = start(ledger_at(path));
    OpenRequest& open = must_open(accounts->books(0), *accounts, opened());
    accounts->books(0).settle(open, closing());
  }
  Reader reader(path);
  EXPECT_EQ(reader.number("PRAGMA user_version"), ledger_schema_version);
  EXPECT_EQ(
      reader.text("SELECT group_concat(request||usd_known||result) FROM requests WHERE model<>'auto' OR attempts>0"),
      before);
  EXPECT_EQ(reader.number("SELECT count(*) FROM request"), 16);
  EXPECT_EQ(reader.number("SELECT count(*) FROM baselines"), 0);
  EXPECT_EQ(reader.number("SELECT count(*) FROM daily_sums"), 0);
}

/// A table made by an older program keeps what that one remarked beside its columns.
std::string without_comments(const std::string& sql) { return std::regex_replace(sql, std::regex(" *-- [^\n]*"), ""); }

TEST(LedgerMigrationTest, AMigratedLedgerHasTheTablesOfANewOne) {
  const Folder folder;
  const std::string path = old_ledger(folder);
  { ASSERT_TRUE(SqliteLedger::open(path)); }
  { ASSERT_TRUE(SqliteLedger::open(folder.file("new.db"))); }
  const std::string tables = "SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_schema ORDER BY name)";
  EXPECT_EQ(without_comments(Reader(path).text(tables)), without_comments(Reader(folder.file("new.db")).text(tables)));
}

TEST(LedgerMigrationTest, ALedgerOfANewerProgramIsRefusedAndLeftAlone) {
  const Folder folder;
  const std::string path = old_ledger(folder);
  Reader(path).run("PRAGMA user_version=99");
  const auto opened = SqliteLedger::open(path);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("schema 99, written by a newer tollgate"), std::string::npos);
  const auto read = LedgerReader::open(path);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("newer tollgate"), std::string::npos);
  EXPECT_EQ(Reader(path).number("PRAGMA user_version"), 99);
  EXPECT_EQ(Reader(path).number("SELECT count(*) FROM request"), 15);
}

}  // namespace
}  // namespace tollgate
