#include "metrics/exporter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "metrics/series.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using ::testing::HasSubstr;

NameId name(std::string_view text) { return Names::global().intern(text); }

ExportedState some_state() {
  ExportedState state;
  state.targets = {name("home/llama"), name("claude/sonnet")};
  state.totals
      .requests[RequestLabels{name("auto"), name("home/llama"), name("red"), Tier::simple, RowResult::ok()}.packed()] =
      3;
  state.totals.spend[{name("home/llama"), name("red")}].usd[static_cast<std::size_t>(ChargeKind::gpu)] =
      UsdSum(Int128{1'500'000'000'000});
  state.totals.overhead.counts[2] = 3;
  state.totals.overhead.sum = 45'000;
  state.totals.refused[index_of(RowResult::of(Fault::unauthenticated))] = 4;
  PoolStatus pool;
  pool.pool = name("home");
  pool.billed = UsdSum(Int128{10'000'000'000'000});
  pool.attributed = UsdSum(Int128{4'000'000'000'000});
  pool.idle = UsdSum(Int128{5'999'999'999'999});
  pool.rounding = UsdSum(Int128{1});
  pool.busy_gpu_time = GpuTime{4'000'000};
  pool.idle_gpu_time = GpuTime{6'000'000};
  pool.busy_ratio = 0.4;
  state.pools.push_back(pool);
  return state;
}

std::string rendered(const ExportedState& state) {
  Exporter exporter;
  return Exporter::text(exporter.families(state));
}

TEST(Exporter, MoneyOfWhatIsConfiguredStandsAtZeroFromTheStart) {
  ExportedState state;
  state.targets = {name("home/llama")};
  state.teams = {name("red"), NameId::none};
  state.baseline_names = {name("elsewhere")};
  state.routes = {name("auto")};
  const std::string text = rendered(state);
  EXPECT_THAT(text, HasSubstr("tollgate_spend_usd_total{target=\"home/llama\",team=\"red\",kind=\"gpu\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_tokens_total{target=\"home/llama\",team=\"none\",type=\"output\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_baseline_spend_usd_total{baseline=\"elsewhere\",team=\"red\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_route_spend_usd_total{route=\"auto\",tier=\"REASONING\"} 0\n"));
}

TEST(Exporter, WhatWasCountedAtABaselineIsNotListedTwice) {
  ExportedState state = some_state();
  state.teams = {name("red")};
  state.baseline_names = {name("elsewhere")};
  state.baselines = {{name("elsewhere"), name("red"), UsdSum(Int128{2'000'000'000'000}), 1}};
  const std::string text = rendered(state);
  EXPECT_THAT(text, HasSubstr("tollgate_baseline_spend_usd_total{baseline=\"elsewhere\",team=\"red\"} 2\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("tollgate_baseline_spend_usd_total{baseline=\"elsewhere\",team=\"red\"} 0\n")));
}

TEST(Exporter, AFloodOfTargetsAndTeamsIsNotListedBeforeItCounts) {
  ExportedState state;
  for (int i = 0; i < 51; ++i) {
    state.targets.push_back(name("flood/target" + std::to_string(i)));
    if (i < 10) state.teams.push_back(name("flood-team" + std::to_string(i)));
  }
  EXPECT_THAT(rendered(state), ::testing::Not(HasSubstr("tollgate_spend_usd_total{")));
}

TEST(Exporter, SaysWhatWasCounted) {
  const std::string text = rendered(some_state());
  EXPECT_THAT(text, HasSubstr("tollgate_requests_total{route=\"auto\",target=\"home/"
                              "llama\",tier=\"SIMPLE\",team=\"red\",outcome=\"ok\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_spend_usd_total{target=\"home/llama\",team=\"red\",kind=\"gpu\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_pool_cost_usd_total{pool=\"home\",state=\"attributed\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_pool_gpu_seconds_total{pool=\"home\",state=\"idle\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_refused_total{reason=\"unauthenticated\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_overhead_seconds_count 3\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_overhead_seconds_bucket{le=\"2e-05\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_ledger_writable 1\n"));
}

TEST(Exporter, WhatIsKnownFromTheConfigurationStartsAtZero) {
  ExportedState state;
  state.targets = {name("claude/sonnet")};
  const std::string text = rendered(state);
  EXPECT_THAT(text, HasSubstr("tollgate_unpriced_requests_total{target=\"claude/sonnet\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_attempts_total{target=\"claude/sonnet\",result=\"ok\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_usage_source_total{source=\"estimated\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tollgate_ttft_seconds_count{target=\"claude/sonnet\"} 0\n"));
}

TEST(Exporter, WhatDoesNotApplyIsNoneNotAnAbsentLabel) {
  ExportedState state;
  state.totals.requests[RequestLabels{{}, {}, name("red"), Tier::simple, RowResult::of(Fault::no_target_up)}.packed()] =
      1;
  EXPECT_THAT(rendered(state),
              HasSubstr("{route=\"none\",target=\"none\",tier=\"SIMPLE\",team=\"red\",outcome=\"no_target_up\"} 1\n"));
}

TEST(Exporter, EverySeriesOfTheTableIsExportedOnceAndNoOther) {
  Exporter exporter;
  const auto families = exporter.families(some_state());
  std::set<std::string> names;
  for (const auto& family : families) names.insert(family.name);
  EXPECT_EQ(families.size(), series_table.size());
  EXPECT_EQ(names.size(), series_table.size());
  for (const SeriesFacts& facts : series_table) {
    EXPECT_TRUE(names.contains(std::string(facts.name))) << facts.name;
    EXPECT_EQ(facts.type == SeriesType::counter, facts.name.ends_with("_total")) << facts.name;
  }
}

TEST(Exporter, CountersDoNotFallWhenAnAttemptIsWithdrawn) {
  NeverFalling published;
  EXPECT_EQ(published.publish(100, 50).first, Int128{100});
  const auto after = published.publish(60, 90);  // 40 turned from attributed into idle
  EXPECT_EQ(after.first, Int128{100});
  EXPECT_EQ(after.second, Int128{50});
  const auto later = published.publish(120, 95);
  EXPECT_EQ(later.first, Int128{120});
  EXPECT_EQ(later.second, Int128{95});
}

TEST(Exporter, FamiliesOfOtherFoldersAreRenderedToo) {
  const testing::Folder folder;
  const auto accounts = testing::start(testing::ledger_at(folder.file("a.db")));
  accounts->add_collector([](std::vector<prometheus::MetricFamily>& families) {
    prometheus::MetricFamily& family = families.emplace_back();
    family.name = "tollgate_breaker_state";
    family.help = "from elsewhere";
    family.type = prometheus::MetricType::Gauge;
    family.metric.emplace_back().gauge.value = 2;
  });
  EXPECT_THAT(accounts->render_metrics(), HasSubstr("tollgate_breaker_state 2\n"));
}

TEST(Exporter, PromtoolFindsNothingToComplainAbout) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  const testing::Folder folder;
  const std::string file = folder.file("metrics.txt");
  std::ofstream(file) << rendered(some_state());
  const std::string log = folder.file("promtool.log");
  const int code = std::system(("promtool check metrics <" + file + " >" + log + " 2>&1").c_str());
  std::ifstream said(log);
  EXPECT_EQ(code, 0) << said.rdbuf();
}

}  // namespace
}  // namespace tollgate
