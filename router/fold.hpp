#pragma once
// JSON text as it stood on the wire → plain text in which words can be looked up: escapes resolved, ASCII in lower
// case, Latin letters without their accents ("Démontrer" → "demontrer", "ß" → "ss"), typographic and full-width
// punctuation as ASCII. All else, such as Chinese, stays UTF-8. Broken escapes and broken UTF-8 do no harm: what cannot
// be read is passed over.

#include <cstddef>
#include <string_view>

namespace tollgate {

/// What fold() may write behind the end it returns, and what readers of folded text may read there.
inline constexpr std::size_t fold_padding = 64;

/// Folds `raw` into `out` and returns the end. At most `raw.size()` bytes and `fold_padding` of scratch are written.
char* fold(std::string_view raw, char* out) noexcept;

}  // namespace tollgate
