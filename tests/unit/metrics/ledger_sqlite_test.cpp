#include "metrics/ledger_sqlite.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "metrics/ledger_schema.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using testing::Folder;
using testing::Reader;

std::unique_ptr<SqliteLedger> open(const std::string& path) {
  auto ledger = SqliteLedger::open(path);
  if (!ledger) throw std::runtime_error(ledger.error().message);
  return std::move(ledger).value();
}

OpenRequest request(std::int64_t id) {
  OpenRequest open;
  RequestRow& row = open.row;
  row.id = RequestId{id};
  row.arrived_us = 1'790'000'000'123'456;
  row.ended_us = row.arrived_us + 900'000;
  row.model = Names::global().intern("auto");
  row.route = Names::global().intern("cheap'est");
  row.team = Names::global().intern("rot/grün");
  row.key = Names::global().intern("k1");
  row.target = Names::global().intern("home/llama-70b");
  row.complexity = 0.125F;
  row.tier = Tier::medium;
  row.stream = true;
  row.http_status = 200;
  row.input_bytes = 42;
  row.attempts = 1;
  AttemptRow& attempt = open.attempts[0];
  attempt.target = row.target;
  attempt.number = 1;
  attempt.usage_source = UsageSource::exact;
  attempt.pricing = Pricing::priced;
  attempt.http_status = 200;
  attempt.started_us = row.arrived_us + 100;
  attempt.first_token_us = row.arrived_us + 50'100;
  attempt.ended_us = row.arrived_us + 800'100;
  attempt.usage = testing::usage_of(1000, 200);
  attempt.charge[ChargeKind::input] = Usd{150'000'000};
  attempt.charge[ChargeKind::gpu] = Usd{1};
  return open;
}

void commit(SqliteLedger& ledger, const std::vector<OpenRequest>& rows) {
  ASSERT_TRUE(ledger.begin().has_value());
  ASSERT_TRUE(ledger.write_names().has_value());
  for (const OpenRequest& row : rows) ASSERT_TRUE(ledger.insert(row).has_value());
  ASSERT_TRUE(ledger.commit().has_value());
}

TEST(SqliteLedger, ViewsShowWhatAPersonReads) {
  const Folder folder;
  const std::string path = folder.file("a.db");
  const auto ledger = open(path);
  commit(*ledger, {request(33)});
  Reader reader(path);
  EXPECT_EQ(reader.text("SELECT request FROM requests"), "req_0000000000011");
  EXPECT_EQ(reader.text("SELECT arrived FROM requests"), "2026-09-21T14:13:20.123456Z");
  EXPECT_EQ(reader.text("SELECT team||' '||route||' '||target||' '||tier||' '||result FROM requests"),
            "rot/grün cheap'est home/llama-70b MEDIUM ok");
  EXPECT_EQ(reader.text("SELECT usd FROM requests"), "0.000150000001");
  EXPECT_EQ(reader.text("SELECT complexity FROM requests"), "0.125000");
  EXPECT_EQ(reader.number("SELECT duration_us FROM requests"), 900'000);
  EXPECT_EQ(reader.text("SELECT usd_gpu FROM attempts"), "0.000000000001");
  EXPECT_EQ(reader.text("SELECT started FROM attempts"), "2026-09-21T14:13:20.123556Z");
  EXPECT_EQ(reader.number("SELECT first_token_us FROM attempts"), 50'000);
  EXPECT_EQ(reader.number("SELECT duration_us FROM attempts"), 800'000);
}

TEST(SqliteLedger, TheIdInTheViewIsTheIdInTheLogs) {
  const Folder folder;
  const auto ledger = open(folder.file("a.db"));
  const RequestId id = next_request_id(63);
  commit(*ledger, {request(static_cast<std::int64_t>(id)), request(INT64_MAX)});
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.text("SELECT request FROM requests WHERE id=" + std::to_string(static_cast<std::int64_t>(id))),
            text(id).view());
  EXPECT_EQ(reader.text("SELECT max(request) FROM attempts"), "req_7ZZZZZZZZZZZZ");
}

TEST(SqliteLedger, MoneyPastWhatADoubleHoldsIsExact) {
  const Folder folder;
  const auto ledger = open(folder.file("a.db"));
  OpenRequest big = request(1);
  big.attempts[0].charge = {};
  big.attempts[0].charge[ChargeKind::output] = Usd{9'007'199'254'740'993'007};
  commit(*ledger, {big});
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.text("SELECT usd FROM requests"), "9007199.254740993007");
}

TEST(SqliteLedger, AnUnknownCostIsNullNotZero) {
  const Folder folder;
  const auto ledger = open(folder.file("a.db"));
  OpenRequest unknown = request(1);
  unknown.row.attempts = 2;
  unknown.attempts[1] = unknown.attempts[0];
  unknown.attempts[1].number = 2;
  unknown.attempts[1].charge = {};
  unknown.attempts[1].pricing = Pricing::unpriced;
  commit(*ledger, {unknown});
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.text("SELECT usd FROM requests"), "(null)");
  EXPECT_EQ(reader.text("SELECT usd_known FROM requests"), "0.000150000001");
  EXPECT_EQ(reader.text("SELECT usd FROM attempts WHERE number=2"), "(null)");
}

TEST(SqliteLedger, ARequestGoesInOnce) {
  const Folder folder;
  const auto ledger = open(folder.file("a.db"));
  ASSERT_TRUE(ledger->begin().has_value());
  EXPECT_TRUE(ledger->insert(request(1)).value());
  OpenRequest again = request(1);
  again.attempts[0].charge[ChargeKind::input] = Usd{999};
  EXPECT_FALSE(ledger->insert(again).value());
  ASSERT_TRUE(ledger->commit().has_value());
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.number(testing::sum_pusd), 150'000'001);
}

TEST(SqliteLedger, ARollbackTakesNamesWithItAndTheyAreWrittenAgain) {
  const Folder folder;
  const auto ledger = open(folder.file("a.db"));
  ASSERT_TRUE(ledger->begin().has_value());
  ASSERT_TRUE(ledger->write_names().has_value());
  ASSERT_TRUE(ledger->insert(request(1)).has_value());
  ledger->rollback();
  EXPECT_EQ(ledger->names_written(), 0U);
  commit(*ledger, {request(2)});
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.text("SELECT group_concat(result) FROM requests"), "ok");
  EXPECT_EQ(reader.text("SELECT team FROM requests"), "rot/grün");
}

TEST(SqliteLedger, NamesKeepTheirNumbersOverRuns) {
  const Folder folder;
  {
    const auto ledger = open(folder.file("a.db"));
    commit(*ledger, {request(1)});
  }
  Reader reader(folder.file("a.db"));
  const std::int64_t before = reader.number("SELECT team FROM request");
  const auto ledger = open(folder.file("a.db"));
  ASSERT_TRUE(ledger->begin().has_value());
  ASSERT_TRUE(ledger->speak_for_this_run().has_value());
  ASSERT_TRUE(ledger->commit().has_value());
  Names::global().intern("a name of the second run");
  commit(*ledger, {request(2)});
  EXPECT_EQ(reader.number("SELECT team FROM request WHERE id=2"), before);
}

TEST(SqliteLedger, TwoProcessesCannotWriteOne) {
  const Folder folder;
  const auto ledger = open(folder.file("a.db"));
  const auto second = SqliteLedger::open(folder.file("a.db"));
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find("in use by another tollgate (process " + std::to_string(::getpid())),
            std::string::npos)
      << second.error().message;
}

TEST(SqliteLedger, AForeignDatabaseIsLeftAlone) {
  const Folder folder;
  sqlite3* foreign = nullptr;
  ASSERT_EQ(sqlite3_open(folder.file("x.db").c_str(), &foreign), SQLITE_OK);
  sqlite3_exec(foreign, "CREATE TABLE customers(id)", nullptr, nullptr, nullptr);
  sqlite3_close(foreign);
  const auto ledger = SqliteLedger::open(folder.file("x.db"));
  ASSERT_FALSE(ledger.has_value());
  EXPECT_NE(ledger.error().message.find("another program"), std::string::npos);
}

TEST(SqliteLedger, AFileThatIsNoDatabaseIsAClearError) {
  const Folder folder;
  std::ofstream(folder.file("x.db")) << std::string(5000, 'x');
  const auto ledger = SqliteLedger::open(folder.file("x.db"));
  ASSERT_FALSE(ledger.has_value());
  EXPECT_NE(ledger.error().message.find("x.db"), std::string::npos);
}

TEST(SqliteLedger, ANewerLedgerIsNotTouched) {
  const Folder folder;
  open(folder.file("a.db")).reset();
  Reader(folder.file("a.db")).run("PRAGMA user_version=99");
  const auto ledger = SqliteLedger::open(folder.file("a.db"));
  ASSERT_FALSE(ledger.has_value());
  EXPECT_NE(ledger.error().message.find("newer"), std::string::npos);
}

TEST(SqliteLedger, AFolderThatIsNotThereIsAClearError) {
  const Folder folder;
  const auto ledger = SqliteLedger::open(folder.file("nowhere/a.db"));
  ASSERT_FALSE(ledger.has_value());
  EXPECT_NE(ledger.error().message.find("nowhere"), std::string::npos);
}

TEST(SqliteLedger, NoticesThatItsFileWasMovedAway) {
  const Folder folder;
  const auto ledger = open(folder.file("a.db"));
  EXPECT_TRUE(ledger->in_place());
  std::filesystem::rename(folder.file("a.db"), folder.file("b.db"));
  EXPECT_FALSE(ledger->in_place());
}

TEST(SqliteLedger, IsDurableAtEachCommit) {
  const Folder folder;
  const auto ledger = open(folder.file("a.db"));
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.text("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(reader.number("PRAGMA user_version"), ledger_schema_version);
  EXPECT_EQ(reader.number("SELECT count(*) FROM sqlite_schema WHERE type='index' AND tbl_name IN ('request')"), 0);
}

}  // namespace
}  // namespace tollgate
