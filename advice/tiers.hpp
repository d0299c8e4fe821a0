#pragma once
// What the same requests cost on each tier, per month of 730 hours. Money is exact where its inputs are (prices, hours, tokens);
// where an input is uncertain, `low` and `high` say so. What cannot be said is absent with its reason, never zero.

#include <optional>
#include <string>
#include <vector>

#include "advice/offers.hpp"
#include "advice/same_model.hpp"
#include "advice/windows.hpp"
#include "config/units.hpp"

namespace tollgate::advice {

inline constexpr std::int64_t hours_per_month = 730;

struct Amount {
  UsdSum low, mid, high;
  friend Amount operator+(const Amount& a, const Amount& b) noexcept { return {a.low + b.low, a.mid + b.mid, a.high + b.high}; }
};
[[nodiscard]] inline Amount exactly(UsdSum usd) noexcept { return {usd, usd, usd}; }

struct Line {
  std::string what;
  Amount usd;
};

enum class TierKind : std::uint8_t { managed, serverless, dedicated, owned };
[[nodiscard]] std::string_view name_of(TierKind kind) noexcept;   ///< "managed" …

struct TierCost {
  TierKind kind = TierKind::managed;
  std::string where;              ///< "together/…", "modal H100", "2 × H100"
  std::string unknown;            ///< why nothing can be said; "": it can
  std::vector<Line> lines;
  [[nodiscard]] Amount per_month() const noexcept;
};

/// What it takes to run a model oneself, beside the GPUs. Defaults: docs/advice.md says whose figures these are.
struct Operations {
  double engineering_hours[3] = {10, 15, 20};        ///< a month: low, middle, high
  Usd usd_per_engineering_hour[3] = {Usd{75'000'000'000'000}, Usd{100'000'000'000'000}, Usd{150'000'000'000'000}};
  Usd observability_per_month[3] = {Usd{200'000'000'000'000}, Usd{350'000'000'000'000}, Usd{500'000'000'000'000}};
  /// Each step from managed to serverless to GPUs of one's own multiplies the work by 3 to 5.
  double serverless_share = 0.25;
  std::optional<Usd> known_per_month;   ///< all of it, as the operator counts it, instead of the above
};

struct Hardware {
  GpuCount replica;                        ///< the GPUs that hold the model once
  Speed speed;
  ServerlessRules serverless;
  std::optional<Usd> dedicated_per_gpu_hour, serverless_per_gpu_hour;   ///< the operator's own price instead of the list's
  std::optional<Usd> purchase_per_gpu;     ///< unknown but for GPUs whose price is known
  std::optional<Usd> owned_per_gpu_hour;   ///< as the operator counts it, instead of what follows
  double life_years = 3, kw_per_gpu = 1.275, pue = 1.4, usd_per_kwh = 0.10, colocation_usd_per_kw_month = 0;
};
/// 35,000 USD for an H100; what other GPUs cost is not known here.
[[nodiscard]] std::optional<Usd> purchase_known(std::string_view gpu);
/// Picodollars per GPU-hour of owned hardware: purchase over its life, power, room.
[[nodiscard]] std::optional<Usd> owned_per_gpu_hour(const Hardware& hardware);

struct Comparison {
  Workload workload;
  Hardware hardware;
  Operations operations;
  Needed needed;
  ServerlessBill windows;
  std::vector<TierCost> tiers;     ///< managed hosts cheapest first, then serverless, dedicated, owned
  [[nodiscard]] const TierCost* cheapest() const noexcept;
  [[nodiscard]] const TierCost* of(TierKind kind) const noexcept;   ///< the cheapest of the kind that is known
};
[[nodiscard]] Comparison compare(const Workload& workload, const Hardware& hardware, const Operations& operations, const std::vector<Host>& hosts);

}  // namespace tollgate::advice
