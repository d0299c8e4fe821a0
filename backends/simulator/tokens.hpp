#pragma once
// Tokens of the simulator: a fixed rule for counting them, and prose made of them. Deterministic on every machine.
//
//    count_tokens("The capital of France") == 5;      // "The" " capita" "l" " of" " France"
//    Prose(seed).text(120);                           // exactly 120 tokens of plausible Markdown
//
// The rule. Text is read from the left; each piece is one token:
//   letters   up to 6 ASCII letters, with one space before them if there is one        " capit" "al"
//   digits    up to 3, with one space before them if there is one                      " 202" "6"
//   others    a run of one repeated ASCII punctuation mark, up to 8, with one space before it    " ##" "..." "{"
//   non-ASCII up to 4 bytes of whole code points, with one space before them           "é" "日"
//   spaces    a run of white space, without a last space that belongs to the next piece    "\n\n"
// So the pieces of a text, put together, are the text; and the first k pieces, taken alone, are the same k pieces
// again.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::simulator {

/// Length in bytes of the token that begins at `at`; at < text.size().
[[nodiscard]] std::size_t token_length(std::string_view text, std::size_t at) noexcept;
[[nodiscard]] std::uint32_t count_tokens(std::string_view text) noexcept;
/// The first `tokens` tokens of a text; all of it if it has fewer.
[[nodiscard]] std::string_view first_tokens(std::string_view text, std::uint32_t tokens) noexcept;

/// A small generator of well-mixed numbers (splitmix64): the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept;
  /// 0 … below-1; below > 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  bool chance(std::uint64_t of_thousand) noexcept { return below(1000) < of_thousand; }

 private:
  std::uint64_t state_;
};

/// FNV-1a with a final mix; `seed` chains several texts.
[[nodiscard]] std::uint64_t hash_text(std::string_view text, std::uint64_t seed = 0) noexcept;

/// A length around `mean`, skewed as answers are (about log-normal, sigma 0.6); the mean of many is `mean`. At least 1.
[[nodiscard]] std::uint32_t draw_length(Random& random, std::uint32_t mean) noexcept;

/// Markdown prose of exactly `tokens` tokens, ending a sentence. tokens >= 1.
[[nodiscard]] std::string write_prose(Random& random, std::uint32_t tokens);
/// `words` lower-case words with spaces between them.
[[nodiscard]] std::string write_words(Random& random, std::uint32_t words);

}  // namespace tollgate::simulator
