#include "router/lexicon.hpp"

#include "router/lexicon_words.hpp"

namespace tollgate {
namespace {

constexpr WordKey key_of(std::string_view word) {
  WordKey key;
  for (std::size_t i = 0; i < word.size() && i < 16; ++i) {
    const std::uint64_t byte = static_cast<unsigned char>(word[i]);
    (i < 8 ? key.low : key.high) |= byte << (8 * (i % 8));
  }
  return key;
}

/// Calls `take` with each word of a list separated by blanks.
template <class Take>
constexpr void each_word(std::string_view list, Take take) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    if (end > 0) take(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

consteval Lexicon build() {
  Lexicon built;
  for (const WordList& list : word_lists) {
    each_word(list.words, [&](std::string_view word) { built.words.add(key_of(word), list.mark); });
    each_word(list.stems, [&](std::string_view stem) {
      if (stem.size() != stem_bytes) throw "a stem has six letters";
      built.stems.add(key_of(stem), list.mark);
    });
    each_word(list.pairs, [&](std::string_view pair) {
      const std::size_t plus = pair.find('+');
      built.pairs.add({key_of(pair.substr(0, plus)).low, key_of(pair.substr(plus + 1)).low}, list.mark);
    });
    each_word(list.characters, [&](std::string_view two) {
      if (two.size() != stem_bytes) throw "two characters of three bytes each";
      built.characters.add(key_of(two), list.mark);
    });
  }
  each_word(latex_commands, [&](std::string_view command) { built.latex.add(key_of(command), Mark::maths); });
  return built;
}

constexpr Lexicon built_lexicon = build();

}  // namespace

const Lexicon& lexicon() noexcept { return built_lexicon; }

std::string_view name_of(Mark mark) noexcept {
  static constexpr std::array<std::string_view, mark_count> names = {
      "none",       "prove",  "reason",  "compare",    "design",     "debug",     "explain",
      "simple",     "create", "factual", "small_talk", "code",       "maths",     "expert",
      "constraint", "step",   "deep",    "brief",      "unit_words", "unit_pages", "quantity",   "condition",
      "negation",   "person", "calculate", "science",   "culture",    "statement",
      "certain",    "weigh"};
  return names[static_cast<std::size_t>(mark)];
}

}  // namespace tollgate
