#include <gtest/gtest.h>

#include "metrics/shard.hpp"
#include "metrics/ledger_slots.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using testing::at;
using testing::closing;
using testing::ended;
using testing::opened;
using testing::second_ns;
using testing::usage_of;

/// One reactor's books with a clock that stands until it is moved; a managed backend and a pool at one dollar a second.
class BooksTest : public ::testing::Test {
 protected:
  BooksTest() {
    managed_.prices = testing::prices_of(1'000, 2'000);
    home_.pool = testing::pool_of("home", Int128{3600} * 1'000'000'000'000);
  }
  OpenRequest& open() { return *books_.open(opened()); }
  const AttemptRow& attempt(const Target& target, const Backend& backend, const AttemptEnd& end,
                            std::int64_t seconds = 1) {
    request_ = &open();
    books_.begin_attempt(*request_, target, backend, now());
    now_ns_ += seconds * second_ns;
    books_.end_attempt(*request_, end, now());
    return request_->current();
  }
  [[nodiscard]] MonoTime now() const { return at(now_ns_); }
  testing::Reader reader() {
    accounts_->flush();
    return testing::Reader(path_);
  }

  std::int64_t now_ns_ = 1'000 * second_ns;
  testing::Folder folder_;
  std::string path_ = folder_.file("books.db");
  std::unique_ptr<Accounts> accounts_ = testing::start(testing::ledger_at(path_), 1, [this] { return now(); });
  Books& books_ = accounts_->books(0);
  Target managed_ = testing::target_of("claude/sonnet"), local_ = testing::target_of("home/llama");
  Backend cloud_, home_;
  OpenRequest* request_ = nullptr;
};

TEST_F(BooksTest, AnAttemptIsChargedAndStandsInTheLedger) {
  const AttemptRow& row = attempt(managed_, cloud_, ended(RowResult::ok(), usage_of(10, 20), UsageSource::exact));
  EXPECT_EQ(row.charge.total(), Usd{50});
  EXPECT_EQ(row.ended_us - row.started_us, 1'000'000);
  books_.settle(*request_, closing());
  EXPECT_EQ(reader().text("SELECT usd||' '||target||' '||result FROM requests"), "0.000000000050 claude/sonnet ok");
}

// Pitfall 37: self-hosted tokens at nothing, or at some API's price.
TEST_F(BooksTest, APoolChargesTheTimeOfAnAttempt) {
  const AttemptRow& row = attempt(local_, home_, ended(RowResult::ok(), usage_of(10, 20), UsageSource::exact), 2);
  EXPECT_EQ(row.charge[ChargeKind::gpu], Usd{2'000'000'000'000});
  EXPECT_EQ(row.pool_method, PoolMethod::time);
  EXPECT_EQ(accounts_->ledger().rows_committed, 0U);
}

TEST_F(BooksTest, ASecondEndOfAnAttemptIsIgnored) {
  attempt(local_, home_, ended(RowResult::ok()), 1);
  now_ns_ += second_ns;
  EXPECT_EQ(books_.end_attempt(*request_, ended(RowResult::of(Fault::client_gone)), now()).total(),
            Usd{1'000'000'000'000});
  EXPECT_TRUE(request_->current().result.is_ok());
}

TEST_F(BooksTest, AnAbortKeepsWhatWasUsed) {
  OpenRequest& request = open();
  books_.begin_attempt(request, managed_, cloud_, now());
  books_.progress(request, usage_of(10, 3), UsageSource::continuous);
  books_.progress(request, usage_of(10, 7), UsageSource::continuous);
  EXPECT_EQ(books_.end_attempt(request, ended(RowResult::of(Fault::client_gone)), now()).total(), Usd{24});
  EXPECT_EQ(request.current().usage_source, UsageSource::continuous);
}

// Pitfall 17: the requested service tier priced, not the one that served.
// Pitfall 18: the discount of a batch, or of any tier, missed.
TEST_F(BooksTest, TheServiceTierThatServedIsPriced) {
  Target target = managed_;  // 1 and 2 picodollars a token
  target.prices->service_tiers.push_back({"flex", testing::prices_of(500, 1'000)});
  target.prices->service_tiers.push_back({"priority", testing::prices_of(4'000, 8'000)});
  const auto charge = [&](std::string_view asked, std::string_view served) {
    OpenRequest& request = open();
    books_.begin_attempt(request, target, cloud_, now(), asked);
    AttemptEnd end = ended(RowResult::ok(), usage_of(10, 20), UsageSource::exact);
    end.service_tier = served;
    end.prices = &*target.prices;
    books_.end_attempt(request, end, now());
    const AttemptRow row = request.current();
    books_.settle(request, testing::closing());
    return std::tuple(row.pricing, row.charge.total(), std::string(text(row.service_tier)));
  };
  EXPECT_EQ(charge("", ""), std::tuple(Pricing::priced, Usd{50}, ""));
  EXPECT_EQ(charge("auto", "default"), std::tuple(Pricing::priced, Usd{50}, ""));
  EXPECT_EQ(charge("flex", ""), std::tuple(Pricing::priced, Usd{25}, "")) << "the answer does not say: as asked for";
  EXPECT_EQ(charge("flex", "flex"), std::tuple(Pricing::priced, Usd{25}, "flex"));
  EXPECT_EQ(charge("flex", "default"), std::tuple(Pricing::priced, Usd{50}, ""));
  EXPECT_EQ(charge("auto", "priority"), std::tuple(Pricing::priced, Usd{200}, "priority"));
  EXPECT_EQ(charge("", "turbo"), std::tuple(Pricing::unpriced, Usd{}, "other")) << "what it costs is not known";
}

// Pitfalls 25, 26: prices hold at their time, and what was booked stays.
TEST_F(BooksTest, PricesAreThoseOfTheTime) {
  Target target = managed_;
  TimedPrices now_on;
  now_on.from = std::chrono::sys_days{std::chrono::year{2020} / 1 / 1};
  now_on.prices = testing::prices_of(7'000, 7'000);
  TimedPrices later = now_on;
  later.from = std::chrono::sys_days{std::chrono::year{2200} / 1 / 1};
  target.prices->timed = {now_on, later};
  OpenRequest& request = open();
  books_.begin_attempt(request, target, cloud_, now());
  EXPECT_EQ(books_.end_attempt(request, ended(RowResult::ok(), usage_of(1, 1), UsageSource::exact), now()).total(), Usd{14});
}

// Pitfall 3: an explicit zero taken for a missing count.
TEST_F(BooksTest, AnExplicitZeroReplacesARunningCount) {
  OpenRequest& request = open();
  books_.begin_attempt(request, managed_, cloud_, now());
  books_.progress(request, usage_of(10, 3), UsageSource::continuous);
  EXPECT_EQ(books_.end_attempt(request, ended(RowResult::ok(), usage_of(0, 0), UsageSource::exact), now()).total(),
            Usd{0});
  EXPECT_EQ(request.current().pricing, Pricing::priced);
}

TEST_F(BooksTest, NonsenseFromAnUpstreamIsUnpricedNotBelieved) {
  const AttemptRow& row =
      attempt(managed_, cloud_, ended(RowResult::ok(), usage_of(-5, INT64_MAX), UsageSource::exact));
  EXPECT_EQ(row.pricing, Pricing::unpriced);
  EXPECT_EQ(row.charge.total(), Usd{});
}

TEST_F(BooksTest, AnAttemptThatReachedNothingLeavesItsTimeIdle) {
  ASSERT_TRUE(accounts_
                  ->adopt([&] {
                    auto config = std::make_shared<Config>();
                    config->backends.push_back(home_);
                    return config;
                  }())
                  .has_value());
  const AttemptRow& row = attempt(local_, home_, ended(RowResult::of(Fault::upstream_unreachable)), 3);
  EXPECT_EQ(row.charge.total(), Usd{});
  EXPECT_EQ(row.pricing, Pricing::not_billed);
  const PoolStatus pool = accounts_->pools().at(0);
  EXPECT_EQ(pool.idle, UsdSum(Int128{3'000'000'000'000}));
  EXPECT_EQ(pool.idle, pool.billed);
}

TEST_F(BooksTest, RetriesAreAttemptsWithChargesOfTheirOwn) {
  OpenRequest& request = open();
  books_.begin_attempt(request, managed_, cloud_, now());
  books_.end_attempt(request, ended(RowResult::of(Fault::upstream_broke_off), usage_of(10, 5), UsageSource::continuous),
                     now());
  books_.begin_attempt(request, local_, home_, now());
  now_ns_ += second_ns;
  books_.end_attempt(request, ended(RowResult::ok(), usage_of(10, 20), UsageSource::exact), now());
  EXPECT_EQ(request.total(), Usd{1'000'000'000'020});
  books_.settle(request, closing());
  testing::Reader ledger = reader();
  EXPECT_EQ(ledger.text("SELECT group_concat(number||' '||target||' '||result||' '||usd,'; ') FROM attempts"),
            "1 claude/sonnet upstream_broke_off 0.000000000020; 2 home/llama ok 1.000000000000");
  EXPECT_EQ(ledger.text("SELECT target FROM requests"), "home/llama");
}

TEST_F(BooksTest, AnAttemptStillRunningAtTheEndIsEndedAsInternal) {
  OpenRequest& request = open();
  books_.begin_attempt(request, local_, home_, now());
  now_ns_ += second_ns;
  books_.settle(request, closing(RowResult::of(Fault::internal)));
  testing::Reader ledger = reader();
  EXPECT_EQ(ledger.text("SELECT result||' '||usd FROM attempts"), "internal 1.000000000000");
  EXPECT_EQ(accounts_->pools().at(0).in_flight, 0);
}

TEST_F(BooksTest, ARequestThatGotNoAttemptIsStillARow) {
  OpenRequest& request = open();
  books_.decided(request, Names::global().intern("auto-route"), 0.5F, Tier::complex);
  books_.settle(request, closing(RowResult::of(Fault::no_target_up)));
  EXPECT_EQ(reader().text("SELECT route||' '||result||' '||attempts||' '||usd FROM requests"),
            "auto-route no_target_up 0 0.000000000000");
}

RequestClosing cached_closing(std::optional<Usd> saved, bool masked = false) {
  RequestClosing end = closing();
  end.cached.from = Names::global().intern("claude/sonnet");
  end.cached.origin = RequestId{77};
  end.cached.saved = saved;
  end.cached.masked = masked;
  return end;
}

// Pitfall 30: an answer from the gateway's cache is charged.
TEST_F(BooksTest, AnAnswerOfTheCacheIsARowWithoutAnAttemptThatSaysWhatItSaved) {
  books_.settle(open(), cached_closing(Usd{1'500'000'000}, true));
  EXPECT_EQ(reader().text("SELECT usd||' '||attempts||' '||coalesce(target,'')||' '||cached_from||' '||usd_saved FROM requests"),
            "0.000000000000 0  claude/sonnet 0.001500000000");
  EXPECT_EQ(reader().text("SELECT origin||' '||masked FROM cached"), "77 1");
  EXPECT_EQ(reader().number("SELECT count(*) FROM attempt"), 0);
  const ShardTotals totals = accounts_->totals();
  EXPECT_TRUE(totals.spend.empty());
  EXPECT_TRUE(totals.targets.empty()) << "no traffic of a target, and nothing to learn a speed from";
  EXPECT_EQ(books_.learned(managed_.id).samples, 0U);
}

// Pitfall 30: an answer from the gateway's cache is charged.
TEST_F(BooksTest, WhatAnAnswerOfTheCacheSavedMayBeUnknownAndIsThenNoAmount) {
  books_.settle(open(), cached_closing(std::nullopt));
  EXPECT_EQ(reader().text("SELECT usd_saved FROM requests"), "(null)");
  EXPECT_EQ(reader().text("SELECT saved_pusd FROM cached"), "(null)");
}

TEST_F(BooksTest, ARequestInASlotThatHeldACachedOneIsNone) {
  OpenRequest* const first = &open();
  books_.settle(*first, cached_closing(Usd{1}));
  accounts_->flush();
  OpenRequest* second = &open();   // slots are handed out last in, first out
  EXPECT_EQ(second, first);
  books_.settle(*second, closing());
  EXPECT_EQ(reader().number("SELECT count(*) FROM cached"), 1);
}

TEST_F(BooksTest, AttemptsAreTimedByTheWallClock) {
  const auto before =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const AttemptRow& row = attempt(managed_, cloud_, ended(RowResult::ok(), usage_of(1, 1), UsageSource::exact), 0);
  EXPECT_NEAR(static_cast<double>(row.started_us), static_cast<double>(before), 5e6);
}

TEST_F(BooksTest, LearnsFromExactUsages) {
  for (int i = 0; i < 2000; ++i) books_.learn(local_.id, 2'000, 600, usage_of(1'000, 200));
  EXPECT_NEAR(books_.learned(local_.id).input_bytes_per_token, 2.0, 0.01);
  EXPECT_EQ(books_.learned(local_.id).samples, 2000U);
  EXPECT_EQ(books_.learned(managed_.id).samples, 0U);
}

TEST_F(BooksTest, TheWaitForAFirstTokenIsLearnedFromStreams) {
  RequestOpened whole = testing::opened();
  OpenRequest& at_once = *books_.open(whole);
  books_.begin_attempt(at_once, managed_, cloud_, now());
  AttemptEnd all = ended(RowResult::ok(), usage_of(1, 5), UsageSource::exact);
  all.first_token_us = at_once.current().started_us + 40'000;
  books_.end_attempt(at_once, all, now());
  EXPECT_EQ(books_.learned(managed_.id).first_token_mean.count(), 0) << "a whole answer's first byte is its last";
  whole.stream = true;
  OpenRequest& request = *books_.open(whole);
  books_.begin_attempt(request, local_, home_, now());
  AttemptEnd end = ended(RowResult::ok(), usage_of(1, 5), UsageSource::exact);
  end.first_token_us = request.current().started_us + 40'000;
  books_.end_attempt(request, end, now());
  EXPECT_EQ(books_.learned(local_.id).first_token_mean.count(), 40'000);
}

TEST_F(BooksTest, APoolThatLeavesTheConfigurationStopsCosting) {
  auto with = std::make_shared<Config>();
  with->backends.push_back(home_);
  ASSERT_TRUE(accounts_->adopt(with).has_value());
  now_ns_ += second_ns;
  ASSERT_TRUE(accounts_->adopt(std::make_shared<Config>()).has_value());
  now_ns_ += 100 * second_ns;
  EXPECT_EQ(accounts_->pools().at(0).billed, UsdSum(Int128{1'000'000'000'000}));
}

TEST(LedgerSlotSize, ASlotIsTheRequestsAddress) {
  LedgerSlot slot{};
  EXPECT_EQ(&LedgerSlot::of(slot.request), &slot);
}

}  // namespace
}  // namespace tollgate
