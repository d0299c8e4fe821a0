#include "router/pii_groups.hpp"

#include "router/pii.hpp"

namespace tollgate::pii {
namespace {

bool is_separator(char c) noexcept { return c == ' ' || c == '-' || c == '.' || c == '/'; }

/// Where the next group begins, and what separates it; 0: there is none. ") " and " (" and ")-" count as one.
std::size_t next_group(std::string_view text, std::size_t at, char& separator) noexcept {
  const char c = behind(text, at), second = c == '\0' ? '\0' : behind(text, at + 1);
  separator = c;
  if (is_separator(c) && is_digit(second)) return at + 1;
  const bool bracket = c == ')' || second == '(' || (c == ')' && is_separator(second));
  if (!bracket) return 0;
  separator = ')';
  if (is_digit(second)) return at + 1;
  if ((is_separator(second) || second == '(') && is_digit(behind(text, at + 2))) return at + 2;
  return 0;
}

}  // namespace

std::size_t digits_end(std::string_view text, std::size_t at) noexcept {
  while (is_digit(behind(text, at))) ++at;
  return at;
}

Number number_at(std::string_view text, std::size_t at) noexcept {
  Number number;
  char separator = '\0';
  for (std::size_t begin = at;;) {
    const std::size_t end = digits_end(text, begin), length = end - begin;
    if (length > run_max || number.digit_count + length > digits_max || number.count == groups_max) {
      if (number.count == 0) number.end = end;
      number.cut = number.count > 0;
      break;
    }
    number.groups[number.count++] = {begin, static_cast<std::uint8_t>(number.digit_count),
                                     static_cast<std::uint8_t>(length), separator};
    number.shape |= static_cast<decltype(number.shape)>(Form::code(length, separator)) << (8 * (number.count - 1));
    for (std::size_t i = begin; i < end; ++i)
      number.digits[number.digit_count++] = static_cast<std::uint8_t>(text[i] - '0');
    number.end = end;
    begin = next_group(text, end, separator);
    if (begin == 0) break;
  }
  return number;
}

}  // namespace tollgate::pii
