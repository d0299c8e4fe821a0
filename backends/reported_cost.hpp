#pragma once
// What a provider says an answer cost, in the usage object of OpenAI-shaped answers.
//
// OpenRouter: `cost`, in dollars, is what it charged. Where it called a provider with a key of the customer's own (`is_byok`), that
// provider bills `cost_details.upstream_inference_cost` beside it; elsewhere the same member is a part of `cost`. Source: OpenRouter's
// usage accounting. xAI: `cost_in_usd_ticks`, of 10^-10 dollars, is what it billed, tools and discounts included. Source: xAI's cost
// tracking. Perplexity and other gateways: `cost` as a number, or an object with `total_cost`.

#include <optional>
#include <string_view>

#include "config/config.hpp"
#include "config/units.hpp"

namespace tollgate {

/// More than this for one answer is nonsense, not a charge.
inline constexpr Usd reported_cost_max{100'000'000'000'000'000};  // 100,000 USD

/// From a usage object's text. nullopt: it does not say, or nothing that can be a charge (negative, absurd, no number), or only a part of it.
[[nodiscard]] std::optional<Usd> reported_cost(std::string_view usage_object);
/// The same, of a backend that is believed (Backend::reported_costs); "" says nothing.
[[nodiscard]] std::optional<Usd> reported_cost(const Backend& backend, std::string_view usage_object);

}  // namespace tollgate
