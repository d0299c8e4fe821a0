#include "config/spelling.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tollgate {
namespace {

TEST(Spelling, DistanceCountsSingleEdits) {
  EXPECT_EQ(edit_distance("listen", "listen"), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("dialekt", "dialect"), 1U);
  EXPECT_EQ(edit_distance("lsiten", "listen"), 1U);
  EXPECT_EQ(edit_distance("Listen", "listen"), 0U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Spelling, TheNearestNameIsSuggested) {
  const std::vector<std::string> known{"dialect", "url", "models", "head_timeout_seconds"};
  EXPECT_EQ(suggestion_for("dialekt", known), ", did you mean 'dialect'?");
  EXPECT_EQ(suggestion_for("modles", known), ", did you mean 'models'?");
  EXPECT_EQ(suggestion_for("head_timeout", known), ", did you mean 'head_timeout_seconds'?");
}

TEST(Spelling, WhatIsFarFromAllGetsTheList) {
  const std::vector<std::string> known{"dialect", "url"};
  EXPECT_EQ(suggestion_for("xyzzy", known), "; known: dialect, url");
  EXPECT_EQ(suggestion_for("xyzzy", {}), "");
}

}  // namespace
}  // namespace tollgate
