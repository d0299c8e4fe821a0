// When a serverless pool earns what it costs, and how the governor follows it without flapping.
#include "router/autopilot.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "metrics/serverless_workers.hpp"

namespace tollgate {
namespace {

using Why = PoolStance::Why;

/// $3.60 an hour: a thousandth of a dollar a second.
WorkerCost worker(double cold = 20, double idle = 60, std::uint32_t places = 1) {
  WorkerCost cost;
  cost.usd_per_second = 0.001;
  cost.cold_seconds = cold;
  cost.idle_seconds = idle;
  cost.places = places;
  return cost;
}

TEST(WorkerLife, OnePlaceByHand) {
  // A request every 20 s, 2 s of service, 60 s of idle timeout: e^3 requests a life, up for (1.1 e^3 - 1) / 0.05 s.
  const WorkerLife life = life_of({0.05, 2}, worker());
  EXPECT_NEAR(life.requests, 20.0855, 0.001);
  EXPECT_NEAR(life.up_seconds, 421.88, 0.01);
  EXPECT_NEAR(life.taken_per_second, 0.05 / 1.1, 1e-9);
  // (20 + 421.88) s a life for 20.0855 requests: $0.0220 each.
  EXPECT_NEAR(life.usd_per_second / life.taken_per_second, 0.022, 1e-5);
}

TEST(WorkerLife, ALoneRequestCostsBootServiceAndIdleTimeout) {
  const WorkerLife life = life_of({1e-9, 2}, worker());
  EXPECT_NEAR(life.requests, 1, 1e-6);
  EXPECT_NEAR(life.usd_per_second / life.taken_per_second, 0.082, 1e-6);
}

TEST(WorkerLife, ABusyWorkerCostsItsRate) {
  const WorkerLife life = life_of({100, 2}, worker(20, 60, 8));
  EXPECT_NEAR(life.usd_per_second, 0.001, 1e-9);
  EXPECT_NEAR(life.taken_per_second, 4, 0.03);   // eight places of 2 s
}

TEST(WorkerLife, ABootThatIsFreeMinimumsAndIncrementsCount) {
  WorkerCost cost = worker(0);
  EXPECT_NEAR(life_of({1e-9, 2}, cost).usd_per_second / 1e-9, 0.062, 1e-6);
  cost.least_seconds = 100;
  EXPECT_NEAR(life_of({1e-9, 2}, cost).usd_per_second / 1e-9, 0.1, 1e-6);
  cost.increment_seconds = 10;   // half of it in the mean
  EXPECT_NEAR(life_of({1e-9, 2}, cost).usd_per_second / 1e-9, 0.105, 1e-6);
}

TEST(WorkerLife, WithoutRequestsThereIsNone) {
  EXPECT_EQ(life_of({0, 2}, worker()).usd_per_second, 0);
  EXPECT_EQ(worth_of({0, 2}, worker(), 1), 0);
}

TEST(WorkerLife, AWorkerThatCostsNothingIsWorthAnything) {
  WorkerCost cost = worker();
  cost.usd_per_second = 0;
  EXPECT_TRUE(std::isinf(worth_of({0.01, 2}, cost, 0.001)));
  EXPECT_EQ(worth_of({0.01, 2}, cost, 0), 0);
}

TEST(WorkerLife, NoLoadIsTooHighToReckonWith) {
  for (const double rate : {1e-6, 1.0, 1e3, 1e6}) {
    for (const std::uint32_t places : {1U, 64U, 4096U}) {
      const double worth = worth_of({rate, 30}, worker(30, 600, places), 0.01);
      EXPECT_TRUE(std::isfinite(worth)) << rate << " " << places;
      EXPECT_GE(worth, 0);
    }
  }
}

TEST(TurnedAway, IsErlangsLossFormula) {
  EXPECT_NEAR(turned_away(1, 1), 0.5, 1e-12);
  EXPECT_NEAR(turned_away(2, 2), 0.4, 1e-12);         // 2 / (1 + 2 + 2)
  EXPECT_NEAR(turned_away(10, 10), 0.21458, 1e-5);    // from tables
  EXPECT_EQ(turned_away(5, 0), 1);
}

// The formula against the gateway's own accounting of serverless workers, on random arrivals.
TEST(WorkerLife, TellsWhatTheAccountingBills) {
  struct Case {
    double rate, service, cold, idle;
    std::uint32_t places;
  };
  for (const Case& each : {Case{0.02, 3, 0, 60, 1}, Case{0.2, 2, 0, 10, 1}, Case{0.5, 4, 0, 5, 4}, Case{0.01, 5, 2, 30, 2}}) {
    ServerlessRules rules;
    rules.cold_start = milliseconds(static_cast<std::int64_t>(each.cold * 1000));
    rules.idle_timeout = milliseconds(static_cast<std::int64_t>(each.idle * 1000));
    rules.requests_per_worker = each.places;
    ServerlessWorkers workers;
    workers.set_rules(rules);
    std::mt19937_64 random(7);
    std::exponential_distribution<double> gap(each.rate);
    std::multiset<std::int64_t> ends;
    std::int64_t now = 0, billed_ns = 0, served = 0;
    const auto bill = [&](WorkerTime, std::int64_t ns) { billed_ns += ns; };
    const auto reach = [&](std::int64_t to) {
      while (!ends.empty() && *ends.begin() <= to) {
        workers.advance(now, *ends.begin(), static_cast<std::int64_t>(ends.size()), bill);
        now = *ends.begin();
        ends.erase(ends.begin());
      }
      workers.advance(now, to, static_cast<std::int64_t>(ends.size()), bill);
      now = to;
    };
    std::int64_t at = 0;
    for (int i = 0; i < 40'000; ++i) {
      at += static_cast<std::int64_t>(gap(random) * 1e9);
      reach(at);
      if (ends.size() >= each.places) continue;   // turned away
      ++served;
      const double boot = workers.up() == 0 ? each.cold : 0;
      ends.insert(at + static_cast<std::int64_t>((each.service + boot) * 1e9));
    }
    const WorkerLife life = life_of({each.rate, each.service}, worker(each.cold, each.idle, each.places));
    const double seconds = static_cast<double>(at) * 1e-9;
    EXPECT_NEAR(static_cast<double>(billed_ns) * 1e-9 * 0.001 / seconds / life.usd_per_second, 1, 0.03) << each.rate;
    EXPECT_NEAR(static_cast<double>(served) / seconds / life.taken_per_second, 1, 0.03) << each.rate;
  }
}

TEST(BreakEven, IsTheRateAtWhichALifePaysForItself) {
  // $0.022 elsewhere: the life worked by hand above.
  EXPECT_NEAR(break_even_per_second(2, worker(), 0.022).value(), 0.05, 1e-4);
  EXPECT_NEAR(worth_of({0.05, 2}, worker(), 0.022), 1, 1e-4);
}

TEST(BreakEven, FallsWithDearerElsewhereAndIsNoneWhereAFullWorkerCostsMore) {
  const double dear = break_even_per_second(2, worker(), 0.05).value(), cheap = break_even_per_second(2, worker(), 0.01).value();
  EXPECT_LT(dear, cheap);
  EXPECT_FALSE(break_even_per_second(2, worker(), 0.0019));   // a full worker's request costs $0.002
  EXPECT_FALSE(break_even_per_second(2, worker(), 0));
}

TEST(BreakEven, WorthRisesWithArrivals) {
  for (const std::uint32_t places : {1U, 4U, 32U}) {
    double before = 0;
    for (double rate = 1e-4; rate < 1e3; rate *= 1.3) {
      const double worth = worth_of({rate, 3}, worker(25, 30, places), 0.01);
      EXPECT_GE(worth, before * (1 - 1e-9)) << rate << " " << places;
      before = worth;
    }
  }
}

TEST(Workers, EachFurtherOneHasToEarnItsCostOnWhatIsLeft) {
  // Eight requests at work in the mean, one place each; full workers cost $0.002 a request.
  const Offered offered{4, 2};
  const std::uint32_t workers = workers_worth(offered, worker(), 0.004, 20, 0, 1, 1);
  EXPECT_GT(workers, 3U);
  EXPECT_LT(workers, 14U);
  const auto left = [&](std::uint32_t before) { return Offered{4 * turned_away(8, before), 2}; };
  EXPECT_GE(worth_of(left(workers - 1), worker(), 0.004), 1);
  EXPECT_LT(worth_of(left(workers), worker(), 0.004), 1);
  EXPECT_EQ(workers_worth(offered, worker(), 0.004, 2, 0, 1, 1), 2U);
  EXPECT_EQ(workers_worth(offered, worker(), 0.0019, 20, 0, 1, 1), 0U);
}

TEST(WorkerCost, ComesFromTheRateOfOneWorker) {
  Pool pool;
  pool.billing = Billing::serverless;
  pool.rate_picodollars = Int128{3'600'000'000'000};
  pool.rate_denominator = 1;
  pool.serverless.cold_start = milliseconds(20'000);
  pool.serverless.idle_timeout = milliseconds(5'000);
  pool.serverless.requests_per_worker = 3;
  const WorkerCost cost = worker_cost_of(pool);
  EXPECT_NEAR(cost.usd_per_second, 0.001, 1e-12);
  EXPECT_EQ(cost.cold_seconds, 20);
  EXPECT_EQ(cost.idle_seconds, 5);
  EXPECT_EQ(cost.places, 3U);
  pool.serverless.cold_start_billed = false;
  EXPECT_EQ(worker_cost_of(pool).cold_seconds, 0);
}

class Governor : public ::testing::Test {
 protected:
  Governor() {
    facts_.cost = worker();
    facts_.boot_seconds = 20;
    facts_.workers_max = 4;
    facts_.prices = 1;
  }
  /// So many seconds with so many requests a second at so much elsewhere, evenly.
  const PoolStance& pass(double seconds, double rate, double elsewhere = 0.022) {
    for (double end = now_ + seconds; now_ < end;) {
      now_ += 1;
      owed_ += rate;
      PoolGovernor::Seen seen;
      seen.seconds = 1;
      seen.offered = static_cast<std::uint64_t>(owed_);
      owed_ -= static_cast<double>(seen.offered);
      seen.elsewhere_usd = elsewhere * static_cast<double>(seen.offered);
      governor_.tick(seen, facts_, rules_, now_);
      switches_ += was_ == governor_.stance().workers ? 0U : 1U;
      was_ = governor_.stance().workers;
    }
    return governor_.stance();
  }
  void know(double seconds = 2) { governor_.know_service(seconds); }

  PoolGovernor governor_;
  PoolGovernor::Facts facts_;
  AutopilotRules rules_;
  double now_ = 1000, owed_ = 0;
  std::uint32_t was_ = 0, switches_ = 0;
};

TEST_F(Governor, BeginsClosed) { EXPECT_FALSE(governor_.stance().open()); }

TEST_F(Governor, OpensAboveTheBreakEvenAndSaysTheNumbers) {
  know();
  EXPECT_EQ(pass(300, 0.02).why, Why::below);
  EXPECT_FALSE(governor_.stance().open());
  const PoolStance& stance = pass(300, 0.2);
  EXPECT_TRUE(stance.open());
  EXPECT_EQ(stance.why, Why::above);
  EXPECT_NEAR(stance.per_second, 0.2, 0.01);
  EXPECT_NEAR(stance.break_even, 0.05, 0.001);
  EXPECT_EQ(stance.elsewhere, Usd{22'000'000'000});
  EXPECT_EQ(governor_.opened(), 1U);
}

TEST_F(Governor, ClosesWhenArrivalsFallAsAtNight) {
  know();
  pass(300, 0.2);
  EXPECT_FALSE(pass(600, 0.01).open());
  EXPECT_EQ(governor_.closed(), 1U);
  EXPECT_EQ(governor_.stance().why, Why::below);
}

TEST_F(Governor, NeedsTheMarginBothWays) {
  know();
  rules_.window = milliseconds(600'000);
  EXPECT_FALSE(pass(4000, 0.052).open());   // worth it, but by less than a fifth
  EXPECT_GT(governor_.stance().worth, 1.0F);
  EXPECT_TRUE(pass(4000, 0.1).open());
  EXPECT_TRUE(pass(4000, 0.046).open());    // not worth it, but by less than a fifth
  EXPECT_LT(governor_.stance().worth, 1.0F);
  EXPECT_FALSE(pass(4000, 0.02).open());
  EXPECT_EQ(switches_, 2U);
}

TEST_F(Governor, DrivenAtTheBorderItChangesAtMostOnceInATimeOfRest) {
  know();
  rules_.window = milliseconds(1'000);   // follows every request
  rules_.margin = 0;
  std::mt19937_64 random(3);
  std::poisson_distribution<int> arrivals(0.05);
  for (int second = 0; second < 6000; ++second) pass(1, arrivals(random));
  EXPECT_LE(switches_, 6000 / 60 + 1U);
  EXPECT_GT(switches_, 20U);             // the rest is what bounds it here
}

TEST_F(Governor, DrivenAtTheBorderWithItsMarginItHardlyChanges) {
  know();
  rules_.window = milliseconds(600'000);
  std::mt19937_64 random(3);
  std::poisson_distribution<int> arrivals(0.05);
  for (int second = 0; second < 36'000; ++second) pass(1, arrivals(random));   // ten hours
  EXPECT_LE(switches_, 12U);
}

TEST_F(Governor, AChangedPriceCountsAtOnceAndOnce) {
  know();
  pass(300, 0.2);
  ASSERT_TRUE(governor_.stance().open());
  rules_.dwell = milliseconds(3'600'000);
  facts_.prices = 2;
  pass(20, 1.0, 0.0001);                 // elsewhere for next to nothing, within the hour of rest
  EXPECT_FALSE(governor_.stance().open());
  pass(300, 1.0, 0.1);                   // without another number it rests
  EXPECT_FALSE(governor_.stance().open());
  facts_.prices = 3;
  pass(20, 1.0, 0.1);
  EXPECT_TRUE(governor_.stance().open());
}

TEST_F(Governor, WithoutRequestsAtANewPriceNothingIsGuessed) {
  know();
  pass(300, 0.2);
  facts_.prices = 2;
  EXPECT_TRUE(pass(3, 0).open());
}

TEST_F(Governor, WhatWasNeverMeasuredIsTriedOneRequestAtATime) {
  const PoolStance& stance = pass(60, 0.2);
  EXPECT_EQ(stance.why, Why::trial);
  EXPECT_EQ(stance.places, 1U);
  PoolGovernor::Seen seen;
  seen.seconds = 1;
  seen.offered = 1;
  seen.elsewhere_usd = 0.022;
  seen.served_cold = 1;
  seen.cold_seconds = 22;                // 20 s of boot, 2 s of service
  governor_.tick(seen, facts_, rules_, now_ + 1);
  EXPECT_NEAR(governor_.stance().service_seconds, 2, 1e-6);
  EXPECT_EQ(governor_.stance().why, Why::above);
  EXPECT_TRUE(governor_.stance().open());
}

TEST_F(Governor, ATrialThatShowsNothingEndsAndIsNotRepeatedSoon) {
  pass(60, 0.2);
  ASSERT_EQ(governor_.stance().why, Why::trial);
  pass(200, 0.2);
  EXPECT_EQ(governor_.stance().why, Why::not_measured);
  EXPECT_FALSE(governor_.stance().open());
  pass(3000, 0.2);
  EXPECT_EQ(governor_.opened(), 1U);
  pass(600, 0.2);
  EXPECT_EQ(governor_.opened(), 2U);     // an hour later
}

TEST_F(Governor, NothingIsTriedWhereItCouldNotPayOrTrialsAreOff) {
  EXPECT_FALSE(pass(3000, 0.005).open());
  rules_.trial = milliseconds(0);
  EXPECT_FALSE(pass(3000, 5).open());
  EXPECT_EQ(governor_.stance().why, Why::not_measured);
}

TEST_F(Governor, WithoutAPriceElsewhereItStaysClosed) {
  know();
  EXPECT_FALSE(pass(3000, 5, 0).open());
  EXPECT_EQ(governor_.stance().why, Why::no_traffic);
}

TEST_F(Governor, WarmAnswersReplaceWhatColdOnesSaid) {
  PoolGovernor::Seen seen;
  seen.seconds = 1;
  seen.served_cold = 1;
  seen.cold_seconds = 50;
  governor_.tick(seen, facts_, rules_, now_);
  EXPECT_NEAR(governor_.stance().service_seconds, 30, 1e-6);
  seen = {};
  seen.seconds = 1;
  seen.served_warm = 2;
  seen.warm_seconds = 6;
  governor_.tick(seen, facts_, rules_, now_ + 1);
  EXPECT_NEAR(governor_.stance().service_seconds, 3, 1e-6);
  seen.served_warm = 0;
  seen.served_cold = 10;
  seen.cold_seconds = 900;
  governor_.tick(seen, facts_, rules_, now_ + 2);
  EXPECT_NEAR(governor_.stance().service_seconds, 3, 1e-6);
}

TEST_F(Governor, AWorkerIsWarmOnceItHadTheTimeToBoot) {
  facts_.workers_up = 1;
  pass(10, 0.1);
  EXPECT_FALSE(governor_.stance().warm);
  pass(15, 0.1);
  EXPECT_TRUE(governor_.stance().warm);
  facts_.workers_up = 0;
  pass(1, 0.1);
  EXPECT_FALSE(governor_.stance().warm);
}

}  // namespace
}  // namespace tollgate
