#pragma once
// Which stretches of a turn are its instruction. Found in one pass over the characters that structure text: line ends,
// code fences, tags; the same pass counts lists, options, questions and formulas.

#include <array>
#include <cstddef>

#include "router/instruction.hpp"
#include "router/text_scan.hpp"

namespace tollgate {

/// The instruction: up to `zones_max` stretches in rising order; what does not fit counts as material.
struct Zones {
  static constexpr std::size_t zones_max = 32;
  std::array<Zone, zones_max> said;
  std::size_t count = 0;
  std::size_t tail_begin = 0;     ///< a long text's last paragraph; 0: the text is short
  std::size_t options_begin = 0;  ///< the first line of a multiple choice; 0: there is none
};

/// Counts structure into `turn` and returns the instruction's zones.
[[nodiscard]] Zones find_zones(const FoldedText& folded, Turn& turn) noexcept;

/// Texts up to this size are all instruction, apart from fences, tags and what simple work is asked to be done on.
inline constexpr std::size_t short_text_bytes = 700;

}  // namespace tollgate
