#include "router/instruction.hpp"

#include <algorithm>
#include <string_view>

namespace tollgate {
namespace {

constexpr std::size_t question_bytes_max = 300;   // a longer last paragraph is part of the text rather than a question about it
constexpr unsigned line_words = 16;               // in which a line that asks has asked
constexpr unsigned opening_words = 4;             // "Could you please prove …"
constexpr std::size_t quotation_bytes_min = 24;   // shorter ones are names and words
constexpr std::size_t colon_bytes_max = 200;      // a later colon belongs to the text
constexpr unsigned colons_max = 3;                // "Hello Ann: a request: …"; each costs a look at the words before it
constexpr std::size_t colon_text_bytes_min = 40;  // less is the verb's object rather than a text
constexpr std::size_t character_bytes = 3;        // Chinese and Japanese

bool is_word_byte(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }
bool is_character(char c) noexcept {
  const auto lead = static_cast<unsigned char>(c);
  return lead >= 0xE3 && lead <= 0xE9;
}

/// Words behind which a verb tells rather than asks.
bool tells(std::string_view word) noexcept {
  constexpr std::string_view subjects[] = {"we", "they", "it", "he", "she", "who", "that", "which", "was", "were", "is", "are", "has", "had", "have",
                                           "wir", "sie", "er", "es", "wird", "wurde", "nous", "ils", "elle", "qui", "ellos", "se", "fue"};
  return std::find(std::begin(subjects), std::end(subjects), word) != std::end(subjects);
}

bool is_task(Mark mark) noexcept { return mark >= Mark::prove && mark <= Mark::factual; }

bool asks_a_question(const char* text, Zone zone) noexcept {
  return std::find(text + zone.begin, text + zone.end, '?') != text + zone.end;
}

bool asks(const char* text, Zone zone) noexcept { return first_task(text, zone, line_words) != Mark::none || asks_a_question(text, zone); }

/// A short last paragraph that asks for something, or else the last line: few leave an empty line before a request. Never so
/// many bytes out of the middle of a text. Empty: there is no such end.
Zone short_end(const Passages& p) noexcept {
  if (p.tail_is_paragraph && p.tail.size() <= question_bytes_max && asks(p.text, p.tail)) return p.tail;
  return p.last_line.begin > 0 && p.last_line.size() <= question_bytes_max ? p.last_line : Zone{};
}

/// `end` asks for something about the text before it: work on it, or, in a long text, a short question.
bool asks_about_the_text(const Passages& p, Zone end) noexcept {
  const Mark task = first_task(p.text, end, line_words);
  if (task == Mark::simple) return true;
  return p.is_long && (task == Mark::factual || task == Mark::explain || (task == Mark::none && asks_a_question(p.text, end)));
}

/// The beginning is a request itself, not the begin of a text.
bool opens_with_a_request(const Passages& p) noexcept {
  const Zone opening{p.head.begin, std::min(p.head.end, p.first_line.end)};
  return first_task(p.text, opening, opening_words) != Mark::none || asks_a_question(p.text, opening);
}

/// `zone` up to a long quotation in it.
Zone before_quotation(const char* text, Zone zone) noexcept {
  const std::string_view view(text + zone.begin, zone.size());
  const std::size_t open = view.find('"'), close = view.rfind('"');
  if (open == std::string_view::npos || close - open < quotation_bytes_min) return zone;
  return {zone.begin, zone.begin + open};
}

/// Whether a colon is one behind which something follows: a space does, a quotation, or it stands among characters that need
/// no space.
bool opens_text(const char* text, std::size_t colon) noexcept {
  const char next = text[colon + 1];
  return next == ' ' || next == '"' || is_character(next) || (colon > 0 && static_cast<unsigned char>(text[colon - 1]) >= 0x80);
}

/// The first line up to a colon behind which its text follows: "Summarise this: …", "Translate into French: …". The verb stands
/// before the colon, and what follows in the line is long enough for a text and more than what follows the line: else the
/// line goes on asking ("Rewrite it in plain language: short sentences, …"). A colon in a name or between figures ("10:30",
/// "std::move") opens nothing.
Zone before_text_in_line(const Passages& p) noexcept {
  const Zone line = p.first_line;
  const std::size_t below = p.size - line.end, text_min = std::max(colon_text_bytes_min, below);
  const std::size_t last = std::min(line.begin + colon_bytes_max, line.end);
  unsigned colons = 0;
  for (std::size_t at = line.begin; at < last && colons < colons_max && line.end - at > text_min; ++at) {
    if (p.text[at] != ':' || !opens_text(p.text, at)) continue;
    ++colons;
    if (first_task(p.text, {line.begin, at}, line_words) == Mark::simple) return {line.begin, at + 1};
  }
  return line;
}

}  // namespace

Mark first_task(const char* text, Zone zone, unsigned words_max) noexcept {
  const Lexicon& words = lexicon();
  WordKey last;
  bool told = false;
  unsigned seen = 0, characters = 0;
  for (std::size_t at = zone.begin; at < zone.end && seen < words_max;) {
    if (is_character(text[at])) {
      const Mark mark = at + 2 * character_bytes <= zone.end ? words.find_characters(text + at) : Mark::none;
      if (is_task(mark)) return mark;
      at += character_bytes;
      if (++characters % 2 == 0) ++seen;  // two of them are one word
      continue;
    }
    if (!is_word_byte(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < zone.end && is_word_byte(text[at])) ++at;
    const WordKey key = word_at(text + begin, at - begin);
    const Mark alone = words.find(key, at - begin), pair = words.find_pair(last, key);
    if (!told && is_task(pair)) return pair;
    if (!told && is_task(alone) && pair != Mark::small_talk) return alone;  // "Guten Tag" tags nothing
    told = tells({text + begin, at - begin});
    last = key;
    ++seen;
  }
  return Mark::none;
}

SaidParts said_parts(const Passages& p) noexcept {
  const Zone end = short_end(p);
  if (first_task(p.text, p.first_line, line_words) == Mark::simple) {
    // Work on a text, and the text follows; unless all that follows belongs to the line, or the end asks once more.
    SaidParts parts{before_quotation(p.text, before_text_in_line(p)), {}};
    if (end.begin >= p.first_line.end && asks(p.text, end)) parts.tail = end;
    return parts;
  }
  if (asks_about_the_text(p, end) && !opens_with_a_request(p)) return {{}, end};
  return {p.head, p.is_long ? p.tail : Zone{}};
}

}  // namespace tollgate
