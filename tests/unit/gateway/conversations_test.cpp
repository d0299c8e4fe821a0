#include "gateway/conversations.hpp"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "unit/router/requests.hpp"
#include "unit/router/seed.hpp"

namespace tollgate {
namespace {

using testing::Request;

constexpr std::int64_t now = 1'795'219'200, ttl = 300;
NameId target(const char* name) { return Names::global().intern(name); }

Caller caller(const char* key) {
  Caller made;
  made.key = Names::global().intern(key);
  return made;
}

std::uint64_t identity(Request& request, std::string_view session = "", const char* key = "k") {
  return conversation_of(session, caller(key), request.chat());
}

TEST(ConversationOf, LaterTurnsAreTheSameConversation) {
  Request first, second;
  first.system("be brief").user("hello");
  second.system("be brief").user("hello").assistant("hi").user("and now?");
  EXPECT_EQ(identity(first), identity(second));
  EXPECT_NE(identity(first), 0U);
}

TEST(ConversationOf, AnotherBeginningOrCallerIsAnother) {
  Request one, other, elsewhere;
  one.system("be brief").user("hello");
  other.system("be brief").user("hello!");
  elsewhere.system("be long").user("hello");
  EXPECT_NE(identity(one), identity(other));
  EXPECT_NE(identity(one), identity(elsewhere));
  EXPECT_NE(identity(one, "", "k1"), identity(one, "", "k2"));
  Request same;
  same.system("be brief").user("hello");
  same.chat().user = "alice";
  EXPECT_NE(identity(one), identity(same));
}

TEST(ConversationOf, ASessionOrACacheKeyNamesIt) {
  Request one, other;
  one.user("hello");
  other.user("something else");
  EXPECT_EQ(identity(one, "s-1"), identity(other, "s-1"));
  EXPECT_NE(identity(one, "s-1"), identity(one, "s-2"));
  EXPECT_NE(identity(one, "s-1", "k1"), identity(one, "s-1", "k2"));
  one.chat().prompt_cache_key = other.chat().prompt_cache_key = "p";
  EXPECT_EQ(identity(one), identity(other));
}

TEST(ConversationOf, WhatCannotBeKnownAgainHasNone) {
  Request request;
  request.user("hello");
  request.chat().surface = Surface::embeddings;
  EXPECT_EQ(identity(request, "s-1"), 0U);
  request.chat().surface = Surface::completions;
  EXPECT_EQ(identity(request), 0U);
  EXPECT_NE(identity(request, "s-1"), 0U);
  Request nothing;
  EXPECT_EQ(identity(nothing), 0U);
}

TEST(ConversationOf, LongTextsDifferByHeadTailAndLength) {
  Request one, head, tail, length;
  const std::string middle(10'000, 'm');
  one.user("a" + middle + "z");
  head.user("b" + middle + "z");
  tail.user("a" + middle + "y");
  length.user("a" + middle + "mz");
  EXPECT_NE(identity(one), identity(head));
  EXPECT_NE(identity(one), identity(tail));
  EXPECT_NE(identity(one), identity(length));
}

TEST(Conversations, RememberTheLastTurnUntilItIsTooOld) {
  Conversations table;
  table.note(7, {target("a/b"), TokenCount{5000}}, now);
  EXPECT_EQ(table.find(7, now + ttl, ttl).target, target("a/b"));
  EXPECT_EQ(table.find(7, now, ttl).cached.count(), 5056);  // rounded up to 64
  EXPECT_EQ(table.find(7, now + ttl + 1, ttl).target, NameId::none);
  EXPECT_EQ(table.find(8, now, ttl).target, NameId::none);
  table.note(7, {target("c/d"), TokenCount{64}}, now + 1);
  EXPECT_EQ(table.find(7, now + 1, ttl).target, target("c/d"));
  EXPECT_EQ(table.find(7, now + 1, ttl).cached.count(), 64);
}

TEST(Conversations, ATargetThatDoesNotCacheIsRememberedAsSuch) {
  Conversations table;
  table.note(7, {target("a/b"), TokenCount{5000}, false}, now);
  EXPECT_EQ(table.find(7, now, ttl).target, target("a/b"));
  EXPECT_EQ(table.find(7, now, ttl).cached.count(), 0);
}

TEST(Conversations, NoConversationIsNeverRemembered) {
  Conversations table;
  table.note(0, {target("a/b"), TokenCount{5000}}, now);
  EXPECT_EQ(table.find(0, now, ttl).target, NameId::none);
}

TEST(Conversations, TheOldestOfAFullSetIsForgotten) {
  Conversations table;
  constexpr std::uint64_t sets = Conversations::entries / 4;
  for (std::uint64_t i = 1; i <= 5; ++i)
    table.note(i * sets, {target("a/b"), TokenCount{100}}, now + static_cast<std::int64_t>(i));
  EXPECT_EQ(table.find(sets, now + 6, ttl).target, NameId::none);
  for (std::uint64_t i = 2; i <= 5; ++i) EXPECT_EQ(table.find(i * sets, now + 6, ttl).target, target("a/b"));
}

TEST(Conversations, HugeInputsAreBounded) {
  Conversations table;
  table.note(7, {target("a/b"), TokenCount{std::int64_t{1} << 40}}, now);
  EXPECT_EQ(table.find(7, now, ttl).cached.count(), 64 * 65'535);
  table.note(7, {target("a/b"), TokenCount{0}}, now);
  EXPECT_EQ(table.find(7, now, ttl).cached.count(), 64);
}

// Reactors share the table without locks: what is found is always what was noted of that conversation.
TEST(Conversations, ReadersNeverSeeAnotherConversationsTurn) {
  Conversations table;
  constexpr std::uint64_t sets = Conversations::entries / 4, shared = 12;  // three times as many as a set holds
  std::array<NameId, shared> targets;
  for (std::uint64_t i = 0; i < shared; ++i) targets[i] = target(("conversation-" + std::to_string(i)).c_str());
  // Tags are the upper seven bits: each conversation has its own.
  const auto conversation = [](std::uint64_t i) { return (i + 1) << 57 | sets; };
  std::atomic<int> wrong{0};
  const auto work = [&](std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int round = 0; round < 30'000; ++round) {
      const std::uint64_t i = random() % shared;
      if (random() % 2 == 0) {
        table.note(conversation(i), {targets[i], TokenCount{100}}, now);
      } else {
        const NameId found = table.find(conversation(i), now, ttl).target;
        if (found != NameId::none && found != targets[i]) ++wrong;
      }
    }
  };
  std::thread one(work, testing::seed()), other(work, testing::seed() + 1);
  one.join();
  other.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tollgate
