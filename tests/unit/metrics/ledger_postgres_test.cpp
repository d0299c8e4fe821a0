// The ledger in PostgreSQL, against a server of the test's own.
#include "metrics/ledger_postgres.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "metrics/budget_history.hpp"
#include "metrics/costs_query.hpp"
#include "metrics/gpu_pool.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_source.hpp"
#include "metrics/ledger_thread.hpp"
#include "random_request.hpp"
#include "support/postgres_proxy.hpp"
#include "support/postgres_server.hpp"

namespace tollgate {
namespace {

using namespace testing;

std::unique_ptr<PostgresLedger> open(const LedgerPlace& place, const std::string& files) {
  auto ledger = PostgresLedger::open(place, files);
  if (!ledger) throw std::runtime_error(ledger.error().message);
  return std::move(ledger).value();
}

class PostgresLedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!server_.why_not().empty()) GTEST_SKIP() << server_.why_not();
    place_ = LedgerPlace(server_.fresh_database());
  }
  /// The first column of the first row.
  std::string text(const std::string& sql) {
    auto connection = PgConnection::open(place_, PgRole::reader);
    if (!connection) throw std::runtime_error(connection.error().message);
    const auto rows = connection.value().run(sql);
    if (!rows) throw std::runtime_error(rows.error().message);
    return rows.value().count() == 0 ? "(nothing)" : std::string(rows.value().text(0, 0));
  }
  std::int64_t number(const std::string& sql) { return std::stoll(text(sql)); }
  OpenRequest request() { return random_settled(random_, next_++); }
  void commit(Ledger& ledger, const std::vector<OpenRequest>& rows) {
    ASSERT_TRUE(ledger.begin().has_value());
    ASSERT_TRUE(ledger.write_names().has_value());
    for (const OpenRequest& row : rows) {
      const auto is_new = ledger.insert(row);
      ASSERT_TRUE(is_new.has_value()) << is_new.error().message;
    }
    const auto done = ledger.commit();
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  /// The place as seen through a proxy.
  LedgerPlace through_proxy() const {
    const std::string url = place_.url().reveal();
    return LedgerPlace(url.substr(0, url.find("?host=")) + "?host=" + folder_.path().string());
  }
  std::string server_socket() const {
    const std::string url = place_.url().reveal();
    return url.substr(url.find("?host=") + 6) + "/.s.PGSQL.5432";
  }

  PostgresServer& server_ = PostgresServer::shared();
  const Folder folder_;
  LedgerPlace place_;
  std::mt19937_64 random_{seed()};
  std::int64_t next_ = 0;
};

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
