// Traffic in simulated time, and worlds held against each other.
#include "simulate/run.hpp"

#include <gtest/gtest.h>

#include "simulate/compare.hpp"
#include "traffic_maker.hpp"

namespace tollgate::simulate {
namespace {

using testing::config_of;
using testing::fleet;
using testing::Running;
using testing::TrafficMaker;

std::int64_t requests_at(const World& world, const std::string& target) {
  std::int64_t count = 0;
  for (const Served& served : world.served) count += served.target != Served::nowhere && world.targets[static_cast<std::size_t>(served.target)] == target ? 1 : 0;
  return count;
}

class Run : public ::testing::Test {
 protected:
  Run() : config_(config_of(fleet("0.6"))), maker_(config_) {
    maker_.chat.text_bytes = 4000;
    for (int i = 0; i < 1000; ++i) maker_.add(i * 1'000'000, static_cast<float>(i % 10) / 10);
  }
  ConfigPtr config_;
  TrafficMaker maker_;
};

TEST_F(Run, TheSameRulesSendEveryRequestWhereItWent) {
  const Running running(config_, maker_.traffic());
  const World after = running.world(), before = as_recorded(maker_.traffic(), *config_, running.quality, running.blocks);
  EXPECT_EQ(requests_at(after, "home/llama"), 700);
  EXPECT_EQ(compare(before, after, running.scenario(), 1).changed, 0);
  EXPECT_EQ(after.total.token_usd, before.total.token_usd);
}

TEST_F(Run, ALowerCapabilityMovesRequestsAndSaysWhy) {
  const ConfigPtr stricter = config_of(fleet("0.35"));
  PoolLines lines;
  lines.billed = UsdSum{Int128{2'002'000'000'000}};   // a thousand seconds at $7.20 an hour
  maker_.traffic().pools.push_back({"home", lines});
  const Running running(stricter, maker_.traffic());
  const World after = running.world(), before = as_recorded(maker_.traffic(), *stricter, running.quality, running.blocks);
  const Comparison all = compare(before, after, running.scenario(), 1);
  EXPECT_EQ(all.changed, 300);
  ASSERT_EQ(all.moves.size(), 1U);
  EXPECT_EQ(all.moves[0].from, "home/llama");
  EXPECT_EQ(all.moves[0].to, "cloud/big");
  EXPECT_EQ(all.moves[0].why, "ruled out: capability");
  EXPECT_EQ(all.stronger, 300);
  EXPECT_EQ(all.weaker, 0);
  // 1000 input tokens at $2 and 100 output at $10 a million: $0.003 each.
  EXPECT_EQ((all.moves[0].tokens_after).count(), 300 * 3'000'000'000LL);
  EXPECT_GT(all.cost.difference_interval.low, 0.5);
  EXPECT_LT(all.cost.difference_interval.high, 1.5);
}

TEST_F(Run, TheSameSeedGivesTheSameWorld) {
  const Running running(config_, maker_.traffic());
  const World a = running.world(2.5, 9), b = running.world(2.5, 9), c = running.world(2.5, 10);
  EXPECT_EQ(a.usd(), b.usd());
  EXPECT_EQ(a.total.requests, b.total.requests);
  EXPECT_NEAR(static_cast<double>(a.total.requests), 2500, 60);
  EXPECT_NE(a.total.gpu_usd, c.total.gpu_usd);
}

TEST_F(Run, SumsAgreeHoweverTheyAreCut) {
  const World world = Running(config_, maker_.traffic()).world();
  UsdSum by_target, by_tier, by_team, by_block;
  for (const auto& [target, sums] : world.by_target) by_target += sums.usd();
  for (const Sums& sums : world.by_tier) by_tier += sums.usd();
  for (const auto& [team, sums] : world.by_team) by_team += sums.usd();
  EXPECT_EQ(by_target, world.total.usd());
  EXPECT_EQ(by_tier, world.total.usd());
  EXPECT_EQ(by_team, world.total.usd());
  ASSERT_EQ(world.pools.size(), 1U);
  for (const Block& block : world.blocks) by_block += block.pools_usd;
  EXPECT_EQ(by_block, world.pools[0].billed);
  EXPECT_EQ(world.pools[0].billed, world.pools[0].attributed + world.pools[0].idle + world.pools[0].other);
}

TEST(RunPool, WhatIsMoreThanItHoldsSpillsOver) {
  const ConfigPtr config = config_of(fleet("0.6", "", "", ", concurrency_max: 4"));
  TrafficMaker maker(config);
  maker.chat.text_bytes = 4000;
  for (int i = 0; i < 200; ++i) maker.add(i * 10'000'000, 0.2F);   // one at a time: two seconds each
  const Running running(config, maker.traffic());
  EXPECT_EQ(requests_at(running.world(), "cloud/big"), 0);
  const World more = running.world(50);
  EXPECT_GT(more.by_target.at(1).requests, 100) << "ten at a time do not fit";
  EXPECT_GT(more.pools[0].busy_ratio, 0.5);
}

TEST(RunPool, WhatWasRefusedByLimitsStaysRefusedAndIsCounted) {
  const ConfigPtr config = config_of(fleet());
  TrafficMaker maker(config);
  maker.chat.text_bytes = 400;
  for (int i = 0; i < 50; ++i) maker.add(i * 1'000'000, 0.2F);
  RecordedRequest& refused = maker.add(50'000'000, 0.2F);
  refused.tries = 0;
  refused.result = RowResult::of(Fault::rate_limited);
  refused.target = NameId::none;
  const Running running(config, maker.traffic());
  const World after = running.world(), before = as_recorded(maker.traffic(), *config, running.quality, running.blocks);
  const Comparison all = compare(before, after, running.scenario(), 1);
  EXPECT_EQ(all.changed, 0);
  EXPECT_EQ(all.not_known.as_recorded, 1);
}

TEST(RunPool, ABudgetThatWouldBeUsedUpIsNamed) {
  const ConfigPtr config = config_of(fleet("0.1", "budgets:\n  - {name: small, limit_usd: \"0.01\", per: day}\n"));
  TrafficMaker maker(config);
  maker.chat.text_bytes = 4000;
  for (int i = 0; i < 10; ++i) maker.add(i * 1'000'000, 0.9F);
  const World world = Running(config, maker.traffic()).world();
  ASSERT_EQ(world.budgets.size(), 1U);
  EXPECT_EQ(world.budgets[0].breached, 1);
  EXPECT_EQ(world.budgets[0].requests_past, 6) << "four of $0.003 use it up";
  EXPECT_EQ(world.budgets[0].most.picodollars(), 30'000'000'000);
}

TEST(RunPool, WhatHasNoPriceIsCountedNotZero) {
  std::string yaml = fleet("0.1");
  const std::string prices = ", prices: {input_usd_per_million_tokens: \"2\", output_usd_per_million_tokens: \"10\"}";
  TrafficMaker maker(config_of(yaml));
  maker.chat.text_bytes = 4000;
  for (int i = 0; i < 20; ++i) maker.add(i * 1'000'000, 0.9F);
  yaml.erase(yaml.find(prices), prices.size());
  const ConfigPtr unpriced = config_of(yaml);
  const Running running(unpriced, maker.traffic());
  const World after = running.world(), before = as_recorded(maker.traffic(), *unpriced, running.quality, running.blocks);
  const Comparison all = compare(before, after, running.scenario(), 1);
  EXPECT_EQ(all.not_known.unpriced, 20);
  EXPECT_EQ(all.not_known.unpriced_targets, std::vector<std::string>{"cloud/big"});
}

TEST(RunPool, KnownOutcomesSayWhatIsAtRisk) {
  const ConfigPtr config = config_of(fleet("0.6"));
  TrafficMaker maker(config);
  maker.chat.text_bytes = 4000;
  for (int i = 0; i < 100; ++i) maker.add(i * 1'000'000, i % 2 == 0 ? 0.55F : 0.65F);
  for (std::size_t i = 0; i < 100; ++i) {
    RecordedRequest& request = maker.traffic().requests[i];
    const bool home = text(request.target) == "home/llama";
    request.judged = home && i % 4 == 0 ? Judged::bad : Judged::good;   // half of those at home
  }
  const QualityBook book(maker.traffic());
  EXPECT_NEAR(book.bad_share(config->targets[0].id, Tier::complex).value_or(-1), 0.5, 1e-9);
  EXPECT_NEAR(book.bad_share(config->targets[1].id, Tier::complex).value_or(-1), 0, 1e-9);
  EXPECT_FALSE(book.bad_share(config->targets[1].id, Tier::simple));
  const Running running(config_of(fleet("0.7")), maker.traffic());
  EXPECT_NEAR(running.world().total.risk, 50, 1e-9) << "all hundred at home, half of them bad";
}

}  // namespace
}  // namespace tollgate::simulate
