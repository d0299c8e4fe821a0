#include "config/names.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

TEST(Names, TheSameNameHasTheSameId) {
  Names names;
  const NameId home = names.intern("home");
  EXPECT_EQ(names.intern("home"), home);
  EXPECT_NE(names.intern("away"), home);
  EXPECT_EQ(names.text(home), "home");
}

TEST(Names, NoneIsTheEmptyName) {
  Names names;
  EXPECT_EQ(names.text(NameId::none), "");
  EXPECT_EQ(names.intern(""), NameId::none);
  EXPECT_EQ(names.text(static_cast<NameId>(12345)), "");
}

TEST(Names, PastTheLimitANameIsOther) {
  Names names;
  const NameId other = names.intern("other");
  for (unsigned i = 0; i < Names::names_max + 10; ++i) names.intern("n" + std::to_string(i));
  EXPECT_LE(names.size(), Names::names_max);
  EXPECT_EQ(names.intern("one too many"), other);
  EXPECT_EQ(names.text(names.intern("n5000")), "n5000");
}

}  // namespace
}  // namespace tollgate
