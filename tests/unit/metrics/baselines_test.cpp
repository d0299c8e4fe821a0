#include "metrics/baselines.hpp"

#include <gtest/gtest.h>

#include "config/decimal.hpp"
#include "metrics/costs_query.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using namespace testing;

/// Targets: a dear one, a cheap one, one of a pool without token prices, one for embeddings.
std::shared_ptr<Config> config_with(std::vector<Baseline> baselines) {
  auto config = std::make_shared<Config>();
  config->targets = {target_of("big/frontier"), target_of("host/open"), target_of("gpu/open"), target_of("e/embed")};
  config->targets[0].prices = prices_of(3'000'000'000, 15'000'000'000);
  config->targets[1].prices = prices_of(500'000'000, 1'000'000'000);
  config->targets[3].prices = prices_of(20'000'000, 0);
  for (Target& target : config->targets) target.surfaces = {Surface::chat, Surface::completions};
  config->targets[3].surfaces = {Surface::embeddings};
  config->baselines = std::move(baselines);
  return config;
}

Baseline baseline(std::string_view name, std::vector<std::size_t> targets) {
  return {Names::global().intern(name), std::move(targets)};
}

OpenRequest served(std::int64_t input, std::int64_t output) {
  OpenRequest request;
  request.row.attempts = 1;
  request.attempts[0].usage = usage_of(input, output);
  request.attempts[0].usage_source = UsageSource::exact;
  request.attempts[0].pricing = Pricing::priced;
  return request;
}

std::string cost_text(const BaselineRule& rule, const OpenRequest& request) {
  const auto cost = baseline_cost(rule, request);
  if (!cost) return "does not apply";
  return cost->usd ? decimal_text(*cost->usd) : "unknown";
}

TEST(BaselinesTest, TheSameTokensArePricedAtTheReference) {
  const BaselineSet set = baselines_of(*config_with({baseline("frontier", {0})}));
  EXPECT_EQ(cost_text(set.rules[0], served(1000, 100)), "0.0045");
}

TEST(BaselinesTest, WhatNoClientAskedForIsComparedWithNothing) {
  const BaselineSet set = baselines_of(*config_with({baseline("frontier", {0})}));
  OpenRequest evaluation = served(1000, 100);
  evaluation.row.purpose = Purpose::shadow;
  EXPECT_EQ(cost_text(set.rules[0], evaluation), "does not apply");
}

TEST(BaselinesTest, OfSeveralHostsTheCheapestCountsAndUnpricedOnesAreLeftOut) {
  const BaselineSet set = baselines_of(*config_with({baseline("cheapest", {2, 0, 1})}));
  EXPECT_EQ(cost_text(set.rules[0], served(1000, 100)), "0.0006");
}

TEST(BaselinesTest, APoolWithoutTokenPricesAndRequestsPastThePricesLimitAreUnknownNotZero) {
  auto config = config_with({baseline("gpu", {2}), baseline("frontier", {0})});
  config->targets[0].prices->input_tokens_max = 1000;
  const BaselineSet set = baselines_of(*config);
  EXPECT_EQ(cost_text(set.rules[0], served(1000, 100)), "unknown");
  EXPECT_EQ(cost_text(set.rules[1], served(1000, 0)), "0.003");
  EXPECT_EQ(cost_text(set.rules[1], served(1001, 0)), "unknown");
}

TEST(BaselinesTest, OnlyTheAnswerThatCameCountsAndNotWhatFailedAttemptsWasted) {
  const BaselineSet set = baselines_of(*config_with({baseline("frontier", {0})}));
  OpenRequest request = served(1'000'000, 1'000'000);
  request.row.attempts = 2;
  request.attempts[1] = served(1000, 100).attempts[0];
  EXPECT_EQ(cost_text(set.rules[0], request), "0.0045");
}

TEST(BaselinesTest, WhatNobodyWorkedOnCostsNothingElsewhereAndWhatNobodyCountedIsUnknown) {
  const BaselineSet set = baselines_of(*config_with({baseline("frontier", {0})}));
  OpenRequest request;
  EXPECT_EQ(cost_text(set.rules[0], request), "0");
  request.row.attempts = 1;
  request.attempts[0].pricing = Pricing::unpriced;
  EXPECT_EQ(cost_text(set.rules[0], request), "unknown");
}

TEST(BaselinesTest, AReferenceThatDoesNotServeSuchRequestsDoesNotApply) {
  const BaselineSet set = baselines_of(*config_with({baseline("frontier", {0})}));
  OpenRequest request = served(1000, 0);
  request.row.surface = Surface::embeddings;
  EXPECT_EQ(cost_text(set.rules[0], request), "does not apply");
}

class RecordedBaselinesTest : public ::testing::Test {
 protected:
  void serve(Accounts& accounts, const Config& config, std::size_t target) {
    Books& books = accounts.books(0);
    OpenRequest& open = must_open(books, accounts, opened());
    books.begin_attempt(open, config.targets[target], Backend{}, at(1));
    books.end_attempt(open, ended(RowResult::ok(), usage_of(1000, 100), UsageSource::exact), at(2));
    books.settle(open, closing());
  }
  Folder folder_;
  const std::string path_ = folder_.file("ledger.db");
};

TEST_F(RecordedBaselinesTest, SavingsAreTheDifferenceAndMayBeNegativeInLedgerAndMetricsAlike) {
  const auto config = config_with({baseline("frontier", {0}), baseline("cheapest", {1}), baseline("gpu", {2})});
  const auto accounts = start(ledger_at(path_));
  ASSERT_TRUE(accounts->adopt(config));
  serve(*accounts, *config, 0);
  serve(*accounts, *config, 1);
  accounts->flush();
  const CostsRow total = LedgerReader::open(path_).value()->costs({0, 4'000'000'000'000'000, {}}).value().total;
  EXPECT_EQ(decimal_text(total.known_usd()), "0.0051");
  EXPECT_EQ(decimal_text(total.baselines.at("frontier").savings()), "0.0039");
  EXPECT_EQ(decimal_text(total.baselines.at("cheapest").savings()), "-0.0039");
  EXPECT_EQ(total.baselines.at("gpu").compared, 0);
  EXPECT_EQ(total.baselines.at("gpu").unknown, 2);
  const std::string metrics = accounts->render_metrics();
  EXPECT_NE(metrics.find(R"(tollgate_baseline_spend_usd_total{baseline="cheapest",team="red"} 0.0012)"),
            std::string::npos);
  EXPECT_NE(metrics.find(R"(tollgate_baseline_unknown_requests_total{baseline="gpu",team="red"} 2)"),
            std::string::npos);
}

// Pitfall 26: price changes rewrite history.
TEST_F(RecordedBaselinesTest, AReloadChangesTheReferencesOfWhatIsRecordedFromThenOn) {
  const auto accounts = start(ledger_at(path_));
  const auto first = config_with({baseline("frontier", {0})});
  ASSERT_TRUE(accounts->adopt(first));
  serve(*accounts, *first, 0);
  accounts->flush();
  const auto second = config_with({});
  ASSERT_TRUE(accounts->adopt(second));
  serve(*accounts, *second, 0);
  accounts->flush();
  EXPECT_EQ(Reader(path_).number("SELECT count(*) FROM baseline"), 1);
  EXPECT_EQ(Reader(path_).number("SELECT count(*) FROM run_baseline"), 0);
}

}  // namespace
}  // namespace tollgate
