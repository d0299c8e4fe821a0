// Two attempts of one request open at once.

#include <gtest/gtest.h>

#include "metrics/shard.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using testing::at;
using testing::second_ns;

constexpr std::int64_t per_second = 1'000'000'000;    // picodollars that the pool costs

class HedgeBooks : public ::testing::Test {
 protected:
  HedgeBooks() : accounts_(testing::start(testing::ledger_at(folder_.file("a.db"), 4))), books_(accounts_->books(0)) {
    cloud_.prices = testing::prices_of(1'000, 2'000);
    other_.prices = testing::prices_of(10'000, 20'000);
    home_.pool = testing::pool_of("pool", 3'600 * per_second);
    (void)accounts_->adopt(std::make_shared<Config>());
  }
  OpenRequest& begun(const Target& first, const Backend& at_first, const Target& second, const Backend& at_second) {
    OpenRequest& request = *books_.open(testing::opened());
    books_.begin_attempt(request, first, at_first, at(second_ns));
    EXPECT_TRUE(books_.begin_hedge(request, second, at_second, at(2 * second_ns)));
    return request;
  }
  Usd end(OpenRequest& request, std::uint8_t number, RowResult result, std::int64_t output, std::int64_t seconds) {
    AttemptEnd end = testing::ended(result, testing::usage_of(10, output), UsageSource::exact);
    end.number = number;
    return books_.end_attempt(request, end, at(seconds * second_ns)).total();
  }
  std::string rows() {
    accounts_->flush();
    testing::Reader reader(folder_.file("a.db"));
    return reader.text("SELECT group_concat(target||' '||result||' '||coalesce(usd, 'unknown'), '; ') FROM (SELECT * FROM attempts ORDER BY request, number)");
  }

  const testing::Folder folder_;
  std::unique_ptr<Accounts> accounts_;
  Books& books_;
  Target cloud_ = testing::target_of("cloud/m"), other_ = testing::target_of("other/m"), local_ = testing::target_of("pool/small");
  Backend managed_, home_;
};

TEST_F(HedgeBooks, EachAttemptIsChargedByItsOwnPricesWhicheverEndsFirst) {
  OpenRequest& request = begun(cloud_, managed_, other_, managed_);
  end(request, 1, RowResult::of(Fault::hedge_lost), 0, 3);
  end(request, 2, RowResult::ok(), 5, 4);
  EXPECT_EQ(request.total().count(), 10 + 100 + 100);
  books_.settle(request, testing::closing());
  OpenRequest& again = begun(cloud_, managed_, other_, managed_);
  end(again, 2, RowResult::of(Fault::hedge_lost), 0, 3);
  end(again, 1, RowResult::ok(), 5, 4);
  RequestClosing closing = testing::closing();
  closing.answered_by = cloud_.id;
  books_.settle(again, closing);
  EXPECT_EQ(rows(), "cloud/m hedge_lost 0.000000000010; other/m ok 0.000000000200; cloud/m ok 0.000000000020; other/m hedge_lost 0.000000000100");
  testing::Reader reader(folder_.file("a.db"));
  EXPECT_EQ(reader.text("SELECT group_concat(target) FROM (SELECT target FROM requests ORDER BY request)"), "other/m,cloud/m");
}

TEST_F(HedgeBooks, AShareOfAPoolAccruesUntilTheAttemptIsCutOff) {
  OpenRequest& request = begun(local_, home_, cloud_, managed_);
  const Usd share = end(request, 1, RowResult::of(Fault::hedge_lost), 0, 4);      // from second 1 to second 4, alone in its pool
  EXPECT_EQ(share.count(), 3 * per_second);
  end(request, 2, RowResult::ok(), 5, 9);
  EXPECT_EQ(request.attempts[1].charge[ChargeKind::gpu], Usd{});
  books_.settle(request, testing::closing());
}

TEST_F(HedgeBooks, BothInOnePoolShareItWhileBothRun) {
  Target twin = testing::target_of("pool/twin");
  OpenRequest& request = begun(local_, home_, twin, home_);
  const Usd first = end(request, 1, RowResult::of(Fault::hedge_lost), 0, 4);       // alone for one second, of two for two
  const Usd second = end(request, 2, RowResult::ok(), 5, 5);                        // of two for two, alone for one
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.count() + second.count(), 4 * per_second) << "nothing is charged twice";
  books_.settle(request, testing::closing());
}

TEST_F(HedgeBooks, TheSlotBesideIsGivenBackAndWithoutOneThereIsNoHedge) {
  std::vector<OpenRequest*> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(books_.open(testing::opened()));
    books_.begin_attempt(*open.back(), cloud_, managed_, at(second_ns));
  }
  ASSERT_TRUE(books_.begin_hedge(*open[0], other_, managed_, at(second_ns)));
  EXPECT_FALSE(books_.begin_hedge(*open[1], other_, managed_, at(second_ns))) << "all four slots are taken";
  EXPECT_EQ(open[1]->row.attempts, 1);
  end(*open[0], 1, RowResult::of(Fault::hedge_lost), 0, 2);
  EXPECT_FALSE(books_.begin_hedge(*open[1], other_, managed_, at(second_ns)));
  end(*open[0], 2, RowResult::ok(), 0, 2);
  EXPECT_TRUE(books_.begin_hedge(*open[1], other_, managed_, at(second_ns))) << "it came back";
  for (OpenRequest* request : open) books_.settle(*request, testing::closing());
}

TEST_F(HedgeBooks, ThereIsNoHedgeBesideNothingAndNoThirdAtOnce) {
  OpenRequest& request = *books_.open(testing::opened());
  EXPECT_FALSE(books_.begin_hedge(request, other_, managed_, at(second_ns)));
  books_.begin_attempt(request, cloud_, managed_, at(second_ns));
  EXPECT_TRUE(books_.begin_hedge(request, other_, managed_, at(second_ns)));
  EXPECT_FALSE(books_.begin_hedge(request, other_, managed_, at(second_ns)));
  books_.settle(request, testing::closing(RowResult::of(Fault::internal)));
  EXPECT_EQ(rows(), "cloud/m internal unknown; other/m internal unknown") << "nobody ended them";
}

TEST_F(HedgeBooks, ProgressAndEndOfOneLeaveTheOtherAlone) {
  OpenRequest& request = begun(cloud_, managed_, other_, managed_);
  books_.progress(request, testing::usage_of(10, 3), UsageSource::continuous, 1);
  books_.progress(request, testing::usage_of(10, 7), UsageSource::continuous, 2);
  EXPECT_EQ(request.attempts[0].usage.output.count(), 3);
  EXPECT_EQ(request.attempts[1].usage.output.count(), 7);
  end(request, 1, RowResult::ok(), 4, 3);
  books_.progress(request, testing::usage_of(10, 99), UsageSource::continuous, 1);
  EXPECT_EQ(request.attempts[0].usage.output.count(), 4) << "it has ended";
  EXPECT_FALSE(request.attempts[1].ended);
  end(request, 2, RowResult::of(Fault::hedge_lost), 7, 3);
  books_.settle(request, testing::closing());
}

TEST_F(HedgeBooks, TheFallbackAfterBothIsAThirdAttempt) {
  OpenRequest& request = begun(cloud_, managed_, other_, managed_);
  end(request, 2, RowResult::of(Fault::upstream_status), 0, 3);
  end(request, 1, RowResult::of(Fault::upstream_timeout), 0, 4);
  books_.begin_attempt(request, local_, home_, at(5 * second_ns));
  end(request, 0, RowResult::ok(), 5, 6);
  EXPECT_EQ(request.row.attempts, 3);
  EXPECT_EQ(request.attempts[2].number, 3);
  books_.settle(request, testing::closing());
  EXPECT_TRUE(rows().starts_with("cloud/m upstream_timeout"));
}

}  // namespace
}  // namespace tollgate
