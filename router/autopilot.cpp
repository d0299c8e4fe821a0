#include "router/autopilot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace tollgate {
namespace {

constexpr double rate_least = 1e-7, rate_most = 1e5;  // requests a second between which a break-even is looked for
constexpr double seconds_per_hour = 3600;
constexpr double service_memory = 50;                 // answers over which the service time is averaged
constexpr double enough_seconds = 5;                  // of arrivals, before a rate is believed
constexpr double enough_requests = 5;                 // at new prices, before they are believed
constexpr double boot_share_least = 0.02;             // of a cold attempt's time that was service

double usd_of(Int128 picodollars) noexcept { return static_cast<double>(picodollars) * 1e-12; }

double seconds_of(milliseconds time) noexcept { return static_cast<double>(time.count()) / 1000; }

/// A worker with k places is down between two lives with this probability, if boots took no time: e^(-λT) / Z_k.
double down_share(double erlangs, double idle_requests, std::uint32_t places) noexcept {
  double up = std::exp(-idle_requests), away = 1;
  for (std::uint32_t i = 1; i <= places; ++i) {
    away = erlangs * away / (i + erlangs * away);
    up *= 1 - away;
  }
  return up;
}

}  // namespace

WorkerCost worker_cost_of(const Pool& pool) noexcept {
  WorkerCost cost;
  cost.usd_per_second = usd_of(pool.rate_picodollars) / static_cast<double>(pool.rate_denominator) / seconds_per_hour;
  const ServerlessRules& rules = pool.serverless;
  cost.cold_seconds = rules.cold_start_billed ? seconds_of(rules.cold_start) : 0;
  cost.idle_seconds = seconds_of(rules.idle_timeout);
  cost.least_seconds = seconds_of(rules.min_billed);
  cost.increment_seconds = seconds_of(rules.increment);
  cost.places = std::max(1U, rules.requests_per_worker);
  return cost;
}

double turned_away(double erlangs, std::uint32_t places) noexcept {
  double away = 1;
  for (std::uint32_t i = 1; i <= places; ++i) away = erlangs * away / (i + erlangs * away);
  return away;
}

WorkerLife life_of(const Offered& offered, const WorkerCost& cost) noexcept {
  WorkerLife life;
  if (!(offered.per_second > 0)) return life;
  const double erlangs = offered.per_second * offered.service_seconds;
  // Lives a second, were boots instant: the worker is down for the share q of the time, and each request then starts one.
  const double q = down_share(erlangs, offered.per_second * cost.idle_seconds, cost.places);
  const double lives = q * offered.per_second;
  life.taken_per_second = offered.per_second * (1 - turned_away(erlangs, cost.places));
  life.requests = life.taken_per_second / lives;
  life.up_seconds = (1 - q) / lives;
  // A life is billed at least `least_seconds` and rounded up: by half an increment in the mean.
  const double up = lives * cost.cold_seconds + 1 - q;
  const double billed = std::max(up, lives * cost.least_seconds) + lives * cost.increment_seconds / 2;
  life.usd_per_second = billed * cost.usd_per_second;
  return life;
}

double worth_of(const Offered& offered, const WorkerCost& cost, double elsewhere_usd) noexcept {
  const WorkerLife life = life_of(offered, cost);
  const double saved = life.taken_per_second * elsewhere_usd;
  if (!(saved > 0)) return 0;
  return life.usd_per_second > 0 ? saved / life.usd_per_second : std::numeric_limits<double>::infinity();
}

std::optional<double> break_even_per_second(double service_seconds, const WorkerCost& cost, double elsewhere_usd) noexcept {
  const auto pays = [&](double rate) { return worth_of({rate, service_seconds}, cost, elsewhere_usd) >= 1; };
  if (!(elsewhere_usd > 0) || !pays(rate_most)) return std::nullopt;
  double low = std::log(rate_least), high = std::log(rate_most);
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (pays(std::exp(middle)) ? high : low) = middle;
  }
  return std::exp(high);
}

std::uint32_t workers_worth(const Offered& offered, const WorkerCost& cost, double elsewhere_usd, std::uint32_t workers_max, std::uint32_t now,
                            double open, double keep) noexcept {
  const double erlangs = offered.per_second * offered.service_seconds;
  std::uint32_t workers = 0;
  while (workers < workers_max) {
    // Work stays on the oldest workers: the next one gets what finds all their places taken.
    const Offered left{offered.per_second * turned_away(erlangs, workers * cost.places), offered.service_seconds};
    if (worth_of(left, cost, elsewhere_usd) < (workers < now ? keep : open)) break;
    ++workers;
  }
  return workers;
}

std::string_view name_of(PoolStance::Why why) noexcept {
  static constexpr std::array<std::string_view, 5> names{"no_traffic", "not_measured", "below_break_even", "above_break_even", "trial"};
  return names[static_cast<std::size_t>(why)];
}

void PoolGovernor::average(const Seen& seen, const Facts& facts, const AutopilotRules& rules) noexcept {
  const double fade = std::exp(-seen.seconds / seconds_of(rules.window));
  requests_ = requests_ * fade + static_cast<double>(seen.offered);
  seconds_ = seconds_ * fade + seen.seconds;
  if (facts.prices != prices_) {   // the next requests say what they cost now
    prices_changed_ = prices_ != 0;
    prices_ = facts.prices;
    priced_requests_ = elsewhere_ = 0;
    return;
  }
  priced_requests_ = priced_requests_ * fade + static_cast<double>(seen.offered);
  elsewhere_ = elsewhere_ * fade + seen.elsewhere_usd;
}

void PoolGovernor::learn_service(const Seen& seen, const Facts& facts) noexcept {
  const auto add = [this](double mean, std::uint64_t count) {
    const double weight = service_ > 0 ? std::min(1.0, static_cast<double>(count) / service_memory) : 1.0;
    service_ += (mean - service_) * weight;
  };
  if (seen.served_warm > 0) {
    if (warm_samples_ == 0) service_ = 0;   // what was known came from cold ones
    warm_samples_ += seen.served_warm;
    add(seen.warm_seconds / static_cast<double>(seen.served_warm), seen.served_warm);
  } else if (seen.served_cold > 0 && warm_samples_ == 0) {
    const double mean = seen.cold_seconds / static_cast<double>(seen.served_cold);
    add(std::max(mean - facts.boot_seconds, mean * boot_share_least), seen.served_cold);
  }
}

void PoolGovernor::note_workers(const Facts& facts, double now) noexcept {
  if (facts.workers_up > 0 && stance_.workers_up == 0) booted_at_ = now + facts.boot_seconds;
  stance_.workers_up = facts.workers_up;
  stance_.warm = facts.workers_up > 0 && now >= booted_at_;
  stance_.cold_start_us = static_cast<std::int64_t>(facts.boot_seconds * 1e6);
}

PoolStance PoolGovernor::wanted(const Facts& facts, const AutopilotRules& rules, double now) noexcept {
  PoolStance next = stance_;
  next.places = next.workers = 0;
  next.why = PoolStance::Why::no_traffic;
  next.service_seconds = static_cast<float>(service_);
  next.worth = next.break_even = 0;
  const double rate = seconds_ > 0 ? requests_ / seconds_ : 0;
  next.per_second = static_cast<float>(rate);
  if (!(priced_requests_ > 0) || !(elsewhere_ > 0) || !(rate > 0)) return next;
  const double elsewhere = elsewhere_ / priced_requests_;
  next.elsewhere = Usd{std::llround(std::min(elsewhere * 1e12, 9e18))};
  const double open = 1 + rules.margin, keep = 1 / open;
  const bool seen_enough = seconds_ >= std::min(enough_seconds, seconds_of(rules.window) / 2);
  if (!(service_ > 0)) {
    next.why = PoolStance::Why::not_measured;
    // If its answers took no time, would it pay? If so, one request at a time may tell how long they take.
    constexpr double no_time = 1e-3;
    const bool could_pay = seen_enough && worth_of({rate, no_time}, facts.cost, elsewhere) >= open;
    const bool trying = stance_.why == PoolStance::Why::trial && now - tried_at_ < std::max(seconds_of(rules.dwell), 4 * facts.boot_seconds);
    if (!could_pay || rules.trial.count() == 0 || (!trying && now - tried_at_ < seconds_of(rules.trial))) return next;
    if (!trying) tried_at_ = now;
    next.why = PoolStance::Why::trial;
    next.places = next.workers = 1;
    return next;
  }
  const Offered offered{rate, service_};
  next.worth = static_cast<float>(worth_of(offered, facts.cost, elsewhere));
  next.break_even = static_cast<float>(break_even_per_second(service_, facts.cost, elsewhere).value_or(0));
  const std::uint32_t was = stance_.why == PoolStance::Why::trial ? 0 : stance_.workers;
  next.workers = seen_enough ? workers_worth(offered, facts.cost, elsewhere, facts.workers_max, was, open, keep) : was;
  next.places = next.workers * facts.cost.places;
  next.why = next.workers > 0 ? PoolStance::Why::above : PoolStance::Why::below;
  return next;
}

const PoolStance& PoolGovernor::tick(const Seen& seen, const Facts& facts, const AutopilotRules& rules, double now) noexcept {
  average(seen, facts, rules);
  learn_service(seen, facts);
  note_workers(facts, now);
  PoolStance next = wanted(facts, rules, now);
  const bool changes = next.workers != stance_.workers;
  const bool rests = now - changed_at_ < seconds_of(rules.dwell);
  const bool trial_ends = stance_.why == PoolStance::Why::trial;
  // What requests cost at new prices is known once some were seen at them; then the stance may change once without waiting.
  const bool unsure = prices_changed_ && priced_requests_ < enough_requests;
  const bool by_prices = prices_changed_ && !unsure;
  if (changes && (unsure || (rests && !by_prices && !trial_ends))) {
    next.workers = stance_.workers;
    next.places = stance_.places;
  } else if (changes) {
    changed_at_ = now;
    opened_ += stance_.workers == 0 ? 1U : 0U;
    closed_ += next.workers == 0 ? 1U : 0U;
  }
  if (by_prices) prices_changed_ = false;
  if (next.workers > 0 && next.places == 0) next.places = next.workers * facts.cost.places;
  stance_ = next;
  return stance_;
}

}  // namespace tollgate
