#include "router/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tollgate {
namespace {

constexpr double default_bytes_per_token = 4.0;
constexpr double bytes_per_token_min = 0.25, bytes_per_token_max = 64;  // a learned value outside is an accident
// What the text does not show. Rough on purpose: the learned bytes per token absorb what is regular.
constexpr std::int64_t tokens_per_message = 4;
constexpr std::int64_t tokens_per_tool = 120;
constexpr std::int64_t tokens_per_image = 1000;
// Bounds that keep every product within 128 bits and every answer within 64.
constexpr std::int64_t tokens_max = 1'000'000'000;
constexpr std::int64_t choices_max = 100'000;

std::int64_t rounded(double tokens) noexcept {
  if (!(tokens > 0)) return 0;  // also not a number
  return tokens >= static_cast<double>(tokens_max) ? tokens_max : std::llround(tokens);
}

TokenCount input_tokens(const ChatView& chat, double bytes_per_token) noexcept {
  if (!(bytes_per_token >= bytes_per_token_min && bytes_per_token <= bytes_per_token_max)) {
    bytes_per_token = default_bytes_per_token;
  }
  std::int64_t tokens = rounded(static_cast<double>(chat.text_bytes) / bytes_per_token);
  tokens += tokens_per_message * chat.messages + tokens_per_tool * chat.tools + tokens_per_image * chat.images;
  return TokenCount{std::min(tokens, tokens_max)};
}

Usd bounded(Int128 picodollars) noexcept {
  constexpr Int128 most = std::numeric_limits<std::int64_t>::max();
  return Usd{static_cast<std::int64_t>(std::min(picodollars, most))};
}

/// tokens x price, in femtodollars: exact.
Int128 femtodollars(TokenCount tokens, UsdPerToken price) noexcept {
  return static_cast<Int128>(tokens.count()) * price.count();
}

Usd token_price(TokenCount input, TokenCount output, const TokenPrices& prices) noexcept {
  const bool is_long = prices.long_input && input.count() > prices.long_input->above;
  const Int128 sum = femtodollars(input, is_long ? prices.long_input->input : prices.input) +
                     femtodollars(output, is_long ? prices.long_input->output : prices.output);
  return bounded(divide_half_even(sum, 1000) + prices.per_request.count());
}

}  // namespace

TokenCount input_tokens_of(const ChatView& chat) noexcept { return input_tokens(chat, default_bytes_per_token); }

TokenCount input_tokens_of(const ChatView& chat, const TargetState& state) noexcept {
  return input_tokens(chat, state.input_bytes_per_token);
}

TokenCount output_tokens_of(const ChatView& chat, const TargetState& state) noexcept {
  if (chat.surface == Surface::embeddings) return TokenCount{0};
  const std::int64_t mean = rounded(state.output_tokens_mean);
  if (!chat.output_tokens_max) return TokenCount{mean};
  return TokenCount{std::min(mean, std::max<std::int64_t>(*chat.output_tokens_max, 0))};
}

Forecast forecast_of(const ChatView& chat, const Target& target, const Backend& backend, const TargetState& state,
                     CostBasis basis) noexcept {
  const TokenCount input = input_tokens_of(chat, state);
  const std::int64_t choices = std::clamp<std::int64_t>(chat.choices, 1, choices_max);
  const TokenCount output{output_tokens_of(chat, state).count() * choices};
  if (backend.pool) {
    // Paid for already: one more request costs nothing until the pool is full. Past that it takes capacity from others,
    // so its share of the bill is what it costs.
    if (basis == CostBasis::marginal && !is_saturated(target, state)) return {};
    if (state.loaded_usd_per_million_tokens.count() <= 0) return {Usd{}, false, basis == CostBasis::loaded};
    const Int128 tokens = static_cast<Int128>(input.count()) + output.count();
    return {bounded(divide_half_even(tokens * state.loaded_usd_per_million_tokens.count(), 1'000'000))};
  }
  if (!target.prices) return {Usd{}, false};
  const TokenPrices* const prices = prices_of_tier(state.prices_now != nullptr ? *state.prices_now : *target.prices, chat.service_tier);
  if (prices == nullptr) return {Usd{}, false};
  return {token_price(input, output, *prices)};
}

}  // namespace tollgate
