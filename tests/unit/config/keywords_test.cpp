#include "config/keywords.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

bool has(const std::vector<std::string>& words, std::string_view text) { return Keywords(words).occur_in(text); }

TEST(Keywords, AreWholeWordsWithoutCase) {
  EXPECT_TRUE(has({"secret"}, "Top SECRET."));
  EXPECT_FALSE(has({"secret"}, "secretary"));
  EXPECT_FALSE(has({"secret"}, "unsecret"));
  EXPECT_FALSE(has({"secret"}, "my_secret_"));
  EXPECT_TRUE(has({"a"}, "take a walk"));
  EXPECT_TRUE(has({"a"}, "a"));
  EXPECT_FALSE(has({"a"}, "an"));
}

TEST(Keywords, FoldLettersOfOtherScripts) {
  EXPECT_TRUE(has({"größe"}, "GRÖSSE GRÖßE"));
  EXPECT_TRUE(has({"ÉLÈVE"}, "un élève"));
  EXPECT_FALSE(has({"élève"}, "élèves"));
  EXPECT_TRUE(has({"секретно"}, "Совершенно СЕКРЕТНО"));
  EXPECT_TRUE(has({"ΑΠΌΡΡΗΤΟ"}, "απόρρητο"));
  EXPECT_TRUE(has({"Żółw"}, "ŻÓŁW"));
}

TEST(Keywords, StandAnywhereInScriptsWithoutBlanks) {
  EXPECT_TRUE(has({"机密"}, "这是机密文件"));
  EXPECT_TRUE(has({"社外秘"}, "本書は社外秘です"));
  EXPECT_FALSE(has({"社外秘"}, "社外"));
}

TEST(Keywords, OfSeveralWordsTakeAnyBlanksBetween) {
  EXPECT_TRUE(has({"project falcon"}, "about Project\n  Falcon today"));
  EXPECT_FALSE(has({"project falcon"}, "project falcons"));
  EXPECT_TRUE(has({"project falcon"}, "project project falcon"));
  EXPECT_TRUE(has({"x", "c++"}, "I like C++"));
  EXPECT_TRUE(has({"#internal"}, "tag: #Internal"));
}

TEST(Keywords, BrokenUtf8IsNoTrouble) {
  EXPECT_FALSE(has({"größe"}, "gr\xC3"));
  EXPECT_FALSE(has({"x"}, "\xF0\x9F"));
  EXPECT_TRUE(has({"x"}, "\xFF x \xE6"));
}

}  // namespace
}  // namespace tollgate
