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

/// What TokenPrices come to once the rule for absent prices is applied: plain numbers, small enough to stand in a ledger slot.
struct TokenRates {
  UsdPerToken input, cached_input, cache_write, output;
  Usd per_request;

  TokenRates() = default;
  explicit TokenRates(const TokenPrices& prices) noexcept
      : input(prices.input),
        cached_input(prices.cached_input.value_or(prices.input)),
        cache_write(prices.cache_write.value_or(prices.input)),
        output(prices.output),
        per_request(prices.per_request) {}
};

/// The token charge of `usage`. Reasoning is part of output and is not charged again. A count so absurd that its line would not fit
/// is charged the largest amount that does.
[[nodiscard]] Charge token_charge(const Usage& usage, const TokenRates& rates) noexcept;
[[nodiscard]] inline Charge token_charge(const Usage& usage, const TokenPrices& prices) noexcept {
  return token_charge(usage, TokenRates(prices));
}

}  // namespace tollgate
