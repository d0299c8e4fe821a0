// What of a request is said and what is the text that it is about.
#include "router/instruction.hpp"

#include <gtest/gtest.h>

#include <string>

#include "requests.hpp"
#include "router/features.hpp"

namespace tollgate {
namespace {

Turn turn_of(const std::string& user) {
  testing::Request request;
  request.user(user);
  return features_of(request.chat()).now;
}

const std::string contract =
    "The Supplier shall indemnify and hold harmless the Customer against all claims arising from breach or negligence, "
    "save where liability is capped under clause 14.2, and the parties shall negotiate in good faith before arbitration. ";

std::string times(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

struct Instruction {
  const char* name;
  std::string text;
};
const Instruction simple_work[] = {{"English", "Summarise this in two sentences."},
                                   {"German", "Bitte fasse das in zwei Sätzen zusammen."},
                                   {"French", "Résume ce texte en deux phrases."},
                                   {"Spanish", "Traduce este texto al inglés."},
                                   {"Chinese", "请用两句话总结以上内容。"},
                                   {"Japanese", "この文章を二文で要約してください。"}};

TEST(Instruction, OfSimpleWorkBehindALongTextIsAllThatIsSaid) {
  for (const Instruction& each : simple_work) {
    for (const int length : {4, 5, 8, 40}) {
      for (const char* gap : {"\n\n", "\n"}) {
        const Turn turn = turn_of(times(contract, length) + gap + each.text);
        EXPECT_EQ(turn.said_of(Mark::expert), 0U) << each.name << length;
        EXPECT_LE(turn.words, 16) << each.name << length;
        EXPECT_TRUE(turn.leads_simple) << each.name << length;
      }
    }
  }
}

TEST(Instruction, OfSimpleWorkBeforeATextIsAllThatIsSaid) {
  for (const Instruction& each : simple_work) {
    for (const int length : {1, 2, 4, 40}) {
      for (const char* gap : {"\n\n", "\n"}) {
        const Turn turn = turn_of(each.text + gap + times(contract, length));
        EXPECT_EQ(turn.said_of(Mark::expert), 0U) << each.name << length;
        EXPECT_LE(turn.words, 16) << each.name << length;
        EXPECT_GE(turn.words_quoted, 30) << each.name << length;
      }
    }
  }
}

TEST(Instruction, AShortQuestionBehindALongTextIsAllThatIsSaid) {
  const Turn turn = turn_of(times(contract, 5) + "\n\nWhich clause caps the liability?");
  EXPECT_LE(turn.words, 6);
  EXPECT_EQ(turn.said_of(Mark::expert), 2U) << "only the question's own \"clause\" and \"liability\"";
}

TEST(Instruction, ASituationBeforeAHardQuestionIsSaid) {
  const std::string situation = times("Our scheduler keeps two queues, and a lease lets only one worker take from each of them. ", 9);
  const Turn turn = turn_of(situation + "\n\nDesign a protocol that survives a lost lease and prove that it is safe.");
  EXPECT_GT(turn.words, 100);
}

TEST(Instruction, WhatOpensWithARequestIsSaidAlsoWhereItsEndAsksForSimpleWork) {
  const std::string task = "Prove that the protocol below is safe. " + times("Each message carries the term of its sender. ", 18);
  EXPECT_GE(turn_of(task + "\n\nSummarise the argument at the end.").said_of(Mark::prove), 1U);
}

TEST(Instruction, AListBehindItsLineBelongsToIt) {
  const Turn turn = turn_of("Summarise the report and then:\n- prove the bound\n- compare both designs");
  EXPECT_EQ(turn.said_of(Mark::prove), 1U);
  EXPECT_EQ(turn.said_of(Mark::compare), 1U);
}

TEST(Instruction, ALastParagraphOfTwoLinesIsOneRequest) {
  const Turn turn = turn_of(times("Our scheduler keeps two queues, and a lease lets only one worker take from each of them. ", 9) +
                            "\n\nProve that the protocol is safe,\nthen list its assumptions.");
  EXPECT_GE(turn.said_of(Mark::prove), 1U);
  EXPECT_GT(turn.words, 100) << "what it asks first is no work on the text";
}

TEST(Instruction, AHarderRequestAtTheEndIsHeardToo) {
  const Turn turn = turn_of("Summarise this text.\n\n" + contract + "\n\nThen analyse which clauses contradict each other, and why.");
  EXPECT_GE(turn.said_of(Mark::reason), 2U);
}

TEST(Instruction, ALongQuotationIsMaterialOfSimpleWorkOnly) {
  EXPECT_EQ(turn_of("Translate: \"we prove the theorem by induction\"").said_of(Mark::prove), 0U);
  EXPECT_GE(turn_of("Prove this: \"the theorem holds by induction on n\"").said_of(Mark::prove), 3U);
}

TEST(Instruction, AWordProblemInLinesIsSaidWhole) {
  const Turn turn = turn_of("Tom has 12 apples.\nHe gives 3 of them to Ann.\nHow many are left?");
  EXPECT_EQ(turn.numbers, 2);
  EXPECT_EQ(turn.words, 15);
}

TEST(Instruction, OfSimpleWorkInTheLineOfItsTextEndsAtTheColon) {
  const Instruction in_one_line[] = {{"English", "Summarise this in two sentences: "}, {"English, polite", "Could you please shorten this for me: "},
                                     {"German", "Übersetze ins Englische: "},         {"French", "Résume ce texte : "},
                                     {"Spanish", "Traduce al inglés: "},              {"Chinese", "请用两句话总结："},
                                     {"Japanese", "次の文章を要約してください："}};
  for (const Instruction& each : in_one_line) {
    for (const int length : {1, 2, 5, 40}) {
      const Turn turn = turn_of(each.text + times(contract, length));
      EXPECT_EQ(turn.said_of(Mark::expert), 0U) << each.name << length;
      EXPECT_LE(turn.words, 16) << each.name << length;
      EXPECT_TRUE(turn.leads_simple) << each.name << length;
    }
  }
}

TEST(Instruction, AColonThatOpensNoTextEndsNothing) {
  const Turn list = turn_of("Rewrite it in plain language: short sentences, no legal negligence terms.\n\n" + times(contract, 2));
  EXPECT_EQ(list.said_of(Mark::expert), 1U);  // what the line goes on asking is said, the text below is not
  EXPECT_GT(turn_of("Prove for the clause: " + contract).said_of(Mark::expert), 0U);  // no work on a text
  EXPECT_GT(turn_of("Translate std::move and 10:30 and negligence and indemnify and arbitration").said_of(Mark::expert), 0U);
}

TEST(Instruction, AGreetingTagsNothing) {
  const Turn turn = turn_of("Guten Tag! Beweise, dass es unendlich viele Primzahlen gibt.");
  EXPECT_EQ(turn.said_of(Mark::simple), 0U);
  EXPECT_EQ(turn.lead, Mark::prove);
}

TEST(FirstTask, TellingIsNotAsking) {
  const auto first = [](std::string text, unsigned words = 16) {
    const std::size_t size = text.size();
    text.append(64, '\0');
    return first_task(text.data(), {0, size}, words);
  };
  EXPECT_EQ(first("prove it"), Mark::prove);
  EXPECT_EQ(first("we prove it"), Mark::none);
  EXPECT_EQ(first("could you please prove it", 5), Mark::prove);
  EXPECT_EQ(first("one two three four five prove", 5), Mark::none);
  EXPECT_EQ(first(""), Mark::none);
  EXPECT_EQ(first("请翻译"), Mark::simple);
}

}  // namespace
}  // namespace tollgate
