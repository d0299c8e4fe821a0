#include "metrics/outcomes.hpp"

#include <gtest/gtest.h>

#include <future>

#include "metrics/outcomes_query.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t end_of_time = 4'000'000'000'000'000;

class OutcomesTest : public ::testing::Test {
 protected:
  RequestId settled(std::string_view team = "red", bool with_features = true) {
    OpenRequest& request = *books_.open(testing::opened(0, team));
    if (with_features) {
      RequestNotes notes;
      notes.input_tokens = 12;
      notes.features.version = 1;
      notes.features.size = 3;
      notes.features.bytes = {7, 8, 9};
      write_notes(request, notes);
    }
    const MonoTime now = std::chrono::steady_clock::now();
    books_.begin_attempt(request, target_, backend_, now, {});
    books_.end_attempt(request, testing::ended(RowResult::ok()), now);
    const RequestId id = request.row.id;
    books_.settle(request, testing::closing());
    return id;
  }
  OutcomeResult record(RequestId request, OutcomeVerdict verdict, std::string_view team = "red") {
    Outcome outcome;
    outcome.request = request;
    outcome.verdict = verdict;
    outcome.key = Names::global().intern("key-of-" + std::string(team));
    outcome.at_us = 1'790'000'000'000'000;
    return record(std::move(outcome));
  }
  OutcomeResult record(Outcome outcome) {
    std::promise<OutcomeResult> said;
    EXPECT_TRUE(books_.record(std::move(outcome), [&said](OutcomeResult result) { said.set_value(result); }));
    return said.get_future().get();
  }
  testing::Reader reader() {
    accounts_->flush();
    return testing::Reader(path_);
  }

  const Target target_ = testing::target_of("here/small");
  const Backend backend_{};
  testing::Folder folder_;
  std::string path_ = folder_.file("books.db");
  std::unique_ptr<Accounts> accounts_ = testing::start(testing::ledger_at(path_));
  Books& books_ = accounts_->books(0);
};

TEST_F(OutcomesTest, ARatingIsDurableWhenItIsAnswered) {
  const RequestId id = settled();
  EXPECT_EQ(record(id, OutcomeVerdict::bad), OutcomeResult::recorded);
  EXPECT_EQ(testing::Reader(path_).text("SELECT source||' '||verdict FROM outcomes"), "feedback bad");
}

TEST_F(OutcomesTest, TheLedgerTellsWhatTheGatewayAskedForItself) {
  for (const Purpose purpose : {Purpose::client, Purpose::shadow, Purpose::judge}) {
    RequestOpened opened = testing::opened();
    opened.purpose = purpose;
    opened.stream = true;
    books_.settle(*books_.open(opened), testing::closing());
  }
  EXPECT_EQ(reader().text("SELECT group_concat(purpose) FROM (SELECT purpose FROM requests ORDER BY id)"),
            "client,shadow,judge");
  EXPECT_EQ(reader().number("SELECT sum(stream) FROM requests"), 3);
  EXPECT_EQ(reader().number("SELECT sum(recovered) FROM requests"), 0);
}

TEST_F(OutcomesTest, AJudgesScoreIsKeptBesideARating) {
  const RequestId id = settled();
  record(id, OutcomeVerdict::bad);
  Outcome score;
  score.request = id;
  score.source = OutcomeSource::judge;
  score.verdict = OutcomeVerdict::good;
  score.score_ppm = 800'000;
  score.at_us = 1'790'000'000'000'000;
  record(score);
  EXPECT_EQ(reader().text("SELECT group_concat(source||' '||verdict||' '||coalesce(score,'-')) FROM outcomes"),
            "feedback bad -,judge good 0.800000");
  const auto judged = judged_requests(path_, 0, 10);
  ASSERT_TRUE(judged && judged.value().size() == 1);
  EXPECT_EQ(judged.value()[0].feedback, OutcomeVerdict::bad);
  EXPECT_EQ(judged.value()[0].judge, OutcomeVerdict::good);
  EXPECT_EQ(judged.value()[0].format, std::nullopt);
}

TEST_F(OutcomesTest, TheSameRatingAgainChangesNothingAndIsNotCounted) {
  const RequestId id = settled();
  EXPECT_EQ(record(id, OutcomeVerdict::good), OutcomeResult::recorded);
  EXPECT_EQ(record(id, OutcomeVerdict::good), OutcomeResult::unchanged);
  EXPECT_EQ(reader().number("SELECT count(*) FROM outcomes"), 1);
}

TEST_F(OutcomesTest, ALaterRatingTakesThePlaceOfTheEarlier) {
  const RequestId id = settled();
  EXPECT_EQ(record(id, OutcomeVerdict::good), OutcomeResult::recorded);
  EXPECT_EQ(record(id, OutcomeVerdict::bad), OutcomeResult::recorded);
  EXPECT_EQ(reader().text("SELECT group_concat(verdict) FROM outcomes"), "bad");
}

TEST_F(OutcomesTest, OnlyTheKeyThatMadeTheRequestRatesIt) {
  const RequestId id = settled("red");
  EXPECT_EQ(record(id, OutcomeVerdict::good, "blue"), OutcomeResult::unknown);
  EXPECT_EQ(record(RequestId{12345}, OutcomeVerdict::good), OutcomeResult::unknown);
  EXPECT_EQ(reader().number("SELECT count(*) FROM outcomes"), 0);
}

TEST_F(OutcomesTest, TheGatewaysOwnOutcomesNeedNoKeyAndStandBesideARating) {
  const RequestId id = settled();
  Outcome outcome;
  outcome.request = id;
  outcome.source = OutcomeSource::format;
  outcome.verdict = OutcomeVerdict::schema;
  EXPECT_EQ(record(std::move(outcome)), OutcomeResult::recorded);
  EXPECT_EQ(record(id, OutcomeVerdict::good), OutcomeResult::recorded);
  EXPECT_EQ(reader().text("SELECT group_concat(source||' '||verdict) FROM (SELECT * FROM outcomes ORDER BY source)"),
            "feedback good,format schema");
}

TEST_F(OutcomesTest, FeaturesOfARequestStandInTheLedgerOnce) {
  settled();
  settled("red", false);
  EXPECT_EQ(reader().text("SELECT count(*)||' '||max(hex(blob))||' '||max(input_tokens) FROM features"), "1 070809 12");
}

TEST_F(OutcomesTest, NotesOfAnEarlierRequestInTheSameSlotAreNotTaken) {
  for (int i = 0; i < 50; ++i) settled("red", i % 2 == 0);
  EXPECT_EQ(reader().number("SELECT count(*) FROM features"), 25);
}

TEST_F(OutcomesTest, JudgedRequestsAreThoseWithFeaturesAndAnOutcome) {
  const RequestId rated = settled();
  const RequestId without_features = settled("red", false);
  settled();
  EXPECT_EQ(record(rated, OutcomeVerdict::bad), OutcomeResult::recorded);
  EXPECT_EQ(record(without_features, OutcomeVerdict::bad), OutcomeResult::recorded);
  const auto rows = judged_requests(path_, 0, 100);
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows.value().size(), 1U);
  EXPECT_EQ(rows.value()[0].id, rated);
  EXPECT_EQ(rows.value()[0].feedback, OutcomeVerdict::bad);
  EXPECT_FALSE(rows.value()[0].format);
  EXPECT_EQ(rows.value()[0].features.bytes[2], 9);
}

TEST_F(OutcomesTest, SumsCountByTargetSourceAndVerdictWithTheMeanScore) {
  for (const int score : {200'000, 400'000}) {
    Outcome outcome;
    outcome.request = settled();
    outcome.verdict = OutcomeVerdict::bad;
    outcome.score_ppm = score;
    EXPECT_EQ(record(std::move(outcome)), OutcomeResult::recorded);
  }
  const auto sums = outcome_sums(path_, {0, end_of_time});
  ASSERT_TRUE(sums) << sums.error().message;
  ASSERT_EQ(sums.value().size(), 1U);
  EXPECT_EQ(sums.value()[0].count, 2);
  EXPECT_EQ(sums.value()[0].score_ppm_mean, 300'000);
  const auto listed = list_outcomes(path_, {0, end_of_time}, 1);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed.value().size(), 1U);
  EXPECT_EQ(listed.value()[0].score, "0.400000");
}

TEST(RequestIdText, IsReadBackAndNothingElseIs) {
  const RequestId id = next_request_id(3);
  EXPECT_EQ(request_id_of(text(id).view()), id);
  for (const char* bad :
       {"", "req_", "req_0000000000000!", "REQ_0000000000000", "req_ZZZZZZZZZZZZZ", "req_00000000000000"}) {
    EXPECT_FALSE(request_id_of(bad)) << bad;
  }
}

}  // namespace
}  // namespace tollgate
