#pragma once
// Where one tier begins to cost less than another. Formulas: docs/advice.md.

#include <optional>

#include "advice/tiers.hpp"

namespace tollgate::advice {

/// Share of the time that rented GPUs must be at work to cost less than serverless ones: c / (s (1 + o)), c and s their prices per hour, o the
/// serverless time beyond the work, per second of work. Above 1: never. Operations are left out: they do not depend on it.
[[nodiscard]] double dedicated_over_serverless(Usd dedicated_per_hour, Usd serverless_per_hour, double overhead) noexcept;
/// Share of its full throughput at which a replica's hour costs what a managed host takes for the same tokens.
[[nodiscard]] double dedicated_over_managed(Usd replica_per_hour, UsdPerToken input, UsdPerToken output, double input_share, const Speed& speed) noexcept;
/// Share of the hours that must be used for bought hardware to cost less than renting by the hour for just these: owned / rent.
[[nodiscard]] double owned_over_elastic(Usd owned_per_hour, Usd rent_per_hour) noexcept;
/// Years after which bought hardware has cost less than the same hours rented all the time; nullopt: never.
[[nodiscard]] std::optional<double> owned_pays_back_years(Usd purchase, Usd rent_per_hour, Usd running_per_hour) noexcept;
/// Tokens a day above which a fixed monthly bill costs less than a managed price.
[[nodiscard]] double tokens_per_day_over_managed(UsdSum fixed_per_month, UsdPerToken input, UsdPerToken output, double input_share) noexcept;
/// USD per million tokens at which the managed host and the fixed bill cost the same for this traffic.
[[nodiscard]] double flip_price_per_million(UsdSum fixed_per_month, double tokens_per_day) noexcept;
/// A replica's price per million tokens at a utilisation: what is used 10 % of the time costs ten times as much.
[[nodiscard]] double usd_per_million_at(Usd replica_per_hour, double tokens_per_second_full, double utilisation) noexcept;

}  // namespace tollgate::advice
