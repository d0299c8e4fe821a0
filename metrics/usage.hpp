#pragma once
// Token counts in one normal form: every class is disjoint from the others except where it says "of which", whatever the provider's
// own counts include. Dialects translate into it (backends/), prices apply to it (metrics/charge.hpp).

#include <cstdint>

#include "config/units.hpp"

namespace tollgate {

struct Usage {
  TokenCount input;              ///< neither read from nor written to a cache
  TokenCount cached_input;       ///< read from the provider's or engine's prefix cache
  TokenCount cache_write;        ///< written to it, where that is billed
  TokenCount output;             ///< all output, reasoning included
  TokenCount reasoning;          ///< of which: output spent on reasoning; never added to output

  [[nodiscard]] constexpr TokenCount total_input() const noexcept { return input + cached_input + cache_write; }
  friend constexpr bool operator==(const Usage&, const Usage&) = default;
};

/// How a usage is known.
enum class UsageSource : std::uint8_t {
  none,        ///< not at all: nothing was sent, or nothing can be said
  estimated,   ///< from bytes and the model's learned bytes per token
  continuous,  ///< the last running count before an abort
  exact        ///< the provider's final usage
};

}  // namespace tollgate
