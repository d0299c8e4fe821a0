// The figures of the field's guides, by the adviser's formulas: which follow, and which do not (docs/advice.md says whose they are).
#include <gtest/gtest.h>

#include "advice/break_even.hpp"
#include "advice/decision.hpp"

namespace tollgate::advice {
namespace {

constexpr Usd dollars(double usd) { return Usd{static_cast<std::int64_t>(usd * 1e12)}; }
constexpr UsdPerToken per_million(double usd) { return UsdPerToken{static_cast<std::int64_t>(usd * 1e9)}; }
double usd(UsdSum sum) { return static_cast<double>(sum.picodollars()) * 1e-12; }
constexpr double tokens_a_day = 3.0e9;   // 10 M requests of 300 answer tokens

// Guide A: 10 M requests a day on a 70B model. $5,000 managed, 2–3,000 serverless, 1,000 dedicated at 70 %, 400 owned at 85 %.
TEST(Sources, TenMillionRequestsADayDedicatedAt70PercentFollowsFrom2083TokensPerSecondAndGpu) {
  const double gpus = tokens_a_day / 86'400 / 2083;
  EXPECT_NEAR(gpus, 16.7, 0.05);
  EXPECT_NEAR(gpus * 24 * 2.50, 1000, 2);
  EXPECT_NEAR(usd_per_million_at(dollars(2.50), 2083 / 0.70, 0.70), 0.333, 0.001);
}

TEST(Sources, TheOwnedFigureFollowsFromAnHourlyRateOf121WhenTheRentIs250) {
  const double full = 2083 / 0.70;
  EXPECT_NEAR(usd_per_million_at(dollars(1.215), full, 0.85) * tokens_a_day / 1e6, 400, 2);
  // The rate of an H100 bought for $35,000 over three years, with power, is $1.51 an hour: $500 a day rather than $400.
  Hardware hardware;
  hardware.replica = {"H100", 1};
  EXPECT_NEAR(static_cast<double>(owned_per_gpu_hour(hardware)->count()) * 1e-12, 1.51, 0.005);
  EXPECT_NEAR(usd_per_million_at(*owned_per_gpu_hour(hardware), full, 0.85) * tokens_a_day / 1e6, 498, 2);
}

TEST(Sources, TheManagedFigureIsAPriceOf1Dollar67PerMillionAnswerTokens) {
  EXPECT_NEAR(5000 / (tokens_a_day / 1e6), 1.667, 0.001);
  // At $0.88 for both directions it takes prompts of 268 tokens.
  EXPECT_NEAR(5000 / 0.88 * 1e6 / 10e6 - 300, 268, 1);
}

TEST(Sources, TheServerlessFiguresFollowFromWorkersThatAreAtWork37To55PercentOfTheirTime) {
  const double full_day = usd_per_million_at(dollars(3.949), 2083 / 0.70, 1.0) * tokens_a_day / 1e6;   // packed without a gap, at Modal's price
  EXPECT_NEAR(full_day / 2000, 0.55, 0.01);
  EXPECT_NEAR(full_day / 3000, 0.37, 0.01);
}

// Guide B: 30 M tokens a day. $36,000 GPT-4-class, $6,000 open-model API, $7,000 on two H100 with operations.
TEST(Sources, ThirtyMillionTokensADayBreakEvenLiesAt35MillionAgainstTheApiAndAt5Point8AgainstGpt4) {
  constexpr double month_days = static_cast<double>(hours_per_month) / 24, source_days = 30;
  const double correction = month_days / source_days;   // the guide's month has 30 days
  const UsdSum own = dollars(7000);
  EXPECT_NEAR(tokens_per_day_over_managed(own, per_million(6.667), per_million(6.667), 0.75) * correction, 35e6, 0.1e6);
  EXPECT_NEAR(tokens_per_day_over_managed(own, per_million(40), per_million(40), 0.75) * correction, 5.83e6, 0.01e6);
  // By its own figures self-hosting costs more than the open-model API, and at today's list price the API costs an eighth of what it says.
  EXPECT_NEAR(tokens_per_day_over_managed(own, per_million(0.88), per_million(0.88), 0.75) * correction, 265e6, 1e6);
  EXPECT_NEAR(0.88 * 900, 792, 0.5);
}

TEST(Sources, GuideBsTwoH100sWouldStandIdle92PercentOfTheTimeSoGuideAWouldRentThemByTheSecond) {
  const Speed two{20'000, 5000, 50};
  const Workload workload = assumed_workload({"llama-3.3-70b", 30'000'000, 2.0 / 3, 30'000, 24, 1});
  const Needed needed = replicas_needed(workload, two);
  EXPECT_EQ(needed.replicas, 1);
  EXPECT_LT(needed.utilisation(), 0.08);
  const double gpu_hours = needed.busy_share * 2 * hours_per_month;
  EXPECT_LT(gpu_hours * 3.949, 474 + 1) << "packed without a gap";
}

// Guide C: volume tiers. Managed is linear at $30 a million; self-hosted is a step per machine.
TEST(Sources, TheVolumeTiersManagedColumnIsAFlatThirtyDollarsAMillionAndTheCrossoverLiesBetween1And5MillionADay) {
  const std::pair<double, double> rows[] = {{0.1e6, 90}, {1e6, 900}, {5e6, 4500}, {50e6, 45'000}};
  for (const auto& [tokens, managed] : rows) EXPECT_NEAR(tokens * 30 / 1e6 * 30, managed, 1e-6);
  const double crossover = 1200.0 / (30 * 30) * 1e6;
  EXPECT_GT(crossover, 1e6);
  EXPECT_LT(crossover, 5e6);
  // At $0.88 a million the same machine ($2,500) needs 19 times the tokens of its row: the table holds for frontier prices only.
  EXPECT_NEAR(tokens_per_day_over_managed(dollars(2500), per_million(0.88), per_million(0.88), 0.75) / 5e6, 18.7, 0.1);
}

TEST(Sources, TheVolumeTiersWinnersFollowFromTheirOwnTwoColumns) {
  struct Row {
    double managed, own;
    const char* winner;
  };
  for (const auto& [managed, own, winner] : {Row{90, 800, "managed"}, Row{900, 1200, "managed"}, Row{4500, 2500, "own"}, Row{45'000, 12'000, "own"}}) {
    EXPECT_STREQ(managed < own ? "managed" : "own", winner) << managed;
  }
  // "Near parity" at 1 M a day is a third more. Of the last row the break-even against the flat price lies at 13.3 M a day, and at $0.88 a million at 455 M.
  EXPECT_NEAR(1200.0 / 900 - 1, 0.33, 0.01);
  constexpr double correction = static_cast<double>(hours_per_month) / 24 / 30;
  EXPECT_NEAR(tokens_per_day_over_managed(dollars(12'000), per_million(30), per_million(30), 0.75) * correction, 13.3e6, 0.1e6);
  EXPECT_NEAR(tokens_per_day_over_managed(dollars(12'000), per_million(0.88), per_million(0.88), 0.75) * correction, 454.5e6, 1e6);
}

TEST(Sources, EachStepDownHalvesTheCostOnlyRoughly) {
  EXPECT_NEAR(5000.0 / 2500, 2.0, 1e-9);
  EXPECT_NEAR(2500.0 / 1000, 2.5, 1e-9);
  EXPECT_NEAR(1000.0 / 400, 2.5, 1e-9);
  // "And multiplies the operations burden by 3 to 5": serverless takes a quarter of what GPUs of one's own do.
  EXPECT_NEAR(1 / Operations{}.serverless_share, 4, 1e-9);
}

TEST(Sources, TheContradictionIsSaidInEveryReportWithTheUtilisationThatWasFound) {
  Hardware hardware;
  hardware.replica = {"H100", 2};
  hardware.speed = {20'000, 5000, 50};
  const Comparison all = compare(assumed_workload({"llama-3.3-70b", 30'000'000, 2.0 / 3, 30'000, 24, 1}), hardware, {}, {});
  const std::string note = guides_note(all);
  EXPECT_NE(note.find("contradict"), std::string::npos);
  EXPECT_NE(note.find("Assumed here: 3 %"), std::string::npos) << note;
  EXPECT_NE(note.find("a case for serverless"), std::string::npos);
}

TEST(Sources, TheRulesOfThumbForUtilisationAreRatiosOfTwoPrices) {
  EXPECT_NEAR(dedicated_over_serverless(dollars(2.69), dollars(3.949), 0), 0.68, 0.005);
  EXPECT_NEAR(dedicated_over_serverless(dollars(3.49), dollars(3.949), 0), 0.88, 0.005);
  EXPECT_NEAR(dedicated_over_serverless(dollars(2.00), dollars(3.949), 0), 0.51, 0.005);
  EXPECT_NEAR(dedicated_over_serverless(dollars(1.39), dollars(5.04), 0), 0.28, 0.005);
  EXPECT_NEAR(dedicated_over_serverless(dollars(2.69), dollars(3.949), 0.25), 0.68 / 1.25, 0.005);
  // 20, 40 and 60 to 70 %: serverless costs 5, 2.5 and 1.67 to 1.43 times the rent.
  for (const auto& [ratio, share] : {std::pair{5.0, 0.20}, {2.5, 0.40}, {1.6667, 0.60}, {1.4286, 0.70}}) {
    EXPECT_NEAR(dedicated_over_serverless(dollars(1), dollars(ratio), 0), share, 0.001);
  }
}

TEST(Sources, OwnedBeatsRentingByTheHourAbove70PercentOverTwoToThreeYears) {
  Hardware three, two;
  for (Hardware* each : {&three, &two}) {
    each->replica = {"H100", 1};
    each->kw_per_gpu = each->pue = 1;
    each->usd_per_kwh = 0.55;   // all running costs, as the guide's example has them
  }
  two.life_years = 2;
  EXPECT_NEAR(owned_over_elastic(*owned_per_gpu_hour(three), dollars(2.50)), 0.75, 0.005);
  EXPECT_GT(owned_over_elastic(*owned_per_gpu_hour(two), dollars(2.50)), 1.0);
  EXPECT_NEAR(owned_over_elastic(*owned_per_gpu_hour(three), dollars(3.49)), 0.54, 0.005);
  EXPECT_NEAR(owned_over_elastic(*owned_per_gpu_hour(two), dollars(3.49)), 0.73, 0.005);
  EXPECT_NEAR(*owned_pays_back_years(dollars(35'000), dollars(2.50), dollars(0.55)), 2.05, 0.005);
  EXPECT_NEAR(*owned_pays_back_years(dollars(35'000), dollars(3.49), dollars(0.55)), 1.36, 0.005);
  EXPECT_FALSE(owned_pays_back_years(dollars(35'000), dollars(0.50), dollars(0.55)));
}

TEST(Sources, AGpuUsedATenthOfTheTimeCostsTenTimesPerToken) {
  EXPECT_NEAR(usd_per_million_at(dollars(2.49), 3000, 0.1) / usd_per_million_at(dollars(2.49), 3000, 1.0), 10, 1e-9);
}

TEST(Compare, EveryTierIsThereLinesAddUpAndTheUnknownHasItsReason) {
  Hardware hardware;
  hardware.replica = {"H100", 1};
  hardware.speed = {10'000, 2500, 50};
  const Workload workload = assumed_workload({"llama-3.3-70b", 30'000'000, 0.75, 0, 24, 1});
  const Comparison all = compare(workload, hardware, {}, {{"dear", "m", per_million(2), per_million(2)}, {"cheap", "m", per_million(1), per_million(1)}});
  ASSERT_EQ(all.tiers.size(), 5U);
  EXPECT_EQ(all.tiers[0].where, "cheap/m");
  EXPECT_NEAR(usd(all.tiers[0].per_month().mid), 30 * 730.0 / 24, 1e-6);
  for (const TierCost& tier : all.tiers) {
    EXPECT_TRUE(tier.unknown.empty()) << tier.unknown;
    EXPECT_LE(tier.per_month().low, tier.per_month().mid);
    EXPECT_LE(tier.per_month().mid, tier.per_month().high);
  }
  hardware.replica.gpu = "L4";
  const Comparison other = compare(workload, hardware, {}, {});
  EXPECT_EQ(other.of(TierKind::owned), nullptr);
  EXPECT_NE(other.tiers.back().unknown.find("--purchase-usd-per-gpu"), std::string::npos);
  EXPECT_NE(other.tiers.front().unknown.find("price book"), std::string::npos);
}

TEST(Compare, WhatTheOperatorCountsForOperationsReplacesTheGuidesFigures) {
  Hardware hardware;
  hardware.replica = {"H100", 1};
  hardware.speed = {10'000, 2500, 50};
  hardware.owned_per_gpu_hour = dollars(1.25);
  Operations operations;
  operations.known_per_month = dollars(2000);
  const Comparison all = compare(assumed_workload({"llama-3.3-70b", 30'000'000, 0.75, 0, 24, 1}), hardware, operations, {});
  const TierCost& own = *all.of(TierKind::owned);
  EXPECT_NEAR(usd(own.per_month().mid), 2000 + 1.25 * 730 * static_cast<double>(all.needed.replicas), 1e-6);
  EXPECT_EQ(own.per_month().low, own.per_month().high);
  EXPECT_NEAR(usd(all.of(TierKind::serverless)->lines.back().usd.mid), 500, 1e-6);
}

TEST(Decide, DataThatMustStayRulesManagedOutWhateverItCosts) {
  Hardware hardware;
  hardware.replica = {"H100", 1};
  hardware.speed = {10'000, 2500, 50};
  Workload workload = assumed_workload({"llama-3.3-70b", 1'000'000, 0.75, 0, 24, 1});
  const std::vector<Host> hosts{{"cheap", "m", per_million(0.01), per_million(0.01)}};
  EXPECT_EQ(decide(compare(workload, hardware, {}, hosts), {}).tier, TierKind::managed);
  workload.constrained = 1;
  const Decision kept = decide(compare(workload, hardware, {}, hosts), {});
  EXPECT_NE(kept.tier, TierKind::managed);
  EXPECT_TRUE(kept.saving_known);
  EXPECT_LT(kept.saving_per_month.picodollars(), 0) << "it costs more, and that is said";
  EXPECT_EQ(kept.managed_ruled_out, "0.1 % of the requests must not leave") << "and why";
  EXPECT_EQ(decide(compare(workload, hardware, {}, hosts), {false, true}).tier, TierKind::serverless) << "nobody to run GPUs";
}

}  // namespace
}  // namespace tollgate::advice
