#include "config/yaml_edit.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

std::string edited(std::string_view text, const std::vector<YamlEdit>& edits) {
  const Result<std::string> out = edit_yaml(text, edits, "test.yaml");
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  return out ? out.value() : "";
}

TEST(YamlEdit, AValueChangesAndEverythingElseStays) {
  EXPECT_EQ(edited("# mine\na:\n  b: 0.6   # why\n  c: {d: \"0.7\", e: 1}\n\nz: 3\n",
                   {{{"a", "b"}, "0.54"}, {{"a", "c", "d"}, "0.5"}}),
            "# mine\na:\n  b: 0.54   # why\n  c: {d: 0.5, e: 1}\n\nz: 3\n");
}

TEST(YamlEdit, ElementsOfListsAreFoundByTheirName) {
  EXPECT_EQ(edited("routes:\n  - {name: a, x: 1}\n  - name: b\n    x: 2 # two\n", {{{"routes", "b", "x"}, "3"}}),
            "routes:\n  - {name: a, x: 1}\n  - name: b\n    x: 3 # two\n");
}

TEST(YamlEdit, MissingKeysAreAddedToTheirSection) {
  EXPECT_EQ(edited("tiers: {medium: 0.2}   # t\n", {{{"tiers", "complex"}, "0.5"}}),
            "tiers: {complex: 0.5, medium: 0.2}   # t\n");
  EXPECT_EQ(edited("tiers:\n  # low\n  medium: 0.2\n", {{{"tiers", "complex"}, "0.5"}}),
            "tiers:\n  # low\n  complex: 0.5\n  medium: 0.2\n");
  EXPECT_EQ(edited("a: 1 # no line end", {{{"tiers", "complex"}, "0.5"}, {{"tiers", "medium"}, "0.2"}}),
            "a: 1 # no line end\ntiers: {complex: 0.5, medium: 0.2}\n");
}

TEST(YamlEdit, TextBesideTheValueMayHoldAnyCharacter) {
  EXPECT_EQ(edited("ä: \"größer\"  # naïve\nb: {ü: 1, c: 2}\n", {{{"b", "c"}, "7"}}),
            "ä: \"größer\"  # naïve\nb: {ü: 1, c: 7}\n");
}

TEST(YamlEdit, WhatIsRiskyIsRefusedWithTheLineToWrite) {
  for (const char* const text :
       {"a: {b: \"${X:-0.5}\"}\n", "a: &x {b: 1}\nc: *x\n", "a: {b: [1]}\n", "a:\n", "z: &v 0.5\na: {b: *v}\n"}) {
    const bool aliased = std::string_view(text).starts_with("a: &x");
    const Result<std::string> out =
        edit_yaml(text, {aliased ? YamlEdit{{"c", "b"}, "0.4"} : YamlEdit{{"a", "b"}, "0.4"}}, "test.yaml");
    if (out) {
      EXPECT_TRUE(aliased) << text << out.value();  // the caller notices: the other place changes too
    } else {
      EXPECT_NE(out.error().message.find("by hand"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace tollgate
