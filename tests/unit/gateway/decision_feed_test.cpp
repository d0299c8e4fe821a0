#include "gateway/decision_feed.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace tollgate {
namespace {

DecisionPtr decision() { return std::make_shared<const DecisionSample>(); }

TEST(DecisionFeed, WantsNothingUntilItIsAllowed) {
  DecisionFeed feed;
  EXPECT_FALSE(feed.take_one());
  feed.allow(1, 8);
  EXPECT_TRUE(feed.take_one());
  EXPECT_FALSE(feed.take_one());
  feed.add(decision());
  EXPECT_EQ(feed.take().size(), 1U);
  EXPECT_TRUE(feed.take().empty());
}

TEST(DecisionFeed, AllowancesOfAQuietTimeAddUpToSoManyAndNoMore) {
  DecisionFeed feed;
  for (int second = 0; second < 100; ++second) feed.allow(3, 8);
  int sampled = 0;
  for (; feed.take_one(); ++sampled) feed.add(decision());
  EXPECT_EQ(sampled, 8);
}

TEST(DecisionFeed, WhatNobodyTakesIsBounded) {
  DecisionFeed feed;
  for (int i = 0; i < 1000; ++i) {
    feed.allow(1, 1);
    EXPECT_TRUE(feed.take_one());
    feed.add(decision());
  }
  EXPECT_EQ(feed.take().size(), DecisionFeed::waiting_max);
}

TEST(DecisionFeed, AReactorAndTheControlThreadDoNotDisturbEachOther) {
  DecisionFeed feed;
  constexpr int wanted = 2000;
  std::atomic<bool> done{false};
  std::thread reactor([&] {
    for (int added = 0; added < wanted;) {
      if (!feed.take_one()) continue;
      feed.add(decision());
      ++added;
    }
    done = true;
  });
  std::size_t taken = 0;
  while (!done) {
    feed.allow(16, 16);
    taken += feed.take().size();
  }
  reactor.join();
  taken += feed.take().size();
  EXPECT_LE(taken, static_cast<std::size_t>(wanted));
  EXPECT_GT(taken, 0U);
}

}  // namespace
}  // namespace tollgate
