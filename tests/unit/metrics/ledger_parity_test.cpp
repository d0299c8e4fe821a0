// The same rows in SQLite and in PostgreSQL read the same, to the picodollar.
#include <gtest/gtest.h>

#include "config/decimal.hpp"
#include "metrics/budget_history.hpp"
#include "metrics/costs_query.hpp"
#include "metrics/ledger_postgres.hpp"
#include "metrics/ledger_sqlite.hpp"
#include "metrics/outcomes_query.hpp"
#include "metrics/prove.hpp"
#include "random_request.hpp"
#include "support/postgres_server.hpp"

namespace tollgate {
namespace {

using namespace testing;

constexpr std::int64_t day_us = 86'400'000'000;

/// Everything that readers say, as text.
std::string told(const LedgerPlace& place, std::int64_t since_us, std::int64_t until_us) {
  std::string text;
  const auto reader = LedgerReader::open(place).value();
  for (std::size_t i = 0; i <= dimension_count; ++i) {
    CostsQuestion question{since_us, until_us, {}};
    if (i < dimension_count) question.by = {static_cast<Dimension>(i), static_cast<Dimension>((i + 3) % dimension_count)};
    const CostsReport report = reader->costs(question).value();
    for (const CostsRow& row : report.rows) {
      for (const std::string& label : row.labels) text += label + "|";
      text += std::to_string(row.requests) + "|" + std::to_string(row.attempts) + "|" + std::to_string(row.billed) + "|" +
              std::to_string(row.inexact) + "|" + std::to_string(row.unpriced) + "|" + std::to_string(row.cached) + "|" + std::to_string(row.cached_unknown) +
              "|" + decimal_text(row.saved);
      for (const std::int64_t tokens : row.tokens) text += "|" + std::to_string(tokens);
      for (const UsdSum spend : row.spend) text += "|" + decimal_text(spend);
      for (const auto& [name, sums] : row.baselines) {
        text += "|" + name + " " + std::to_string(sums.compared) + " " + std::to_string(sums.unknown) + " " +
                decimal_text(sums.baseline) + " " + decimal_text(sums.actual);
      }
      text += "\n";
    }
    for (const std::string& day : report.cut_days) text += "cut " + day + "\n";
  }
  const PoolHoursReport hours = reader->pool_hours({since_us, until_us, {PoolDimension::pool, PoolDimension::hour}}).value();
  for (const PoolHoursRow& row : hours.rows) {
    text += row.labels[0] + row.labels[1] + decimal_text(row.lines.billed) + " " + std::to_string(row.lines.busy_gpu_time.count()) + "\n";
  }
  const auto rows_1 = outcome_sums(place, {since_us, until_us}).value();
  for (const OutcomeSum& sum : rows_1) {
    text += sum.target + sum.source + sum.verdict + std::to_string(sum.count) + " " + std::to_string(sum.score_ppm_mean.value_or(-1)) + "\n";
  }
  const auto rows_2 = list_outcomes(place, {since_us, until_us}, 1000).value();
  for (const ListedOutcome& row : rows_2) {
    text += row.request + row.at + row.arrived + row.target + row.team + row.tier + row.source + row.verdict + row.comment + row.score + "\n";
  }
  const auto rows_3 = judged_requests(place, since_us, 50).value();
  for (const JudgedRequest& row : rows_3) {
    text += std::string(tollgate::text(row.id).view()) + row.target + std::to_string(row.features.version) + " " +
            std::string(row.features.bytes.begin(), row.features.bytes.begin() + row.features.size) +
            std::to_string(row.feedback ? static_cast<int>(*row.feedback) : -1) + "\n";
  }
  PastQuestion past{since_us, 3'600'000'000, until_us, {}, {}};
  std::vector<std::string> lines;
  const auto rows_4 = read_past_spend(place, past).value();
  for (const PastSpend& spend : rows_4) {
    lines.push_back(spend.key + spend.team + spend.model + spend.route + spend.target + std::to_string(spend.arrived_us) + decimal_text(spend.usd) +
                    std::to_string(spend.unpriced_bytes) + " " + std::to_string(spend.unpriced_attempts));
  }
  std::sort(lines.begin(), lines.end());  // of no order
  for (const std::string& line : lines) text += line + "\n";
  const Proof proof = prove(place, {"c", since_us, until_us, true}, [&](const ProvedAttempt& attempt) {
    text += attempt.request + std::to_string(attempt.started_us) + attempt.target + attempt.result + std::string(name_of(attempt.verdict)) + "\n";
  }).value();
  text += std::to_string(proof.cached) + " from memory\n";
  return text + std::to_string(proof.not_recorded_attempts) + " " + std::to_string(proof.folded_attempts);
}

TEST(LedgerParity, WhatIsWrittenIntoBothReadsTheSame) {
  PostgresServer& server = PostgresServer::shared();
  if (!server.why_not().empty()) GTEST_SKIP() << server.why_not();
  const Folder folder;
  const LedgerPlace file(folder.file("a.db")), database(server.fresh_database());
  std::unique_ptr<Ledger> ledgers[] = {SqliteLedger::open(file.path()).value(), PostgresLedger::open(database, folder.file("p")).value()};
  std::mt19937_64 random(seed());
  std::vector<OpenRequest> rows;
  for (std::int64_t n = 0; n < 280; ++n) rows.push_back(random_settled(random, n));
  const std::uint64_t more = random();
  for (const auto& ledger : ledgers) {
    std::mt19937_64 same(more);
    ASSERT_TRUE(ledger->begin().has_value());
    const auto named = ledger->write_names();
    ASSERT_TRUE(named.has_value()) << named.error().message;
    for (const OpenRequest& row : rows) {
      ASSERT_TRUE(ledger->insert(row).value());
      for (const char* const name : {"all-frontier", "cheapest"}) {
        const auto usd = same() % 3 == 0 ? std::nullopt : std::optional(Usd{static_cast<std::int64_t>(same() % 800'000'000'000'000'000)});
        ASSERT_TRUE(ledger->insert_baseline(row.row.id, Names::global().intern(name), usd).has_value());
      }
      if (same() % 2 == 0) {
        Outcome outcome;
        outcome.request = row.row.id;
        outcome.source = static_cast<OutcomeSource>(same() % 3);
        outcome.verdict = static_cast<OutcomeVerdict>(same() % 9);
        if (same() % 2 == 0) outcome.score_ppm = static_cast<std::int32_t>(same() % 1'000'001);
        outcome.at_us = row.row.arrived_us + 5'000'001;
        if (same() % 3 == 0) outcome.comment = "so 'naja' \xE2\x82\xAC";
        ASSERT_EQ(ledger->insert_outcome(outcome).value().result, OutcomeResult::recorded);
      }
    }
    PoolLines lines;
    lines.billed = lines.idle = UsdSum{Int128{123'456'789'012}};
    lines.busy_gpu_time = GpuTime{77};
    for (int i = 0; i < 9; ++i) ASSERT_TRUE(ledger->add_pool_lines("home", random_begin_us / 3'600'000'000 + i / 3, lines).has_value());
    const auto done = ledger->commit();
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  const std::int64_t until = random_begin_us + 4 * day_us;
  const std::string before = told(file, 0, until);
  EXPECT_GT(before.size(), 10'000U);
  EXPECT_EQ(before, told(database, 0, until));
  EXPECT_EQ(told(file, random_begin_us + 7'777'777'777, until - day_us), told(database, random_begin_us + 7'777'777'777, until - day_us));
  // And when a part of it has become sums per day.
  for (const auto& ledger : ledgers) {
    for (std::size_t folded = 50; folded == 50;) folded = ledger->fold(random_begin_us + day_us, 50).value();
  }
  EXPECT_EQ(told(file, 0, until), told(database, 0, until));
  EXPECT_EQ(told(file, random_begin_us + 7'777'777'777, until), told(database, random_begin_us + 7'777'777'777, until));
  set_request_gateway(0);
}

}  // namespace
}  // namespace tollgate
