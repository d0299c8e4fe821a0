// Whose tokens the engine served: own, foreign, or nobody's that can be said.

#include "backends/engine_account.hpp"

#include <gtest/gtest.h>

#include <random>

#include "backends/engine_board.hpp"
#include "support/seed.hpp"

namespace tollgate {
namespace {

/// An engine and a gateway in front of it, as counts only.
struct World {
  EngineLoad load;
  EngineAccount account;
  std::uint64_t prompt = 0, generation = 0;
  std::int64_t running = 0;

  EngineLoad::Ticket begin() { return ++running, load.begin(1, true); }
  void end(const EngineLoad::Ticket& ticket, std::int64_t in, std::int64_t out, bool exact = true) {
    --running;
    load.end(ticket, Usage{TokenCount{in}, {}, {}, TokenCount{out}, {}}, exact);
  }
  void engine_does(std::uint64_t in, std::uint64_t out) { prompt += in, generation += out; }
  void scrape() {
    const OwnCounts counts = load.counts();
    EngineSample sample;
    sample.running = running;
    sample.waiting = 0;
    sample.prompt_tokens = prompt;
    sample.generation_tokens = generation;
    if (account.take(sample, counts, counts)) load.turn_phase();
  }
  /// A whole request of our own.
  void serve(std::int64_t in, std::int64_t out) {
    const auto ticket = begin();
    engine_does(static_cast<std::uint64_t>(in), static_cast<std::uint64_t>(out));
    end(ticket, in, out);
  }
  [[nodiscard]] std::uint64_t foreign() const { return account.tokens(TokenSide::generation).foreign; }
  [[nodiscard]] std::int64_t unexplained() const { return account.tokens(TokenSide::generation).unexplained; }
  [[nodiscard]] double drift() const { return account.tokens(TokenSide::generation).drift_ratio().value_or(-99); }
};

TEST(EngineAccount, WhatWasServedBeforeTheWatchBeganIsNobodysBusiness) {
  World world;
  world.engine_does(1000, 1000);
  world.scrape();
  world.scrape();
  EXPECT_EQ(world.foreign(), 0U);
  EXPECT_FALSE(world.account.tokens(TokenSide::generation).drift_ratio().has_value());  // unknown, not 0
}

TEST(EngineAccount, OwnTrafficIsNotForeign) {
  World world;
  world.scrape();
  world.serve(10, 20);
  world.scrape();
  EXPECT_EQ(world.foreign(), 0U);
  EXPECT_DOUBLE_EQ(world.drift(), 0.0);
}

TEST(EngineAccount, TokensBeyondOursAreForeign) {
  World world;
  world.scrape();
  world.serve(10, 20);
  world.running = 1;
  world.engine_does(7, 30);
  world.scrape();
  EXPECT_EQ(world.foreign(), 30U);
  EXPECT_EQ(world.account.tokens(TokenSide::prompt).foreign, 7U);
  EXPECT_DOUBLE_EQ(world.drift(), 0.6);
}

TEST(EngineAccount, ForeignRequestsShowAtOnceWhileNothingOfOursMoves) {
  World world;
  world.scrape();
  world.running = 2;
  world.scrape();
  EXPECT_EQ(world.account.foreign_requests(), 2);
}

TEST(EngineAccount, AGaugeThatLagsBehindOurOwnEndIsNotForeign) {
  World world;
  world.scrape();
  world.serve(1, 1);
  world.running = 1;  // the engine did not notice yet
  world.scrape();
  EXPECT_EQ(world.account.foreign_requests(), 0);
  world.running = 0;
  world.scrape();
  EXPECT_EQ(world.account.foreign_requests(), 0);
}

TEST(EngineAccount, AgainstConstantOwnTrafficAGracePeriodFindsForeignTokens) {
  World world;
  world.scrape();
  auto ticket = world.begin();
  for (int i = 0; i < 20; ++i) {
    const auto next = world.begin();  // never quiet
    world.engine_does(5, 100);        // of ours
    world.end(ticket, 5, 100);
    ticket = next;
    if (i == 5) world.engine_does(0, 500);  // of others
    world.scrape();
  }
  EXPECT_GE(world.foreign(), 400U);  // but for what was made of a request of ours after the mark
  EXPECT_LE(world.foreign(), 500U);
  world.engine_does(5, 0);
  world.end(ticket, 5, 0);
  world.scrape();
  EXPECT_EQ(world.foreign(), 500U);
  EXPECT_EQ(world.unexplained(), 0);
}

TEST(EngineAccount, TokensUnderWayAreNotForeign) {
  World world;
  world.scrape();
  const auto ticket = world.begin();
  for (int i = 0; i < 10; ++i) {
    world.engine_does(0, 100);
    world.scrape();
  }
  EXPECT_EQ(world.foreign(), 0U);
  world.end(ticket, 0, 1000);
  world.scrape();
  world.scrape();
  EXPECT_EQ(world.foreign(), 0U);
  EXPECT_EQ(world.unexplained(), 0);
}

TEST(EngineAccount, TheLastTokensOfWhatWasCutOffAreDriftAndNotForeign) {
  World world;
  world.scrape();
  const auto ticket = world.begin();
  world.engine_does(10, 25);
  world.end(ticket, 10, 20, false);
  world.scrape();
  EXPECT_EQ(world.foreign(), 0U);
  EXPECT_EQ(world.unexplained(), 5);
  EXPECT_DOUBLE_EQ(world.drift(), 0.2);
  world.engine_does(0, 2);  // a step that the engine had begun
  world.scrape();
  EXPECT_EQ(world.foreign(), 0U);
  world.scrape();
  world.engine_does(0, 3);  // nothing of ours any more
  world.scrape();
  EXPECT_EQ(world.foreign(), 3U);
}

TEST(EngineAccount, CountingMoreThanTheEngineIsDriftBelowZero) {
  World world;
  world.scrape();
  const auto ticket = world.begin();
  world.engine_does(10, 20);
  world.end(ticket, 10, 30);
  world.scrape();
  EXPECT_DOUBLE_EQ(world.drift(), 0.0);  // the engine may only be late
  world.scrape();
  EXPECT_EQ(world.unexplained(), -10);
  EXPECT_DOUBLE_EQ(world.drift(), -0.5);
  EXPECT_EQ(world.foreign(), 0U);
}

TEST(EngineAccount, AnEngineThatCountsLateIsNoDrift) {
  World world;
  world.scrape();
  const auto ticket = world.begin();
  world.end(ticket, 10, 30);
  world.scrape();
  world.engine_does(10, 30);
  world.scrape();
  EXPECT_EQ(world.foreign(), 0U);
  EXPECT_EQ(world.unexplained(), 0);
}

TEST(EngineAccount, ARestartOfTheEngineKeepsWhatWasCounted) {
  World world;
  world.scrape();
  world.serve(10, 20);
  world.scrape();
  world.prompt = world.generation = 0;
  world.engine_does(3, 4);
  world.scrape();
  EXPECT_EQ(world.account.restarts(), 1U);
  EXPECT_EQ(world.account.tokens(TokenSide::generation).engine_total, 24U);
  world.serve(1, 1);
  world.scrape();
  world.scrape();
  world.running = 1;
  world.engine_does(0, 9);
  world.scrape();
  EXPECT_EQ(world.foreign(), 9U);
}

TEST(EngineAccount, AnotherEngineBeginsAnewButNoCounterFalls) {
  World world;
  world.scrape();
  world.running = 1;
  world.engine_does(0, 9);
  world.scrape();
  world.account.forget();
  world.running = 0;
  world.generation = 5'000'000;
  world.scrape();
  EXPECT_EQ(world.account.tokens(TokenSide::generation).foreign_total, 9U);
  EXPECT_EQ(world.account.tokens(TokenSide::generation).engine_total, 9U);
  EXPECT_EQ(world.foreign(), 0U);
}

TEST(EngineAccount, AnEngineThatDoesNotCountCachedPromptsIsComparedWithWhatItCounts) {
  EngineLoad load;
  EngineAccount account;
  EngineSample sample;
  sample.prompt_excludes_cached = true;
  sample.prompt_tokens = sample.generation_tokens = 0;
  (void)account.take(sample, load.counts(), load.counts());
  const auto ticket = load.begin(1, true);
  load.end(ticket, Usage{TokenCount{10}, TokenCount{90}, {}, TokenCount{5}, {}}, true);
  sample.prompt_tokens = 10;
  sample.generation_tokens = 5;
  (void)account.take(sample, load.counts(), load.counts());
  (void)account.take(sample, load.counts(), load.counts());
  EXPECT_DOUBLE_EQ(account.tokens(TokenSide::prompt).drift_ratio().value_or(-1), 0.0);
}

TEST(EngineAccount, WhatIsNotSureOfItsSequencesHidesForeignRequestsRatherThanInventsThem) {
  World world;
  world.scrape();
  const auto ticket = world.load.begin(1, false);
  world.running = 12;
  world.scrape();
  world.scrape();
  EXPECT_FALSE(world.account.foreign_requests().has_value());
  world.load.end(ticket, Usage{}, true);
}

// Whatever is mixed with whatever: what is foreign is never more than what was, and at rest exactly that.
TEST(EngineAccount, ForeignIsNeverInventedAndInTheEndComplete) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 50; ++round) {
    World world;
    world.scrape();
    struct Running {
      EngineLoad::Ticket ticket;
      std::int64_t made = 0;
    };
    std::vector<Running> own;
    std::uint64_t truth = 0;
    for (int step = 0; step < 400; ++step) {
      const auto draw = random() % 10;
      if (draw < 2 && own.size() < 8) own.push_back({world.begin()});
      for (Running& each : own) {
        const auto tokens = static_cast<std::int64_t>(random() % 20);
        each.made += tokens;
        world.engine_does(0, static_cast<std::uint64_t>(tokens));
      }
      if (draw == 3 || draw == 4) {
        if (!own.empty()) {
          world.end(own.front().ticket, 0, own.front().made);
          own.erase(own.begin());
        }
      }
      if (draw == 5 && random() % 4 == 0) {
        const std::uint64_t tokens = random() % 100;
        truth += tokens;
        world.engine_does(0, tokens);
      }
      if (draw >= 7) world.scrape();
      ASSERT_LE(world.foreign(), truth);
      ASSERT_EQ(world.unexplained(), 0);
    }
    for (const Running& each : own) world.end(each.ticket, 0, each.made);
    world.scrape();
    world.scrape();
    ASSERT_EQ(world.foreign(), truth);
    ASSERT_EQ(world.unexplained(), 0);
  }
}

}  // namespace
}  // namespace tollgate
