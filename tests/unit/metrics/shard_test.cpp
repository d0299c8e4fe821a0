#include "metrics/shard.hpp"

#include <gtest/gtest.h>

#include "testing.hpp"

namespace tollgate {
namespace {

NameId name(std::string_view text) { return Names::global().intern(text); }

OpenRequest request(std::string_view team, std::string_view target, RowResult result = RowResult::ok()) {
  OpenRequest open;
  open.row.team = name(team);
  open.row.target = name(target);
  open.row.route = name("auto");
  open.row.tier = Tier::complex;
  open.row.result = result;
  open.row.complexity = 0.6F;
  open.row.attempts = 1;
  AttemptRow& attempt = open.attempts[0];
  attempt.target = open.row.target;
  attempt.number = 1;
  attempt.result = result;
  attempt.usage_source = UsageSource::exact;
  attempt.pricing = Pricing::priced;
  attempt.usage = testing::usage_of(100, 11);
  attempt.usage.reasoning = TokenCount{5};
  attempt.started_us = 1'000'000;
  attempt.first_token_us = 1'100'000;
  attempt.ended_us = 1'300'000;
  attempt.charge[ChargeKind::output] = Usd{7};
  return open;
}

ShardTotals totals_of(const Shard& shard) {
  ShardTotals totals;
  shard.add_to(totals);
  return totals;
}

TEST(RequestLabels, SurviveBeingPacked) {
  const RequestLabels labels{NameId{65535}, NameId{1}, NameId{40000}, Tier::reasoning,
                             RowResult::of(Fault::client_gone)};
  const RequestLabels back = RequestLabels::of(labels.packed());
  EXPECT_EQ(back.route, labels.route);
  EXPECT_EQ(back.target, labels.target);
  EXPECT_EQ(back.team, labels.team);
  EXPECT_EQ(back.tier, labels.tier);
  EXPECT_EQ(back.outcome.value, labels.outcome.value);
  EXPECT_TRUE(RequestLabels::of(RequestLabels{{}, {}, {}, Tier::simple, RowResult::ok()}.packed()).outcome.is_ok());
}

TEST(Shard, CountsARequestAndItsAttempts) {
  Shard shard;
  shard.settled(request("red", "a/m"), testing::closing());
  shard.settled(request("red", "a/m"), testing::closing());
  shard.settled(request("blue", "a/m", RowResult::of(Fault::client_gone)), testing::closing());
  const ShardTotals totals = totals_of(shard);
  EXPECT_EQ(totals.requests.size(), 2U);
  EXPECT_EQ(totals.settled, 3U);
  EXPECT_EQ(totals.routes.at({name("auto"), Tier::complex}), UsdSum(Usd{21}));  // the charges of all three
  const ShardTotals::Spend& red = totals.spend.at({name("a/m"), name("red")});
  EXPECT_EQ(red.usd[static_cast<std::size_t>(ChargeKind::output)], UsdSum(Usd{14}));
  EXPECT_EQ(red.tokens[static_cast<std::size_t>(TokenType::output)], 22U);
  EXPECT_EQ(red.reasoning_tokens, 10U);
  const ShardTotals::OfTarget& target = totals.targets.at(name("a/m"));
  EXPECT_EQ(target.attempts[index_of(RowResult::ok())], 2U);
  EXPECT_EQ(target.attempts[index_of(RowResult::of(Fault::client_gone))], 1U);
  EXPECT_EQ(totals.usage_sources[static_cast<std::size_t>(UsageSource::exact)], 3U);
}

TEST(Shard, TimePerTokenLeavesTheFirstTokenOut) {
  Shard shard;
  OpenRequest streamed = request("red", "a/m");
  streamed.row.stream = true;
  shard.settled(streamed, testing::closing());
  EXPECT_EQ(totals_of(shard).targets.at(name("a/m")).per_token.sum, Int128{20'000'000});  // 200 ms over ten tokens
}

TEST(Shard, AWholeAnswerSaysNothingOfTimePerToken) {
  Shard shard;
  shard.settled(request("red", "a/m"), testing::closing());
  EXPECT_EQ(totals_of(shard).targets.at(name("a/m")).per_token.sum, Int128{0});
}

TEST(Shard, WorkOfUnknownCostIsCounted) {
  Shard shard;
  OpenRequest unknown = request("red", "a/m");
  unknown.attempts[0].pricing = Pricing::unpriced;
  shard.settled(unknown, testing::closing());
  EXPECT_EQ(totals_of(shard).targets.at(name("a/m")).unpriced, 1U);
}

TEST(Shard, RefusalsAreCountedByReason) {
  Shard shard;
  shard.refused(RowResult::of(Fault::unauthenticated));
  EXPECT_EQ(totals_of(shard).refused[index_of(RowResult::of(Fault::unauthenticated))], 1U);
}

TEST(Shard, ScoresOfRequestsThatWereNotRoutedAreNotCounted) {
  Shard shard;
  OpenRequest refused = request("red", "a/m");
  refused.row.route = NameId::none;
  shard.settled(refused, testing::closing());
  std::uint64_t counted = 0;
  for (const std::uint64_t count : totals_of(shard).score.counts) counted += count;
  EXPECT_EQ(counted, 0U);
}

TEST(Shard, TooManyTeamsBecomeOther) {
  Shard shard;
  OpenRequest one = request("red", "a/m");
  for (std::uint32_t team = 0; team < Shard::cells_max + 100; ++team) {
    one.row.team = NameId{1 + team};  // numbers are enough: names need not exist
    shard.settled(one, testing::closing());
  }
  const ShardTotals totals = totals_of(shard);
  EXPECT_LE(totals.spend.size(), Shard::cells_max + 1);
  EXPECT_LE(totals.requests.size(), Shard::cells_max + 1);
  EXPECT_GE(totals.spend.at({name("a/m"), name("other")}).tokens[0], 100U * 99);
  std::uint64_t counted = 0;
  for (const auto& [labels, count] : totals.requests) counted += count;
  EXPECT_EQ(counted, Shard::cells_max + 100);
}

}  // namespace
}  // namespace tollgate
