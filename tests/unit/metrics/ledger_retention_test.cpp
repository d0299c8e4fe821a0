// Old requests become daily sums: what was asked before is answered the same after, to the picodollar.
#include <gtest/gtest.h>

#include <random>

#include "metrics/costs_query.hpp"
#include "metrics/ledger_sqlite.hpp"
#include "support/seed.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using namespace testing;

constexpr std::int64_t day_us = 86'400'000'000;
constexpr std::int64_t first_day_us = 1'790'000'000'000'000 / day_us * day_us;

class RetentionTest : public ::testing::Test {
 protected:
  /// Requests of all kinds over so many days, straight into the ledger.
  void fill(int requests, int days) {
    ASSERT_TRUE(ledger_->begin());
    ASSERT_TRUE(ledger_->write_names());
    for (int i = 0; i < requests; ++i) {
      OpenRequest request;
      request.row.arrived_us = first_day_us +
                               static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(day_us)) +
                               static_cast<std::int64_t>(random_() % static_cast<unsigned>(days)) * day_us;
      request.row.ended_us = request.row.arrived_us + 1000;
      request.row.id = RequestId{static_cast<std::int64_t>(lowest_request_id_at(request.row.arrived_us)) + (i + 1)};
      request.row.team = pick({"red", "blue"});
      request.row.model = pick({"auto", "x"});
      request.row.target = pick({"a/x", "b/y"});
      request.row.tier = static_cast<Tier>(random_() % 4);
      request.row.result = random_() % 5 == 0 ? RowResult::of(Fault::upstream_status) : RowResult::ok();
      request.row.attempts = static_cast<std::uint8_t>(random_() % 3);
      for (std::uint8_t n = 0; n < request.row.attempts; ++n) add_attempt(request, n);
      if (request.row.attempts == 0 && random_() % 2 == 0) {
        request.row.cached_from = pick({"a/x", "b/y"});
        request.row.saved_known = random_() % 4 != 0;
        if (request.row.saved_known) request.row.saved = Usd{static_cast<std::int64_t>(random_() >> 2)};
      }
      ASSERT_TRUE(ledger_->insert(request).value());
      if (random_() % 3 != 0) {
        const bool unknown = random_() % 4 == 0;
        const auto usd = unknown ? std::nullopt : std::optional(Usd{static_cast<std::int64_t>(random_() >> 2)});
        ASSERT_TRUE(ledger_->insert_baseline(request.row.id, pick({"frontier", "cheap:est"}), usd));
      }
    }
    ASSERT_TRUE(ledger_->commit());
  }
  void add_attempt(OpenRequest& request, std::uint8_t n) {
    AttemptRow& attempt = request.attempts[n];
    attempt.number = static_cast<std::uint8_t>(n + 1);
    attempt.target = pick({"a/x", "b/y", "c/z"});
    attempt.pricing = static_cast<Pricing>(random_() % 3);
    attempt.usage =
        usage_of(static_cast<std::int64_t>(random_() % 100'000), static_cast<std::int64_t>(random_() % 5'000));
    attempt.usage.reasoning = TokenCount{static_cast<std::int64_t>(random_() % 100)};
    // Near the most that a line can hold: sums of a day pass 64 bits.
    for (Usd& line : attempt.charge.lines) line = Usd{static_cast<std::int64_t>(random_() % (INT64_MAX / 6))};
  }
  NameId pick(std::initializer_list<const char*> names) {
    return Names::global().intern(*(names.begin() + random_() % names.size()));
  }
  /// Everything that `costs` can say, as text.
  std::string told(std::int64_t since_us, std::int64_t until_us) {
    std::string told;
    auto reader = LedgerReader::open(path_);
    for (const std::vector<Dimension>& by : {std::vector<Dimension>{},
                                             {Dimension::day, Dimension::target},
                                             {Dimension::team, Dimension::outcome, Dimension::tier},
                                             {Dimension::model, Dimension::route, Dimension::key}}) {
      const CostsReport report = reader.value()->costs({since_us, until_us, by}).value();
      for (const CostsRow& row : report.rows) {
        for (const std::string& label : row.labels) told += label + " ";
        for (const std::int64_t n : {row.requests, row.attempts, row.unpriced, row.cached, row.cached_unknown}) told += std::to_string(n) + " ";
        for (const std::int64_t n : row.tokens) told += std::to_string(n) + " ";
        for (const UsdSum sum : row.spend) told += text_of(sum) + " ";
        told += text_of(row.saved) + " ";
        for (const auto& [name, sums] : row.baselines) {
          told += name + " " + std::to_string(sums.compared) + " " + std::to_string(sums.unknown) + " " +
                  text_of(sums.baseline) + " " + text_of(sums.actual) + " ";
        }
        told += "\n";
      }
    }
    return told;
  }
  static std::string text_of(UsdSum sum) {
    return std::to_string(static_cast<std::int64_t>(sum.picodollars() >> 32)) + ":" +
           std::to_string(static_cast<std::int64_t>(sum.picodollars() & 0xFFFFFFFF));
  }

  Folder folder_;
  const std::string path_ = folder_.file("ledger.db");
  std::unique_ptr<SqliteLedger> ledger_ = SqliteLedger::open(path_).value();
  std::mt19937_64 random_{seed()};
};

TEST_F(RetentionTest, SumsOverOldDaysAreTheSameAfterFoldingWhereverItIsInterrupted) {
  fill(600, 5);
  const std::string before = told(0, first_day_us + 9 * day_us);
  const std::string one_day = told(first_day_us + day_us, first_day_us + 2 * day_us);
  const std::int64_t cutoff_us = first_day_us + 3 * day_us;
  std::size_t folded = 0;
  for (;;) {
    const std::size_t now = ledger_->fold(cutoff_us, 37).value();
    folded += now;
    ASSERT_EQ(told(0, first_day_us + 9 * day_us), before) << "after " << folded;
    if (now < 37) break;
  }
  EXPECT_EQ(told(first_day_us + day_us, first_day_us + 2 * day_us), one_day);
  Reader reader(path_);
  EXPECT_GT(folded, 200U);
  EXPECT_EQ(reader.number("SELECT count(*) FROM request") + static_cast<std::int64_t>(folded), 600);
  EXPECT_EQ(reader.number("SELECT count(*) FROM request WHERE arrived_us<" + std::to_string(cutoff_us)), 0);
  EXPECT_EQ(reader.number("SELECT count(*) FROM attempt WHERE request NOT IN (SELECT id FROM request)"), 0);
  EXPECT_EQ(reader.number("SELECT count(*) FROM cached WHERE request NOT IN (SELECT id FROM request)"), 0);
  EXPECT_GT(reader.number("SELECT count(*) FROM cached"), 0);
  EXPECT_EQ(reader.number("SELECT count(*) FROM baseline WHERE request NOT IN (SELECT id FROM request)"), 0);
}

TEST_F(RetentionTest, APeriodThatCutsAFoldedDaySaysSo) {
  fill(50, 3);
  ASSERT_TRUE(ledger_->fold(first_day_us + 2 * day_us, 1000));
  const auto reader = LedgerReader::open(path_);
  const CostsQuestion question{first_day_us + day_us / 2, first_day_us + 9 * day_us, {Dimension::hour}};
  const CostsReport report = reader.value()->costs(question).value();
  ASSERT_EQ(report.cut_days.size(), 1U);
  EXPECT_EQ(report.cut_days[0], "2026-09-21");
  EXPECT_EQ(report.rows[0].labels[0], "2026-09-21") << "a folded day knows no hours";
}

TEST_F(RetentionTest, TheYoungestRequestStaysSoThatItsIdIsNotGivenAgain) {
  fill(20, 1);
  ASSERT_TRUE(ledger_->fold(first_day_us + 100 * day_us, 1000));
  EXPECT_EQ(Reader(path_).number("SELECT count(*) FROM request"), 1);
  EXPECT_NE(ledger_->highest_request().value(), RequestId{0});
}

TEST_F(RetentionTest, FreedPagesAreGivenBackLittleByLittle) {
  fill(30'000, 1);
  const std::int64_t pages = Reader(path_).number("PRAGMA page_count");
  while (ledger_->fold(first_day_us + day_us, 5'000).value() == 5'000) {
  }
  int turns = 1;
  while (ledger_->shrink(64).value()) ++turns;
  EXPECT_GT(turns, 1);
  EXPECT_LT(Reader(path_).number("PRAGMA page_count"), pages);
  EXPECT_LE(Reader(path_).number("PRAGMA freelist_count"), 1000);
}

TEST(RetentionOfTheGatewayTest, OldRequestsFoldByThemselvesWhileNewOnesAreWritten) {
  const Folder folder;
  const std::string path = folder.file("ledger.db");
  const auto accounts = start(ledger_at(path));
  Books& books = accounts->books(0);
  for (int i = 0; i < 20; ++i) {
    RequestOpened request = opened();
    const bool is_old = i < 19;
    if (is_old) {
      request.arrived_us -= 300 * day_us;
      request.id = RequestId{static_cast<std::int64_t>(lowest_request_id_at(request.arrived_us)) + i + 1};
    }
    OpenRequest& open = must_open(books, *accounts, request);
    books.settle(open, closing());
  }
  accounts->flush();
  auto config = std::make_shared<Config>();
  config->ledger.keep_days = 200;
  ASSERT_TRUE(accounts->adopt(config));
  for (int i = 0; i < 500 && accounts->ledger().folded < 19; ++i) accounts->flush();
  EXPECT_EQ(accounts->ledger().folded, 19U);
  EXPECT_NE(accounts->render_metrics().find("tollgate_ledger_folded_requests_total 19"), std::string::npos);
  EXPECT_EQ(LedgerReader::open(path).value()->costs({0, 4'000'000'000'000'000, {}}).value().total.requests, 20);
}

}  // namespace
}  // namespace tollgate
