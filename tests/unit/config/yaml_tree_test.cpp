#include "config/yaml_tree.hpp"

#include <gtest/gtest.h>

#include <random>

namespace tollgate {
namespace {

std::string problem_of(std::string_view text) {
  YamlProblem problem;
  if (parse_yaml(text, problem)) return "(it was read)";
  return std::to_string(problem.place.line) + ":" + std::to_string(problem.place.column) + " " + problem.message;
}

YamlNode tree_of(std::string_view text) {
  YamlProblem problem;
  std::optional<YamlNode> root = parse_yaml(text, problem);
  EXPECT_TRUE(root) << problem.message;
  return root.value_or(YamlNode{});
}

void expect_problem(std::string_view text, std::string_view beginning) {
  EXPECT_EQ(problem_of(text).substr(0, beginning.size()), beginning) << problem_of(text);
}

TEST(YamlTree, KeysAndValuesKnowTheirPlaces) {
  const YamlNode root = tree_of("a: 1\nb:\n  - x\n  - {c: d}\n");
  ASSERT_EQ(root.keys.size(), 2U);
  EXPECT_EQ(root.keys[1].place, (Place{2, 1}));
  EXPECT_EQ(root.children[0].place, (Place{1, 4}));
  EXPECT_EQ(root.children[1].children[1].keys[0].place, (Place{4, 6}));
}

TEST(YamlTree, DuplicateKeysAreKept) { EXPECT_EQ(tree_of("a: 1\na: 2\n").keys.size(), 2U); }

TEST(YamlTree, AByteOrderMarkIsPassedOver) {
  EXPECT_EQ(tree_of("\xEF\xBB\xBF"
                    "a: 1")
                .keys[0]
                .text,
            "a");
}

TEST(YamlTree, AliasesAreFollowed) {
  const YamlNode root = tree_of("a: &x {k: v}\nb: *x\n");
  EXPECT_EQ(root.children[1].children[0].text, "v");
}

TEST(YamlTree, EmptyFilesAreSaidToBeEmpty) {
  for (const std::string_view text : {"", "\n\n", "# nothing\n", "---\n", "null\n", "~"})
    expect_problem(text, "1:1 the file is empty");
}

TEST(YamlTree, OddBytesAreFoundWhereTheyStand) {
  expect_problem("a: 1\nb: \xff\n", "2:4 this byte is not UTF-8");
  expect_problem("a: \xc0\xaf", "1:4 this byte is not UTF-8");
  expect_problem("a: \xed\xa0\x80", "1:4 this byte is not UTF-8");
  expect_problem("a: \xe2\x82", "1:4 this byte is not UTF-8");
  expect_problem(std::string_view("\xFF\xFE"
                                  "a\0",
                                  4),
                 "1:1 the file is UTF-16");
  expect_problem(std::string_view("a: b\0c", 6), "1:5 control character 0x00");
  expect_problem("a: b\x1b[0m", "1:5 control character 0x1b");
  expect_problem("a:\n\tb: 1\n", "2:1 a tab stands in the indentation");
}

TEST(YamlTree, ATabThatIsNotIndentationIsFine) { EXPECT_EQ(tree_of("a:\t1\t# comment\n").children[0].text, "1"); }

TEST(YamlTree, SeveralDocumentsAreRefused) { expect_problem("a: 1\n---\nb: 2\n", "2:1 a second document begins here"); }

TEST(YamlTree, TagsAreRefused) {
  expect_problem("a: !!binary aGk=\n", "1:4 tags such as");
  expect_problem("a: !mine {b: c}\n", "1:4 tags such as");
}

TEST(YamlTree, KeysMustBeText) {
  expect_problem("? [a, b]\n: 1\n", "1:3 a key must be plain text");
  expect_problem("{{a: b}: 1}\n", "1:2 a key must be plain text");
}

TEST(YamlTree, BrokenYamlSaysWhere) {
  expect_problem("a: [1, 2\nb: 3\n", "2:");
  expect_problem("a: \"open\n", "");
  expect_problem("a: b: c\n", "1:");
  expect_problem("a: *nobody\n", "1:");
  expect_problem("a: 1\n b: 2\n", "2:");
}

TEST(YamlTree, DeepNestingIsRefused) {
  EXPECT_EQ(problem_of(std::string(32, '[') + std::string(32, ']')), "(it was read)");
  expect_problem(std::string(33, '[') + std::string(33, ']'), "1:33 nested more than 32 levels deep");
  EXPECT_NE(problem_of(std::string(500'000, '[')).find("nested more than 32 levels deep"), std::string::npos);
  std::string blocks;
  for (std::size_t i = 0; i < 40; ++i) blocks += std::string(i, ' ') + "a:\n";
  expect_problem(blocks, "33:33 nested more than 32 levels deep");
}

TEST(YamlTree, AnAliasBombIsDefusedBeforeItGoesOff) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += "," + before;
    bomb += "]\n";
  }
  EXPECT_NE(problem_of(bomb).find("more than 50000 values"), std::string::npos);
}

TEST(YamlTree, AliasesCannotRepeatMuchText) {
  std::string text = "a: &a " + std::string(200'000, 'x') + "\nb: [";
  for (int i = 0; i < 100; ++i) text += "*a, ";
  EXPECT_NE(problem_of(text + "]").find("aliases repeat too much text"), std::string::npos);
}

TEST(YamlTree, AnAliasOfItselfIsRefused) {
  EXPECT_NE(problem_of("a: &x [1, *x]\n").find("has no end"), std::string::npos);
}

TEST(YamlTree, AliasesCannotBuildDepth) {
  std::string text = "a0: &a0 [x]\n";
  for (int i = 1; i < 60; ++i)
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  EXPECT_NE(problem_of(text).find("nested more than 32 levels"), std::string::npos);
}

TEST(YamlTree, AFilePastTheLimitIsRefused) {
  const std::string comment = "a: 1\n#" + std::string(yaml_limits::text_bytes_max - 6, 'x');
  EXPECT_EQ(tree_of(comment).keys.size(), 1U);
  expect_problem(comment + "x", "0:0 the file is larger than 1024 KiB");
}

TEST(YamlTree, NoBytesCrashTheReader) {
  std::mt19937 random(7);
  constexpr std::string_view odd = "\n\t :-[]{}&*!|>'\"%@`#,?x\x80";
  const std::string seed = "version: 1\nbackends: {a: &x [1, \"two\", *x], 'b': |\n  text\n}\n--- !t\n? k\n: - v\n";
  for (int i = 0; i < 3000; ++i) {
    std::string text = seed;
    for (std::size_t edits = 1 + random() % 6; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0)
        text[at] = odd[random() % odd.size()];
      else
        text.erase(at, 1 + random() % 4);
      if (text.empty()) text = "x";
    }
    (void)problem_of(text);
  }
}

}  // namespace
}  // namespace tollgate
