#include "gateway/hedge_race.hpp"

#include <gtest/gtest.h>

#include "support/seed.hpp"

namespace tollgate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Do = HedgeRace::Do;
using Time = HedgeRace::Time;

constexpr Time start{seconds{1'000}};
constexpr milliseconds after{300};
constexpr auto first = HedgeRace::first, second = HedgeRace::second;

Time at(int ms) { return start + milliseconds{ms}; }
HedgeRace race(milliseconds silence = milliseconds{0}) { return {start, after, silence}; }

HedgeRace with_second(milliseconds silence = milliseconds{0}) {
  HedgeRace made = race(silence);
  made.second_began(at(300));
  return made;
}

TEST(HedgeRace, WaitsForTheFirstAttemptUntilItIsSlow) {
  const HedgeRace quick = race();
  const auto move = quick.next(at(100));
  EXPECT_EQ(move.what, Do::wait);
  EXPECT_EQ(move.until, at(300));
  EXPECT_EQ(quick.next(at(299)).what, Do::wait);
  EXPECT_EQ(quick.next(at(300)).what, Do::hedge) << "at the edge";
}

TEST(HedgeRace, AnAnswerInTimeNeedsNoSecondAttempt) {
  HedgeRace quick = race();
  quick.answered(first);
  const auto move = quick.next(at(300));
  EXPECT_EQ(move.what, Do::take) << "it came at the very moment of the second attempt";
  EXPECT_EQ(move.leg, first);
  EXPECT_EQ(quick.waited(), milliseconds{0});
}

TEST(HedgeRace, TheFirstBytesOfAWholeAnswerSpareTheSecondAttempt) {
  HedgeRace quick = race();
  quick.producing(first);
  const auto move = quick.next(at(5'000));
  EXPECT_EQ(move.what, Do::wait);
  EXPECT_FALSE(move.until);
}

TEST(HedgeRace, NobodyToHedgeAtIsNotAskedAgain) {
  HedgeRace lonely = race();
  ASSERT_EQ(lonely.next(at(300)).what, Do::hedge);
  lonely.no_second();
  EXPECT_EQ(lonely.next(at(10'000)).what, Do::wait);
}

TEST(HedgeRace, WhoAnswersFirstIsTaken) {
  HedgeRace both = with_second();
  EXPECT_EQ(both.next(at(400)).what, Do::wait);
  EXPECT_EQ(both.waited(), milliseconds{300});
  both.answered(second);
  EXPECT_EQ(both.next(at(500)).leg, second);
  HedgeRace other = with_second();
  other.answered(first);
  EXPECT_EQ(other.next(at(500)).leg, first);
}

TEST(HedgeRace, OfTwoThatAnswerAtOnceTheFirstAttemptIsTaken) {
  HedgeRace both = with_second();
  both.answered(second);
  both.answered(first);
  EXPECT_EQ(both.next(at(400)).leg, first);
}

TEST(HedgeRace, AFirstAttemptThatFailsBeforeItIsSlowIsTheOrdinaryFallbacks) {
  HedgeRace failed = race();
  failed.failed(first, false);
  const auto move = failed.next(at(10));
  EXPECT_EQ(move.what, Do::give_up);
  EXPECT_EQ(move.leg, first);
}

TEST(HedgeRace, OneThatFailsLeavesTheOtherRunning) {
  for (const auto leg : {first, second}) {
    HedgeRace both = with_second();
    both.failed(leg, false);
    EXPECT_EQ(both.next(at(400)).what, Do::wait);
    const auto other = leg == first ? second : first;
    both.answered(other);
    EXPECT_EQ(both.next(at(500)).what, Do::take);
    EXPECT_EQ(both.next(at(500)).leg, other);
  }
}

TEST(HedgeRace, WhenBothFailTheLastToFailSpeaks) {
  HedgeRace both = with_second();
  both.failed(first, false);
  both.failed(second, false);
  EXPECT_EQ(both.next(at(400)).what, Do::give_up);
  EXPECT_EQ(both.next(at(400)).leg, second);
  HedgeRace other = with_second();
  other.failed(second, false);
  other.failed(first, false);
  EXPECT_EQ(other.next(at(400)).leg, first);
}

TEST(HedgeRace, WhatTheFirstOneRefusesForGoodEndsTheRace) {
  HedgeRace both = with_second();
  both.failed(first, true);
  EXPECT_EQ(both.next(at(400)).what, Do::give_up);
  EXPECT_EQ(both.next(at(400)).leg, first);
}

TEST(HedgeRace, WhatTheSecondOneRefusesForGoodDoesNot) {
  HedgeRace both = with_second();
  both.failed(second, true);
  EXPECT_EQ(both.next(at(400)).what, Do::wait);
  both.failed(first, false);
  EXPECT_EQ(both.next(at(500)).leg, first) << "it may be asked again; the refusal may not";
  HedgeRace other = with_second();
  other.failed(first, false);
  other.failed(second, true);
  EXPECT_EQ(other.next(at(500)).leg, first);
}

TEST(HedgeRace, ALongSilenceAfterAHeadIsBrokenByACommentAndSettlesWhoMayAnswer) {
  HedgeRace both = with_second(seconds{2});
  EXPECT_FALSE(both.next(at(400)).until) << "without a head nothing can be said";
  both.head_came(second, at(500));
  both.head_came(first, at(900));
  EXPECT_EQ(both.next(at(1'000)).until, at(2'500));
  const auto move = both.next(at(2'500));
  ASSERT_EQ(move.what, Do::comment);
  ASSERT_EQ(move.leg, second);
  both.failed(first, false);               // cut off
  both.committed(second, at(2'500));
  EXPECT_EQ(both.next(at(2'600)).until, at(4'500));
  EXPECT_EQ(both.next(at(4'500)).what, Do::comment);
  both.failed(second, false);
  EXPECT_EQ(both.next(at(5'000)).what, Do::give_up);
  EXPECT_EQ(both.next(at(5'000)).leg, second);
}

TEST(HedgeRace, NoSecondAttemptAfterAComment) {
  HedgeRace slow(start, seconds{10}, seconds{2});
  slow.head_came(first, at(100));
  ASSERT_EQ(slow.next(at(2'100)).what, Do::comment);
  slow.committed(first, at(2'100));
  EXPECT_EQ(slow.next(at(10'050)).what, Do::comment);
  slow.committed(first, at(10'050));
  EXPECT_EQ(slow.next(at(11'000)).what, Do::wait);
}

// Whatever happens in whatever order: at most one second attempt, and the race ends with whoever answered, or with both failed.
TEST(HedgeRace, EveryOrderOfEventsEndsInOneWinnerOrInBothFailures) {
  const unsigned seed = test_seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    HedgeRace any(start, after, milliseconds{random() % 2 == 0 ? 0 : 700});
    int now = 0, hedges = 0;
    std::array<int, 2> state{1, 0};        // 0 idle, 1 runs, 2 answered, 3 failed
    for (int steps = 0; steps < 200; ++steps) {
      now += static_cast<int>(random() % 200);
      const auto move = any.next(at(now));
      if (move.what == Do::hedge) {
        ASSERT_EQ(++hedges, 1);
        ASSERT_EQ(state[0], 1);
        if (random() % 3 == 0) {
          any.no_second();
        } else {
          any.second_began(at(now));
          state[1] = 1;
        }
      } else if (move.what == Do::take) {
        ASSERT_EQ(state[move.leg], 2);
        break;
      } else if (move.what == Do::give_up) {
        ASSERT_EQ(state[move.leg], 3);
        ASSERT_TRUE(state[0] == 3 || state[1] == 3);
        break;
      } else if (move.what == Do::comment) {
        ASSERT_EQ(state[move.leg], 1);
        const auto other = static_cast<HedgeRace::Leg>(1 - move.leg);
        if (state[other] == 1) {
          any.failed(other, false);
          state[other] = 3;
        }
        any.committed(move.leg, at(now));
      } else {
        ASSERT_TRUE(state[0] == 1 || state[1] == 1) << "nobody is waited for";
        const auto leg = static_cast<HedgeRace::Leg>(random() % 2);
        if (state[leg] != 1) continue;
        switch (random() % 5) {
          case 0: any.head_came(leg, at(now)); break;
          case 1: any.answered(leg); state[leg] = 2; break;
          case 2: any.failed(leg, random() % 4 == 0); state[leg] = 3; break;
          case 3: any.producing(leg); break;
          default: break;
        }
      }
      ASSERT_LT(steps, 199) << "it never ends";
    }
  }
}

}  // namespace
}  // namespace tollgate
