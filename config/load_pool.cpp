// `pool:` of a backend: billed hardware, and what an hour of it costs, as an exact fraction.
#include <fmt/format.h>

#include "config/decimal.hpp"
#include "config/draft.hpp"
#include "config/load_pool.hpp"

namespace tollgate {
namespace {

constexpr Int128 usd = 1'000'000'000'000;      // picodollars
constexpr std::int64_t hours_per_year = 8760;  // a month is a twelfth of it: 730
constexpr std::int64_t hours_per_month = 730;
constexpr Int128 hourly_max = 1'000'000 * usd;
constexpr std::int64_t pool_gateways_max = 128;
constexpr Int128 month_max = 100'000'000 * usd;
constexpr Int128 rate_over_max = (static_cast<Int128>(1) << 116);  // times 730 it still fits

/// Picodollars per hour, exactly.
struct HourlyRate {
  Int128 over = 0, under = 1;

  static Int128 common(Int128 a, Int128 b) noexcept {
    while (b != 0) {
      const Int128 rest = a % b;
      a = b;
      b = rest;
    }
    return a;
  }
  void add(Int128 more, Int128 of) noexcept {
    const Int128 shared = common(under, of);
    over = over * (of / shared) + more * (under / shared);
    under *= of / shared;
    const Int128 reduce = common(over, under);
    if (reduce > 1) {
      over /= reduce;
      under /= reduce;
    }
  }
};

/// An amount that may be left out; nullopt: it is there and wrong.
std::optional<Int128> amount_or_none(const Cursor& place, Int128 most) {
  return place.present() ? place.decimal(usd_decimals, 0, most) : std::optional<Int128>(0);
}

/// GPUs that are rented by the hour, whether or not they work.
bool load_dedicated(MapReader& section, const Pool& pool, HourlyRate& rate) {
  const Cursor hourly = section.required("usd_per_gpu_hour");
  const auto price = hourly.present() ? hourly.decimal(usd_decimals, 0, 10'000 * usd) : std::nullopt;
  if (!price || pool.gpus == 0) return false;
  rate.add(*price * pool.gpus, 1);
  return true;
}

/// Power: kW x PUE x price of a kWh. Both of power_kw and usd_per_kwh, or neither.
bool load_power(MapReader& section, HourlyRate& rate) {
  constexpr int decimals = 3;
  constexpr Int128 thousand = 1000;
  const Cursor kilowatts = section.at("power_kw"), overhead = section.at("pue"), energy = section.at("usd_per_kwh");
  if (!kilowatts.present() && !energy.present() && !overhead.present()) return true;
  if (!kilowatts.present() || !energy.present()) {
    section.cursor().report("power costs power_kw times usd_per_kwh (times pue): write both, or none of them");
    return false;
  }
  const auto power = kilowatts.decimal(decimals, 0, 100'000 * thousand);
  const auto pue = overhead.present() ? overhead.decimal(decimals, thousand, 10 * thousand) : std::optional(thousand);
  const auto price = energy.decimal(usd_decimals, 0, 100 * usd);
  if (!power || !pue || !price) return false;
  rate.add(*power * *pue * *price, thousand * thousand);
  return true;
}

/// GPUs of one's own: what they lost in value over their life, power and room. Wall-clock time, not busy time.
bool load_owned(MapReader& section, HourlyRate& rate) {
  constexpr int year_decimals = 2;
  constexpr Int128 hundred = 100;
  const Cursor purchase_place = section.required("purchase_usd"), life_place = section.required("life_years");
  constexpr Int128 purchase_max = 1'000'000 * 1000 * usd;
  const auto purchase = purchase_place.present() ? purchase_place.decimal(usd_decimals, 0, purchase_max) : std::nullopt;
  const auto years = life_place.present() ? life_place.decimal(year_decimals, hundred / 4, 30 * hundred) : std::nullopt;
  const Cursor residual_place = section.at("residual_usd");
  const auto residual = amount_or_none(residual_place, purchase_max);
  const auto room = amount_or_none(section.at("colocation_usd_per_month"), month_max);
  const bool powered = load_power(section, rate);
  if (!purchase || !years || !residual || !room || !powered) return false;
  if (*residual > *purchase) {
    residual_place.report("is more than purchase_usd; it is what the hardware is still worth at the end of its life");
    return false;
  }
  rate.add((*purchase - *residual) * hundred, *years * hours_per_year);
  rate.add(*room, hours_per_month);
  return true;
}

/// Hardware that costs something all the time: its hourly rate, with replicas and operations.
bool load_standing_rate(MapReader& section, Pool& pool, HourlyRate& rate) {
  section.integer("replicas", pool.replicas, 1, 1000);
  section.flag("billed_while_down", pool.billed_while_down);
  section.integer("gateways", pool.gateways, 1, pool_gateways_max);
  const auto operations = amount_or_none(section.at("ops_usd_per_month"), month_max);
  HourlyRate replica;
  const bool dedicated = pool.billing == Billing::dedicated;
  const bool loaded = dedicated ? load_dedicated(section, pool, replica) : load_owned(section, replica);
  if (!loaded || !operations) return false;
  if (replica.over > rate_over_max / pool.replicas) {
    section.cursor().report("so many replicas cost more than can be counted; check the prices");
    return false;
  }
  rate.add(replica.over * pool.replicas, replica.under);
  rate.add(*operations, hours_per_month);
  return true;
}

/// False: something is wrong with it, and was reported.
bool load_rate(MapReader& section, DialectName dialect, Pool& pool, HourlyRate& rate) {
  if (pool.billing == Billing::dedicated || pool.billing == Billing::owned) {
    return load_standing_rate(section, pool, rate);
  }
  const bool loaded =
      pool.billing == Billing::serverless ? load_serverless(section, pool) : load_reported(section, dialect, pool);
  const std::optional<Int128> hourly = load_second_price(section, pool);
  if (!loaded || !hourly) return false;
  rate.add(*hourly, 1);
  return true;
}

}  // namespace

void load_pool(const Cursor& place, Backend& backend) {
  if (!place.present()) return;
  MapReader section(place);
  if (!section.cursor().present()) return;
  static const std::vector<std::string> kinds{"dedicated", "owned", "serverless", "reported"};
  const Cursor billing = section.required("billing");
  const auto kind = billing.present() ? billing.one_of(kinds) : std::nullopt;
  Pool pool;
  pool.name = backend.name;
  section.text("gpu", pool.gpu);
  const Cursor gpus = section.required("gpus");
  if (gpus.present()) pool.gpus = gpus.integer(1, 10'000).value_or(0);
  section.integer("saturation_tokens_per_second", pool.saturation_tokens_per_second, 1, 1'000'000'000);
  if (!kind) return;
  pool.billing = static_cast<Billing>(*kind);
  if (pool.billing != Billing::reported) load_attribution(section, pool);
  HourlyRate rate;
  if (!load_rate(section, backend.dialect, pool, rate) || pool.gpus == 0) return;
  if (rate.over == 0) {
    section.cursor().report("the pool costs nothing; write what the hardware costs, or leave the pool out");
    return;
  }
  if (rate.over / rate.under > hourly_max) {
    section.cursor().report("the pool costs more than a million USD an hour; check its prices");
    return;
  }
  pool.gpus *= pool.replicas;
  pool.rate_picodollars = rate.over;
  pool.rate_denominator = static_cast<std::int64_t>(rate.under);
  backend.pool = std::move(pool);
}

}  // namespace tollgate
