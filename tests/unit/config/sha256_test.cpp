#include "config/sha256.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

TEST(Sha256, KnownTextsHaveTheirKnownHashes) {  // FIPS 180-4, examples
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, HexIsReadInEitherCase) {
  const Sha256 hash = sha256("abc");
  EXPECT_EQ(sha256_from_hex(hex(hash)), hash);
  EXPECT_EQ(sha256_from_hex("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"), hash);
}

TEST(Sha256, WhatIsNotSixtyFourDigitsIsNoHash) {
  EXPECT_FALSE(sha256_from_hex(""));
  EXPECT_FALSE(sha256_from_hex(std::string(63, 'a')));
  EXPECT_FALSE(sha256_from_hex(std::string(65, 'a')));
  EXPECT_FALSE(sha256_from_hex(std::string(63, 'a') + "g"));
}

}  // namespace
}  // namespace tollgate
