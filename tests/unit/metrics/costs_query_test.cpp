#include "metrics/costs_query.hpp"

#include <gtest/gtest.h>

#include "config/decimal.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using namespace testing;

constexpr std::int64_t day_us = 86'400'000'000;

class CostsQueryTest : public ::testing::Test {
 protected:
  /// A request with one attempt that arrived then; `prices` absent: its cost is not known.
  void serve(std::int64_t arrived_us, std::string_view team, std::string_view target_id, std::int64_t input,
             std::int64_t output, bool priced = true) {
    RequestOpened request = opened(0, team);
    request.arrived_us = arrived_us;
    request.id = next_request_id(0, arrived_us);
    OpenRequest& open = must_open(*books_, *accounts_, request);
    Target target = target_of(target_id);
    if (priced) target.prices = prices_of(2'500'000'000, 10'000'000'000);
    books_->begin_attempt(open, target, Backend{}, at(1));
    books_->end_attempt(open, ended(RowResult::ok(), usage_of(input, output), UsageSource::exact), at(2));
    books_->settle(open, closing());
  }
  Result<CostsReport> ask(std::vector<Dimension> by, std::int64_t since = 0,
                          std::int64_t until = 4'000'000'000'000'000) {
    accounts_->flush();
    auto reader = LedgerReader::open(path_);
    if (!reader) return reader.error();
    return reader.value()->costs({since, until, std::move(by)});
  }

  Folder folder_;
  const std::string path_ = folder_.file("ledger.db");
  std::unique_ptr<Accounts> accounts_ = start(ledger_at(path_));
  Books* const books_ = &accounts_->books(0);
  // Later than any id the other tests of this program have made, and rising.
  const std::int64_t now_ = 2'000'000'000'000'000 / day_us * day_us;
};

// Pitfall 29: the total is the sum of what it is split into.
TEST_F(CostsQueryTest, SumsAreSplitByWhatWasAskedForAndExactWhileTheGatewayWrites) {
  serve(now_, "red", "a/x", 100, 10);
  serve(now_ + 1, "red", "a/y", 1, 0);
  serve(now_ + 2, "blue", "a/x", 7, 3);
  const CostsReport report = ask({Dimension::team, Dimension::target}).value();
  ASSERT_EQ(report.rows.size(), 3U);
  EXPECT_EQ(report.rows[0].labels, (std::vector<std::string>{"blue", "a/x"}));
  EXPECT_EQ(decimal_text(report.rows[0].known_usd()), "0.0000475");
  EXPECT_EQ(report.rows[1].labels, (std::vector<std::string>{"red", "a/x"}));
  EXPECT_EQ(decimal_text(report.rows[1].known_usd()), "0.00035");
  EXPECT_EQ(report.total.requests, 3);
  EXPECT_EQ(report.total.attempts, 3);
  EXPECT_EQ(report.kinds[0], "input");
  EXPECT_EQ(report.token_classes[0], "input");
  EXPECT_EQ(report.total.tokens[0], 108);
  EXPECT_EQ(decimal_text(report.total.known_usd()), "0.0004");
}

// Pitfall 27: an unknown model at $0.
TEST_F(CostsQueryTest, UnknownCostsAreCountedAndAreNotZero) {
  serve(now_, "red", "a/x", 100, 10);
  serve(now_ + 1, "red", "b/free", 100, 10, false);
  const CostsReport report = ask({Dimension::target}).value();
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.rows[0].unpriced, 0);
  EXPECT_EQ(report.rows[1].unpriced, 1);
  EXPECT_EQ(report.total.unpriced, 1);
}

TEST_F(CostsQueryTest, APeriodBeginsWithItsFirstMomentAndEndsBeforeItsLast) {
  for (const std::int64_t at_us : {now_ - 1, now_, now_ + day_us - 1, now_ + day_us}) serve(at_us, "red", "a/x", 1, 1);
  const CostsReport report = ask({Dimension::day}, now_, now_ + day_us).value();
  ASSERT_EQ(report.rows.size(), 1U);
  EXPECT_EQ(report.rows[0].requests, 2);
  EXPECT_EQ(report.rows[0].labels[0], "2033-05-18");
}

// Pitfall 28: float drift and overflow.
TEST_F(CostsQueryTest, SumsPast64BitsOfPicodollarsAreExact) {
  Target target = target_of("a/dear");
  target.prices = prices_of(100'000'000'000'000, 100'000'000'000'000);
  for (int i = 0; i < 40; ++i) {
    OpenRequest& open = must_open(*books_, *accounts_, opened());
    books_->begin_attempt(open, target, Backend{}, at(1));
    const Usage usage = usage_of(5'000'000, 1);  // half a million USD
    books_->end_attempt(open, ended(RowResult::ok(), usage, UsageSource::exact), at(2));
    books_->settle(open, closing());
  }
  EXPECT_EQ(decimal_text(ask({}).value().total.known_usd()), "20000004");
}

// Pitfall 30: an answer from the gateway's cache is charged.
TEST_F(CostsQueryTest, WhatTheCacheSavedStandsBesideTheMoneyAtTheTargetWhoseAnswersItGave) {
  serve(now_, "red", "a/x", 100, 10);
  for (const std::optional<Usd> saved : {std::optional(Usd{350'000'000}), std::optional(Usd{150'000'000}), std::optional<Usd>()}) {
    RequestOpened request = opened(0, "red");
    request.arrived_us = now_ + 1;
    request.id = next_request_id(0, now_ + 1);
    RequestClosing end = closing();
    end.cached.from = Names::global().intern("a/x");
    end.cached.saved = saved;
    books_->settle(must_open(*books_, *accounts_, request), end);
  }
  const CostsReport report = ask({Dimension::target}).value();
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.rows[0].labels[0], "a/x");
  EXPECT_EQ(report.rows[0].requests, 1) << "no target had any work with the others";
  EXPECT_EQ(report.rows[0].cached, 3);
  EXPECT_EQ(report.rows[0].cached_unknown, 1);
  EXPECT_EQ(decimal_text(report.rows[0].saved), "0.0005");
  EXPECT_EQ(report.rows[1].labels[0], "none");
  EXPECT_EQ(report.rows[1].requests, 3);
  EXPECT_EQ(decimal_text(report.total.known_usd()), "0.00035") << "what was saved is no cost";
  EXPECT_EQ(ask({Dimension::team, Dimension::day}).value().rows[0].cached, 3);
}

// Pitfall 7: retries and fallbacks counted twice or dropped.
TEST_F(CostsQueryTest, TheMoneyOfAFallbackStandsWithTheTargetItWentTo) {
  RequestOpened request = opened();
  OpenRequest& open = must_open(*books_, *accounts_, request);
  for (const char* const name : {"a/first", "b/second"}) {
    Target target = target_of(name);
    target.prices = prices_of(1'000'000'000, 0);
    books_->begin_attempt(open, target, Backend{}, at(1));
    const bool last = std::string_view(name) == "b/second";
    books_->end_attempt(
        open,
        ended(last ? RowResult::ok() : RowResult::of(Fault::upstream_broke_off), usage_of(1000, 0), UsageSource::exact),
        at(2));
  }
  books_->settle(open, closing());
  const CostsReport report = ask({Dimension::target}).value();
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.rows[0].requests, 0);
  EXPECT_EQ(report.rows[0].attempts, 1);
  EXPECT_EQ(decimal_text(report.rows[0].known_usd()), "0.001");
  EXPECT_EQ(report.rows[1].requests, 1);
  EXPECT_EQ(report.total.requests, 1);
  EXPECT_EQ(report.total.attempts, 2);
}

TEST(LedgerReaderTest, WhatIsNoLedgerIsRefusedWithTheReason) {
  const Folder folder;
  const auto missing = LedgerReader::open(folder.file("none.db"));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("there is no ledger at"), std::string::npos);
  sqlite3* made = nullptr;
  ASSERT_EQ(sqlite3_open(folder.file("other.db").c_str(), &made), SQLITE_OK);
  sqlite3_exec(made, "CREATE TABLE x(y)", nullptr, nullptr, nullptr);
  sqlite3_close(made);
  const auto other = LedgerReader::open(folder.file("other.db"));
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("not a tollgate ledger"), std::string::npos);
}

}  // namespace
}  // namespace tollgate
