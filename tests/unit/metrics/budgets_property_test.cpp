// Laws of budgets under random work on several threads: no limit is ever passed, nothing stays held, every cent is
// counted once, and what is read back from a ledger is what was counted.
#include <atomic>
#include <thread>

#include "metrics/budgets.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t day_us = 86'400'000'000;

NameId id(std::string_view name) { return Names::global().intern(name); }

Budget budget_of(std::string_view name, std::int64_t picodollars) {
  Budget budget;
  budget.name = id(name);
  budget.limit = Usd{picodollars};
  budget.period = BudgetPeriod::month;
  budget.zone = find_time_zone("UTC").value();
  return budget;
}

Config config_of(const testing::Folder& folder, std::vector<Budget> budgets) {
  Config config;
  config.ledger = testing::ledger_at(folder.file("ledger.db"));
  testing::start(config.ledger)->flush();
  config.budgets = std::move(budgets);
  return config;
}

struct Work {
  Budgets& budgets;
  std::vector<Payer> payers;
  std::vector<NameId> targets;
  std::atomic<std::int64_t> spent{0}, refused{0};

  /// Requests of random cost with one to three attempts; some are dropped without an end.
  void run(std::uint64_t seed, int requests) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
    for (int i = 0; i < requests; ++i) {
      const Payer& payer = payers[static_cast<std::size_t>(below(payers.size()))];
      std::vector<StepNeed> steps;
      for (const NameId target : targets) {
        steps.push_back({target, Usd{1 + below(1'000)}, true, Usd{below(500)}, true, NameId::none});
      }
      BudgetHold hold(budgets);
      const BudgetClock now = BudgetClock::now();
      const RequestId request = next_request_id(static_cast<unsigned>(seed % 7));
      if (hold.admit(payer, request, now.wall_us, steps, now).outcome != Admission::Outcome::held) {
        ++refused;
        continue;
      }
      for (const StepNeed& step : steps) {
        if (step.dropped_by != NameId::none) continue;
        if (hold.cover(step, now)) break;
        if (below(10) == 0) break;  // the client is gone before it was sent
        AttemptCost cost;
        cost.target = step.target;
        cost.usd = Usd{below(static_cast<std::uint64_t>(step.worst.count()) + 1)};
        hold.charge(cost);
        spent += static_cast<std::int64_t>(cost.usd.picodollars());
        if (below(2) == 0) break;
      }
      if (below(3) != 0) hold.settle();  // else the destructor does
    }
  }
};

TEST(BudgetsProperty, NoBudgetIsPassedByManyThreadsAndNothingStaysHeld) {
  const std::uint64_t seed = testing::seed();
  testing::Folder folder;
  Budget target = budget_of("target", 150'000);
  target.scope.targets = {"a/*"};
  Budget team = budget_of("team", 100'000);
  team.scope.teams = {"red"};
  const Config config = config_of(folder, {budget_of("all", 200'000), target, team});
  Budgets budgets;
  ASSERT_TRUE(budgets
                  .adopt(
                      config, [] {}, BudgetClock::now())
                  .has_value());
  Work work{budgets,
            {{id("k1"), id("red"), id("auto"), id("direct")}, {id("k2"), id("blue"), id("auto"), id("direct")}},
            {id("a/x"), id("b/y"), id("a/z")}};
  std::atomic<bool> over{false};
  std::atomic<int> running{4};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      work.run(seed + i, 2'000);
      --running;
    });
  }
  while (running > 0) {
    for (const BudgetStatus& status : budgets.status(BudgetClock::now())) {
      if (status.spent + status.held > UsdSum{status.rule.limit}) over = true;
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(over);
  EXPECT_EQ(budgets.holds(), 0U);
  const std::vector<BudgetStatus> all = budgets.status(BudgetClock::now());
  for (const BudgetStatus& status : all) {
    EXPECT_EQ(status.held, UsdSum{});
    EXPECT_EQ(status.overrun, UsdSum{});
    EXPECT_LE(status.spent, UsdSum{status.rule.limit});
  }
  EXPECT_EQ(all[0].spent, UsdSum{Usd{work.spent.load()}});
  EXPECT_GT(work.refused.load(), 0);
  EXPECT_GE(all[0].spent, UsdSum{Usd{190'000}});
}

TEST(BudgetsProperty, ReloadsUnderLoadLoseNothing) {
  const std::uint64_t seed = testing::seed();
  testing::Folder folder;
  Config config = config_of(folder, {budget_of("all", 9'000'000'000)});
  Budgets budgets;
  ASSERT_TRUE(budgets
                  .adopt(
                      config, [] {}, BudgetClock::now())
                  .has_value());
  Work work{budgets, {{id("k1"), id("red"), id("auto"), id("direct")}}, {id("a/x"), id("b/y")}};
  std::vector<std::thread> threads;
  std::atomic<int> running{2};
  for (std::uint64_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      work.run(seed + i, 3'000);
      --running;
    });
  }
  for (int i = 0; running > 0; ++i) {
    config.budgets = {budget_of("all", 9'000'000'000 + i)};
    if (i % 2 == 0) config.budgets.push_back(budget_of("at times", 5'000));
    EXPECT_TRUE(budgets
                    .adopt(
                        config, [] {}, BudgetClock::now())
                    .has_value());
  }
  for (std::thread& thread : threads) thread.join();
  const BudgetStatus all = budgets.status(BudgetClock::now()).at(0);
  EXPECT_EQ(all.spent, UsdSum{Usd{work.spent.load()}});
  EXPECT_EQ(all.held, UsdSum{});
}

TEST(BudgetsProperty, WhatIsReadBackFromTheLedgerIsWhatWasCounted) {
  std::mt19937_64 random(testing::seed());
  testing::Folder folder;
  Budget red = budget_of("red", 1'000'000'000'000);
  red.scope.teams = {"red"};
  Budget rolls = budget_of("rolls", 1'000'000'000'000);
  rolls.period = BudgetPeriod::rolling;
  rolls.rolling = std::chrono::hours{24};
  rolls.scope.targets = {"a/*"};
  Config config = config_of(folder, {budget_of("all", 1'000'000'000'000), red, rolls});
  Target priced = testing::target_of("a/x");
  priced.prices = testing::prices_of(3'000'000, 15'000'000);
  config.targets = {priced};
  const auto accounts = testing::start(config.ledger);
  Backend backend;
  Budgets live;
  const BudgetClock now = BudgetClock::now();
  ASSERT_TRUE(live.adopt(
                      config, [&] { accounts->flush(); }, now)
                  .has_value());
  for (int i = 0; i < 300; ++i) {
    RequestOpened opened = testing::opened(0, random() % 2 == 0 ? "red" : "blue");
    opened.arrived_us = now.wall_us;
    OpenRequest& open = testing::must_open(accounts->books(0), *accounts, opened);
    const Payer payer{opened.key, opened.team, opened.model, id("direct")};
    accounts->books(0).decided(open, payer.route, 0, Tier::simple);
    BudgetHold hold(live);
    std::vector<StepNeed> steps{{priced.id, Usd{1'000'000}, true, Usd{}, true, NameId::none}};
    ASSERT_EQ(hold.admit(payer, opened.id, opened.arrived_us, steps, now).outcome, Admission::Outcome::held);
    accounts->books(0).begin_attempt(open, priced, backend, now.mono);
    // One in five is work of unknown cost.
    const bool known = random() % 5 != 0;
    const auto result = known ? RowResult::ok() : RowResult::of(Fault::upstream_timeout);
    const Usage usage =
        testing::usage_of(static_cast<std::int64_t>(random() % 5'000), static_cast<std::int64_t>(random() % 900));
    accounts->books(0).end_attempt(open, testing::ended(result, usage, known ? UsageSource::exact : UsageSource::none),
                                   now.mono);
    AttemptCost cost;
    cost.target = priced.id;
    cost.usd = open.current().charge.total();
    cost.known = open.current().pricing != Pricing::unpriced;
    cost.request_bytes = open.row.input_bytes;
    cost.priced = &priced;
    hold.charge(cost);
    accounts->books(0).settle(open, testing::closing(result));
    hold.settle();
  }
  Budgets again;
  ASSERT_TRUE(again
                  .adopt(
                      config, [&] { accounts->flush(); }, now)
                  .has_value());
  const std::vector<BudgetStatus> counted = live.status(now), read = again.status(now);
  for (std::size_t i = 0; i < counted.size(); ++i) {
    EXPECT_GT(counted[i].spent, UsdSum{});
    // Each unknown cost is rounded by itself when it is counted, all of them together when they are read.
    const Int128 apart = counted[i].spent.picodollars() - read[i].spent.picodollars();
    EXPECT_LE(apart < 0 ? -apart : apart, 300) << text(counted[i].rule.name);
  }
}

}  // namespace
}  // namespace tollgate
