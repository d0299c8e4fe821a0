#pragma once
// Patterns of names in the configuration: '*' stands for any run of characters, also none and also '/'. All else is
// itself.

#include <string_view>

namespace tollgate {

[[nodiscard]] constexpr bool is_glob(std::string_view pattern) noexcept {
  return pattern.find('*') != std::string_view::npos;
}

/// Linear in the pattern times the text; no recursion, so no pattern is a trap.
[[nodiscard]] constexpr bool fits_glob(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace tollgate
