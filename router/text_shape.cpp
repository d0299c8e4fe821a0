#include "router/text_shape.hpp"

#include <algorithm>
#include <bit>

#include "router/blocks.hpp"

namespace tollgate {
namespace {

void add(std::uint16_t& counter, std::uint32_t mask) noexcept {
  counter = static_cast<std::uint16_t>(std::min(counter + std::popcount(mask), 0xFFFF));
}

/// Bytes behind which a sentence may end: a blank, a line end, or a character that is not ASCII (Chinese sets none).
std::uint32_t breaks(const Block& block) noexcept {
  return block.equal(' ') | block.equal('\n') | block.equal('"') | block.equal('\0') | block.non_ascii();
}

}  // namespace

void count_punctuation(const FoldedText& folded, const Zones& zones, Shape& shape) noexcept {
  for (std::size_t i = 0; i < zones.count; ++i) {
    const Zone zone = zones.said[i];
    for (std::size_t at = zone.begin; at < zone.end; at += block_bytes) {
      const Block block(folded.text + at), next(folded.text + at + 1);  // reads behind the end stay within fold_padding
      const std::size_t left = zone.end - at;
      const std::uint32_t live = left < block_bytes ? (1U << left) - 1 : 0xFFFFU;
      const std::uint32_t ends = block.equal('.') | block.equal('!') | block.equal('?');
      add(shape.sentences, ends & breaks(next) & live);
      add(shape.commas, block.equal(',') & live);
      add(shape.colons, (block.equal(':') | block.equal(';')) & live);
      add(shape.brackets, (block.equal('(') | block.equal('[') | block.equal('{')) & live);
      add(shape.quotes, (block.equal('"') | block.equal('\'')) & live);
      add(shape.operators, (block.equal('=') | block.equal('+') | block.equal('*') | block.equal('/') |
                            block.equal('^') | block.equal('<') | block.equal('>') | block.equal('\\')) &
                               live);
      add(shape.money, (block.equal('$') | block.equal('%')) & live);
      add(shape.blanks, block.equal('_') & live);
    }
  }
}

}  // namespace tollgate
