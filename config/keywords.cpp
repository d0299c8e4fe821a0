#include "config/keywords.hpp"

#include <algorithm>
#include <array>

namespace tollgate {
namespace {

constexpr bool is_ascii_word(unsigned char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Bytes of the character that begins here; 1 for a broken one.
std::size_t bytes_of(std::string_view text, std::size_t at) noexcept {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t wanted = lead < 0xC0 || lead > 0xF4 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (at + wanted > text.size()) return 1;
  for (std::size_t i = 1; i < wanted; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xC0U) != 0x80U) return 1;
  }
  return wanted;
}

std::uint32_t code_of_two(unsigned char lead, unsigned char tail) noexcept {
  return static_cast<std::uint32_t>((lead & 0x1FU) << 6U) | (tail & 0x3FU);
}

/// Letters of two bytes: Latin with accents to Armenian and Arabic. They make words, as ASCII letters do.
bool is_word_at(std::string_view text, std::size_t at) noexcept {
  const auto c = static_cast<unsigned char>(text[at]);
  if (c < 0x80) return is_ascii_word(c);
  if (c < 0xC3 || c >= 0xE0 || bytes_of(text, at) != 2) return false;
  const std::uint32_t code = code_of_two(c, static_cast<unsigned char>(text[at + 1]));
  return code != 0xD7 && code != 0xF7;
}

bool is_word_before(std::string_view text, std::size_t at) noexcept {
  if (at == 0) return false;
  const auto c = static_cast<unsigned char>(text[at - 1]);
  if (c < 0x80) return is_ascii_word(c);
  return at >= 2 && (static_cast<unsigned char>(text[at - 2]) & 0xE0U) == 0xC0U && is_word_at(text, at - 2);
}

std::uint32_t lower_code(std::uint32_t code) noexcept {
  if (code >= 0xC0 && code <= 0xDE && code != 0xD7) return code + 32;
  const bool even_upper = (code >= 0x100 && code <= 0x137) || (code >= 0x14A && code <= 0x177) ||
                          (code >= 0x460 && code <= 0x481) || (code >= 0x48A && code <= 0x4BF) ||
                          (code >= 0x4D0 && code <= 0x52F) || (code >= 0x218 && code <= 0x233);
  if (even_upper && code != 0x130 && code != 0x131) return code | 1U;
  if ((code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17E))
    return code + (code & 1U);  // odd ones are capitals
  if (code == 0x178) return 0xFF;
  if (code >= 0x391 && code <= 0x3AB) return code + 32;
  if (code == 0x386) return 0x3AC;
  if (code >= 0x388 && code <= 0x38A) return code + 37;
  if (code == 0x38C) return 0x3CC;
  if (code == 0x38E || code == 0x38F) return code + 63;
  if (code == 0x3C2) return 0x3C3;  // the sigma at a word's end
  if (code >= 0x410 && code <= 0x42F) return code + 32;
  if (code >= 0x400 && code <= 0x40F) return code + 80;
  return code;
}

constexpr std::array<char, 128> low_ascii = [] {
  std::array<char, 128> low{};
  for (std::size_t c = 0; c < low.size(); ++c) {
    low[c] = c <= ' ' ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  }
  return low;
}();

constexpr std::array<bool, 256> ascii_word = [] {
  std::array<bool, 256> word{};
  for (std::size_t c = 0; c < 128; ++c) word[c] = is_ascii_word(static_cast<unsigned char>(c));
  return word;
}();

unsigned first_pair(std::string_view text, std::size_t at) noexcept {
  const auto second = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0U;
  return (static_cast<unsigned>(static_cast<unsigned char>(text[at])) << 8U) | second;
}

/// A token: a run of word characters, or one other character.
std::size_t token_end(std::string_view text, std::size_t at) noexcept {
  if (!is_word_at(text, at)) return at + bytes_of(text, at);
  while (at < text.size()) {
    if (ascii_word[static_cast<unsigned char>(text[at])]) {
      ++at;
    } else if (static_cast<unsigned char>(text[at]) >= 0x80 && is_word_at(text, at)) {
      at += 2;
    } else {
      break;
    }
  }
  return at;
}

std::uint64_t hash_of(std::string_view token) noexcept {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : token) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace

std::string fold_case(std::string_view text) {
  std::string folded(text.size(), '\0');
  char* to = folded.data();
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x80) {
      ++at;
      const char low = low_ascii[c];
      if (low != ' ' || to == folded.data() || to[-1] != ' ') *to++ = low;
      continue;
    }
    const std::size_t bytes = bytes_of(text, at);
    if (bytes == 2) {
      const std::uint32_t code = lower_code(code_of_two(c, static_cast<unsigned char>(text[at + 1])));
      *to++ = static_cast<char>(0xC0U | (code >> 6U));
      *to++ = static_cast<char>(0x80U | (code & 0x3FU));
    } else {
      to = std::copy_n(text.data() + at, bytes, to);
    }
    at += bytes;
  }
  folded.resize(static_cast<std::size_t>(to - folded.data()));
  return folded;
}

Keywords::Keywords(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    words_.push_back(fold_case(word));
    const std::string& folded = words_.back();
    first_.emplace(hash_of(std::string_view(folded).substr(0, token_end(folded, 0))), words_.size() - 1);
    const unsigned pair = first_pair(folded, 0);
    pairs_[pair / 64] |= std::uint64_t{1} << (pair % 64);
    // A word of one byte: whatever follows it in the text.
    for (unsigned second = 0; folded.size() == 1 && second < 256; ++second) {
      const unsigned any = (pair & 0xFF00U) | second;
      pairs_[any / 64] |= std::uint64_t{1} << (any % 64);
    }
  }
}

std::uint64_t Keywords::fingerprint() const noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a
  const auto add = [&hash](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL; };
  for (const std::string& word : words_) {
    for (const char c : word) add(c);
    add('\n');
  }
  return hash;
}

bool Keywords::occur_in(std::string_view text) const {
  const std::string folded = fold_case(text);
  const std::string_view all(folded);
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = token_end(all, at);
    const unsigned pair = first_pair(all, at);
    if ((pairs_[pair / 64] >> (pair % 64) & 1U) != 0 && stands_at(all, at, end)) return true;
    at = end;
  }
  return false;
}

bool Keywords::stands_at(std::string_view text, std::size_t at, std::size_t token_end) const {
  const auto [begin, behind] = first_.equal_range(hash_of(text.substr(at, token_end - at)));
  return std::any_of(begin, behind, [&](const auto& each) {
    const std::string& word = words_[each.second];
    if (text.substr(at, word.size()) != word) return false;
    const std::size_t stop = at + word.size();
    return !is_word_before(word, word.size()) || stop >= text.size() || !is_word_at(text, stop);
  });
}

}  // namespace tollgate
