#pragma once
// Folded text → a Turn: finds the instruction within it, then looks up its words. See features.hpp for what the numbers
// mean.

#include <string_view>

#include "router/features.hpp"

namespace tollgate {

struct FoldedText {
  const char* text;  ///< fold_padding bytes can be read behind its end
  std::size_t size;
  std::size_t cut = 0;  ///< where a long text's tail begins, its middle having been left out; 0: nothing is missing
};

/// Fills everything of `turn` except `bytes`, and `lexical` where it is asked for.
void scan(const FoldedText& folded, Turn& turn, Lexical* lexical = nullptr) noexcept;

}  // namespace tollgate
