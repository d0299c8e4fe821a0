#include "metrics/pricing.hpp"

#include <algorithm>

namespace tollgate {

bool nothing_sent(RowResult result) noexcept {
  if (result.is_ok()) return false;
  switch (static_cast<Fault>(result.value)) {
    case Fault::upstream_unreachable:    // no connection
    case Fault::unsupported:             // the dialect could not write it
    case Fault::constraint_unsatisfied:  // asked again just before the attempt
    case Fault::no_target_up:
      return true;
    default:
      return false;
  }
}

bool refused_unbilled(RowResult result) noexcept {
  if (result.is_ok()) return false;
  switch (static_cast<Fault>(result.value)) {
    case Fault::upstream_busy:
    case Fault::upstream_refused:
    case Fault::upstream_credentials:
    case Fault::upstream_status:
      return true;
    default:
      return false;
  }
}

bool plausible(const Usage& usage) noexcept {
  const auto fits = [](TokenCount n) { return n.count() >= 0 && n.count() <= tokens_per_attempt_max; };
  const auto fits_rare = [](std::int32_t n) { return n >= 0 && n <= tokens_per_attempt_max; };
  return fits(usage.input) && fits(usage.cached_input) && fits(usage.cache_write) && fits(usage.output) &&
         fits(usage.reasoning) && usage.reasoning <= usage.output && fits_rare(usage.web_searches) &&
         std::all_of(usage.rare.begin(), usage.rare.end(), fits_rare);
}

void price(AttemptRow& attempt, const AttemptPrices& prices, Usd gpu) noexcept {
  attempt.charge = {};
  attempt.pool_method = PoolMethod::none;
  if (prices.reported) {
    attempt.charge[ChargeKind::request] = *prices.reported;
    attempt.pricing = Pricing::priced;
    return;
  }
  // An input past what the prices are known for has no known cost either.
  const bool usage_known = attempt.usage_source != UsageSource::none && (!prices.has_rates || prices.rates.cover(attempt.usage));
  const bool no_bill = nothing_sent(attempt.result) || refused_unbilled(attempt.result);
  if (prices.has_rates && usage_known) attempt.charge = token_charge(attempt.usage, prices.rates);
  if (prices.has_pool && !prices.gpu_unknown && !nothing_sent(attempt.result)) {
    attempt.charge[ChargeKind::gpu] = gpu;
    attempt.pool_method = prices.method;
  }
  // With neither kind of price, a refusal that reports usage all the same costs something that we do not know.
  const bool gpu_missing = prices.has_pool && prices.gpu_unknown && !no_bill;
  const bool by_units = prices.by_units && !(prices.has_rates && usage_known) && !no_bill;
  if (by_units) attempt.charge[ChargeKind::request] = *prices.by_units;
  const bool tokens_missing =
      by_units ? false : prices.has_rates ? !usage_known && !no_bill : !prices.has_pool && (usage_known || !no_bill);
  const bool unknown = gpu_missing || tokens_missing;
  const bool charged = (prices.has_rates && usage_known) || by_units || attempt.pool_method != PoolMethod::none;
  attempt.pricing = unknown ? Pricing::unpriced : charged ? Pricing::priced : Pricing::not_billed;
}

}  // namespace tollgate
