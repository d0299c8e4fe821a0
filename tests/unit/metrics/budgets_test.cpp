#include "metrics/budgets.hpp"

#include "testing.hpp"

namespace tollgate {
namespace {

using testing::Folder;

constexpr std::int64_t day_us = 86'400'000'000;
constexpr std::int64_t noon_us = 20'000 * day_us + day_us / 2;

NameId id(std::string_view name) { return Names::global().intern(name); }
Usd cents(std::int64_t count) { return Usd{count * 10'000'000'000}; }
BudgetClock clock_at(std::int64_t wall_us, std::int64_t mono_s = 0) {
  return {wall_us, MonoTime{std::chrono::seconds{1'000'000 + mono_s}}};
}

Budget day_budget(std::string_view name, Usd limit) {
  Budget budget;
  budget.name = id(name);
  budget.limit = limit;
  budget.period = BudgetPeriod::day;
  budget.zone = find_time_zone("UTC").value();
  return budget;
}

/// Budgets over an empty ledger.
class BudgetsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.ledger = testing::ledger_at(folder_.file("ledger.db"));
    testing::start(config_.ledger)->flush();
  }
  void adopt(std::vector<Budget> budgets, std::int64_t now_us = noon_us) {
    config_.budgets = std::move(budgets);
    const auto adopted = budgets_.adopt(
        config_, [] {}, clock_at(now_us));
    ASSERT_TRUE(adopted.has_value()) << adopted.error().message;
  }
  Admission admit(BudgetHold& hold, Usd worst, std::string_view target = "near/big", std::int64_t now_us = noon_us,
                  std::int64_t mono_s = 0) {
    steps_ = {StepNeed{id(target), worst, true, worst, true, NameId::none}};
    return hold.admit(payer_, next_request_id(0), now_us, steps_, clock_at(now_us, mono_s));
  }
  static AttemptCost cost(Usd usd, std::string_view target = "near/big") {
    AttemptCost cost;
    cost.target = id(target);
    cost.usd = usd;
    return cost;
  }
  BudgetStatus status(std::size_t index = 0, std::int64_t now_us = noon_us, std::int64_t mono_s = 0) {
    return budgets_.status(clock_at(now_us, mono_s)).at(index);
  }

  Folder folder_;
  Config config_;
  Budgets budgets_;
  std::vector<StepNeed> steps_;
  Payer payer_{id("web-app"), id("web"), id("auto"), id("direct")};
};

TEST_F(BudgetsTest, WhatARequestMayCostIsHeldAndWhatItCostIsSpent) {
  adopt({day_budget("all", cents(100))});
  BudgetHold hold(budgets_);
  EXPECT_EQ(admit(hold, cents(80)).outcome, Admission::Outcome::held);
  EXPECT_EQ(status().held, UsdSum{cents(80)});
  hold.charge(cost(cents(3)));
  EXPECT_EQ(status().held, UsdSum{cents(77)});
  EXPECT_EQ(status().spent, UsdSum{cents(3)});
  hold.settle();
  EXPECT_EQ(status().held, UsdSum{});
  EXPECT_EQ(status().spent, UsdSum{cents(3)});
  EXPECT_EQ(status().left(), UsdSum{cents(97)});
}

TEST_F(BudgetsTest, TheRestOfAHoldMayComeFreeBeforeTheRequestEnds) {
  adopt({day_budget("all", cents(100))});
  BudgetHold hold(budgets_);
  admit(hold, cents(80));
  hold.charge(cost(cents(3)));
  hold.release();
  EXPECT_EQ(status().held, UsdSum{});
  EXPECT_EQ(budgets_.holds(), 1U);
  hold.settle();
  EXPECT_EQ(status().spent, UsdSum{cents(3)});
}

TEST_F(BudgetsTest, AHoldThatIsDestroyedGivesEverythingBack) {
  adopt({day_budget("all", cents(100))});
  {
    BudgetHold hold(budgets_);
    admit(hold, cents(80));
    EXPECT_EQ(budgets_.holds(), 1U);
  }
  EXPECT_EQ(status().held, UsdSum{});
  EXPECT_EQ(budgets_.holds(), 0U);
}

TEST_F(BudgetsTest, ExactlyTheLimitFitsAndOnePicodollarMoreDoesNot) {
  adopt({day_budget("all", cents(100))});
  BudgetHold over(budgets_);
  EXPECT_EQ(admit(over, cents(100) + Usd{1}).outcome, Admission::Outcome::refused);
  BudgetHold fits(budgets_);
  EXPECT_EQ(admit(fits, cents(100)).outcome, Admission::Outcome::held);
}

TEST_F(BudgetsTest, WhereOnlyHoldsOfOthersStandInTheWayItIsWorthWaiting) {
  adopt({day_budget("all", cents(100))});
  BudgetHold first(budgets_), second(budgets_);
  admit(first, cents(80));
  const Admission waits = admit(second, cents(80));
  EXPECT_EQ(waits.outcome, Admission::Outcome::wait);
  EXPECT_EQ(waits.refusal->held, UsdSum{cents(80)});
  first.charge(cost(cents(30)));
  first.settle();
  const Admission refused = admit(second, cents(80));
  EXPECT_EQ(refused.outcome, Admission::Outcome::refused);
  EXPECT_EQ(text(refused.refusal->budget), "all");
  EXPECT_EQ(refused.refusal->spent, UsdSum{cents(30)});
  EXPECT_EQ(refused.refusal->resets_us, noon_us + day_us / 2);
  EXPECT_EQ(admit(second, cents(70)).outcome, Admission::Outcome::held);
}

TEST_F(BudgetsTest, ARequestHoldsOfAllItsBudgetsOrOfNone) {
  adopt({day_budget("wide", cents(100)), day_budget("narrow", cents(10))});
  BudgetHold hold(budgets_);
  EXPECT_EQ(text(admit(hold, cents(50)).refusal->budget), "narrow");
  EXPECT_EQ(status(0).held, UsdSum{});
  EXPECT_EQ(status(1).held, UsdSum{});
}

TEST_F(BudgetsTest, ABudgetCountsOnlyWhomItsScopeMeans) {
  std::vector<Budget> rules;
  for (const char* name : {"key", "team", "model", "route", "target"}) rules.push_back(day_budget(name, cents(100)));
  rules[0].scope.keys = {"web-*"};
  rules[1].scope.teams = {"ops"};
  rules[2].scope.models = {"auto"};
  rules[3].scope.routes = {"other"};
  rules[4].scope.targets = {"far/*"};
  adopt(rules);
  BudgetHold hold(budgets_);
  admit(hold, cents(10));
  hold.charge(cost(cents(4)));
  hold.charge(cost(cents(5), "far/big"));
  hold.settle();
  const std::int64_t expected[] = {9, 0, 9, 0, 5};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(status(i).spent, UsdSum{cents(expected[i])}) << i;
}

TEST_F(BudgetsTest, AnotherAttemptNeedsAsMuchAgain) {
  adopt({day_budget("all", cents(100))});
  BudgetHold hold(budgets_);
  admit(hold, cents(60));
  hold.charge(cost(cents(60)));
  const StepNeed again{id("near/big"), cents(60), true, cents(1), true, NameId::none};
  EXPECT_EQ(hold.cover(again, clock_at(noon_us)), id("all"));
  const StepNeed cheap{id("near/big"), cents(40), true, cents(1), true, NameId::none};
  EXPECT_EQ(hold.cover(cheap, clock_at(noon_us)), std::nullopt);
  EXPECT_EQ(status().held, UsdSum{cents(40)});
}

TEST_F(BudgetsTest, WhatIsBeyondTheHoldIsSpentAndCounted) {
  adopt({day_budget("all", cents(100))});
  BudgetHold hold(budgets_);
  admit(hold, cents(10));
  hold.charge(cost(cents(12)));
  hold.settle();
  EXPECT_EQ(status().spent, UsdSum{cents(12)});
  EXPECT_EQ(status().overrun, UsdSum{cents(2)});
}

TEST_F(BudgetsTest, AHoldThatNobodySettlesExpires) {
  adopt({day_budget("all", cents(100))});
  BudgetHold hold(budgets_);
  admit(hold, cents(80));
  EXPECT_EQ(status(0, noon_us, 7'199).held, UsdSum{cents(80)});
  EXPECT_EQ(status(0, noon_us, 7'200).held, UsdSum{});
  EXPECT_EQ(status().expired, 1U);
  hold.charge(cost(cents(5)));  // it ends after all
  hold.settle();
  EXPECT_EQ(status().spent, UsdSum{cents(5)});
  EXPECT_EQ(status().held, UsdSum{});
}

TEST_F(BudgetsTest, ChargesCountInTheWindowInWhichTheirRequestArrived) {
  adopt({day_budget("all", cents(100))});
  BudgetHold hold(budgets_);
  admit(hold, cents(80));
  EXPECT_EQ(status(0, noon_us + day_us).held, UsdSum{});  // the new day owes nothing
  hold.charge(cost(cents(50)));
  hold.settle();
  EXPECT_EQ(status(0, noon_us + day_us).spent, UsdSum{});
}

TEST_F(BudgetsTest, ARollingBudgetComesFreeWithTime) {
  Budget rolls = day_budget("rolls", cents(100));
  rolls.period = BudgetPeriod::rolling;
  rolls.rolling = std::chrono::hours{24};
  adopt({rolls});
  BudgetHold hold(budgets_);
  admit(hold, cents(80));
  hold.charge(cost(cents(80)));
  hold.settle();
  BudgetHold next(budgets_);
  const Admission refused = admit(next, cents(30));
  EXPECT_EQ(refused.outcome, Admission::Outcome::refused);
  EXPECT_GE(refused.refusal->resets_us, noon_us + day_us);  // never early
  EXPECT_LE(refused.refusal->resets_us, noon_us + day_us + 2 * day_us / 240);
  EXPECT_EQ(admit(next, cents(30), "near/big", refused.refusal->resets_us).outcome, Admission::Outcome::held);
}

TEST_F(BudgetsTest, ACostThatIsNotKnownIsRefusedOrCountsWhatTheBudgetSays) {
  Budget refuses = day_budget("refuses", cents(100)), counts = day_budget("counts", cents(100));
  refuses.scope.routes = {"strict"};
  counts.unpriced = cents(30);
  adopt({refuses, counts});
  BudgetHold hold(budgets_);
  steps_ = {StepNeed{id("near/new"), Usd{}, false, Usd{}, false, NameId::none}};
  Payer strict = payer_;
  strict.route = id("strict");
  const Admission refused = hold.admit(strict, next_request_id(0), noon_us, steps_, clock_at(noon_us));
  EXPECT_EQ(refused.outcome, Admission::Outcome::refused);
  EXPECT_FALSE(refused.refusal->needed_known);
  EXPECT_EQ(hold.admit(payer_, next_request_id(0), noon_us, steps_, clock_at(noon_us)).outcome,
            Admission::Outcome::held);
  EXPECT_EQ(status(1).held, UsdSum{cents(30)});
  AttemptCost unknown = cost(Usd{}, "near/new");
  unknown.known = false;
  hold.charge(unknown);
  hold.settle();
  EXPECT_EQ(status(1).spent, UsdSum{cents(30)});
  EXPECT_EQ(status(1).unpriced, 1U);
}

TEST_F(BudgetsTest, AnAttemptWithAPriceButWithoutUsageCountsItsInput) {
  adopt({day_budget("all", cents(100))});
  Target target = testing::target_of("near/big");
  target.prices = testing::prices_of(4'000'000, 8'000'000);
  BudgetHold hold(budgets_);
  admit(hold, cents(50));
  AttemptCost unknown = cost(Usd{});
  unknown.known = false;
  unknown.request_bytes = 1000;
  unknown.priced = &target;
  hold.charge(unknown);
  EXPECT_EQ(status().spent, UsdSum{Usd{250 * 4'000}});
}

TEST_F(BudgetsTest, ASoftBudgetWarnsOnceAWindowAndRefusesNothing) {
  Budget soft = day_budget("soft", cents(10));
  soft.when_over = WhenOver::warn;
  adopt({soft});
  BudgetHold first(budgets_), second(budgets_);
  const Admission told = admit(first, cents(80));
  EXPECT_EQ(told.outcome, Admission::Outcome::held);
  EXPECT_EQ(text(told.warning), "soft");
  EXPECT_TRUE(told.first_warning);
  EXPECT_FALSE(admit(second, cents(80)).first_warning);
  EXPECT_EQ(status().warned, 2U);
}

TEST_F(BudgetsTest, ASoftBudgetThatIsUsedUpLeavesTheCheapestTargets) {
  Budget soft = day_budget("soft", cents(10));
  soft.when_over = WhenOver::cheaper;
  adopt({soft});
  std::vector<StepNeed> steps{{id("far/big"), cents(20), true, cents(9), true, NameId::none},
                              {id("near/small"), cents(5), true, cents(1), true, NameId::none},
                              {id("near/new"), Usd{}, false, Usd{}, false, NameId::none}};
  BudgetHold hold(budgets_);
  EXPECT_EQ(hold.admit(payer_, next_request_id(0), noon_us, steps, clock_at(noon_us)).outcome,
            Admission::Outcome::held);
  EXPECT_EQ(text(steps[0].dropped_by), "soft");
  EXPECT_EQ(steps[1].dropped_by, NameId::none);
  EXPECT_EQ(text(steps[2].dropped_by), "soft");
  EXPECT_EQ(status().held, UsdSum{cents(5)});
}

TEST_F(BudgetsTest, AHardBudgetDropsOnlyTheTargetsItHasNoRoomFor) {
  adopt({day_budget("all", cents(10))});
  std::vector<StepNeed> steps{{id("far/big"), cents(20), true, cents(9), true, NameId::none},
                              {id("near/small"), cents(5), true, cents(1), true, NameId::none}};
  BudgetHold hold(budgets_);
  EXPECT_EQ(hold.admit(payer_, next_request_id(0), noon_us, steps, clock_at(noon_us)).outcome,
            Admission::Outcome::held);
  EXPECT_EQ(text(steps[0].dropped_by), "all");
  EXPECT_EQ(steps[1].dropped_by, NameId::none);
  EXPECT_EQ(status().trimmed, 1U);
}

TEST_F(BudgetsTest, ANewConfigurationKeepsWhatWasSpentAndHeldUnlessItCountsOtherMoney) {
  adopt({day_budget("all", cents(100))});
  BudgetHold hold(budgets_), done(budgets_);
  admit(done, cents(20));
  done.charge(cost(cents(20)));
  done.settle();
  admit(hold, cents(30));
  adopt({day_budget("new", cents(5)), day_budget("all", cents(40))});
  EXPECT_EQ(status(1).spent, UsdSum{cents(20)});
  EXPECT_EQ(status(1).held, UsdSum{cents(30)});
  EXPECT_EQ(status(1).left(), UsdSum{});  // the limit was lowered below what is in use
  EXPECT_EQ(admit(done, cents(1)).outcome, Admission::Outcome::wait);
  hold.charge(cost(cents(7)));
  hold.settle();
  EXPECT_EQ(status(0).spent, UsdSum{cents(7)});  // it ended under the new one, which counts it too
  EXPECT_EQ(status(1).spent, UsdSum{cents(27)});
}

TEST_F(BudgetsTest, WithoutBudgetsNothingHasToBeAsked) {
  EXPECT_FALSE(budgets_.any());
  adopt({day_budget("all", cents(100))});
  EXPECT_TRUE(budgets_.any());
  adopt({});
  EXPECT_FALSE(budgets_.any());
}

}  // namespace
}  // namespace tollgate
