#include "advice/break_even.hpp"

#include <cmath>

namespace tollgate::advice {
namespace {

constexpr double pico = 1e-12, femto = 1e-15, seconds_per_hour = 3600;
constexpr double days_per_month = static_cast<double>(hours_per_month) / 24;

double usd(Usd amount) noexcept { return static_cast<double>(amount.count()) * pico; }
double usd(UsdSum amount) noexcept { return static_cast<double>(amount.picodollars()) * pico; }

double blended(UsdPerToken input, UsdPerToken output, double input_share) noexcept {
  return (static_cast<double>(input.count()) * input_share + static_cast<double>(output.count()) * (1 - input_share)) * femto;
}

}  // namespace

double dedicated_over_serverless(Usd dedicated_per_hour, Usd serverless_per_hour, double overhead) noexcept {
  return usd(dedicated_per_hour) / (usd(serverless_per_hour) * (1 + overhead));
}

double dedicated_over_managed(Usd replica_per_hour, UsdPerToken input, UsdPerToken output, double input_share, const Speed& speed) noexcept {
  const double tokens_per_hour_full = seconds_per_hour / speed.work_seconds(input_share, 1 - input_share);
  return usd(replica_per_hour) / (blended(input, output, input_share) * tokens_per_hour_full);
}

double owned_over_elastic(Usd owned_per_hour, Usd rent_per_hour) noexcept { return usd(owned_per_hour) / usd(rent_per_hour); }

std::optional<double> owned_pays_back_years(Usd purchase, Usd rent_per_hour, Usd running_per_hour) noexcept {
  constexpr double hours_per_year = 8760;
  const double saved = usd(rent_per_hour) - usd(running_per_hour);
  if (saved <= 0) return std::nullopt;
  return usd(purchase) / saved / hours_per_year;
}

double tokens_per_day_over_managed(UsdSum fixed_per_month, UsdPerToken input, UsdPerToken output, double input_share) noexcept {
  return usd(fixed_per_month) / (blended(input, output, input_share) * days_per_month);
}

double flip_price_per_million(UsdSum fixed_per_month, double tokens_per_day) noexcept { return usd(fixed_per_month) / (tokens_per_day * days_per_month) * 1e6; }

double usd_per_million_at(Usd replica_per_hour, double tokens_per_second_full, double utilisation) noexcept {
  return usd(replica_per_hour) / (tokens_per_second_full * utilisation * seconds_per_hour) * 1e6;
}

}  // namespace tollgate::advice
