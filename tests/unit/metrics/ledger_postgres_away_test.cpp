// What a gateway does while its ledger in PostgreSQL is away, and what it knows again afterwards.
#include <map>
#include <thread>

#include "metrics/budget_history.hpp"
#include "metrics/costs_query.hpp"
#include "postgres_ledger.hpp"

namespace tollgate {
namespace {

using namespace testing;

TEST_F(PostgresLedgerTest, RequestsAreServedWhileTheServerIsAwayUntilThreeQuartersOfTheSlotsWait) {
  LedgerConfig config;
  config.path = folder_.file("a");
  config.postgres = place_.url().reveal();
  config.commit_interval = std::chrono::milliseconds{2};
  config.open_requests_max = 64;
  auto accounts = testing::start(config);
  Books& books = accounts->books(0);
  const auto serve = [&] {
    OpenRequest* const open = books.open(opened());
    if (open == nullptr) return false;
    books.settle(*open, closing());
    return true;
  };
  ASSERT_TRUE(serve());
  accounts->flush();
  ASSERT_EQ(number("SELECT count(*) FROM request"), 1);
  server_.stop();
  int served = 1;
  for (; served < 40; ++served) {
    ASSERT_TRUE(serve()) << served;
    accounts->flush();  // tries, and fails
  }
  EXPECT_TRUE(accounts->ledger().failing);
  EXPECT_TRUE(accounts->ledger().writable);
  EXPECT_NE(accounts->ledger().error, "");
  EXPECT_EQ(accounts->ledger().requests_waiting, 39U);
  for (; served < 49; ++served) ASSERT_TRUE(serve());
  accounts->flush();
  EXPECT_FALSE(accounts->ledger().writable) << "48 of 64";
  EXPECT_FALSE(books.can_record());
  EXPECT_FALSE(serve()) << "nothing is served unrecorded";
  server_.start();
  for (int i = 0; i < 1000 && accounts->ledger().failing; ++i) {
    accounts->flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(accounts->ledger().writable) << accounts->ledger().error;
  ASSERT_TRUE(serve());
  ++served;
  accounts->flush();
  EXPECT_EQ(number("SELECT count(*) FROM request"), served);
  accounts.reset();
  EXPECT_EQ(text("SELECT ended FROM gateway"), "t");
  set_request_gateway(0);
}

TEST_F(PostgresLedgerTest, WhatWaitedWhenTheProcessEndedIsWrittenByTheNextStart) {
  LedgerConfig config;
  config.path = folder_.file("a");
  config.postgres = place_.url().reveal();
  config.commit_interval = std::chrono::milliseconds{2};
  auto accounts = testing::start(config);
  server_.stop();
  for (int i = 0; i < 20; ++i) {
    OpenRequest* const open = accounts->books(0).open(opened());
    ASSERT_NE(open, nullptr);
    accounts->books(0).settle(*open, closing());
  }
  accounts.reset();  // cannot write them
  int asked = 0;
  const auto refused = Accounts::start(config, 1, &std::chrono::steady_clock::now, [&](const Error&) { return ++asked < 3; });
  EXPECT_FALSE(refused.has_value());
  EXPECT_EQ(asked, 3) << "a start asks whether to wait";
  auto again = Accounts::start(config, 1, &std::chrono::steady_clock::now, [&](const Error&) {
    server_.start();
    return true;
  });
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again.value()->recovery().settled, 20U);
  EXPECT_EQ(number("SELECT count(*) FROM request"), 20);
  set_request_gateway(0);
}

/// What a gateway finds it has spent.
UsdSum spent(const LedgerPlace& place, const std::string& files) {
  UsdSum sum;
  const auto found = read_past_spend(place, {0, INT64_MAX, random_begin_us * 2, files, {}}).value();
  for (const PastSpend& past : found) sum += past.usd;
  return sum;
}

TEST_F(PostgresLedgerTest, AGatewayFindsItsOwnSpendAndAReaderThatOfAll) {
  std::map<std::string, UsdSum> own;
  UsdSum all;
  std::vector<std::unique_ptr<PostgresLedger>> ledgers;
  for (const char* const name : {"a", "b", "c"}) {
    ledgers.push_back(open(place_, folder_.file(name)));
    std::vector<OpenRequest> rows;
    for (int i = 0; i < 30; ++i) {
      OpenRequest one = request();
      one.row.id = next_request_id(1);  // of now, by the number of the gateway that was opened last
      one.notes.of = one.facts.of = RequestId{};
      for (std::size_t n = 0; n < one.row.attempts; ++n) {
        for (const Usd line : one.attempts[n].charge.lines) own[name] += line;
      }
      rows.push_back(one);
    }
    commit(*ledgers.back(), rows);
    all += own[name];
  }
  EXPECT_EQ(spent(place_, ""), all);
  const auto reader = LedgerReader::open(place_).value();
  for (const auto& [name, sum] : own) {
    EXPECT_EQ(spent(place_, folder_.file(name)), sum) << name;
    const CostsReport report = reader->costs({0, random_begin_us * 2, {Dimension::team}, folder_.file(name)}).value();
    EXPECT_EQ(report.total.known_usd(), sum) << name;
  }
  EXPECT_EQ(reader->costs({0, random_begin_us * 2, {}}).value().total.known_usd(), all);
  // Its number goes to another gateway, and its requests do not go with it.
  ledgers[0].reset();
  auto connection = PgConnection::open(place_, PgRole::writer).value();
  ASSERT_TRUE(connection.script("UPDATE gateway SET ended=true WHERE number=0;"
                                "INSERT INTO gateway(identity,number,host) SELECT 'other'||n,n,'x' FROM generate_series(3,127) n")
                  .has_value());
  const auto fourth = open(place_, folder_.file("d"));
  ASSERT_EQ(gateway_of(next_request_id(0)), 0U);
  EXPECT_EQ(spent(place_, folder_.file("d")), UsdSum{});
  EXPECT_EQ(spent(place_, folder_.file("a")), own["a"]);
  set_request_gateway(0);
}

}  // namespace
}  // namespace tollgate
