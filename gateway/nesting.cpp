#include "gateway/nesting.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "router/blocks.hpp"

namespace tollgate {
namespace {

using Bytes = std::uint8_t __attribute__((vector_size(32)));

Bytes bytes_at(const char* at) noexcept {
  Bytes bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

std::size_t count_brackets(std::string_view body) {
  constexpr std::size_t blocks_max = 255;     // as many as a byte can count
  std::size_t count = 0, at = 0;
  while (body.size() - at >= sizeof(Bytes)) {
    const std::size_t blocks = std::min(blocks_max, (body.size() - at) / sizeof(Bytes));
    Bytes counts{};
    for (std::size_t i = 0; i < blocks; ++i, at += sizeof(Bytes)) counts -= (bytes_at(body.data() + at) | 0x20) == '{';   // '[' | 0x20 is '{'; true is -1
    for (std::size_t i = 0; i < sizeof counts; ++i) count += counts[i];
  }
  for (; at < body.size(); ++at) count += static_cast<std::size_t>((body[at] | 0x20) == '{');
  return count;
}

}  // namespace

bool nests_deeper_than(std::string_view body, std::size_t limit) {
  if (count_brackets(body) <= limit) return false;
  std::size_t depth = 0, next = 0;            // what lies before `next` has been looked at, or is escaped
  bool in_string = false;
  for (std::size_t at = 0; at < body.size(); at += block_bytes) {
    const Block block(body.data() + at);
    const std::uint32_t in_strings = block.equal('"') | block.equal('\\');
    const std::uint32_t outside = block.equal('[') | block.equal('{') | block.equal(']') | block.equal('}');
    for (std::uint32_t marks = in_strings | (in_string && in_strings == 0 ? 0 : outside); marks != 0; marks &= marks - 1) {
      const std::size_t i = at + static_cast<std::size_t>(std::countr_zero(marks));
      if (i < next) continue;
      if (i >= body.size()) return false;
      const char c = body[i];
      if (c == '\\') {
        next = i + 2;
      } else if (c == '"') {
        in_string = !in_string;
      } else if (!in_string) {
        if (c == '[' || c == '{') {
          if (++depth > limit) return true;
        } else if (depth > 0) {
          --depth;
        }
      }
    }
  }
  return false;
}

}  // namespace tollgate
