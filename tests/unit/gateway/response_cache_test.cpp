#include "gateway/response_cache.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "gateway/cache_counts.hpp"
#include "support/seed.hpp"

namespace tollgate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr std::size_t mebibyte = 1024 * 1024;
const ResponseCache::Time start{seconds{1000}};

/// Keys that fall into one part, so that the order of use among them decides.
ResponseCache::Key key(std::uint8_t number, std::uint8_t part = 0) {
  ResponseCache::Key made{};
  made[0] = part;
  made[8] = number;
  return made;
}

AnswerPtr answer(std::size_t bytes, ResponseCache::Time made_at = start, const char* target = "a/x") {
  CachedAnswer made;
  made.bytes = std::string(bytes, 'x');
  made.bytes.shrink_to_fit();
  made.target = Names::global().intern(target);
  made.made_at = made_at;
  return std::make_shared<const CachedAnswer>(std::move(made));
}

TEST(ResponseCache, GivesBackWhatWasPut) {
  ResponseCache cache;
  const AnswerPtr put = answer(100);
  cache.put(key(1), put);
  EXPECT_EQ(cache.find(key(1), start, seconds{1}), put);
  EXPECT_EQ(cache.find(key(2), start, seconds{1}), nullptr);
}

TEST(ResponseCache, AnAnswerIsTooOldByWhoeverAsksForIt) {
  ResponseCache cache;
  cache.put(key(1), answer(100));
  EXPECT_NE(cache.find(key(1), start + milliseconds{1000}, seconds{1}), nullptr) << "at the limit";
  EXPECT_EQ(cache.find(key(1), start + milliseconds{1001}, seconds{1}), nullptr) << "one past it";
  EXPECT_NE(cache.find(key(1), start + milliseconds{1001}, seconds{2}), nullptr) << "another route may still have it";
}

TEST(ResponseCache, ANewAnswerTakesThePlaceOfTheOldOne) {
  ResponseCache cache;
  cache.put(key(1), answer(100));
  const AnswerPtr fresh = answer(50, start + seconds{5});
  cache.put(key(1), fresh);
  EXPECT_EQ(cache.find(key(1), start + seconds{5}, seconds{1}), fresh);
  EXPECT_EQ(cache.status().entries, 1U);
  EXPECT_EQ(cache.status().replaced, 1U);
  EXPECT_EQ(cache.status().bytes, fresh->memory_bytes() + ResponseCache::entry_bytes);
}

TEST(ResponseCache, WhatWasUnusedForLongestMakesRoom) {
  ResponseCache cache(ResponseCache::parts * 32 * 1024);   // room for three of 10 KiB in a part
  for (std::uint8_t i = 1; i <= 3; ++i) cache.put(key(i), answer(10 * 1024 - 300));
  EXPECT_NE(cache.find(key(1), start, seconds{1}), nullptr);   // used: now 2 is the oldest
  cache.put(key(4), answer(10 * 1024 - 300));
  EXPECT_EQ(cache.find(key(2), start, seconds{1}), nullptr);
  for (const std::uint8_t left : {std::uint8_t{1}, std::uint8_t{3}, std::uint8_t{4}}) EXPECT_NE(cache.find(key(left), start, seconds{1}), nullptr) << int{left};
  EXPECT_EQ(cache.status().evicted, 1U);
}

TEST(ResponseCache, WhatWouldNotFitIsNotKept) {
  ResponseCache cache(mebibyte);
  const std::size_t room = mebibyte / ResponseCache::parts;
  cache.put(key(1), answer(room));
  EXPECT_EQ(cache.status().entries, 0U);
  cache.put(key(1), answer(room - sizeof(CachedAnswer) - ResponseCache::entry_bytes - 64));
  EXPECT_EQ(cache.status().entries, 1U);
}

TEST(ResponseCache, ALowerLimitHoldsAtOnce) {
  ResponseCache cache;
  for (std::uint8_t i = 0; i < 200; ++i) cache.put(key(i, i), answer(20'000));
  cache.set_limit(mebibyte);
  EXPECT_LE(cache.status().bytes, mebibyte);
  EXPECT_GT(cache.status().entries, 0U);
  cache.set_limit(0);
  EXPECT_EQ(cache.status().entries, 0U);
  EXPECT_EQ(cache.status().bytes, 0U);
}

TEST(ResponseCache, ClearingForgetsEverything) {
  ResponseCache cache;
  for (std::uint8_t i = 0; i < 10; ++i) cache.put(key(i, i), answer(10));
  EXPECT_EQ(cache.clear(), 10U);
  EXPECT_EQ(cache.find(key(1, 1), start, seconds{1}), nullptr);
  EXPECT_EQ(cache.status().bytes, 0U);
}

/// Against a list kept by hand: whatever is put and asked for, the bytes stay within the limit and what is found is what was put last.
TEST(ResponseCacheProperty, NeverPassesItsLimitAndNeverGivesWhatWasNotPut) {
  const unsigned seed = test_seed();
  SCOPED_TRACE("TOLLGATE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  ResponseCache cache(mebibyte);
  std::map<ResponseCache::Key, AnswerPtr> put;
  for (int i = 0; i < 20'000; ++i) {
    const ResponseCache::Key at = key(static_cast<std::uint8_t>(random() % 100), static_cast<std::uint8_t>(random() % 3));
    if (random() % 3 == 0) {
      const AnswerPtr made = answer(random() % 80'000);
      cache.put(at, made);
      if (made->memory_bytes() + ResponseCache::entry_bytes <= mebibyte / ResponseCache::parts) put[at] = made;
    } else if (const AnswerPtr found = cache.find(at, start, seconds{1})) {
      ASSERT_EQ(found, put[at]);
    }
    ASSERT_LE(cache.status().bytes, mebibyte);
  }
  EXPECT_GT(cache.status().evicted, 0U);
}

TEST(ResponseCache, ManyThreadsMayUseItAtOnce) {
  ResponseCache cache(mebibyte);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      std::mt19937_64 random(t);
      for (int i = 0; i < 5'000; ++i) {
        const ResponseCache::Key at = key(static_cast<std::uint8_t>(random() % 50), static_cast<std::uint8_t>(random() % 16));
        if (random() % 4 == 0) cache.put(at, answer(random() % 20'000));
        if (const AnswerPtr found = cache.find(at, start, seconds{1})) {
          ASSERT_EQ(text(found->target), "a/x");
        }
        if (random() % 1000 == 0) cache.clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.status().bytes, mebibyte);
}

TEST(CacheCounts, WhatIsNotKnownIsCountedBesideTheMoney) {
  CacheCounts counts;
  const NameId route = Names::global().intern("faq"), target = Names::global().intern("a/x"), team = Names::global().intern("red");
  counts.asked(route, CacheResult::hit);
  counts.asked(route, CacheResult::hit);
  counts.asked(route, CacheResult::miss);
  counts.saved(target, team, Usd{1'500});
  counts.saved(target, team, std::nullopt);
  CacheCounts::Totals totals;
  counts.add_to(totals);
  EXPECT_EQ((totals.asked[{route, CacheResult::hit}]), 2U);
  EXPECT_EQ((totals.asked[{route, CacheResult::miss}]), 1U);
  EXPECT_EQ((totals.saved[{target, team}].usd), UsdSum{1'500});
  EXPECT_EQ((totals.saved[{target, team}].unknown), 1U);
}

}  // namespace
}  // namespace tollgate
