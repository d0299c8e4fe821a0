#pragma once
// Decimal text to exact integers and back. Money is never read or written through a floating-point number.
//
//    parse_usd("2.49").value() == Usd{2'490'000'000'000};                          // picodollars
//    parse_usd_per_million_tokens("0.15").value() == UsdPerToken{150'000'000};     // femtodollars per token
//    decimal_text(Usd{12'340'000}) == "0.00001234";                                    // shortest form, no exponent
//
// What is written can be read back: parse(text(x)) == x for every x.
// An error is Fault::bad_config and says which character is wrong, without the rest of the text.

#include <string>
#include <string_view>

#include "config/result.hpp"
#include "config/units.hpp"

namespace tollgate {

inline constexpr int usd_decimals = 12;                    ///< digits behind the point of a Usd
inline constexpr int usd_per_million_tokens_decimals = 9;  ///< of a UsdPerToken written in USD per million tokens

/// The number of 10^-decimals units that the text says, exactly: "2.49" with 3 decimals is 2490. Accepted: digits,
/// optionally a minus sign before and a point with further digits behind. Refused: exponents, inf, nan, thousands
/// marks, blanks, a number that needs more decimals, or one whose count is past 36 digits.
[[nodiscard]] Result<Int128> parse_decimal(std::string_view text, int decimals);
/// `count` 10^-decimals units as the shortest decimal text: 2490 with 3 decimals is "2.49".
[[nodiscard]] std::string decimal_text(Int128 count, int decimals);

/// USD, of either sign; refuses what 64 bits of picodollars cannot hold (about 9.2 million USD).
[[nodiscard]] Result<Usd> parse_usd(std::string_view text);
/// USD as JSON writes a number, such as "4.45e-06": exponents are accepted, and what is finer than a picodollar is rounded half even. For
/// amounts that others reckoned, perhaps in floating point; ours are exact.
[[nodiscard]] Result<Usd> parse_usd_rounded(std::string_view json_number);
/// USD per million tokens, not negative, at most `usd_per_million_tokens_max`.
[[nodiscard]] Result<UsdPerToken> parse_usd_per_million_tokens(std::string_view text);
/// Bounds the product of a price and ten million tokens to what a Usd holds.
inline constexpr std::int64_t usd_per_million_tokens_max = 100'000;

[[nodiscard]] std::string decimal_text(Usd usd);
[[nodiscard]] std::string decimal_text(UsdSum sum);
/// The price in USD per million tokens.
[[nodiscard]] std::string usd_per_million_tokens_text(UsdPerToken price);

}  // namespace tollgate
