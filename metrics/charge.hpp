#pragma once
// usage x price -> charge lines. Each line is rounded half-even once, to a picodollar; the total is the sum of the
// lines.

#include <array>
#include <optional>
#include <string_view>

#include "config/config.hpp"
#include "metrics/usage.hpp"

namespace tollgate {

/// The kinds from `cache_write_1h` on are in the order of RareClass.
enum class ChargeKind : std::uint8_t {
  input,
  cached_input,
  cache_write,
  output,
  request,
  gpu,
  reasoning,  ///< where it has a price of its own; else it is charged within output
  web_search,
  cache_write_1h,
  input_audio,
  cached_input_audio,
  input_image,
  cached_input_image,
  output_audio,
  output_image
};
inline constexpr std::size_t charge_kind_count = 15;
[[nodiscard]] constexpr ChargeKind kind_of(RareClass rare) noexcept {
  return static_cast<ChargeKind>(static_cast<std::size_t>(ChargeKind::cache_write_1h) + static_cast<std::size_t>(rare));
}
static_assert(static_cast<std::size_t>(kind_of(RareClass::output_image)) + 1 == charge_kind_count);
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

/// What a TokenPriceSet comes to once the rule for absent prices is applied.
struct RateSet {
  UsdPerToken input, cached_input, cache_write, output, reasoning;
  std::array<UsdPerToken, rare_class_count> rare;

  RateSet() = default;
  explicit RateSet(const TokenPriceSet& prices) noexcept;
};

/// TokenPrices as plain numbers, small enough to stand in a ledger slot.
struct TokenRates {
  RateSet base;
  RateSet long_input;  ///< all tokens of a request with more input than long_input_above cost these
  Usd per_request, per_web_search;
  std::int64_t input_tokens_max = 0;  ///< what a longer input costs is not known; 0: no limit
  std::int64_t long_input_above = 0;  ///< 0: there are no long_input rates
  bool reasoning_apart = false;       ///< reasoning is not charged as output
  bool web_search_known = false;
  bool input_audio_known = false,
       output_audio_known = false;  ///< audio never costs what text does: no price is no knowledge
  bool kinds_differ = false;        ///< audio or images of the input do not cost what text costs

  TokenRates() = default;
  explicit TokenRates(const TokenPrices& prices) noexcept;

  /// The rates say what all of this costs.
  [[nodiscard]] bool cover(const Usage& usage) const noexcept {
    if (usage.unclear && kinds_differ) return false;
    if (usage.web_searches > 0 && !web_search_known) return false;
    const bool audio_in =
        usage.of(RareClass::input_audio).count() > 0 || usage.of(RareClass::cached_input_audio).count() > 0;
    if (audio_in && !input_audio_known) return false;
    if (usage.of(RareClass::output_audio).count() > 0 && !output_audio_known) return false;
    return input_tokens_max == 0 || usage.total_input().count() <= input_tokens_max;
  }
};

/// The token charge of `usage`. Reasoning is part of output and is not charged again. A count so absurd that its line
/// would not fit is charged the largest amount that does. The whole input decides whether the long_ rates hold. Ask
/// rates.cover(usage) first.
[[nodiscard]] Charge token_charge(const Usage& usage, const TokenRates& rates) noexcept;
[[nodiscard]] inline Charge token_charge(const Usage& usage, const TokenPrices& prices) noexcept {
  return token_charge(usage, TokenRates(prices));
}

}  // namespace tollgate
