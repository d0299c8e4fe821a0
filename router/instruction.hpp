#pragma once
// Which part of a request is said and which is the text that it is about. Somebody who wants a text to be worked on says so
// in one place, before the text or behind it, and the text follows or goes before; what is hard in the text is not asked for.
//
//    Zone said = …;  if (first_task(text, line) == Mark::simple) …
//
// A word asks where it may stand in a request: not behind "we", "it was" and the like, as in "we prove".

#include <cstddef>

#include "router/lexicon.hpp"

namespace tollgate {

struct Zone {
  std::size_t begin = 0, end = 0;
  [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
};

/// What the first `words_max` words of a folded zone ask for: the first task among them; none: nothing. Behind the zone
/// fold_padding bytes can be read.
[[nodiscard]] Mark first_task(const char* text, Zone zone, unsigned words_max) noexcept;

/// The passages that a text without fences and tags is made of.
struct Passages {
  const char* text;
  std::size_t size;
  Zone first_line;       ///< of more than a few bytes; with the list that follows it, if one does
  Zone head, tail;       ///< of a long text: what may be said of it; of a short one the whole, and its last line
  Zone last_line;        ///< begins at 0 where the text is one line
  bool is_long = false;
  bool tail_is_paragraph = false;  ///< rather than so many bytes of a longer one
};
struct SaidParts {
  Zone head, tail;       ///< either may be empty
};
/// What of head and tail is the instruction.
[[nodiscard]] SaidParts said_parts(const Passages& passages) noexcept;

}  // namespace tollgate
