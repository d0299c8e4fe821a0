#include "router/worst_case.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "metrics/charge.hpp"
#include "router/forecast.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t media_margin = 2;
// Sound is at least 6 kbit/s, and ten tokens a second.
constexpr std::int64_t sound_bytes_per_second = 750, sound_bytes_per_token = sound_bytes_per_second / 10;
constexpr std::int64_t output_tokens_least = 1024;
constexpr double mean_margin = 4;
constexpr std::int64_t choices_max = 100'000;
constexpr std::int64_t tokens_max = 1'000'000'000;
constexpr double margin_of_time = 2;
constexpr double input_tokens_per_second = 1000;
constexpr double first_token_seconds_least = 0.5;

std::int64_t input_tokens(const ChatView& chat, std::size_t body_bytes) noexcept {
  auto bytes = static_cast<std::int64_t>(std::min<std::uint64_t>(body_bytes, tokens_max));
  if (chat.sound_bytes > 0) bytes = static_cast<std::int64_t>(std::min<std::uint64_t>(chat.text_bytes + chat.sound_bytes / sound_bytes_per_token + 1, tokens_max));
  if (chat.images == 0 && chat.audio == 0) return bytes;
  const auto text = static_cast<std::int64_t>(std::min<std::uint64_t>(chat.text_bytes, tokens_max));
  return std::min(text + media_margin * input_tokens_of(chat).count(), tokens_max);
}

std::int64_t output_tokens(const ChatView& chat, std::int64_t target_max, double mean) noexcept {
  if (chat.surface == Surface::embeddings || chat.surface >= Surface::moderations) return 0;
  std::int64_t tokens = tokens_max;
  if (chat.output_tokens_max) tokens = std::clamp<std::int64_t>(*chat.output_tokens_max, 0, tokens_max);
  if (target_max > 0) tokens = std::min(tokens, target_max);
  if (!chat.output_tokens_max && target_max == 0) {
    const double several = std::isfinite(mean) ? std::clamp(mean * mean_margin, 0.0, 1e9) : 0.0;
    tokens = std::max(output_tokens_least, static_cast<std::int64_t>(several));
  }
  const std::int64_t choices = std::clamp<std::int64_t>(chat.choices, 1, choices_max);
  return std::min(tokens * choices, tokens_max);
}

UsdPerToken dearest_input(const RateSet& rates, const ChatView& chat) noexcept {
  UsdPerToken most = std::max({rates.input, rates.cached_input, rates.cache_write});
  for (std::size_t i = 0; i < first_rare_output; ++i) {
    const auto rare = static_cast<RareClass>(i);
    const bool of_images = rare == RareClass::input_image || rare == RareClass::cached_input_image;
    const bool of_audio = rare == RareClass::input_audio || rare == RareClass::cached_input_audio;
    if ((of_images && chat.images == 0) || (of_audio && chat.audio == 0)) continue;
    most = std::max(most, rates.rare[i]);
  }
  return most;
}

Int128 token_picodollars(std::int64_t input, std::int64_t output, const ChatView& chat,
                         const TokenPrices& prices) noexcept {
  const TokenRates rates(prices);
  UsdPerToken input_price = dearest_input(rates.base, chat);
  UsdPerToken output_price = std::max(rates.base.output, rates.base.reasoning);
  if (passes_through(chat.surface)) output_price = std::max({output_price, rates.base.rare[first_rare_output], rates.base.rare[first_rare_output + 1]});
  if (rates.long_input_above > 0 && input > rates.long_input_above) {
    input_price = std::max(input_price, dearest_input(rates.long_input, chat));
    output_price = std::max({output_price, rates.long_input.output, rates.long_input.reasoning});
  }
  const Int128 femto =
      static_cast<Int128>(input) * input_price.count() + static_cast<Int128>(output) * output_price.count();
  constexpr Int128 femto_per_pico = 1000;
  // Each line may be rounded up by itself.
  return (femto + femto_per_pico - 1) / femto_per_pico + prices.per_request.count() + charge_kind_count;
}

/// Absent: not known.
std::optional<Int128> tokens_at_most(const ChatView& chat, std::size_t body_bytes, std::int64_t output,
                                     const TokenPrices& prices, const TargetState& state) noexcept {
  const TokenPrices* const asked = prices_of_tier(prices, chat.service_tier);
  if (asked == nullptr) return std::nullopt;
  const std::int64_t estimate = input_tokens_of(chat, state).count();
  if (asked->input_tokens_max > 0 && estimate > asked->input_tokens_max) return std::nullopt;
  std::int64_t input = input_tokens(chat, body_bytes);
  if (asked->input_tokens_max > 0) input = std::min(input, asked->input_tokens_max);
  return std::max(token_picodollars(input, output, chat, *asked), token_picodollars(input, output, chat, prices));
}

/// The pool's rate for so long, as if nobody shared it.
Int128 gpu_picodollars(std::int64_t input, std::int64_t output, const Backend& backend,
                       const TargetState& state) noexcept {
  const double first_token =
      std::max(static_cast<double>(state.first_token_mean.count()) / 1e6, first_token_seconds_least);
  const double pace =
      std::isfinite(state.seconds_per_output_token) ? std::clamp(state.seconds_per_output_token, 0.0, 60.0) : 60.0;
  double seconds = margin_of_time * (first_token + pace * static_cast<double>(output)) +
                   static_cast<double>(input) / input_tokens_per_second;
  seconds = std::min(seconds, static_cast<double>(backend.timeouts.total.count()) / 1e3);
  const auto millis = static_cast<std::int64_t>(std::ceil(seconds * 1e3));
  constexpr std::int64_t millis_per_hour = 3'600'000;
  // Divided first, rounded up: the rate times the denominator's hours may already fill most of 128 bits.
  const Int128 per_hour = backend.pool->rate_picodollars / std::max<Int128>(backend.pool->rate_denominator, 1) + 1;
  return (per_hour * millis + millis_per_hour - 1) / millis_per_hour;
}

/// What is billed by tokens or by other units: whichever is more, for the answer decides.
WorstCase passed_worst_case(const ChatView& chat, std::optional<Int128> by_tokens, const Target& target) noexcept {
  std::optional<Usd> by_units;
  if (target.unit_prices) by_units = target.unit_prices->charge(units_of(chat));
  if (!by_tokens && !by_units) return {Usd{}, false};
  const Int128 most = std::max<Int128>(by_tokens.value_or(0), by_units.value_or(Usd{}).count());
  return {Usd{static_cast<std::int64_t>(std::min<Int128>(most, std::numeric_limits<std::int64_t>::max()))}};
}

}  // namespace

UnitsUsed units_of(const ChatView& chat) noexcept {
  UnitsUsed units;
  units.surface = chat.surface;
  units.images = std::clamp<std::int64_t>(chat.choices, 1, choices_max);
  units.size = chat.image_size;
  units.quality = chat.image_quality;
  units.characters = static_cast<std::int64_t>(std::min<std::uint64_t>(chat.characters, tokens_max));
  constexpr std::int64_t second_us = 1'000'000;
  if (chat.sound_bytes > 0) units.heard_us = static_cast<std::int64_t>(std::min<std::uint64_t>(chat.sound_bytes, tokens_max)) * second_us / sound_bytes_per_second;
  return units;
}

WorstCase worst_case_of(const ChatView& chat, std::size_t body_bytes, const Target& target, const Backend& backend,
                        const TargetState& state) noexcept {
  if (!backend.pool && !target.prices && !target.unit_prices) return {Usd{}, false};
  const std::int64_t output = output_tokens(chat, target.output_tokens_max, state.output_tokens_mean);
  Int128 sum = 0;
  if (target.prices) {
    const TokenPrices& prices = state.prices_now != nullptr ? *state.prices_now : *target.prices;
    const std::optional<Int128> tokens = tokens_at_most(chat, body_bytes, output, prices, state);
    if (target.is_passed_to()) return passed_worst_case(chat, tokens, target);
    if (!tokens) return {Usd{}, false};
    sum += *tokens;
  } else if (target.unit_prices) {
    return passed_worst_case(chat, std::nullopt, target);
  }
  if (backend.pool) sum += gpu_picodollars(input_tokens_of(chat, state).count(), output, backend, state);
  constexpr Int128 most = std::numeric_limits<std::int64_t>::max();
  return {Usd{static_cast<std::int64_t>(std::min(sum, most))}};
}

std::int64_t tokens_to_reserve(const ChatView& chat) noexcept {
  const std::int64_t choices = std::clamp<std::int64_t>(chat.choices, 1, choices_max);
  static constexpr std::int64_t typical_output = 300;
  std::int64_t output = typical_output;
  if (!generates_text(chat.surface)) output = 0;
  if (chat.output_tokens_max) output = std::clamp<std::int64_t>(*chat.output_tokens_max, 0, tokens_max);
  return std::min(input_tokens_of(chat).count() + std::min(output * choices, tokens_max), tokens_max);
}

void rule_out_step(Plan& plan, std::size_t step, Why why, NameId by) {
  const Why first = plan.steps.front().why;
  plan.ruled_out.push_back({plan.steps[step].target, why, by});
  plan.steps.erase(plan.steps.begin() + static_cast<std::ptrdiff_t>(step));
  if (plan.steps.empty()) return;
  if (step == 0) plan.steps.front().why = first;
  if (plan.steps.size() == 1 && first != Why::asked_for) plan.steps.front().why = Why::only_one;
}

}  // namespace tollgate
