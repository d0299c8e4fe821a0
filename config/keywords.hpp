#pragma once
// A list of words or phrases, found in a text without regard to case: whole words where the script separates words,
// anywhere in it where it does not (Chinese, Japanese, Thai). Blanks of any kind and number between two words of a
// phrase are one. One pass over the text, however many words the list has. Immutable; any thread.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tollgate {

class Keywords {
 public:
  /// The words as written; empty ones and blanks at the ends are the caller's to refuse.
  explicit Keywords(const std::vector<std::string>& words);
  /// `text` is UTF-8.
  [[nodiscard]] bool occur_in(std::string_view text) const;
  [[nodiscard]] std::size_t size() const noexcept { return words_.size(); }
  /// The same for the same words, in other processes too.
  [[nodiscard]] std::uint64_t fingerprint() const noexcept;

 private:
  [[nodiscard]] bool stands_at(std::string_view text, std::size_t at, std::size_t token_end) const;

  std::array<std::uint64_t, 1024> pairs_{};                    // the first two bytes of words, as a set
  std::vector<std::string> words_;                             // folded
  std::unordered_multimap<std::uint64_t, std::size_t> first_;  // hash of a word's first token → word
};

/// Lower case for Latin, Greek and Cyrillic letters, each blank or run of blanks one ' '. Broken UTF-8 stays as it is.
[[nodiscard]] std::string fold_case(std::string_view text);

}  // namespace tollgate
