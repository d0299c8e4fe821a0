#pragma once
// Token counts in one normal form: every class is disjoint from the others except where it says "of which", whatever the provider's
// own counts include. Dialects translate into it (backends/), prices apply to it (metrics/charge.hpp).

#include <array>
#include <cstddef>
#include <cstdint>

#include "config/token_prices.hpp"
#include "config/units.hpp"

namespace tollgate {

struct Usage {
  TokenCount input;              ///< text neither read from nor written to a cache
  TokenCount cached_input;       ///< text read from the provider's or engine's prefix cache
  TokenCount cache_write;        ///< written to it for minutes, where that is billed
  TokenCount output;             ///< text, reasoning included
  TokenCount reasoning;          ///< of which: output spent on reasoning; never added to output
  std::array<std::int32_t, rare_class_count> rare{};  ///< tokens that most requests have none of, by RareClass
  std::int32_t web_searches = 0;
  /// Cached and other tokens of several kinds were told, but not how much is both: the classes above are then one way to
  /// split them, and right only where the kinds cost the same.
  bool unclear = false;

  [[nodiscard]] constexpr TokenCount of(RareClass of_class) const noexcept {
    return TokenCount{rare[static_cast<std::size_t>(of_class)]};
  }
  [[nodiscard]] constexpr TokenCount total_input() const noexcept {
    return input + cached_input + cache_write + rare_sum(0, first_rare_output);
  }
  [[nodiscard]] constexpr TokenCount total_output() const noexcept {
    return output + rare_sum(first_rare_output, rare_class_count);
  }
  friend constexpr bool operator==(const Usage&, const Usage&) = default;

 private:
  [[nodiscard]] constexpr TokenCount rare_sum(std::size_t from, std::size_t to) const noexcept {
    std::int64_t sum = 0;
    for (; from < to; ++from) sum += rare[from];
    return TokenCount{sum};
  }
};

/// How a usage is known.
enum class UsageSource : std::uint8_t {
  none,        ///< not at all: nothing was sent, or nothing can be said
  estimated,   ///< from bytes and the model's learned bytes per token
  continuous,  ///< the last running count before an abort
  exact        ///< the provider's final usage
};

}  // namespace tollgate
