#include "advice/tiers.hpp"

#include <algorithm>
#include <cmath>

#include "config/decimal.hpp"

namespace tollgate::advice {
namespace {

constexpr Int128 micros_per_hour = 3'600'000'000;
constexpr double hours_per_day = 24;

/// `usd` per hour over so many hours.
UsdSum over_hours(Usd per_hour, double hours) {
  const auto micros = static_cast<Int128>(std::llround(hours * 3.6e9));
  return UsdSum{divide_half_even(static_cast<Int128>(per_hour.count()) * micros, micros_per_hour)};
}

UsdSum times(Usd usd, double factor) {
  constexpr Int128 million = 1'000'000;
  return UsdSum{divide_half_even(static_cast<Int128>(usd.count()) * static_cast<Int128>(std::llround(factor * 1e6)), million)};
}

/// Tokens of the window as tokens of a month, at a price.
UsdSum tokens_per_month(std::int64_t tokens, std::int64_t window_us, UsdPerToken price) {
  constexpr Int128 femto_per_pico = 1000;
  const Int128 month_us = static_cast<Int128>(hours_per_month) * micros_per_hour;
  return UsdSum{divide_half_even(static_cast<Int128>(tokens) * price.count() * (month_us / 1'000'000), femto_per_pico * (window_us / 1'000'000))};
}

Amount operations_cost(const Operations& operations, double share) {
  if (operations.known_per_month) return exactly(times(*operations.known_per_month, share));
  UsdSum out[3];
  for (std::size_t i = 0; i < 3; ++i) {
    out[i] = times(operations.usd_per_engineering_hour[i], operations.engineering_hours[i] * share) + times(operations.observability_per_month[i], share);
  }
  return {out[0], out[1], out[2]};
}

struct PriceRange {
  Usd low, mid, high;
  std::string where;
};

std::optional<PriceRange> price_range(const GpuCount& gpu, OfferKind billing, const std::optional<Usd>& own) {
  if (own) return PriceRange{*own, *own, *own, "own price"};
  const std::vector<GpuOffer> offers = offers_of(gpu.gpu, billing);
  if (offers.empty()) return std::nullopt;
  const GpuOffer& mid = offers[offers.size() / 2];
  return PriceRange{offers.front().per_gpu_hour, mid.per_gpu_hour, offers.back().per_gpu_hour,
                    offers.front().provider + (offers.size() > 1 ? " … " + offers.back().provider : "") + ", list prices"};
}

Amount over_hours(const PriceRange& price, double hours) { return {over_hours(price.low, hours), over_hours(price.mid, hours), over_hours(price.high, hours)}; }

TierCost serverless_tier(const Comparison& all) {
  TierCost tier{TierKind::serverless, all.hardware.replica.gpu, "", {}};
  const auto price = price_range(all.hardware.replica, OfferKind::serverless, all.hardware.serverless_per_gpu_hour);
  if (!price) {
    tier.unknown = "no serverless price of " + all.hardware.replica.gpu + " is known; give --usd-per-serverless-gpu-hour";
    return tier;
  }
  if (all.windows.arrivals_us == 0) {
    tier.unknown = "no arrivals to simulate";
    return tier;
  }
  tier.where = std::to_string(all.hardware.replica.count) + " × " + all.hardware.replica.gpu + " a worker (" + price->where + ")";
  const double scale = static_cast<double>(hours_per_month) * 3600 * 1e6 / static_cast<double>(all.windows.arrivals_us) * static_cast<double>(all.hardware.replica.count) / 3600;
  tier.lines.push_back({"GPU-seconds at work", over_hours(*price, all.windows.busy_seconds * scale)});
  tier.lines.push_back({"waiting for more before a worker stops", over_hours(*price, all.windows.idle_seconds * scale)});
  tier.lines.push_back({"cold starts", over_hours(*price, all.windows.cold_seconds * scale)});
  tier.lines.push_back({"operations", operations_cost(all.operations, all.operations.serverless_share)});
  return tier;
}

TierCost hourly_tier(const Comparison& all, TierKind kind) {
  const std::int64_t gpus = all.needed.replicas * all.hardware.replica.count;
  TierCost tier{kind, std::to_string(gpus) + " × " + all.hardware.replica.gpu, "", {}};
  std::optional<PriceRange> price;
  const bool hardware_says_so = all.hardware.owned_per_gpu_hour.has_value();
  if (kind == TierKind::dedicated) {
    price = price_range(all.hardware.replica, OfferKind::dedicated, all.hardware.dedicated_per_gpu_hour);
    if (!price) tier.unknown = "no rent of " + all.hardware.replica.gpu + " is known; give --usd-per-gpu-hour";
  } else if (const auto owned = owned_per_gpu_hour(all.hardware)) {
    price = PriceRange{*owned, *owned, *owned, hardware_says_so ? std::string("own rate") : "purchase over " + decimal_text(std::llround(all.hardware.life_years * 10), 1) + " years, power and room"};
  } else {
    tier.unknown = "what " + all.hardware.replica.gpu + " costs to buy is not known; give --purchase-usd-per-gpu";
  }
  if (!price) return tier;
  tier.where += " (" + price->where + ")";
  const double hours = static_cast<double>(gpus) * static_cast<double>(hours_per_month);
  const double used = std::min(1.0, all.needed.utilisation());
  tier.lines.push_back({"GPU-hours at work", over_hours(*price, hours * used)});
  tier.lines.push_back({"GPU-hours idle", over_hours(*price, hours * (1 - used))});
  tier.lines.push_back({"operations", operations_cost(all.operations, 1)});
  return tier;
}

}  // namespace

std::string_view name_of(TierKind kind) noexcept {
  constexpr std::string_view names[] = {"managed", "serverless", "dedicated", "owned"};
  return names[static_cast<std::size_t>(kind)];
}

Amount TierCost::per_month() const noexcept {
  Amount sum;
  for (const Line& line : lines) sum = sum + line.usd;
  return sum;
}

std::optional<Usd> purchase_known(std::string_view gpu) {
  constexpr Usd h100{35'000'000'000'000'000};
  if (gpu == "H100") return h100;
  return std::nullopt;
}

std::optional<Usd> owned_per_gpu_hour(const Hardware& hardware) {
  if (hardware.owned_per_gpu_hour) return hardware.owned_per_gpu_hour;
  const std::optional<Usd> purchase = hardware.purchase_per_gpu ? hardware.purchase_per_gpu : purchase_known(hardware.replica.gpu);
  if (!purchase) return std::nullopt;
  constexpr double hours_per_year = 8760;
  const double life_hours = hardware.life_years * hours_per_year;
  const auto worth = divide_half_even(static_cast<Int128>(purchase->count()) * 1000, static_cast<Int128>(std::llround(life_hours * 1000)));
  const double power = hardware.kw_per_gpu * hardware.pue * hardware.usd_per_kwh;
  const double room = hardware.colocation_usd_per_kw_month * hardware.kw_per_gpu / static_cast<double>(hours_per_month);
  return Usd{static_cast<std::int64_t>(worth) + std::llround((power + room) * 1e12)};
}

const TierCost* Comparison::of(TierKind kind) const noexcept {
  const TierCost* best = nullptr;
  for (const TierCost& tier : tiers) {
    if (tier.kind == kind && tier.unknown.empty() && (best == nullptr || tier.per_month().mid < best->per_month().mid)) best = &tier;
  }
  return best;
}

const TierCost* Comparison::cheapest() const noexcept {
  const TierCost* best = nullptr;
  for (const TierCost& tier : tiers) {
    if (tier.unknown.empty() && (best == nullptr || tier.per_month().mid < best->per_month().mid)) best = &tier;
  }
  return best;
}

Comparison compare(const Workload& workload, const Hardware& hardware, const Operations& operations, const std::vector<Host>& hosts) {
  Comparison all{workload, hardware, operations, replicas_needed(workload, hardware.speed), serverless_windows(workload, hardware.speed, hardware.serverless), {}};
  for (const Host& host : hosts) {
    TierCost tier{TierKind::managed, host.provider + "/" + host.model, "", {}};
    tier.lines.push_back({"input tokens", exactly(tokens_per_month(workload.input_tokens, workload.window_us, host.input))});
    tier.lines.push_back({"output tokens", exactly(tokens_per_month(workload.output_tokens, workload.window_us, host.output))});
    all.tiers.push_back(std::move(tier));
  }
  std::stable_sort(all.tiers.begin(), all.tiers.end(), [](const TierCost& a, const TierCost& b) { return a.per_month().mid < b.per_month().mid; });
  if (hosts.empty()) all.tiers.push_back({TierKind::managed, workload.model, "no host of this model is in the price book", {}});
  all.tiers.push_back(serverless_tier(all));
  all.tiers.push_back(hourly_tier(all, TierKind::dedicated));
  all.tiers.push_back(hourly_tier(all, TierKind::owned));
  return all;
}

}  // namespace tollgate::advice
