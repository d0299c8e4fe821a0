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

Usd times(Usd fee, std::int32_t count) noexcept {
  return Usd{
      static_cast<std::int64_t>(std::clamp<Int128>(static_cast<Int128>(fee.count()) * count, -line_max, line_max))};
}

UsdPerToken& of(std::array<UsdPerToken, rare_class_count>& rates, RareClass rare) noexcept {
  return rates[static_cast<std::size_t>(rare)];
}

}  // namespace

std::string_view name_of(ChargeKind kind) noexcept {
  if (kind >= ChargeKind::cache_write_1h) {
    return name_of(
        static_cast<RareClass>(static_cast<std::size_t>(kind) - static_cast<std::size_t>(ChargeKind::cache_write_1h)));
  }
  static constexpr std::array<std::string_view, 8> names{"input",   "cached_input", "cache_write", "output",
                                                         "request", "gpu",          "reasoning",   "web_search"};
  return names[static_cast<std::size_t>(kind)];
}

RateSet::RateSet(const TokenPriceSet& prices) noexcept
    : input(prices.input),
      cached_input(prices.cached_input.value_or(prices.input)),
      cache_write(prices.cache_write.value_or(prices.input)),
      output(prices.output),
      reasoning(prices.reasoning.value_or(prices.output)) {
  const auto own = [&](RareClass rare_class) { return prices.rare[static_cast<std::size_t>(rare_class)]; };
  const auto fill = [&](RareClass rare_class, UsdPerToken of_whole) {
    of(rare, rare_class) = own(rare_class).value_or(of_whole);
  };
  fill(RareClass::cache_write_1h, cache_write);
  fill(RareClass::input_audio, input);
  fill(RareClass::input_image, input);
  // What has a price of its own, but none for the cached part of it, has no discount.
  fill(RareClass::cached_input_audio, own(RareClass::input_audio).value_or(cached_input));
  fill(RareClass::cached_input_image, own(RareClass::input_image).value_or(cached_input));
  fill(RareClass::output_audio, output);
  fill(RareClass::output_image, output);
}

TokenRates::TokenRates(const TokenPrices& prices) noexcept
    : base(prices),
      per_request(prices.per_request),
      per_web_search(prices.per_web_search.value_or(Usd{})),
      input_tokens_max(prices.input_tokens_max),
      reasoning_apart(prices.reasoning.has_value()),
      web_search_known(prices.per_web_search.has_value()),
      input_audio_known(prices.rare[static_cast<std::size_t>(RareClass::input_audio)].has_value()),
      output_audio_known(prices.rare[static_cast<std::size_t>(RareClass::output_audio)].has_value()) {
  for (const RareClass kind :
       {RareClass::input_audio, RareClass::cached_input_audio, RareClass::input_image, RareClass::cached_input_image}) {
    kinds_differ = kinds_differ || prices.rare[static_cast<std::size_t>(kind)].has_value();
  }
  if (!prices.long_input) return;
  long_input_above = prices.long_input->above;
  long_input = RateSet(*prices.long_input);
}

Charge token_charge(const Usage& usage, const TokenRates& rates) noexcept {
  Charge charge;
  const bool is_long = rates.long_input_above != 0 && usage.total_input().count() > rates.long_input_above;
  const RateSet& set = is_long ? rates.long_input : rates.base;
  const TokenCount apart = rates.reasoning_apart ? usage.reasoning : TokenCount{};
  charge[ChargeKind::input] = line(usage.input, set.input);
  charge[ChargeKind::cached_input] = line(usage.cached_input, set.cached_input);
  charge[ChargeKind::cache_write] = line(usage.cache_write, set.cache_write);
  charge[ChargeKind::output] = line(usage.output - apart, set.output);
  charge[ChargeKind::reasoning] = line(apart, set.reasoning);
  charge[ChargeKind::request] = rates.per_request;
  charge[ChargeKind::web_search] = times(rates.per_web_search, usage.web_searches);
  for (std::size_t i = 0; i < rare_class_count; ++i) {
    if (usage.rare[i] != 0) charge[kind_of(static_cast<RareClass>(i))] = line(TokenCount{usage.rare[i]}, set.rare[i]);
  }
  return charge;
}

}  // namespace tollgate
