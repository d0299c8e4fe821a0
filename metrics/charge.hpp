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
  std::int64_t input_tokens_max = 0;     ///< what a longer input costs is not known; 0: no limit
  std::int64_t long_input_above = 0;     ///< a longer input makes all tokens cost the long_ rates; 0: there are none
  UsdPerToken long_input, long_cached_input, long_cache_write, long_output;

  TokenRates() = default;
  explicit TokenRates(const TokenPrices& prices) noexcept
      : input(prices.input),
        cached_input(prices.cached_input.value_or(prices.input)),
        cache_write(prices.cache_write.value_or(prices.input)),
        output(prices.output),
        per_request(prices.per_request),
        input_tokens_max(prices.input_tokens_max) {
    if (!prices.long_input) return;
    long_input_above = prices.long_input->above;
    long_input = prices.long_input->input;
    long_cached_input = prices.long_input->cached_input.value_or(long_input);
    long_cache_write = prices.long_input->cache_write.value_or(long_input);
    long_output = prices.long_input->output;
  }

  /// The rates are known for this much input.
  [[nodiscard]] bool cover(const Usage& usage) const noexcept { return input_tokens_max == 0 || usage.total_input().count() <= input_tokens_max; }
};

/// The token charge of `usage`. Reasoning is part of output and is not charged again. A count so absurd that its line would not fit
/// is charged the largest amount that does. The whole input decides whether the long_ rates hold. Ask rates.cover(usage) first.
[[nodiscard]] Charge token_charge(const Usage& usage, const TokenRates& rates) noexcept;
[[nodiscard]] inline Charge token_charge(const Usage& usage, const TokenPrices& prices) noexcept {
  return token_charge(usage, TokenRates(prices));
}

}  // namespace tollgate
