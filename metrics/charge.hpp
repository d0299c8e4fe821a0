#pragma once
// usage x price -> charge lines. Each line is rounded half-even once, to a picodollar; the total is the sum of the lines.

#include <array>
#include <optional>
#include <string_view>

#include "config/config.hpp"
#include "metrics/usage.hpp"

namespace tollgate {

enum class ChargeKind : std::uint8_t { input, cached_input, cache_write, output, request, gpu };
inline constexpr std::size_t charge_kind_count = 6;
[[nodiscard]] std::string_view name_of(ChargeKind kind) noexcept;

/// What one attempt cost, split by kind.
struct Charge {
  std::array<Usd, charge_kind_count> lines{};
  [[nodiscard]] Usd& operator[](ChargeKind kind) noexcept { return lines[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] Usd operator[](ChargeKind kind) const noexcept { return lines[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] constexpr Usd total() const noexcept {
    Usd sum;
    for (const Usd line : lines) sum += line;
    return sum;
  }
};

/// The token charge of `usage` at `prices`.
[[nodiscard]] Charge token_charge(const Usage& usage, const TokenPrices& prices) noexcept;

}  // namespace tollgate
