#include "config/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tollgate {
namespace {

TEST(Glob, AStarStandsForAnything) {
  EXPECT_TRUE(fits_glob("home/*", "home/llama-70b"));
  EXPECT_TRUE(fits_glob("*", ""));
  EXPECT_TRUE(fits_glob("*/gpt-*", "openai/gpt-5"));
  EXPECT_TRUE(fits_glob("home/*", "home/meta/llama"));
  EXPECT_TRUE(fits_glob("a*b*c", "a1b2b3c"));
  EXPECT_FALSE(fits_glob("home/*", "away/llama"));
  EXPECT_FALSE(fits_glob("a*b", "abc"));
}

TEST(Glob, AllElseIsItself) {
  EXPECT_TRUE(fits_glob("gpt-4.1", "gpt-4.1"));
  EXPECT_FALSE(fits_glob("gpt-4.1", "gpt-4x1"));
  EXPECT_FALSE(fits_glob("", "x"));
  EXPECT_TRUE(fits_glob("", ""));
  EXPECT_TRUE(is_glob("a*"));
  EXPECT_FALSE(is_glob("a?"));
}

TEST(Glob, ManyStarsTakeNoLongTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(fits_glob(pattern + "b", std::string(5000, 'a')));
}

}  // namespace
}  // namespace tollgate
