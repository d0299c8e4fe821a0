#include "router/features.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "labelled_requests.hpp"
#include "requests.hpp"
#include "router/complexity.hpp"
#include "seed.hpp"

namespace tollgate {
namespace {

using testing::Request;

Features features(std::string_view user) {
  Request request;
  request.user(user);
  return features_of(request.chat());
}

TEST(Features, WordsAreFoundWhateverTheirCase) {
  EXPECT_EQ(features("PROVE it. Prove it. prove it").now.said_of(Mark::prove), 3U);
}

TEST(Features, StemsFindOtherForms) {
  EXPECT_EQ(features("optimise optimized Optimierung optimizar").now.said_of(Mark::design), 4U);
}

TEST(Features, PairsCountOnlyTogether) {
  EXPECT_EQ(features("the root cause").now.said_of(Mark::reason), 1U);
  EXPECT_EQ(features("the cause of the root").now.said_of(Mark::reason), 0U);
  EXPECT_EQ(features("a trade-off").now.said_of(Mark::compare), 1U);
}

TEST(Features, WordsAcrossBlockBoundariesAreWhole) {
  for (std::size_t shift = 0; shift < 40; ++shift) {
    EXPECT_EQ(features(std::string(shift, ' ') + "counterexample").now.said_of(Mark::prove), 1U) << shift;
    EXPECT_EQ(features(std::string(shift, '.') + "why").now.said_of(Mark::reason), 1U) << shift;
  }
}

TEST(Features, ChineseAndJapaneseWordsAreFound) {
  EXPECT_EQ(features("请证明这个定理").now.said_of(Mark::prove), 2U);
  EXPECT_EQ(features("なぜですか").now.said_of(Mark::reason), 1U);
  EXPECT_EQ(features("请翻译").now.lead, Mark::simple);
}

TEST(Features, FencedCodeIsMaterial) {
  const Turn turn = features("Look:\n```\nprove why debug\n```\nThanks").now;
  EXPECT_EQ(turn.said_of(Mark::prove), 0U);
  EXPECT_EQ(turn.quoted_of(Mark::prove), 1U);
  EXPECT_EQ(turn.code_fences, 1);
  EXPECT_EQ(turn.words, 2);
}

TEST(Features, AnUnclosedFenceIsMaterialToTheEnd) {
  EXPECT_EQ(features("Look:\n```\nprove why debug").now.quoted_of(Mark::prove), 1U);
}

TEST(Features, TaggedDocumentsAreMaterial) {
  const Turn turn = features("<document>Prove it.</document> When was it?").now;
  EXPECT_EQ(turn.said_of(Mark::prove), 0U);
  EXPECT_EQ(turn.said_of(Mark::factual), 1U);
}

TEST(Features, ATaskTagMakesEverythingElseMaterial) {
  const Turn turn = features("Prove it. <task>Translate it.</task> Debug it.").now;
  EXPECT_EQ(turn.said_of(Mark::prove), 0U);
  EXPECT_EQ(turn.said_of(Mark::debug), 0U);
  EXPECT_TRUE(turn.leads_simple);
}

TEST(Features, TheMiddleOfALongTextIsMaterial) {
  std::string text = "Summarise this.\n\n";
  for (int i = 0; i < 40; ++i) text += "They could prove the theorem by induction and design the rest.\n\n";
  text += "The end.";
  const Turn turn = features(text).now;
  EXPECT_EQ(turn.said_of(Mark::prove), 0U);
  EXPECT_GT(turn.quoted_of(Mark::prove), 40U);
  EXPECT_TRUE(turn.leads_simple);
}

TEST(Features, StructureIsCounted) {
  const Turn turn =
      features("Which?\n- one\n* two\n3. three\n\nA. red\nB. blue\nC) green\nIs $x^2$ or \\frac{1}{2} ≤ 5?").now;
  EXPECT_EQ(turn.list_items, 3);
  EXPECT_EQ(turn.options, 3);
  EXPECT_EQ(turn.questions, 2);
  EXPECT_EQ(turn.formulas, 4);  // $x, ^, \frac, ≤
}

TEST(Features, PricesAndPathsAreNoFormulas) {
  EXPECT_EQ(features("It costs $5 or $6. See C:\\users\\foo.").now.formulas, 0);
}

TEST(Features, TheSizeAskedForIsRead) {
  EXPECT_EQ(features("an essay of 1500 words").now.output_words, 1500U);
  EXPECT_EQ(features("write 3 pages").now.output_words, 1200U);
  EXPECT_EQ(features("in other words").now.output_words, 0U);
}

TEST(Features, PartsOfAMessageAreOneTurn) {
  Request request;
  request.user("Summarise this.").part("Prove it.");
  const Features found = features_of(request.chat());
  EXPECT_EQ(found.now.said_of(Mark::simple), 1U);
  EXPECT_EQ(found.now.said_of(Mark::prove), 1U);
}

TEST(Features, TurnsAreKeptApart) {
  Request request;
  request.system("Debug.").user("Prove.").assistant("Design.").user("Translate.");
  const Features found = features_of(request.chat());
  EXPECT_EQ(found.system.said_of(Mark::debug), 1U);
  EXPECT_EQ(found.before.said_of(Mark::prove), 1U);
  EXPECT_EQ(found.now.said_of(Mark::simple), 1U);
  EXPECT_EQ(found.now.said_of(Mark::design) + found.before.said_of(Mark::design), 0U);
}

TEST(Features, WithoutAUserTurnTheLastTextCounts) {
  Request request;
  request.system("Prove that sqrt(2) is irrational.");
  EXPECT_EQ(features_of(request.chat()).now.said_of(Mark::prove), 1U);
}

TEST(Features, AnEmptyRequestHasNone) {
  EXPECT_EQ(features_of(ChatView{}).now.bytes, 0U);
  EXPECT_EQ(features("").now.words, 0);
}

TEST(Features, HeadAndTailOfALongTextAreReadAndNoMoreThanTheBound) {
  std::string text = "Summarise.\n\n" + std::string(1 << 20, 'x') + "\n\nprove prove";
  const Features found = features(text);
  EXPECT_EQ(found.now.said_of(Mark::simple), 1U);
  EXPECT_EQ(found.now.said_of(Mark::prove), 2U);
  EXPECT_LE(found.now_bytes.bytes + found.other_bytes.bytes, classify_bytes_max);
}

TEST(Features, OtherTurnsShareWhatTheLastOneLeaves) {
  Request request;
  request.user(std::string(40'000, 'a')).assistant(std::string(100'000, 'b')).user(std::string(10'000, 'c'));
  const Features found = features_of(request.chat());
  EXPECT_EQ(found.now_bytes.bytes, 10'000U);
  EXPECT_EQ(found.now_bytes.bytes + found.other_bytes.bytes, classify_bytes_max);
}

TEST(Features, BytesAreCountedExactly) {
  std::mt19937_64 random(testing::seed());
  for (int round = 0; round < 300; ++round) {
    std::string raw(random() % 600, ' ');
    for (char& c : raw) c = R"(a\n7{;}=")"[random() % 10];
    Request request;
    request.add_raw(Role::user, raw);
    std::uint32_t lines = 0;
    for (std::size_t i = 0; i + 1 < raw.size(); ++i) {
      lines += static_cast<std::uint32_t>(raw[i] == '\\' && raw[i + 1] == 'n' && (i == 0 || raw[i - 1] != '\\'));
    }
    const ByteCounts counts = features_of(request.chat()).now_bytes;
    ASSERT_EQ(counts.lines, lines) << raw;
    ASSERT_EQ(counts.digits, static_cast<std::uint32_t>(std::count(raw.begin(), raw.end(), '7')));
    ASSERT_EQ(counts.code_marks, static_cast<std::uint32_t>(std::count_if(raw.begin(), raw.end(), [](char c) {
                return std::string_view("{};=").find(c) != std::string_view::npos;
              })));
  }
}

TEST(Features, ManyTinyPartsFitTheBuffer) {
  Request request;
  request.user("p");
  for (int i = 0; i < 20'000; ++i) request.part("p");
  EXPECT_EQ(features_of(request.chat()).now.bytes, 20'001U);
}

TEST(Features, AnyBytesGiveAScoreBetweenZeroAndOne) {
  std::mt19937_64 random(testing::seed());
  for (int round = 0; round < 1500; ++round) {
    Request request;
    const std::size_t parts = 1 + random() % 4;
    for (std::size_t i = 0; i < parts; ++i) {
      std::string raw(random() % 9000, '\0');
      for (char& c : raw) {
        constexpr std::string_view likely = "\\\\n`<>/$^?- \xE8\xAF\x81\xE6\x98\x8E taskdocument*1.a)";
        c = random() % 4 != 0 ? likely[random() % likely.size()] : static_cast<char>(random());
      }
      request.add_raw(static_cast<Role>(random() % 5), std::move(raw));
    }
    const float score = score_of(features_of(request.chat()));
    ASSERT_GE(score, 0.0F);
    ASSERT_LE(score, 1.0F);
  }
}

}  // namespace
}  // namespace tollgate
