#include "router/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "router/serverless.hpp"
#include "router/worst_case.hpp"

namespace tollgate {
namespace {

constexpr double default_bytes_per_token = 4.0;
constexpr double bytes_per_token_min = 0.25, bytes_per_token_max = 64;  // a learned value outside is an accident
// What the text does not show. Rough on purpose: the learned bytes per token absorb what is regular.
constexpr std::int64_t tokens_per_message = 4;
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
  // Declarations of tools are put before the conversation and billed as input (OpenAI and Anthropic document it so): as text of their size.
  std::int64_t tokens = rounded(static_cast<double>(chat.input_bytes()) / bytes_per_token);
  tokens += tokens_per_message * chat.messages + tokens_per_image * chat.images;
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

Usd token_price(TokenCount input, TokenCount cached, TokenCount output, const TokenPrices& prices) noexcept {
  const bool is_long = prices.long_input && input.count() > prices.long_input->above;
  const UsdPerToken fresh = is_long ? prices.long_input->input : prices.input;
  const UsdPerToken from_cache = (is_long ? prices.long_input->cached_input : prices.cached_input).value_or(fresh);
  const Int128 sum = femtodollars(input - cached, fresh) + femtodollars(cached, from_cache) +
                     femtodollars(output, is_long ? prices.long_input->output : prices.output);
  return bounded(divide_half_even(sum, 1000) + prices.per_request.count());
}

}  // namespace

TokenCount input_tokens_of(const ChatView& chat) noexcept { return input_tokens(chat, default_bytes_per_token); }

TokenCount input_tokens_of(const ChatView& chat, const TargetState& state) noexcept {
  return input_tokens(chat, state.input_bytes_per_token);
}

TokenCount output_tokens_of(const ChatView& chat, const TargetState& state) noexcept {
  if (chat.surface == Surface::embeddings || chat.surface >= Surface::moderations) return TokenCount{0};
  const std::int64_t mean = rounded(state.output_tokens_mean);
  if (!chat.output_tokens_max) return TokenCount{mean};
  return TokenCount{std::min(mean, std::max<std::int64_t>(*chat.output_tokens_max, 0))};
}

Forecast forecast_of(const ChatView& chat, const Target& target, const Backend& backend, const TargetState& state,
                     CostBasis basis, bool saturated, TokenCount cached) noexcept {
  const TokenCount input = input_tokens_of(chat, state);
  const std::int64_t choices = std::clamp<std::int64_t>(chat.choices, 1, choices_max);
  const TokenCount output{output_tokens_of(chat, state).count() * choices};
  cached = std::clamp(cached, TokenCount{0}, input);
  if (backend.pool) {
    if (basis == CostBasis::marginal) {
      if (const std::optional<Usd> charge = charge_of_work(chat, target, *backend.pool, state, saturated)) return {*charge};
    }
    // Paid for already: one more request costs nothing until the pool is full. Past that it takes capacity from others,
    // so its share of the bill is what it costs.
    if (basis == CostBasis::marginal && !saturated) return {};
    if (state.loaded_usd_per_million_tokens.count() <= 0) return {Usd{}, false, basis == CostBasis::loaded};
    const Int128 tokens = static_cast<Int128>((input - cached).count()) + output.count();
    return {bounded(divide_half_even(tokens * state.loaded_usd_per_million_tokens.count(), 1'000'000))};
  }
  if (target.unit_prices && (!target.prices || passes_through(chat.surface))) {
    const std::optional<Usd> by_units = target.unit_prices->charge(units_of(chat));
    if (by_units) return {*by_units};
  }
  if (!target.prices) return {Usd{}, false};
  const TokenPrices* const prices = prices_of_tier(state.prices_now != nullptr ? *state.prices_now : *target.prices, chat.service_tier);
  if (prices == nullptr) return {Usd{}, false};
  if (cached < cached_prefix_min) cached = TokenCount{0};
  return {token_price(input, cached, output, *prices)};
}

namespace {

/// Until the target begins with one more request: those ahead of it, over as many as it serves at once.
double queue_micros(const Target& target, const TargetState& state) noexcept {
  std::int64_t ahead = std::max<std::int64_t>(state.engine_waiting, 0);
  std::int64_t at_once = std::max<std::int64_t>(state.engine_running, 1);
  if (target.concurrency_max > 0) {
    at_once = target.concurrency_max;
    ahead = std::max(ahead, static_cast<std::int64_t>(state.in_flight) + 1 - at_once);
  }
  return static_cast<double>(state.duration_mean.count()) * static_cast<double>(ahead) / static_cast<double>(at_once);
}

std::chrono::microseconds micros(double value) noexcept {
  constexpr double most = 1e15;  // thirty years
  return std::chrono::microseconds{static_cast<std::int64_t>(std::clamp(value, 1.0, most))};
}

}  // namespace

Waits waits_of(const ChatView& chat, const Target& target, const TargetState& state) noexcept {
  Waits waits;
  const double queue = queue_micros(target, state);
  waits.queue = std::chrono::microseconds{static_cast<std::int64_t>(std::min(queue, 1e15))};
  const double output = static_cast<double>(output_tokens_of(chat, state).count());
  const bool has_first = state.first_token_mean.count() > 0;
  if (has_first) waits.first_token = micros(static_cast<double>(state.first_token_mean.count()) + queue);
  if (has_first && state.output_token_mean.count() > 0) {
    waits.whole = micros(static_cast<double>(waits.first_token.count()) +
                         output * static_cast<double>(state.output_token_mean.count()));
  } else if (state.duration_mean.count() > 0) {
    // Only whole answers were seen: a shorter one takes less, but never nothing.
    constexpr double least = 0.1;
    const double share = state.output_tokens_mean > 0 ? std::clamp(output / state.output_tokens_mean, least, 1.0) : 1.0;
    waits.whole = micros(static_cast<double>(state.duration_mean.count()) * share + queue);
  }
  if (waits.first_token.count() > 0) waits.first_token += state.boot_wait;
  if (waits.whole.count() > 0) waits.whole += state.boot_wait;
  return waits;
}

std::optional<double> load_of(const Target& target, const TargetState& state, const SpillOver& limits) noexcept {
  std::optional<double> load;
  const auto take = [&load](double share) { load = std::max(load.value_or(0), share); };
  if (target.concurrency_max > 0) {
    // Ours alone, which is known to the request; what others send shows in the engine's queue and cache, as of its last scrape.
    take(static_cast<double>(state.in_flight) / static_cast<double>(target.concurrency_max));
  }
  if (limits.waiting_requests > 0 && state.engine_waiting >= 0) {
    take(static_cast<double>(state.engine_waiting) / static_cast<double>(limits.waiting_requests));
  }
  if (limits.kv_cache_share > 0 && state.kv_cache_usage >= 0) {
    take(static_cast<double>(state.kv_cache_usage) / limits.kv_cache_share);
  }
  return load;
}

bool is_saturated(const Target& target, const TargetState& state, const SpillOver& limits) noexcept {
  if (!limits.is_on) return target.concurrency_max > 0 && state.in_flight >= target.concurrency_max;
  const std::optional<double> load = load_of(target, state, limits);
  return load && (*load >= 1 || (state.was_saturated && *load > limits.back_at));
}

}  // namespace tollgate
