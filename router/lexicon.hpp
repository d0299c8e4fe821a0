#pragma once
// The words that say what kind of work a request asks for, in English, German, French, Spanish, Chinese and Japanese,
// found by one hash look-up each. Words are in the form that fold() leaves: lower case, no accents.
//
//    Mark mark = lexicon().find(word_at(text, length));       // Mark::none for most words
//
// Built at compile time; a word listed twice does not compile.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tollgate {

/// What a word speaks for. The order is that of the tables and of Turn::said; `prove` to `simple` are tasks.
enum class Mark : std::uint8_t {
  none,
  prove,       ///< a proof or derivation is asked for
  reason,      ///< why, justify, analyse, evaluate
  compare,     ///< weigh one thing against another
  design,      ///< design, implement, optimise, plan a migration
  debug,       ///< something fails and the cause is wanted
  explain,     ///< explain, describe, plan, advise: more than looking up, less than proving
  simple,      ///< summarise, translate, extract, rewrite, classify: easy however long the material
  create,      ///< a text is to be written
  factual,     ///< who, when, where, how many
  small_talk,  ///< greetings and thanks
  code,        ///< programming words
  maths,       ///< mathematical words
  expert,      ///< subjects where the detail decides: law, medicine, distributed systems, physics
  constraint,  ///< must, exactly, at least, without
  step,        ///< first, then, finally
  deep,        ///< detailed, thorough
  brief,       ///< short, in one sentence
  unit_words,  ///< "words" in "500 words"
  unit_pages,  ///< "pages" in "3 pages"
  quantity,    ///< each, twice, half, total: amounts that must be worked with
  condition,   ///< if, when, suppose: a case is set up
  negation,    ///< not, except, false
  person,      ///< I, he, she: somebody acts
  calculate,   ///< find, value, area: a result is to be worked out
  science,     ///< physics and chemistry: quantities that obey laws
  culture,     ///< films, sport, history: known or not, nothing to be worked out
  statement,   ///< statements, arguments and claims to be judged
  certain,     ///< nothing may be left open: all cases, the only solution, a bound
  weigh        ///< risks, assumptions, criteria: one thing is weighed against another
};
inline constexpr std::size_t mark_count = 30;
[[nodiscard]] std::string_view name_of(Mark mark) noexcept;

/// The first sixteen bytes of a word, zero-filled.
struct WordKey {
  std::uint64_t low = 0, high = 0;
  friend constexpr bool operator==(const WordKey&, const WordKey&) = default;
};

static_assert(std::endian::native == std::endian::little, "word keys are read as little-endian integers");

/// The word of `length` > 0 bytes at `at`, where at least 16 bytes can be read.
[[nodiscard]] inline WordKey word_at(const char* at, std::size_t length) noexcept {
  WordKey key;
  std::memcpy(&key.low, at, 8);
  if (length < 8) {
    key.low &= (std::uint64_t{1} << (8 * length)) - 1;
    return key;
  }
  if (length == 8) return key;
  std::memcpy(&key.high, at + 8, 8);
  if (length < 16) key.high &= (std::uint64_t{1} << (8 * (length - 8))) - 1;
  return key;
}

inline constexpr std::size_t stem_bytes = 6;
inline constexpr std::uint64_t stem_mask = (std::uint64_t{1} << (8 * stem_bytes)) - 1;

/// Open addressing over a power of two slots; most look-ups end at the first, empty one.
template <std::size_t entries_max, std::size_t slots>
class WordTable {
 public:
  constexpr void add(WordKey key, Mark mark) {
    if (find(key) != Mark::none) throw "a word is listed twice";  // at compile time: an error; never at run time
    std::size_t slot = slot_of(key);
    while (slots_[slot] != 0) slot = (slot + 1) % slots;
    entries_[++size_] = {key, mark};
    slots_[slot] = static_cast<std::uint16_t>(size_);
  }
  [[nodiscard]] constexpr Mark find(WordKey key) const noexcept {
    for (std::size_t slot = slot_of(key); slots_[slot] != 0; slot = (slot + 1) % slots) {
      const Entry& entry = entries_[slots_[slot]];
      if (entry.key == key) return entry.mark;
    }
    return Mark::none;
  }

 private:
  struct Entry {
    WordKey key;
    Mark mark = Mark::none;
  };
  static constexpr std::size_t slot_of(WordKey key) noexcept {
    const std::uint64_t mixed = (key.low ^ std::rotl(key.high, 29)) * 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(mixed >> (64 - std::countr_zero(slots)));
  }
  std::array<Entry, entries_max + 1> entries_{};  // 0 is no entry
  std::array<std::uint16_t, slots> slots_{};
  std::size_t size_ = 0;
};

class Lexicon {
 public:
  /// `word` of `length` bytes: as a whole, else by its first six bytes.
  [[nodiscard]] Mark find(WordKey word, std::size_t length) const noexcept {
    const Mark whole = words.find(word);
    if (whole != Mark::none || length < stem_bytes) return whole;
    return stems.find({word.low & stem_mask, 0});
  }
  /// Two words that mean something only together: "root cause", "how many". Told apart by their first eight bytes.
  [[nodiscard]] Mark find_pair(WordKey first, WordKey second) const noexcept {
    return pairs.find({first.low, second.low});
  }
  /// Two characters of three bytes each, of Chinese or Japanese.
  [[nodiscard]] Mark find_characters(const char* at) const noexcept { return characters.find(word_at(at, stem_bytes)); }
  [[nodiscard]] bool is_latex(WordKey command) const noexcept { return latex.find(command) != Mark::none; }

  WordTable<2200, 8192> words;
  WordTable<300, 1024> stems;
  WordTable<260, 1024> pairs;
  WordTable<400, 1024> characters;
  WordTable<120, 512> latex;
};
[[nodiscard]] const Lexicon& lexicon() noexcept;

}  // namespace tollgate
