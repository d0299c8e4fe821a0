#include "metrics/charge.hpp"

#include <algorithm>

namespace tollgate {
namespace {

/// A line may hold this much and the total of all lines still fits: an upstream that claims absurd counts reaches a
/// bound, never the other sign.
constexpr std::int64_t line_max = INT64_MAX / static_cast<std::int64_t>(charge_kind_count);

Usd line(TokenCount tokens, UsdPerToken price) noexcept {
  const Int128 exact = static_cast<Int128>(tokens.count()) * price.count();
  return Usd{static_cast<std::int64_t>(std::clamp<Int128>(divide_half_even(exact, 1000), -line_max, line_max))};
}

}  // namespace

std::string_view name_of(ChargeKind kind) noexcept {
  static constexpr std::array<std::string_view, charge_kind_count> names{"input",  "cached_input", "cache_write",
                                                                         "output", "request",      "gpu"};
  return names[static_cast<std::size_t>(kind)];
}

Charge token_charge(const Usage& usage, const TokenRates& rates) noexcept {
  Charge charge;
  const bool is_long = rates.long_input_above != 0 && usage.total_input().count() > rates.long_input_above;
  charge[ChargeKind::input] = line(usage.input, is_long ? rates.long_input : rates.input);
  charge[ChargeKind::cached_input] = line(usage.cached_input, is_long ? rates.long_cached_input : rates.cached_input);
  charge[ChargeKind::cache_write] = line(usage.cache_write, is_long ? rates.long_cache_write : rates.cache_write);
  charge[ChargeKind::output] = line(usage.output, is_long ? rates.long_output : rates.output);
  charge[ChargeKind::request] = rates.per_request;
  return charge;
}

}  // namespace tollgate
