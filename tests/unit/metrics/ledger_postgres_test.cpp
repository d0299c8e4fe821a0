// The ledger in PostgreSQL, against a server of the test's own.
#include "metrics/ledger_postgres.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "metrics/gpu_pool.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_source.hpp"
#include "metrics/ledger_thread.hpp"
#include "postgres_ledger.hpp"
#include "support/postgres_proxy.hpp"

namespace tollgate {
namespace {

using namespace testing;

TEST_F(PostgresLedgerTest, ViewsShowWhatAPersonReads) {
  const auto ledger = open(place_, folder_.file("a"));
  OpenRequest one = request();
  one.row.attempts = 1;
  one.row.purpose = Purpose::client;
  one.row.arrived_us = 1'790'000'000'123'456;
  one.row.complexity = 0.125F;
  one.attempts[0] = {};
  one.attempts[0].number = 1;
  one.attempts[0].pricing = Pricing::priced;
  one.attempts[0].started_us = one.row.arrived_us + 100;
  one.attempts[0].charge[ChargeKind::output] = Usd{9'007'199'254'740'993'007};
  commit(*ledger, {one});
  EXPECT_EQ(text("SELECT request FROM requests"), tollgate::text(one.row.id).view());
  EXPECT_EQ(text("SELECT arrived FROM requests"), "2026-09-21T14:13:20.123456Z");
  EXPECT_EQ(text("SELECT started FROM attempts"), "2026-09-21T14:13:20.123556Z");
  EXPECT_EQ(text("SELECT complexity FROM requests"), "0.125000");
  EXPECT_EQ(text("SELECT usd FROM requests"), "9007199.254740993007");
}

TEST_F(PostgresLedgerTest, ARequestGoesInOnce) {
  const auto ledger = open(place_, folder_.file("a"));
  const OpenRequest one = request(), two = request();
  commit(*ledger, {one});
  // Without a check in advance the whole transaction is refused, and tried again with one.
  ASSERT_TRUE(ledger->begin().has_value());
  ASSERT_TRUE(ledger->insert(one).value());
  EXPECT_FALSE(ledger->commit().has_value());
  ledger->rollback();
  ASSERT_TRUE(ledger->begin().has_value());
  EXPECT_FALSE(ledger->insert(one).value());
  EXPECT_TRUE(ledger->insert(two).value());
  ASSERT_TRUE(ledger->commit().has_value());
  EXPECT_EQ(number("SELECT count(*) FROM request"), 2);
}

TEST_F(PostgresLedgerTest, TextThatPostgresDoesNotTakeHoldsNothingUp) {
  const auto ledger = open(place_, folder_.file("a"));
  OpenRequest one = request();
  one.row.model = Names::global().intern(std::string_view("nul\0 and broken \xC3", 17));
  commit(*ledger, {one});
  EXPECT_EQ(text("SELECT model FROM requests"), "nul\xEF\xBF\xBD and broken \xEF\xBF\xBD");
}

TEST_F(PostgresLedgerTest, GatewaysHaveNumbersOfTheirOwnAndGetThemBack) {
  std::set<unsigned> numbers;
  {
    std::vector<std::unique_ptr<PostgresLedger>> ledgers;
    for (int i = 0; i < 5; ++i) {
      ledgers.push_back(open(place_, folder_.file("gateway-" + std::to_string(i))));
      numbers.insert(gateway_of(next_request_id(0)));
    }
    EXPECT_EQ(numbers.size(), 5U);
  }
  const auto again = open(place_, folder_.file("gateway-3"));
  EXPECT_EQ(gateway_of(next_request_id(0)), 3U);
  const auto sixth = open(place_, folder_.file("gateway-5"));
  EXPECT_EQ(gateway_of(next_request_id(0)), 5U) << "a number of a gateway that was killed just now is not given away";
  set_request_gateway(0);
}

TEST_F(PostgresLedgerTest, TheSameFilesAreNotUsedTwice) {
  const auto first = open(place_, folder_.file("a"));
  const auto second = PostgresLedger::open(place_, folder_.file("a"));
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find("in use by another tollgate"), std::string::npos);
}

TEST_F(PostgresLedgerTest, GatewaysThatStartTogetherMakeTheSchemaOnce) {
  std::vector<std::thread> starts;
  std::vector<std::string> errors(6);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    starts.emplace_back([&, i] {
      const auto ledger = PostgresLedger::open(place_, folder_.file("gateway-" + std::to_string(i)));
      if (!ledger) errors[i] = ledger.error().message;
    });
  }
  for (std::thread& each : starts) each.join();
  for (const std::string& error : errors) EXPECT_EQ(error, "");
  EXPECT_EQ(number("SELECT schema_version FROM ledger"), ledger_schema_version);
  EXPECT_EQ(number("SELECT count(*) FROM gateway"), 6);
  set_request_gateway(0);
}

TEST_F(PostgresLedgerTest, ALedgerOfANewerProgramIsRefusedAndLeftAlone) {
  { const auto made = open(place_, folder_.file("a")); }
  auto connection = PgConnection::open(place_, PgRole::writer).value();
  ASSERT_TRUE(connection.script("UPDATE ledger SET schema_version=99").has_value());
  const auto written = PostgresLedger::open(place_, folder_.file("a"));
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(written.error().message.find("schema 99, written by a newer tollgate"), std::string::npos) << written.error().message;
  const auto read = LedgerSource::open(place_);
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("schema 99, written by a newer tollgate"), std::string::npos);
}

TEST_F(PostgresLedgerTest, ErrorsNameThePlaceAndNeverThePassword) {
  for (const char* url : {"postgresql://me:hunter2@127.0.0.1:1/x", "postgresql://me:hunter2@host:port:9/x", "postgresql://h/x?password=hunter2&nonsense=1",
                          "postgresql://me:hunter2@[bad/x"}) {
    const auto opened = LedgerSource::open(LedgerPlace(url));
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().message.find("hunter2"), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find("postgresql://"), std::string::npos) << opened.error().message;
  }
}

TEST_F(PostgresLedgerTest, ACommitThatNeverReachedTheServerIsWrittenOnce) {
  PostgresProxy proxy(folder_.path().string(), server_socket());
  const auto ledger = open(through_proxy(), folder_.file("a"));
  const OpenRequest one = request();
  ASSERT_TRUE(ledger->begin().has_value());
  ASSERT_TRUE(ledger->insert(one).value());
  proxy.cut_at_commit(PostgresProxy::Cut::before);
  ASSERT_FALSE(ledger->commit().has_value());
  ASSERT_TRUE(proxy.has_cut());
  ledger->rollback();
  ASSERT_TRUE(ledger->begin().has_value());
  EXPECT_FALSE(ledger->came_through());
  EXPECT_TRUE(ledger->insert(one).value());
  ASSERT_TRUE(ledger->commit().has_value());
  EXPECT_EQ(number("SELECT count(*) FROM request"), 1);
}

TEST_F(PostgresLedgerTest, ACommitWhoseAnswerWasLostIsNotWrittenTwice) {
  PostgresProxy proxy(folder_.path().string(), server_socket());
  const auto ledger = open(through_proxy(), folder_.file("a"));
  const OpenRequest one = request(), two = request();
  PoolLines lines;
  lines.billed = lines.idle = UsdSum{Int128{1'000}};
  ASSERT_TRUE(ledger->begin().has_value());
  ASSERT_TRUE(ledger->insert(one).value());
  ASSERT_TRUE(ledger->add_pool_lines("home", 7, lines).has_value());
  proxy.cut_at_commit(PostgresProxy::Cut::after);
  ASSERT_FALSE(ledger->commit().has_value());
  ledger->rollback();
  ASSERT_TRUE(ledger->begin().has_value());
  EXPECT_TRUE(ledger->came_through());
  EXPECT_FALSE(ledger->came_through()) << "said once";
  EXPECT_TRUE(ledger->insert(one).value()) << "it is this gateway that brought it in";
  EXPECT_TRUE(ledger->insert(two).value());
  ASSERT_TRUE(ledger->commit().has_value());
  EXPECT_EQ(number("SELECT count(*) FROM request"), 2);
  EXPECT_EQ(number("SELECT sum(billed_pusd) FROM pool_hour"), 1'000);
}

/// Bills a picodollar at each write, and keeps what it cannot know to be durable.
class Meter final : public LedgerRecorder {
 public:
  bool wanted() const override { return true; }
  Result<void> write(Ledger& ledger) override {
    ++not_recorded_;
    PoolLines lines;
    lines.billed = lines.idle = UsdSum{Int128{not_recorded_}};
    return ledger.add_pool_lines("home", 7, lines);
  }
  void written() override {
    recorded_ += not_recorded_;
    not_recorded_ = 0;
  }
  std::int64_t recorded_ = 0, not_recorded_ = 0;
};

TEST_F(PostgresLedgerTest, WhatARecorderWroteIsAddedOnceThoughCommitsAreCut) {
  PostgresProxy proxy(folder_.path().string(), server_socket());
  Meter meter;
  {
    LedgerThread thread(open(through_proxy(), folder_.file("a")), {}, std::chrono::milliseconds(2));
    thread.set_recorder(&meter);
    for (int i = 0; i < 20; ++i) {
      const auto cut = static_cast<PostgresProxy::Cut>(random_() % 3);
      proxy.cut_at_commit(cut);
      (void)thread.flush();
      proxy.cut_at_commit(PostgresProxy::Cut::never);
    }
  }
  EXPECT_EQ(meter.not_recorded_, 0);
  EXPECT_EQ(number("SELECT sum(billed_pusd) FROM pool_hour"), meter.recorded_);
}

TEST_F(PostgresLedgerTest, APoolIsBilledByOneGatewayAtATime) {
  const auto first = open(place_, folder_.file("a"));
  const auto second = open(place_, folder_.file("b"));
  ASSERT_TRUE(first->lease_pools({{"home"}}).value().empty());
  const auto refused = second->lease_pools({{"other"}, {"home"}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("the pool home is billed by the gateway on"), std::string::npos) << refused.error().message;
  ASSERT_TRUE(first->begin().has_value());
  ASSERT_TRUE(first->set_pool_clock("home", {5, 6, 7'000, 0, true}).has_value());
  ASSERT_TRUE(first->commit().has_value());
  ASSERT_FALSE(second->lease_pools({{"home"}}).has_value());
  first->end();  // in order: whoever comes next bills on from there
  const PoolClocks clocks = second->lease_pools({{"home"}}).value();
  ASSERT_EQ(clocks.size(), 1U);
  EXPECT_EQ(clocks.at("home").at_ns, 7'000);
  EXPECT_TRUE(first->pool_clocks().value().at("home").taken_over);
  EXPECT_FALSE(second->pool_clocks().value().at("home").taken_over);
  set_request_gateway(0);
}

// Not a limit, a figure: with TOLLGATE_FSYNC=1 that of docs/money/ledger.md.
TEST_F(PostgresLedgerTest, WritesGroupsOfRequests) {
  const auto ledger = open(place_, folder_.file("a"));
  std::vector<OpenRequest> rows;
  for (std::int64_t n = 0; n < 8'192; ++n) {
    OpenRequest one = random_settled(random_, 0);
    one.row.attempts = 1;
    one.attempts[0] = {};
    one.attempts[0].number = 1;
    rows.push_back(one);
  }
  commit(*ledger, {request()});
  constexpr int commits = 8;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < commits; ++i) {
    for (OpenRequest& row : rows) {
      row.row.id = next_request_id(3);
      row.notes.of = row.facts.of = RequestId{};
    }
    commit(*ledger, rows);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << static_cast<std::int64_t>(2.0 * 8'192 * commits / took.count()) << " rows/s\n";
  EXPECT_EQ(number("SELECT count(*) FROM request"), 8'192 * commits + 1);
}

TEST(SharedPool, ThePartsOfItsGatewaysAreTheWholeBill) {
  Pool whole = pool_of("home", 4'980'000'000'123, 7, 5);
  Pool part = whole;
  part.gateways = 3;
  GpuPool alone(whole, at(0)), first(part, at(0)), second(part, at(0)), third(part, at(0));
  const auto run = first.begin(at(1'000));
  (void)first.end(run, at(90 * second_ns));
  const MonoTime end = at(3'600 * second_ns + 1);
  const PoolStatus all = alone.status(end);
  UsdSum billed;
  GpuTime time;
  for (GpuPool* const pool : {&first, &second, &third}) {
    const PoolStatus status = pool->status(end);
    billed += status.billed;
    time += status.busy_gpu_time + status.idle_gpu_time;
  }
  EXPECT_LE(all.billed - billed, UsdSum{Int128{3}}) << "each is short of a picodollar at most";
  EXPECT_GE(all.billed, billed);
  EXPECT_LE((all.idle_gpu_time - time).count(), 6);
}

TEST_F(PostgresLedgerTest, APoolMayBeBilledByAsManyGatewaysAsItSays) {
  std::vector<std::unique_ptr<PostgresLedger>> ledgers;
  for (const char* const name : {"a", "b", "c"}) ledgers.push_back(open(place_, folder_.file(name)));
  const PoolLease two{"home", true, 2};
  ASSERT_TRUE(ledgers[0]->lease_pools({two}).has_value());
  const auto differs = ledgers[1]->lease_pools({{"home", true, 3}});
  ASSERT_FALSE(differs.has_value());
  EXPECT_NE(differs.error().message.find("`gateways` of the pool is 2 and not 3"), std::string::npos) << differs.error().message;
  ASSERT_TRUE(ledgers[1]->lease_pools({two}).has_value());
  ASSERT_FALSE(ledgers[2]->lease_pools({two}).has_value());
  ASSERT_TRUE(ledgers[1]->lease_pools({two}).has_value()) << "again, as at a reload";
  ledgers[0]->end();
  ASSERT_TRUE(ledgers[2]->lease_pools({two}).has_value());
  set_request_gateway(0);
}

TEST_F(PostgresLedgerTest, AnOutcomeOfARequestThatAnotherGatewayServedIsRecorded) {
  const auto first = open(place_, folder_.file("a")), second = open(place_, folder_.file("b"));
  const OpenRequest one = request();
  commit(*first, {one});
  Outcome outcome;
  outcome.request = one.row.id;
  outcome.key = one.row.key;
  outcome.verdict = OutcomeVerdict::bad;
  for (const OutcomeResult expected : {OutcomeResult::recorded, OutcomeResult::unchanged}) {
    ASSERT_TRUE(second->begin().has_value());
    EXPECT_EQ(second->insert_outcome(outcome).value().result, expected);
    ASSERT_TRUE(second->commit().has_value());
  }
  outcome.key = Names::global().intern("somebody else");
  ASSERT_TRUE(second->begin().has_value());
  EXPECT_EQ(second->insert_outcome(outcome).value().result, OutcomeResult::unknown);
  set_request_gateway(0);
}

TEST_F(PostgresLedgerTest, GatewaysThatLearnTheSameNamesAgreeOnTheirNumbers) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto ledger = open(place_, folder_.file("g" + std::to_string(i)));
      std::mt19937_64 random(seed() + static_cast<std::uint64_t>(i));
      for (int n = 0; n < 40; ++n) {
        OpenRequest one = random_settled(random, n);
        one.row.id = RequestId{(std::int64_t{i} << 40) + n + 1};
        one.notes = {};
        one.facts = {};
        one.row.team = any_of(random, "shared name", 60);
        ASSERT_TRUE(ledger->begin().has_value());
        ASSERT_TRUE(ledger->insert(one).has_value());
        const auto done = ledger->commit();
        ASSERT_TRUE(done.has_value()) << done.error().message;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(number("SELECT count(*) FROM request"), 160);
  EXPECT_EQ(number("SELECT count(*)-count(DISTINCT text) FROM name"), 0);
  set_request_gateway(0);
}

}  // namespace
}  // namespace tollgate
