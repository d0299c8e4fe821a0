// The sections `budgets` and `limits`.
#include <gtest/gtest.h>

#include "loading.hpp"

namespace tollgate {
namespace {

using testing::error_of;
using testing::loaded;
using testing::minimal;

std::string budget(const std::string& members) { return minimal + "budgets:\n  - {name: b, " + members + "}\n"; }
std::string limit(const std::string& members) { return minimal + "limits:\n  - {name: l, " + members + "}\n"; }

bool says(const std::string& message, std::string_view part) { return message.find(part) != std::string::npos; }

TEST(BudgetsSection, ABudgetIsHardAndInUtcUnlessItSaysOtherwise) {
  const ConfigPtr config = loaded(budget("limit_usd: \"2.50\", per: month"));
  const Budget& rule = config->budgets.at(0);
  EXPECT_EQ(text(rule.name), "b");
  EXPECT_EQ(rule.limit, Usd{2'500'000'000'000});
  EXPECT_EQ(rule.period, BudgetPeriod::month);
  EXPECT_EQ(rule.when_over, WhenOver::refuse);
  EXPECT_EQ(rule.zone->name(), "UTC");
  EXPECT_EQ(rule.scope, PayerScope{});
  EXPECT_FALSE(rule.unpriced);
}

TEST(BudgetsSection, EveryMemberIsRead) {
  const ConfigPtr config = loaded(
      budget("limit_usd: 1, rolling: 90m, mode: soft, when_over: cheaper, wait_seconds: 0.5, unpriced_usd: 0.05, "
             "route: [direct], target: \"home/*\", model: llama"));
  const Budget& rule = config->budgets.at(0);
  EXPECT_EQ(rule.period, BudgetPeriod::rolling);
  EXPECT_EQ(rule.rolling, std::chrono::minutes{90});
  EXPECT_EQ(rule.when_over, WhenOver::cheaper);
  EXPECT_EQ(rule.wait_max, std::chrono::milliseconds{500});
  EXPECT_EQ(rule.unpriced, Usd{50'000'000'000});
  EXPECT_EQ(rule.scope.targets, std::vector<std::string>{"home/*"});
}

TEST(BudgetsSection, AnErrorSaysWhatWouldBeRight) {
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1")), "either per (hour, day or month of the calendar) or rolling"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, per: day, rolling: 24h")), "either per"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, rolling: 5s")), "a length from 60s to 366d was expected"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, rolling: 1y")), "a length from 60s to 366d was expected"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, per: day, time_zone: Europe/Berlun")), "Europe/Berlun"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, rolling: 1d, time_zone: UTC")), "a rolling window has no time zone"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, per: day, when_over: warn")), "write mode: soft"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: -1, per: day")), "limit_usd"));
  EXPECT_TRUE(says(error_of(budget("per: day")), "limit_usd"));
}

TEST(BudgetsSection, AScopeThatMeansNobodyIsRefused) {
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, per: day, team: web")), "there is no team in auth.keys 'web'"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, per: day, target: \"far/*\"")), "no target fits 'far/*'"));
  EXPECT_TRUE(says(error_of(budget("limit_usd: 1, per: day, model: lama")), "llama"));
}

TEST(BudgetsSection, TwoBudgetsOfOneNameAreRefused) {
  const std::string two =
      minimal + "budgets:\n  - {name: b, limit_usd: 1, per: day}\n  - {name: b, limit_usd: 2, per: day}\n";
  EXPECT_TRUE(says(error_of(two), "name them apart"));
}

TEST(LimitsSection, EveryMemberIsRead) {
  const ConfigPtr config =
      loaded(limit("each: route, route: direct, model: llama, requests_per_minute: 6, tokens_per_minute: 7, "
                   "concurrent_requests: 8"));
  const RateLimit& rule = config->limits.at(0);
  EXPECT_EQ(rule.each, RateLimit::Each::route);
  EXPECT_EQ(rule.scope.routes, std::vector<std::string>{"direct"});
  EXPECT_EQ(rule.scope.models, std::vector<std::string>{"llama"});
  EXPECT_EQ(rule.requests_per_minute, 6);
  EXPECT_EQ(rule.tokens_per_minute, 7);
  EXPECT_EQ(rule.concurrent, 8);
}

TEST(LimitsSection, ALimitThatLimitsNothingIsRefused) {
  EXPECT_TRUE(says(error_of(limit("each: all")), "at least one of requests_per_minute"));
  EXPECT_TRUE(says(error_of(limit("requests_per_minute: 0")), "requests_per_minute"));
  EXPECT_TRUE(says(error_of(limit("requests_per_minute: 1, target: home/llama")), "target"));
}

}  // namespace
}  // namespace tollgate
