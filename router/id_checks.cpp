#include "router/id_checks.hpp"

#include <algorithm>
#include <array>

namespace tollgate {
namespace {

template <std::size_t n>
int weighted(DigitSpan digits, const std::array<int, n>& weights) noexcept {
  int sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += digits[i] * weights[i];
  return sum;
}

std::uint64_t number(DigitSpan digits) noexcept {
  std::uint64_t value = 0;
  for (const std::uint8_t digit : digits) value = value * 10 + digit;
  return value;
}

int two(DigitSpan digits, std::size_t at) noexcept { return digits[at] * 10 + digits[at + 1]; }

bool is_day_and_month(int day, int month) noexcept { return day >= 1 && day <= 31 && month >= 1 && month <= 12; }

bool all_same(DigitSpan digits) noexcept {
  return std::all_of(digits.begin(), digits.end(), [&](std::uint8_t digit) { return digit == digits[0]; });
}

constexpr std::uint8_t verhoeff_product[10][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
                                                   {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
                                                   {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
                                                   {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
                                                   {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}};
constexpr std::uint8_t verhoeff_position[8][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
                                                   {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
                                                   {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
                                                   {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}};

/// The issuers' ranges (ISO/IEC 7812) that are in use, with their lengths.
bool is_issued(DigitSpan digits) noexcept {
  const std::size_t length = digits.size();
  const std::uint64_t six = number(digits.first(6));
  const auto starts = [six](std::uint64_t from, std::uint64_t to) { return six >= from && six <= to; };
  if (digits[0] == 4) return length == 16 || length == 13 || length == 19;
  if (starts(510000, 559999) || starts(222100, 272099)) return length == 16;
  if (starts(340000, 349999) || starts(370000, 379999)) return length == 15;
  if (starts(300000, 305999) || starts(360000, 369999) || starts(380000, 399999)) return length == 14;
  if (starts(352800, 358999)) return length == 16;
  if (starts(601100, 601199) || starts(644000, 659999)) return length == 16 || length == 19;
  if (starts(620000, 629999) || starts(810000, 817199)) return length >= 16 && length <= 19;
  if (starts(500000, 509999) || starts(560000, 589999) || starts(630000, 639999) || starts(670000, 679999))
    return length == 16 || length == 18 || length == 19;  // Maestro; shorter ones look like any number
  return starts(220000, 220499) && length == 16;          // Mir
}

}  // namespace

bool passes_luhn(DigitSpan digits) noexcept {
  int sum = 0;
  bool doubled = false;
  for (std::size_t i = digits.size(); i-- > 0; doubled = !doubled) {
    const int value = doubled ? digits[i] * 2 : digits[i];
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

bool passes_verhoeff(DigitSpan digits) noexcept {
  std::uint8_t check = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    check = verhoeff_product[check][verhoeff_position[i % 8][digits[digits.size() - 1 - i]]];
  }
  return check == 0;
}

bool is_card(DigitSpan digits) noexcept {
  return digits.size() >= 13 && digits.size() <= 19 && is_issued(digits) && passes_luhn(digits) &&
         !all_same(digits.subspan(1));
}

bool is_us_ssn(DigitSpan digits) noexcept {
  const std::uint64_t area = number(digits.first(3)), group = number(digits.subspan(3, 2)),
                      serial = number(digits.subspan(5, 4));
  if (area == 0 || area == 666 || group == 0 || serial == 0) return false;
  if (std::all_of(digits.begin(), digits.end(), [&](std::uint8_t digit) { return digit == digits[0]; })) return false;
  return area < 900 || group >= 50;  // 9xx: taxpayer numbers
}

// Among the first ten digits exactly one stands twice or three times; the eleventh is the check digit (ISO 7064, mod
// 11,10).
bool is_german_tax_id(DigitSpan digits) noexcept {
  if (digits[0] == 0) return false;
  std::array<int, 10> count{};
  for (std::size_t i = 0; i < 10; ++i) ++count[digits[i]];
  const auto repeated = std::count_if(count.begin(), count.end(), [](int n) { return n == 2 || n == 3; });
  const bool too_often = std::any_of(count.begin(), count.end(), [](int n) { return n > 3; });
  if (repeated != 1 || too_often) return false;
  int product = 10;
  for (std::size_t i = 0; i < 10; ++i) {
    int sum = (digits[i] + product) % 10;
    if (sum == 0) sum = 10;
    product = sum * 2 % 11;
  }
  return (11 - product) % 10 == digits[10];
}

bool is_french_nir(DigitSpan digits) noexcept {
  const int sex = digits[0], month = two(digits, 3);
  const bool month_known = (month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50;
  if ((sex != 1 && sex != 2 && sex != 3 && sex != 4 && sex != 7 && sex != 8) || !month_known) return false;
  return 97 - number(digits.first(13)) % 97 == number(digits.subspan(13, 2));
}

bool is_brazilian_cpf(DigitSpan digits) noexcept {
  if (all_same(digits)) return false;
  for (const std::size_t length : {9U, 10U}) {
    int sum = 0;
    for (std::size_t i = 0; i < length; ++i) sum += digits[i] * static_cast<int>(length + 1 - i);
    if (sum * 10 % 11 % 10 != digits[length]) return false;
  }
  return true;
}

bool is_indian_aadhaar(DigitSpan digits) noexcept {
  return digits[0] >= 2 && passes_verhoeff(digits) && !all_same(digits);
}

bool is_polish_pesel(DigitSpan digits) noexcept {
  if (!is_day_and_month(two(digits, 4), two(digits, 2) % 20)) return false;
  const int sum = weighted(digits, std::array{1, 3, 7, 9, 1, 3, 7, 9, 1, 3});
  return (10 - sum % 10) % 10 == digits[10];
}

bool is_british_nhs(DigitSpan digits) noexcept {
  const int check = 11 - weighted(digits, std::array{10, 9, 8, 7, 6, 5, 4, 3, 2}) % 11;
  return !all_same(digits) && check != 10 && check % 11 == digits[9];
}

bool is_dutch_bsn(DigitSpan digits) noexcept {
  return !all_same(digits) && weighted(digits, std::array{9, 8, 7, 6, 5, 4, 3, 2, -1}) % 11 == 0;
}

bool is_belgian_national(DigitSpan digits) noexcept {
  const int month = two(digits, 2) % 20;  // 20 and 40 are added for people without a known sex
  if (month > 12 || two(digits, 4) > 31) return false;
  const std::uint64_t first = number(digits.first(9)), check = number(digits.subspan(9, 2));
  return 97 - first % 97 == check || 97 - (2'000'000'000 + first) % 97 == check;  // born from 2000 on
}

bool is_swedish_personal(DigitSpan digits) noexcept {
  const int day = two(digits, 4);
  return is_day_and_month(day > 60 ? day - 60 : day, two(digits, 2)) && passes_luhn(digits);
}

bool is_danish_cpr(DigitSpan digits) noexcept { return is_day_and_month(two(digits, 0), two(digits, 2)); }

bool is_norwegian_birth(DigitSpan digits) noexcept {
  const int day = two(digits, 0), month = two(digits, 2);
  if (!is_day_and_month(day > 40 ? day - 40 : day, month > 40 ? month - 40 : month)) return false;
  const int first = (11 - weighted(digits, std::array{3, 7, 6, 1, 8, 9, 4, 5, 2}) % 11) % 11;
  const int second = (11 - weighted(digits, std::array{5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11) % 11;
  return first == digits[9] && second == digits[10];
}

bool is_swiss_ahv(DigitSpan digits) noexcept {
  if (number(digits.first(3)) != 756) return false;
  const int sum = weighted(digits, std::array{1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3});
  return (10 - sum % 10) % 10 == digits[12];
}

bool is_austrian_sv(DigitSpan digits) noexcept {
  if (digits[0] == 0 || !is_day_and_month(two(digits, 4), std::min(two(digits, 6), 12))) return false;
  return weighted(digits, std::array{3, 7, 9, 0, 5, 8, 4, 2, 1, 6}) % 11 == digits[3];
}

bool is_korean_rrn(DigitSpan digits) noexcept {  // since 2020 without a checksum
  return is_day_and_month(two(digits, 4), two(digits, 2)) && digits[6] >= 1 && digits[6] <= 8;
}

bool is_japanese_my_number(DigitSpan digits) noexcept {
  const int rest = weighted(digits, std::array{6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11;
  return !all_same(digits) && (rest <= 1 ? 0 : 11 - rest) == digits[11];
}

bool is_canadian_sin(DigitSpan digits) noexcept { return digits[0] != 0 && digits[0] != 8 && passes_luhn(digits); }

bool is_australian_tfn(DigitSpan digits) noexcept {
  return !all_same(digits) && weighted(digits, std::array{1, 4, 3, 7, 5, 8, 6, 9, 10}) % 11 == 0;
}

bool is_turkish_tckn(DigitSpan digits) noexcept {
  if (digits[0] == 0) return false;
  int odd = 0, even = 0;
  for (std::size_t i = 0; i < 9; ++i) (i % 2 == 0 ? odd : even) += digits[i];
  return ((odd * 7 - even) % 10 + 10) % 10 == digits[9] && (odd + even + digits[9]) % 10 == digits[10];
}

bool is_south_african_id(DigitSpan digits) noexcept {
  return is_day_and_month(two(digits, 4), two(digits, 2)) && digits[10] <= 2 && passes_luhn(digits);
}

bool is_chinese_resident(DigitSpan digits, char check) noexcept {
  const std::uint64_t year = number(digits.subspan(6, 4));
  if (digits[0] < 1 || digits[0] > 8 || year < 1900 || year > 2099) return false;
  if (!is_day_and_month(two(digits, 12), two(digits, 10))) return false;
  const int sum = weighted(digits, std::array{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2});
  return "10X98765432"[sum % 11] == check;
}

bool is_chilean_rut(DigitSpan digits, char check) noexcept {
  int sum = 0, weight = 2;
  for (std::size_t i = digits.size(); i-- > 0; weight = weight == 7 ? 2 : weight + 1) sum += digits[i] * weight;
  return "0K987654321"[sum % 11] == check;
}

bool is_spanish_dni(DigitSpan digits, char letter) noexcept {
  return "TRWAGMYFPDXBNJZSQVHLCKE"[number(digits) % 23] == letter;
}

bool is_finnish_hetu(DigitSpan digits, char check) noexcept {
  return is_day_and_month(two(digits, 0), two(digits, 2)) &&
         "0123456789ABCDEFHJKLMNPRSTUVWXY"[number(digits) % 31] == check;
}

bool is_british_nino(char first, char second, char suffix) noexcept {
  constexpr std::string_view never_first = "DFIQUV", never_second = "DFIOQUV";
  if (never_first.find(first) != std::string_view::npos || never_second.find(second) != std::string_view::npos)
    return false;
  constexpr std::array<std::string_view, 7> unused{"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};
  const std::array<char, 2> prefix{first, second};
  const bool never = std::find(unused.begin(), unused.end(), std::string_view(prefix.data(), 2)) != unused.end();
  return !never && suffix >= 'A' && suffix <= 'D';
}

bool is_italian_fiscal_code(std::string_view code) noexcept {
  if (code.size() != 16) return false;
  static constexpr std::array<int, 26> odd{1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                           20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  constexpr std::string_view months = "ABCDEHLMPRST", shape = "LLLLLLDDLDDLDDDL";
  int sum = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const bool is_letter = code[i] >= 'A' && code[i] <= 'Z', is_digit = code[i] >= '0' && code[i] <= '9';
    if (shape[i] == 'L' ? !is_letter : !is_digit) return false;
    const int value = is_letter ? code[i] - 'A' : code[i] - '0';
    if (i < 15) sum += i % 2 == 0 ? odd[static_cast<std::size_t>(value)] : value;
  }
  return months.find(code[8]) != std::string_view::npos && 'A' + sum % 26 == code[15];
}

unsigned iban_length(std::string_view country) noexcept {
  struct Length {
    char country[3];
    unsigned length;
  };
  static constexpr Length lengths[] = {
      {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22},
      {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DK", 18}, {"DO", 28},
      {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23},
      {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26},
      {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
      {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MR", 27}, {"MT", 31}, {"MU", 30},
      {"NL", 18}, {"NO", 15}, {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22},
      {"SA", 24}, {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"ST", 25}, {"SV", 28},
      {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}};
  for (const Length& known : lengths) {
    if (country == std::string_view(known.country, 2)) return known.length;
  }
  return 0;
}

bool is_iban(std::string_view compact) noexcept {
  if (compact.size() < 5 || iban_length(compact.substr(0, 2)) != compact.size()) return false;
  unsigned rest = 0;
  const auto add = [&rest](char c) {
    rest = c <= '9' ? (rest * 10 + static_cast<unsigned>(c - '0')) % 97
                    : (rest * 100 + static_cast<unsigned>(c - 'A') + 10) % 97;
  };
  for (const char c : compact.substr(4)) add(c);
  for (const char c : compact.substr(0, 4)) add(c);
  return rest == 1;
}

}  // namespace tollgate
