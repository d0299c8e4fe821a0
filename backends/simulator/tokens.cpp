#include "backends/simulator/tokens.hpp"

#include <algorithm>
#include <array>

namespace tollgate::simulator {
namespace {

constexpr std::size_t letters_max = 6, digits_max = 3, marks_max = 8, bytes_max = 4;

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_ascii(char c) noexcept { return static_cast<unsigned char>(c) < 0x80; }
bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

template <class Is>
std::size_t run(std::string_view text, std::size_t at, std::size_t max, Is is) noexcept {
  std::size_t end = at;
  while (end < text.size() && end - at < max && is(text[end])) ++end;
  return end - at;
}

/// Whole code points from `at`, together at most bytes_max bytes, but at least one code point.
std::size_t code_points(std::string_view text, std::size_t at) noexcept {
  std::size_t end = at;
  while (end < text.size() && !is_ascii(text[end])) {
    std::size_t next = end + 1;
    while (next < text.size() && is_continuation(text[next]) && next - end < 4) ++next;
    if (next - at > bytes_max && end != at) break;
    end = next;
  }
  return end - at;
}

std::size_t piece_without_space(std::string_view text, std::size_t at) noexcept {
  const char c = text[at];
  if (is_letter(c)) return run(text, at, letters_max, is_letter);
  if (is_digit(c)) return run(text, at, digits_max, is_digit);
  if (!is_ascii(c)) return code_points(text, at);
  return run(text, at, marks_max, [c](char other) { return other == c; });
}

// Words of at most six letters are one token behind a space; the longer ones are two.
constexpr std::array words{
    "the",     "a",      "this",    "each",     "one",     "that",     "model",   "answer",  "system",   "value",
    "number",  "result", "path",    "order",    "point",   "case",     "state",   "time",    "cost",     "unit",
    "input",   "output", "change",  "reason",   "first",   "second",   "simple",  "common",  "useful",   "small",
    "large",   "clear",  "exact",   "other",    "same",    "next",     "is",      "was",     "gives",    "takes",
    "keeps",   "shows",  "holds",   "makes",    "means",   "needs",    "moves",   "turns",   "of",       "in",
    "with",    "for",    "from",    "over",     "under",   "by",       "at",      "into",    "and",      "but",
    "also",    "then",   "often",   "rarely",   "always",  "mostly",   "here",    "still",   "about",    "only",
    "even",    "more",   "request", "question", "example", "approach", "balance", "measure", "together", "between",
    "whether", "because"};
constexpr std::array short_words{"so", "here", "too", "now", "again", "well"};

std::string capitalised(std::string_view word) {
  std::string text(word);
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

/// Appends one paragraph: a heading, a list or two to five sentences. Each begins after white space or at the start.
void append_paragraph(Random& random, std::string& text) {
  const auto word = [&random] { return words[random.below(words.size())]; };
  if (!text.empty()) text += "\n\n";
  if (random.chance(120)) {
    text += "## " + capitalised(word()) + " " + word() + "\n\n";
  }
  if (random.chance(200)) {
    for (std::uint64_t item = 2 + random.below(3); item > 0; --item) {
      text += "- **" + capitalised(word()) + "** " + word() + " " + word() + " " + word() + " " + word();
      text += item > 1 ? "\n" : ".";
    }
    return;
  }
  const std::uint64_t sentences = 2 + random.below(4);
  for (std::uint64_t sentence = 0; sentence < sentences; ++sentence) {
    if (sentence > 0) text += ' ';
    text += capitalised(word());
    const std::uint64_t length = 5 + random.below(10);
    for (std::uint64_t i = 0; i < length; ++i) {
      if (i > 2 && i + 2 < length && random.chance(80)) text += ',';
      text += ' ';
      text += word();
    }
    text += random.chance(60) ? "?" : ".";
  }
}

// Length relative to the mean, in thousandths, at the middles of sixteen equal shares of a log-normal law (sigma 0.6).
constexpr std::array<std::uint32_t, 16> length_quantiles{273, 379, 456,  524,  590,  656,  724,  797,
                                                         875, 963, 1063, 1182, 1330, 1531, 1841, 2816};

}  // namespace

std::size_t token_length(std::string_view text, std::size_t at) noexcept {
  if (!is_space(text[at])) return piece_without_space(text, at);
  const std::size_t spaces = run(text, at, text.size(), is_space);
  const std::size_t end = at + spaces;
  if (end == text.size() || text[end - 1] != ' ') return spaces;
  return spaces > 1 ? spaces - 1 : 1 + piece_without_space(text, end);
}

std::uint32_t count_tokens(std::string_view text) noexcept {
  std::uint32_t tokens = 0;
  for (std::size_t at = 0; at < text.size(); at += token_length(text, at)) ++tokens;
  return tokens;
}

std::string_view first_tokens(std::string_view text, std::uint32_t tokens) noexcept {
  std::size_t at = 0;
  while (tokens-- > 0 && at < text.size()) at += token_length(text, at);
  return text.substr(0, at);
}

std::uint64_t Random::next() noexcept {
  state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL ^ Random(seed).next();
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return Random(hash).next();
}

std::uint32_t draw_length(Random& random, std::uint32_t mean) noexcept {
  const std::uint64_t quantile = length_quantiles[random.below(length_quantiles.size())];
  const std::uint64_t spread = 900 + random.below(201);  // ±10 %, so that lengths are not sixteen only
  const std::uint64_t length = (mean * quantile * spread + 500'000) / 1'000'000;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(length, 1));
}

std::string write_prose(Random& random, std::uint32_t tokens) {
  std::string text;
  std::uint32_t count = 0;
  while (count < tokens) {
    const std::size_t before = text.size();
    append_paragraph(random, text);
    count += count_tokens(
        std::string_view(text).substr(before));  // a paragraph begins with its own white space: counts add up
  }
  text.resize(first_tokens(text, tokens - 1).size());
  // The last token ends the sentence, where a mark does not run together with one that stands there already.
  if (text.empty() || is_letter(text.back())) {
    text += text.empty() ? "Yes" : ".";
  } else {
    if (is_space(text.back())) text.back() = '\n';  // white space that ends in a space would take it from the word
    text += is_space(text.back()) ? "" : " ";
    text += short_words[random.below(short_words.size())];
  }
  return text;
}

std::string write_words(Random& random, std::uint32_t count) {
  std::string text;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += words[random.below(words.size())];
  }
  return text;
}

}  // namespace tollgate::simulator
