#pragma once
// ChatView → a fixed struct of numbers, in one bounded pass: what complexity.cpp weighs and what the ledger can keep
// for replay.
//
//    Features features = features_of(chat);
//    features.now.said_of(Mark::prove)    // words that ask for a proof, in the instruction of the last user turn
//
// The last user turn comes first; the user turn before it and the system prompt are kept apart. Within a turn, what is
// *said* (the instruction: first and last paragraph, the inside of <task>, …) is kept apart from what is *quoted* (code
// fences, <document>, the middle of a long text), so that a pasted document does not make its summary hard. Words are
// looked up in a head and a tail window of a turn; bytes are counted in at most classify_bytes_max.
// Pure, any thread; allocates only for messages of more than six parts.

#include <array>
#include <cstdint>

#include "router/chat_view.hpp"
#include "router/lexicon.hpp"

namespace tollgate {

/// Bytes of the last user turn in which words are looked up: this much from its start, and from its end.
inline constexpr std::size_t head_window_bytes = 1024, tail_window_bytes = 640;
/// The same for the user turn before it and for the system prompt.
inline constexpr std::size_t minor_head_window_bytes = 384, minor_tail_window_bytes = 192;

/// How the instruction is written, whatever its words mean. A multiple-choice question is told apart into the question
/// and its options.
struct Shape {
  std::uint16_t question_words = 0, option_words = 0;      ///< before and from the first option line
  std::uint16_t distinct_words = 0, distinct_options = 0;  ///< of these, different ones, roughly
  std::uint16_t shared_words = 0;                          ///< words of the options that the question or an earlier option has
  std::uint16_t option_numbers = 0;
  std::uint16_t long_words = 0;  ///< of nine letters and more
  std::uint32_t letters = 0;     ///< in all words
  std::uint16_t figures = 0;     ///< digits in all numbers
  std::uint16_t decimals = 0;    ///< "3.5"
  std::uint16_t late_numbers = 0;  ///< among the last twelve words of the question
  std::uint16_t sentences = 0, commas = 0, colons = 0, brackets = 0, quotes = 0;
  std::uint16_t operators = 0;  ///< = + * / ^ < > and backslashes
  std::uint16_t money = 0;      ///< $ and %
  std::uint16_t blanks = 0;     ///< underscores: something to fill in, or names in code
  std::uint16_t characters = 0;  ///< Chinese and Japanese ones
};

/// Buckets of a lexical feature's hash.
inline constexpr std::size_t lexical_buckets = 4096;

/// Which words an instruction holds, each known only by a bucket: different words, and different pairs of words that stand side by
/// side, the first of them as far as there is room.
struct Lexical {
  static constexpr std::size_t buckets_max = 96;
  std::array<std::uint16_t, buckets_max> bucket{};
  std::uint16_t count = 0;

  void add(std::uint64_t hash) noexcept {
    if (count < buckets_max) bucket[count++] = static_cast<std::uint16_t>(hash >> 52);
  }
};
static_assert(lexical_buckets == 1U << (64 - 52));

/// What one turn says. Counts stop at their type's end.
struct Turn {
  std::array<std::uint8_t, mark_count> said{};    ///< words of each mark in the instruction
  std::array<std::uint8_t, mark_count> quoted{};  ///< in the material
  std::uint64_t bytes = 0;                        ///< of the whole turn, escapes included
  std::uint16_t words = 0;                        ///< in the instruction; two Chinese or Japanese characters are one
  std::uint16_t words_quoted = 0;
  std::uint16_t numbers = 0;     ///< in the instruction
  std::uint16_t questions = 0;   ///< question marks
  std::uint16_t list_items = 0;  ///< lines that begin with "- ", "* ", "1."
  std::uint16_t options = 0;     ///< lines that begin with "A." … "J)": a multiple-choice question
  std::uint16_t code_fences = 0;
  std::uint16_t formulas = 0;      ///< LaTeX commands, mathematical symbols, powers
  std::uint32_t output_words = 0;  ///< "in 500 words", "3 pages"
  Shape shape;                     ///< of the instruction
  Mark lead = Mark::none;          ///< the first task asked for
  bool leads_simple = false;       ///< the task, at the start or after a long text, is simple work

  [[nodiscard]] unsigned said_of(Mark mark) const noexcept { return said[static_cast<std::size_t>(mark)]; }
  [[nodiscard]] unsigned quoted_of(Mark mark) const noexcept { return quoted[static_cast<std::size_t>(mark)]; }
};

/// Bytes counted over up to classify_bytes_max of all text.
struct ByteCounts {
  std::uint32_t bytes = 0, lines = 0, digits = 0;
  std::uint32_t code_marks = 0;  ///< { } ; =
};

struct Features {
  Turn now;     ///< the last user turn
  Turn before;  ///< the user turn before it
  Turn system;
  Lexical lexical;  ///< of the last user turn
  ByteCounts now_bytes, other_bytes;
  std::uint64_t text_bytes = 0;
  std::uint32_t messages = 0, user_messages = 0, tools = 0, tool_calls = 0, tool_results = 0, images = 0, audio = 0;
  std::int64_t output_tokens_max = 0;  ///< 0: not given
  bool json_output = false, json_schema = false;
};

[[nodiscard]] Features features_of(const ChatView& chat) noexcept;

}  // namespace tollgate
