#include "config/decimal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>

namespace tollgate {
namespace {

constexpr int digits_max = 36;  // of the scaled count; 128 bits hold 38

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::string shown(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte < 0x7f) return fmt::format("'{}'", c);
  return fmt::format("byte 0x{:02x}", byte);
}

Error wrong_character(std::string_view text, std::size_t at) {
  const char c = text[at];
  std::string why;
  if (c == 'e' || c == 'E') {
    why = "exponents are not accepted; write the number out";
  } else if (c == ',' || c == '_' || c == '\'') {
    why = "use a point for decimals and nothing between thousands";
  } else if (c == '$') {
    why = "leave the currency sign out; amounts are in USD";
  } else if (c == '+') {
    why = "leave the plus sign out";
  } else if (c == ' ' || c == '\t') {
    why = "a number holds no blanks";
  } else {
    why = "a decimal number such as 2.49 was expected";
  }
  return fail(Fault::bad_config, fmt::format("character {} is {}: {}", at + 1, shown(c), why));
}

Int128 power_of_ten(int exponent) noexcept {
  Int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

}  // namespace

Result<Int128> parse_decimal(std::string_view text, int decimals) {
  if (text.empty()) return fail(Fault::bad_config, "it is empty; a decimal number such as 2.49 was expected");
  const bool negative = text.front() == '-';
  std::size_t at = negative ? 1 : 0;
  Int128 count = 0;
  int digits = 0;
  int behind_point = -1;  // -1: no point yet
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && behind_point < 0 && at > 0 && is_digit(text[at - 1])) {
      behind_point = 0;
      continue;
    }
    if (!is_digit(c)) return wrong_character(text, at);
    if (behind_point >= decimals) {
      // Zeros behind the last decimal say nothing; anything else would have to be rounded.
      if (c == '0') continue;
      return fail(Fault::bad_config, fmt::format("character {}: more than {} decimals cannot be kept exactly; round it",
                                                 at + 1, decimals));
    }
    if (behind_point >= 0) ++behind_point;
    if (count != 0 || c != '0') ++digits;
    if (digits > digits_max) {
      return fail(Fault::bad_config, "the number is too large");
    }
    count = count * 10 + (c - '0');
  }
  if (!is_digit(text.back()))
    return fail(Fault::bad_config, fmt::format("a digit is missing behind character {}", text.size()));
  const int zeros = decimals - std::max(behind_point, 0);
  if (digits + zeros > digits_max) return fail(Fault::bad_config, "the number is too large");
  const Int128 scaled = count * power_of_ten(zeros);
  return negative ? -scaled : scaled;
}

namespace {

/// Digits of `rest` below `end`, at least `decimals` + 1 of them, with the point and without zeros behind the last decimal.
template <class Magnitude>
char* put_reversed(Magnitude rest, int decimals, bool negative, char* end) noexcept {
  bool significant = false;
  for (int place = 0; rest != 0 || place <= decimals; ++place) {
    const auto digit = static_cast<int>(rest % 10);
    rest /= 10;
    if (place == decimals && significant) *--end = '.';
    significant = significant || digit != 0;
    if (place >= decimals || significant) *--end = static_cast<char>('0' + digit);
  }
  if (negative) *--end = '-';
  return end;
}

}  // namespace

std::string decimal_text(Int128 count, int decimals) {
  __extension__ using Magnitude = unsigned __int128;
  // Negated as unsigned, so that the most negative count has a magnitude too.
  const Magnitude rest = count < 0 ? Magnitude{0} - static_cast<Magnitude>(count) : static_cast<Magnitude>(count);
  char text[48];                                        // 2^127 has 39 digits
  char* const end = text + sizeof text;
  const bool narrow = rest <= std::numeric_limits<std::uint64_t>::max();   // nearly always, and a division is then one instruction
  const char* begin = narrow ? put_reversed(static_cast<std::uint64_t>(rest), decimals, count < 0, end)
                                   : put_reversed(rest, decimals, count < 0, end);
  return std::string(begin, static_cast<std::size_t>(end - begin));
}

Result<Usd> parse_usd(std::string_view text) {
  TOLLGATE_TRY(const Int128 count, parse_decimal(text, usd_decimals));
  if (count > std::numeric_limits<std::int64_t>::max() || count < std::numeric_limits<std::int64_t>::min()) {
    return fail(Fault::bad_config, "an amount past 9.2 million USD cannot be kept exactly");
  }
  return Usd{static_cast<std::int64_t>(count)};
}

namespace {

/// A JSON number taken apart: digits × 10^exponent. Digits that 128 bits have no room for are one that says whether any of them was not 0.
struct JsonNumber {
  Int128 digits = 0;
  int exponent = 0;
  bool negative = false;
};

std::optional<JsonNumber> take_apart(std::string_view text) {
  constexpr int kept_max = 30;
  constexpr int exponent_max = 1'000;  // far past any amount, and no sum of such overflows
  JsonNumber number;
  number.negative = !text.empty() && text.front() == '-';
  std::size_t at = number.negative ? 1 : 0;
  int kept = 0;
  bool point = false, any = false, more = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !point && any) {
      point = true;
      continue;
    }
    if (!is_digit(c)) break;
    any = true;
    if (number.exponent < -exponent_max || number.exponent > exponent_max) return std::nullopt;
    if (kept < kept_max) {
      number.digits = number.digits * 10 + (c - '0');
      kept += number.digits != 0 ? 1 : 0;
      number.exponent -= point ? 1 : 0;
    } else {
      more = more || c != '0';
      number.exponent += point ? 0 : 1;
    }
  }
  if (!any || !is_digit(text[at - 1])) return std::nullopt;
  number.digits = number.digits * 10 + (more ? 1 : 0);
  --number.exponent;
  if (at == text.size()) return number;
  if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
  ++at;
  if (at < text.size() && text[at] == '+') ++at;
  int power = 0;
  const auto [end, wrong] = std::from_chars(text.data() + at, text.data() + text.size(), power);
  if (wrong != std::errc{} || end != text.data() + text.size() || power < -exponent_max || power > exponent_max) return std::nullopt;
  number.exponent += power;
  return number;
}

}  // namespace

Result<Usd> parse_usd_rounded(std::string_view json_number) {
  const std::optional<JsonNumber> number = take_apart(json_number);
  if (!number) return fail(Fault::bad_config, "a number was expected");
  const Error too_large = fail(Fault::bad_config, "an amount past 9.2 million USD cannot be kept exactly");
  Int128 count = number->digits;
  int shift = number->exponent + usd_decimals;
  for (; shift > 0 && count != 0; --shift) {
    if (count > std::numeric_limits<std::int64_t>::max()) return too_large;
    count *= 10;
  }
  if (shift < -digits_max) return Usd{};
  if (shift < 0) count = divide_half_even(count, power_of_ten(-shift));
  if (count > std::numeric_limits<std::int64_t>::max()) return too_large;
  return Usd{static_cast<std::int64_t>(number->negative ? -count : count)};
}

Result<UsdPerToken> parse_usd_per_million_tokens(std::string_view text) {
  TOLLGATE_TRY(const Int128 count, parse_decimal(text, usd_per_million_tokens_decimals));
  if (count < 0) return fail(Fault::bad_config, "a price cannot be negative");
  if (count > usd_per_million_tokens_max * power_of_ten(usd_per_million_tokens_decimals)) {
    return fail(Fault::bad_config,
                fmt::format("a price is at most {} USD per million tokens; is it per token or per thousand?",
                            usd_per_million_tokens_max));
  }
  return UsdPerToken{static_cast<std::int64_t>(count)};
}

std::string decimal_text(Usd usd) { return decimal_text(usd.count(), usd_decimals); }
std::string decimal_text(UsdSum sum) { return decimal_text(sum.picodollars(), usd_decimals); }
std::string usd_per_million_tokens_text(UsdPerToken price) {
  return decimal_text(price.count(), usd_per_million_tokens_decimals);
}

}  // namespace tollgate
