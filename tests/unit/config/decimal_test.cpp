#include "config/decimal.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <random>

namespace tollgate {
namespace {

std::string error_of(std::string_view text, int decimals = 12) {
  const Result<Int128> read = parse_decimal(text, decimals);
  return read ? "(it was read)" : read.error().message;
}

std::uint64_t seed() {
  const char* const given = std::getenv("TOLLGATE_SEED");
  const std::uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  ::testing::Test::RecordProperty("TOLLGATE_SEED", std::to_string(value));
  return value;
}

TEST(Decimal, PricesAreReadExactly) {
  EXPECT_EQ(parse_usd("2.49").value(), Usd{2'490'000'000'000});
  EXPECT_EQ(parse_usd("0.000000000001").value(), Usd{1});
  EXPECT_EQ(parse_usd("-0.5").value(), Usd{-500'000'000'000});
  EXPECT_EQ(parse_usd_per_million_tokens("0.15").value(), UsdPerToken{150'000'000});
  EXPECT_EQ(parse_usd_per_million_tokens("0.003625").value(), UsdPerToken{3'625'000});
  EXPECT_EQ(parse_usd_per_million_tokens("1").value(), UsdPerToken{1'000'000'000});
}

// What others reckoned in floating point: OpenRouter's costs come as 4.45e-06 and 0.0060000000000000005.
TEST(Decimal, NumbersOfJsonAreRoundedHalfEvenToAPicodollar) {
  EXPECT_EQ(parse_usd_rounded("0.95").value(), Usd{950'000'000'000});
  EXPECT_EQ(parse_usd_rounded("4.45e-06").value(), Usd{4'450'000});
  EXPECT_EQ(parse_usd_rounded("1E+2").value(), Usd{100'000'000'000'000});
  EXPECT_EQ(parse_usd_rounded("0.0060000000000000005").value(), Usd{6'000'000'000});
  EXPECT_EQ(parse_usd_rounded("0.0000000000005").value(), Usd{0}) << "half, to even";
  EXPECT_EQ(parse_usd_rounded("0.0000000000015").value(), Usd{2});
  EXPECT_EQ(parse_usd_rounded("0.00000000000050000000000000000000000000001").value(), Usd{1}) << "more than half, beyond what is kept";
  EXPECT_EQ(parse_usd_rounded("-0.5").value(), Usd{-500'000'000'000});
  EXPECT_EQ(parse_usd_rounded("0e999").value(), Usd{0});
  EXPECT_EQ(parse_usd_rounded("1e-999").value(), Usd{0});
  EXPECT_EQ(parse_usd_rounded("9223372.036854775807").value(), Usd{std::numeric_limits<std::int64_t>::max()});
}

TEST(Decimal, WhatIsNoNumberOfJsonOrTooLargeIsRefused) {
  for (const char* const text : {"", "-", ".5", "1.", "1e", "1e+", "1e1.5", "e5", "nan", "1 ", "0x10", "1e1001", "9223372.036854775808", "1e40",
                                 "123456789012345678901234567890123456789012345678901234567890"}) {
    EXPECT_FALSE(parse_usd_rounded(text)) << text;
  }
  EXPECT_FALSE(parse_usd_rounded("1e99999999999999999999"));
  EXPECT_FALSE(parse_usd_rounded(std::string(5000, '9')));
  EXPECT_TRUE(parse_usd_rounded("0." + std::string(900, '1')));
}

TEST(Decimal, WhatIsWrittenExactlyIsReadTheSameWayByBoth) {
  std::mt19937_64 random(seed());
  for (int i = 0; i < 2000; ++i) {
    const Usd amount{static_cast<std::int64_t>(random() >> (random() % 64))};
    ASSERT_EQ(parse_usd_rounded(decimal_text(amount)).value(), parse_usd(decimal_text(amount)).value()) << decimal_text(amount);
  }
}

TEST(Decimal, TheShortestTextIsWrittenWithoutExponent) {
  EXPECT_EQ(decimal_text(Usd{12'340'000}), "0.00001234");
  EXPECT_EQ(decimal_text(Usd{1}), "0.000000000001");
  EXPECT_EQ(decimal_text(Usd{0}), "0");
  EXPECT_EQ(decimal_text(Usd{-2'500'000'000'000}), "-2.5");
  EXPECT_EQ(decimal_text(Usd{3'000'000'000'000}), "3");
  EXPECT_EQ(decimal_text(UsdSum{Int128{10'000'000'000} * 1'000'000'000'000}), "10000000000");
  EXPECT_EQ(usd_per_million_tokens_text(UsdPerToken{150'000'000}), "0.15");
  EXPECT_EQ(decimal_text(Int128{120}, 0), "120");
}

TEST(Decimal, ZerosThatSayNothingAreAccepted) {
  EXPECT_EQ(parse_usd("007.500000000000000").value(), parse_usd("7.5").value());
  EXPECT_EQ(parse_usd("-0").value(), Usd{0});
}

TEST(Decimal, ErrorsSayWhichCharacterIsWrong) {
  EXPECT_EQ(error_of("1e-6"), "character 2 is 'e': exponents are not accepted; write the number out");
  EXPECT_EQ(error_of("1,50"), "character 2 is ',': use a point for decimals and nothing between thousands");
  EXPECT_EQ(error_of("$2"), "character 1 is '$': leave the currency sign out; amounts are in USD");
  EXPECT_EQ(error_of("+2"), "character 1 is '+': leave the plus sign out");
  EXPECT_EQ(error_of("1.2.3"), "character 4 is '.': a decimal number such as 2.49 was expected");
  EXPECT_EQ(error_of(" 1"), "character 1 is ' ': a number holds no blanks");
  EXPECT_EQ(error_of("1\xc3\xa4"), "character 2 is byte 0xc3: a decimal number such as 2.49 was expected");
}

TEST(Decimal, WhatIsNoNumberIsRefused) {
  for (const std::string_view text : {"", "-", ".", ".5", "-.5", "5.", "inf", "nan", "0x1", "--1", "1-", "1_000"}) {
    EXPECT_FALSE(parse_decimal(text, 12)) << text;
  }
}

TEST(Decimal, MoreDigitsThanCanBeKeptAreRefused) {
  EXPECT_EQ(error_of("0.0000000000001"), "character 15: more than 12 decimals cannot be kept exactly; round it");
  EXPECT_EQ(error_of("1000000000000000000000000000"), "the number is too large");
  EXPECT_EQ(error_of(std::string(400, '9')), "the number is too large");
  EXPECT_TRUE(parse_decimal("999999999999999999999999.999999999999", 12));
}

TEST(Decimal, AmountsPastTheUnitAreRefused) {
  EXPECT_TRUE(parse_usd("9223372.036854775807"));
  EXPECT_FALSE(parse_usd("9223372.036854775808"));
  EXPECT_TRUE(parse_usd("-9223372.036854775808"));
  EXPECT_FALSE(parse_usd_per_million_tokens("-0.01"));
  EXPECT_TRUE(parse_usd_per_million_tokens("100000"));
  EXPECT_FALSE(parse_usd_per_million_tokens("100000.000000001"));
}

TEST(Decimal, NoPriceOverflowsAChargeOfTenMillionTokens) {
  const UsdPerToken dearest = parse_usd_per_million_tokens("100000").value();
  EXPECT_EQ(cost(TokenCount{10'000'000}, dearest), parse_usd("1000000").value());
}

TEST(Decimal, WhatIsWrittenCanBeReadBack) {
  const std::uint64_t start = seed();
  SCOPED_TRACE("TOLLGATE_SEED=" + std::to_string(start));
  std::mt19937_64 random(start);
  for (int i = 0; i < 20'000; ++i) {
    const auto count = static_cast<std::int64_t>(random() >> (random() % 64)) * (random() % 2 == 0 ? 1 : -1);
    ASSERT_EQ(parse_usd(decimal_text(Usd{count})).value(), Usd{count});
    const auto price = static_cast<std::int64_t>(random() % 100'000'000'000'000);
    ASSERT_EQ(parse_usd_per_million_tokens(usd_per_million_tokens_text(UsdPerToken{price})).value(),
              UsdPerToken{price});
    const Int128 sum = static_cast<Int128>(count) * static_cast<std::int64_t>(random() % 1'000'000'000);
    ASSERT_TRUE(parse_decimal(decimal_text(UsdSum{sum}), usd_decimals).value() == sum);
  }
  for (const std::int64_t count :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(parse_usd(decimal_text(Usd{count})).value(), Usd{count});
  }
}

TEST(Decimal, NoBytesCrashTheReader) {
  const std::uint64_t start = seed();
  SCOPED_TRACE("TOLLGATE_SEED=" + std::to_string(start));
  std::mt19937_64 random(start);
  constexpr std::string_view alphabet = "0123456789.-+eE,$ x\xff";
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t length = random() % 50; length > 0; --length) text += alphabet[random() % alphabet.size()];
    const Result<Int128> read = parse_decimal(text, static_cast<int>(random() % 13));
    if (!read) {
      ASSERT_FALSE(read.error().message.empty());
    }
  }
}

}  // namespace
}  // namespace tollgate
