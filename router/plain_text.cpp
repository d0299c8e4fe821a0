#include "router/plain_text.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "router/blocks.hpp"

namespace tollgate {
namespace {

constexpr std::size_t kept_bytes = 1024 * 1024;  // memory that one huge text needed is given back with the next

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The four digits behind `\u`, or -1.
int code_unit(const char* digits, const char* end) noexcept {
  if (end - digits < 4) return -1;
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(digits[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

char* put_utf8(char* to, std::uint32_t code) noexcept {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *to++ = static_cast<char>(0xC0 | (code >> 6));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *to++ = static_cast<char>(0xE0 | (code >> 12));
    *to++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *to++ = static_cast<char>(0xF0 | (code >> 18));
    *to++ = static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    *to++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return to;
}

/// What the character behind a backslash means; 0: `u`, or no JSON.
constexpr std::array<char, 256> simple_escapes = [] {
  std::array<char, 256> meant{};
  constexpr std::string_view kinds = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
  for (std::size_t i = 0; i < kinds.size(); ++i) meant[static_cast<unsigned char>(kinds[i])] = values[i];
  return meant;
}();

constexpr char drop = '\1';

/// What a character outside ASCII reads as: an ASCII character, `drop` for one without width, 0 for itself.
char ascii_of(std::uint32_t code) noexcept {
  if (code < 0x600) return code == 0xA0 ? ' ' : code == 0xAD ? drop : '\0';
  if (code >= 0xFF01 && code <= 0xFF5E) return static_cast<char>(code - 0xFF01 + '!');  // full-width
  if (code >= 0x660 && code <= 0x669) return static_cast<char>(code - 0x660 + '0');     // Arabic-Indic
  if (code >= 0x6F0 && code <= 0x6F9) return static_cast<char>(code - 0x6F0 + '0');     // Persian
  if (code >= 0x966 && code <= 0x96F) return static_cast<char>(code - 0x966 + '0');     // Devanagari
  if ((code >= 0x2000 && code <= 0x200A) || code == 0x202F || code == 0x3000) return ' ';
  if ((code >= 0x200B && code <= 0x200F) || code == 0x2060 || code == 0xFEFF) return drop;
  if ((code >= 0x2010 && code <= 0x2015) || code == 0x2212) return '-';
  return '\0';
}

}  // namespace

void PlainText::assign(std::string_view raw) {
  const std::size_t wanted = raw.size() + 2 * padding;
  if (text_.size() > kept_bytes && wanted < kept_bytes) text_ = std::string();
  if (text_.size() < wanted) text_.resize(wanted);
  std::memset(text_.data(), 0, padding);
  steps_.clear();
  raw_begin_ = raw.data();
  const char* from = raw.data();
  const char* const end = from + raw.size();
  char* to = text_.data() + padding;
  while (from < end) {
    while (static_cast<std::size_t>(end - from) >= block_bytes) {
      const Block block(from);
      if ((block.equal('\\') | block.non_ascii()) != 0) break;
      block.store(to);
      from += block_bytes;
      to += block_bytes;
    }
    const char* const stop = from + std::min<std::ptrdiff_t>(end - from, static_cast<std::ptrdiff_t>(block_bytes));
    while (from < stop) {
      const char c = *from;
      if (c != '\\' && static_cast<unsigned char>(c) < 0x80) {
        *to++ = c;
        ++from;
      } else if (c == '\\' && end - from > 1 && simple_escapes[static_cast<unsigned char>(from[1])] != '\0') {
        *to++ = simple_escapes[static_cast<unsigned char>(from[1])];
        from += 2;
        step(to, from);
      } else {
        take_odd(from, end, to);
      }
    }
  }
  std::memset(to, 0, padding);
  size_ = static_cast<std::size_t>(to - text_.data()) - padding;
}

void PlainText::step(const char* to, const char* from) {
  steps_.push_back({static_cast<std::uint32_t>(static_cast<std::size_t>(to - text_.data()) - padding),
                    static_cast<std::uint32_t>(from - raw_begin_)});
}

void PlainText::take_odd(const char*& from, const char* end, char*& to) {
  const bool changed = *from == '\\' ? take_escape(from, end, to) : fold(from, end, to);
  if (changed) step(to, from);
}

// Resolved text is never longer than its escape.
bool PlainText::take_escape(const char*& from, const char* end, char*& to) {
  const char kind = end - from > 1 ? from[1] : '\0';
  if (kind == 'u') {
    const int unit = code_unit(from + 2, end);
    if (unit >= 0) {
      auto code = static_cast<std::uint32_t>(unit);
      from += 6;
      const bool high = code >= 0xD800 && code < 0xDC00;
      if (high && end - from >= 6 && from[0] == '\\' && from[1] == 'u') {
        const int low = code_unit(from + 2, end);
        if (low >= 0xDC00 && low < 0xE000) {
          code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<std::uint32_t>(low) - 0xDC00);
          from += 6;
        }
      }
      const char ascii = code < 0x80 ? '\0' : ascii_of(code);
      if (ascii == '\0') {
        to = put_utf8(to, code);
      } else if (ascii != drop) {
        *to++ = ascii;
      }
      return true;
    }
  }
  *to++ = *from++;  // not JSON; as it stands
  return false;
}

bool PlainText::fold(const char*& from, const char* end, char*& to) {
  const auto byte = [&](std::ptrdiff_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(from[at])); };
  std::ptrdiff_t length = 1;
  std::uint32_t code = 0;
  if (byte(0) >= 0xC2 && byte(0) < 0xE0 && end - from >= 2) {
    length = 2;
    code = ((byte(0) & 0x1F) << 6) | (byte(1) & 0x3F);
  } else if (byte(0) >= 0xE0 && byte(0) < 0xF0 && end - from >= 3) {
    length = 3;
    code = ((byte(0) & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F);
  } else if (byte(0) >= 0xF0 && end - from >= 4) {
    length = 4;
  }
  const char ascii = code == 0 ? '\0' : ascii_of(code);
  if (ascii == '\0') {
    for (; length > 0; --length) *to++ = *from++;
    return false;
  }
  if (ascii != drop) *to++ = ascii;
  from += length;
  return true;
}

std::size_t PlainText::raw_offset(std::size_t offset) const noexcept {
  const auto behind = std::upper_bound(steps_.begin(), steps_.end(), offset,
                                       [](std::size_t wanted, const Step& step) { return wanted < step.text; });
  if (behind == steps_.begin()) return offset;
  const Step& last = *(behind - 1);
  return last.raw + (offset - last.text);
}

}  // namespace tollgate
