#pragma once
// Groups of digits in a text, taken apart once so that every rule for numbers can look at them; private to the scanner.

#include <array>
#include <cstdint>
#include <string_view>

#include "router/id_checks.hpp"

namespace tollgate::pii {

inline constexpr std::size_t digits_max = 40, groups_max = 12, run_max = 20;

/// Lengths of groups and what separates them, "3.3.3-2", as a number: one comparison tells whether a text's groups have
/// it.
struct Form {
  std::uint64_t value = 0, mask = 0;
  std::uint8_t groups = 0, first_length = 0;

  consteval Form(const char* text) noexcept {  // NOLINT(google-explicit-constructor): forms are written as text
    char before = '\0';
    for (; *text != '\0'; ++text) {
      if (*text < '0' || *text > '9') {
        before = *text;
        continue;
      }
      const auto length = static_cast<std::uint8_t>(*text - '0');
      if (groups == 0) first_length = length;
      value |= std::uint64_t{code(length, groups == 0 ? '\0' : before)} << (8 * groups);
      mask |= (groups == 0 ? std::uint64_t{0x0F} : std::uint64_t{0xFF}) << (8 * groups);
      ++groups;
    }
  }
  static constexpr std::uint8_t code(std::size_t length, char separator) noexcept {
    unsigned kind = 0;
    if (separator == ' ') kind = 1;
    if (separator == '-') kind = 2;
    if (separator == '.') kind = 3;
    if (separator == '/') kind = 4;
    if (separator == ')') kind = 5;
    return static_cast<std::uint8_t>((kind << 4) | (length < 15 ? length : 15));
  }
};

/// Groups of digits with one separator between each two: "4111 1111", "123.456.789-09".
struct Number {
  struct Group {
    std::size_t begin;
    std::uint8_t first, length;
    char before;  ///< the separator before it; '\0': none
  };
  // Only what is counted has a value: this is made for every number of a text.
  std::array<std::uint8_t, digits_max> digits;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::array<Group, groups_max> groups;         // NOLINT(cppcoreguidelines-pro-type-member-init)
  __extension__ unsigned __int128 shape = 0;    // Form::code of each group
  std::size_t count = 0, digit_count = 0;
  std::size_t end = 0;
  bool cut = false;  ///< more groups follow than there is room for

  [[nodiscard]] DigitSpan of(std::size_t from, std::size_t to) const noexcept {
    const std::size_t first = groups[from].first;
    return {digits.data() + first, groups[to - 1].first + groups[to - 1].length - first};
  }
  [[nodiscard]] std::size_t end_of(std::size_t group) const noexcept {
    return groups[group].begin + groups[group].length;
  }
  [[nodiscard]] DigitSpan all() const noexcept { return {digits.data(), digit_count}; }
};

/// The number that begins at `at`, a digit.
[[nodiscard]] Number number_at(std::string_view text, std::size_t at) noexcept;
/// Behind the digits from `at` on.
[[nodiscard]] std::size_t digits_end(std::string_view text, std::size_t at) noexcept;

/// Whether the groups from `group` on have the form; `behind_form` becomes the group after it.
[[nodiscard]] inline bool has_form(const Number& number, std::size_t group, const Form& form,
                                   std::size_t& behind_form) noexcept {
  if (((static_cast<std::uint64_t>(number.shape >> (8 * group)) ^ form.value) & form.mask) != 0) return false;
  behind_form = group + form.groups;
  return behind_form <= number.count;
}

}  // namespace tollgate::pii
