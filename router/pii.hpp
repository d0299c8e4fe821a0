#pragma once
// Finds personal data and secrets in a text, in one bounded pass without backtracking. What has a checksum is checked;
// what has none and looks like many other things (a bare number) counts only where words around it say what it is, in
// several languages. docs/routing/constraints.md has the rules and how often they are wrong.
//
//    PlainText plain; plain.assign(raw);
//    find_pii(plain.view(), [&](const PiiFinding& found) { … });
//
// The text needs PlainText::padding readable zero bytes before and behind it: PlainText gives them. Pure.

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "config/pii_kind.hpp"

namespace tollgate {

/// The value alone: not the words that told what it is. Findings do not overlap and rise.
struct PiiFinding {
  PiiKind kind;
  std::size_t begin = 0, end = 0;
};

/// Takes findings; with `findings == nullptr` only their kinds.
struct PiiSink {
  PiiKinds wanted;
  std::vector<PiiFinding>* findings = nullptr;
  PiiKinds found;

  void add(PiiKind kind, std::size_t begin, std::size_t end) {
    if (!wanted.has(kind)) return;
    found |= kind;
    if (findings != nullptr) findings->push_back({kind, begin, end});
  }
};

void find_pii(std::string_view padded_text, PiiSink& sink);

namespace pii {

// The parts of the scanner. Each is called at a mark of its own, looks a bounded stretch around it, and returns the
// offset behind what it used up (the mark's own offset + 1 if nothing was there).

/// At the first digit of a number: cards, accounts, national numbers, phones, IP addresses.
std::size_t at_number(std::string_view text, std::size_t at, PiiSink& sink);
/// At a character of keys, tokens and assignments: 'A' '_' '-' '.' '=' ':'.
std::size_t at_secret_mark(std::string_view text, std::size_t at, PiiSink& sink);
/// A value with the digit at `at` in it that a sentence calls a password: "the password is Blue-Fern-44".
void find_said_password(std::string_view text, std::size_t at, PiiSink& sink);
/// At '@'.
std::size_t at_email(std::string_view text, std::size_t at, PiiSink& sink);

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
[[nodiscard]] constexpr bool is_letter(char c) noexcept { return is_upper(c) || (c >= 'a' && c <= 'z'); }
[[nodiscard]] constexpr bool is_alnum(char c) noexcept { return is_digit(c) || is_letter(c); }
[[nodiscard]] constexpr char to_upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
[[nodiscard]] constexpr char to_lower(char c) noexcept { return is_upper(c) ? static_cast<char>(c + 32) : c; }
/// A byte of the text or of the zeros behind it.
[[nodiscard]] inline char behind(std::string_view text, std::size_t at) noexcept { return text.data()[at]; }
/// Whether a word may begin at `at`: no letter or digit stands before it. The `n` of a `\n` that is written out (JSON
/// within JSON) is none.
[[nodiscard]] bool begins_word(std::string_view text, std::size_t at) noexcept;
/// Whether the words right before `at` call what follows a number to call.
[[nodiscard]] bool called_before(std::string_view text, std::size_t at) noexcept;
/// Words that tell what a number is, separated by '|' in lower case; by their first byte.
class ContextWords {
 public:
  explicit ContextWords(std::string_view words);
  /// Whether one of them stands in the stretch before `at`; "tel" does not stand in "hotel".
  [[nodiscard]] bool stand_before(std::string_view text, std::size_t at) const noexcept;

 private:
  std::array<std::vector<std::string_view>, 256> by_first_byte_;
};

}  // namespace pii
}  // namespace tollgate
