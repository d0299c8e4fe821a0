#include "router/fold.hpp"

#include <array>
#include <bit>
#include <cstdint>

#include "router/blocks.hpp"

namespace tollgate {
namespace {

// Base letters of U+00C0 … U+017F (Latin-1 letters and Latin Extended-A), in order.
constexpr std::string_view latin_base =
    "aaaaaaaceeeeiiiidnooooo*ouuuuypsaaaaaaaceeeeiiiidnooooo/ouuuuypy"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
    "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
static_assert(latin_base.size() == 0x180 - 0xC0);

constexpr std::uint32_t unreadable = 0xFFFFFFFF;

constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hexadecimal digits at `at`.
std::uint32_t read_hex4(const char* at, const char* end) noexcept {
  if (end - at < 4) return unreadable;
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_value(at[i]);
    if (digit < 0) return unreadable;
    value = value << 4 | static_cast<std::uint32_t>(digit);
  }
  return value;
}

constexpr char lower(std::uint32_t c) noexcept { return static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c); }

char* encode(std::uint32_t c, char* out) noexcept {
  const auto put = [&out](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (c < 0x800) {
    put(0xC0 | c >> 6);
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
  }
  put(0x80 | (c & 0x3F));
  return out;
}

/// One code point, folded. Never longer than its UTF-8 form.
char* put_folded(std::uint32_t c, char* out) noexcept {
  if (c < 0x80) {
    *out++ = lower(c);
  } else if (c == 0xDF) {  // ß
    *out++ = 's';
    *out++ = 's';
  } else if (c >= 0xC0 && c < 0x180) {
    *out++ = latin_base[c - 0xC0];
  } else if (c == 0xB2 || c == 0xB3) {  // ² ³
    *out++ = '^';
    *out++ = c == 0xB2 ? '2' : '3';
  } else if (c >= 0x300 && c < 0x370) {
    // a combining accent: decomposed "é" is e and this
  } else if (c == 0x2018 || c == 0x2019) {
    *out++ = '\'';
  } else if ((c >= 0x201C && c <= 0x201E) || c == 0xAB || c == 0xBB) {
    *out++ = '"';
  } else if (c >= 0x2010 && c <= 0x2015) {
    *out++ = '-';
  } else if (c == 0xA0 || c == 0x3000 || c == 0xBF || c == 0xA1) {
    *out++ = ' ';
  } else if (c == 0x2022) {  // a bullet
    *out++ = '*';
  } else if (c == 0x3002) {  // 。
    *out++ = '.';
  } else if (c >= 0xFF01 && c <= 0xFF5E) {  // full-width ASCII
    *out++ = lower(c - 0xFEE0);
  } else {
    out = encode(c, out);
  }
  return out;
}

/// What follows a backslash at `at`; returns where to go on.
const char* fold_escape(const char* at, const char* end, char*& out) noexcept {
  if (at + 1 >= end) return end;
  switch (at[1]) {
    case 'n':
      *out++ = '\n';
      return at + 2;
    case 't':
    case 'r':
    case 'b':
    case 'f':
      *out++ = ' ';
      return at + 2;
    case 'u':
      break;
    default:  // " \ /
      *out++ = at[1];
      return at + 2;
  }
  std::uint32_t c = read_hex4(at + 2, end);
  if (c == unreadable) return at + 2;
  at += 6;
  if (c >= 0xD800 && c < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
    const std::uint32_t second = read_hex4(at + 2, end);
    if (second >= 0xDC00 && second < 0xE000) {
      c = 0x10000 + ((c - 0xD800) << 10) + (second - 0xDC00);
      at += 6;
    }
  }
  if (c >= 0xD800 && c < 0xE000) return at;  // half of a pair
  if (c == '\n') {
    *out++ = '\n';
  } else if (c < 0x20) {
    *out++ = ' ';
  } else {
    out = put_folded(c, out);
  }
  return at;
}

/// The code point of a UTF-8 sequence at `at`; returns where to go on.
const char* fold_utf8(const char* at, const char* end, char*& out) noexcept {
  const auto lead = static_cast<unsigned char>(*at);
  const std::ptrdiff_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
  if (length == 1 || lead > 0xF4 || end - at < length) return at + 1;
  std::uint32_t c = lead & (0x7FU >> length);
  for (std::ptrdiff_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(at[i]);
    if ((next & 0xC0U) != 0x80U) return at + i;
    c = c << 6 | (next & 0x3FU);
  }
  if (c >= 0x80) out = put_folded(c, out);
  return at + length;
}

}  // namespace

char* fold(std::string_view raw, char* out) noexcept {
  const char* at = raw.data();
  const char* const end = at + raw.size();
  while (at < end) {
    if (end - at >= static_cast<std::ptrdiff_t>(block_bytes)) {
      Block block(at);
      const std::uint32_t special = block.non_ascii() | block.equal('\\');
      block.to_lower_case();  // changes no byte that is special
      block.store(out);
      if (special == 0) {
        at += block_bytes;
        out += block_bytes;
        continue;
      }
      const int plain = std::countr_zero(special);
      at += plain;
      out += plain;
    }
    if (*at == '\\') {
      at = fold_escape(at, end, out);
    } else if ((static_cast<unsigned char>(*at) & 0x80U) != 0) {
      at = fold_utf8(at, end, out);
    } else {
      *out++ = lower(static_cast<unsigned char>(*at++));
    }
  }
  return out;
}

}  // namespace tollgate
