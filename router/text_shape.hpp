#pragma once
// Punctuation of an instruction, counted sixteen bytes at a time.

#include "router/text_zones.hpp"

namespace tollgate {

/// Adds what stands in the instruction's zones to `shape`.
void count_punctuation(const FoldedText& folded, const Zones& zones, Shape& shape) noexcept;

}  // namespace tollgate
