#include "gateway/autopilot.hpp"

#include <algorithm>
#include <array>

#include "config/decimal.hpp"
#include "gateway/log.hpp"
#include "gateway/series_of.hpp"

namespace tollgate {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

std::string number_text(double value) {
  std::array<char, 32> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), "%.4g", value);
  return std::string(buffer.data(), static_cast<std::size_t>(std::clamp(length, 0, 31)));
}

double micros(std::uint64_t us) noexcept { return static_cast<double>(us) * 1e-6; }

PoolGovernor::Seen since(const AutopilotCounts::OfPool& before, const AutopilotCounts::OfPool& now, double seconds) {
  PoolGovernor::Seen seen;
  seen.seconds = seconds;
  seen.offered = now.offered - before.offered;
  seen.elsewhere_usd = static_cast<double>((now.elsewhere - before.elsewhere).picodollars()) * 1e-12;
  seen.served_warm = now.served_warm - before.served_warm;
  seen.served_cold = now.served_cold - before.served_cold;
  seen.warm_seconds = micros(now.warm_us - before.warm_us);
  seen.cold_seconds = micros(now.cold_us - before.cold_us);
  return seen;
}

void log_change(NameId pool, const PoolStance& was, const PoolStance& now) {
  if (was.workers == now.workers) return;
  const char* const what = !was.open() ? "the autopilot opens a pool" : !now.open() ? "the autopilot closes a pool" : "the autopilot changes a pool's workers";
  log_event(LogLevel::info, what,
            {{"pool", std::string(text(pool))},
             {"why", std::string(name_of(now.why))},
             {"workers", std::to_string(now.workers), false},
             {"requests_per_second", number_text(static_cast<double>(now.per_second)), false},
             {"break_even_per_second", number_text(static_cast<double>(now.break_even)), false},
             {"elsewhere_usd", decimal_text(now.elsewhere)},
             {"service_seconds", number_text(static_cast<double>(now.service_seconds)), false}});
}

std::string_view name_of(Standing standing) noexcept {
  static constexpr std::array<std::string_view, 6> names{"paid_for", "open", "priced", "full", "closed", "unpriced"};
  return names[static_cast<std::size_t>(standing)];
}

}  // namespace

StancesPtr Autopilot::tick(const Serving& serving, const AutopilotCounts::Totals& totals, std::span<const PoolStatus> pools, MonoTime now) {
  const std::lock_guard lock(mutex_);
  const Config& config = *serving.config;
  if (generation_ != serving.generation) {
    generation_ = serving.generation;
    governors_.adopt(config);
  }
  if (governors_.all().empty()) return nullptr;
  const double seconds = ticked_ == MonoTime{} ? 0 : std::chrono::duration<double>(now - ticked_).count();
  ticked_ = now;
  const auto clock = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  auto stances = std::make_shared<Stances>();
  stances->generation = serving.generation;
  stances->by_backend.resize(config.backends.size());
  for (Governors::Governed& each : governors_.all()) {
    const auto counted = totals.pools.find(each.pool);
    const AutopilotCounts::OfPool sums = counted == totals.pools.end() ? AutopilotCounts::OfPool{} : counted->second;
    const auto status = std::find_if(pools.begin(), pools.end(), [&](const PoolStatus& pool) { return pool.pool == each.pool; });
    const auto up = status == pools.end() ? 0U : static_cast<std::uint32_t>(status->workers_up);
    const PoolStance was = each.governor.stance();
    stances->by_backend[each.backend] = governors_.tick(each, config, since(before_[each.pool], sums, seconds), up, clock, std::chrono::duration<double>(now.time_since_epoch()).count());
    before_[each.pool] = sums;
    log_change(each.pool, was, each.governor.stance());
  }
  return stances;
}

std::vector<Autopilot::OfPool> Autopilot::report() const {
  const std::lock_guard lock(mutex_);
  std::vector<OfPool> all;
  for (const Governors::Governed& each : governors_.all()) all.push_back({each.pool, each.governor.stance(), each.governor.opened(), each.governor.closed()});
  return all;
}

void Autopilot::collect(const AutopilotCounts::Totals& totals, std::vector<MetricFamily>& families) const {
  const std::vector<OfPool> pools = report();
  if (pools.empty() && totals.decisions.empty()) return;
  const auto gauge = [&](MetricFamily& family, auto value) {
    for (const OfPool& each : pools) {
      if (const std::optional<double> known = value(each.stance)) add_sample(family, *known, {{"pool", std::string(text(each.pool))}});
    }
  };
  const auto positive = [](double value) { return value > 0 ? std::optional(value) : std::nullopt; };
  gauge(series_of(families, "tollgate_autopilot_open", MetricType::Gauge, "pool", "1 while the autopilot sends requests to the serverless pool before it pays by the token."),
        [](const PoolStance& stance) { return std::optional(stance.open() ? 1.0 : 0.0); });
  gauge(series_of(families, "tollgate_autopilot_workers", MetricType::Gauge, "pool", "Workers of the pool that earn what they cost at the measured arrivals."),
        [](const PoolStance& stance) { return std::optional(static_cast<double>(stance.workers)); });
  gauge(series_of(families, "tollgate_autopilot_requests_per_second", MetricType::Gauge, "pool", "Requests that would go to the pool if it were open, measured; its own included."),
        [](const PoolStance& stance) { return std::optional(static_cast<double>(stance.per_second)); });
  gauge(series_of(families, "tollgate_autopilot_break_even_requests_per_second", MetricType::Gauge, "pool",
                  "Requests per second from which one worker of the pool costs less than its requests would elsewhere; no series while it is not known or no rate is enough."),
        [&](const PoolStance& stance) { return positive(static_cast<double>(stance.break_even)); });
  gauge(series_of(families, "tollgate_autopilot_worth_ratio", MetricType::Gauge, "pool",
                  "What the first worker's requests would cost elsewhere over what the worker costs; the pool opens at 1 + margin and closes at 1 / (1 + margin)."),
        [&](const PoolStance& stance) { return positive(static_cast<double>(stance.worth)); });
  gauge(series_of(families, "tollgate_autopilot_elsewhere_usd_per_request", MetricType::Gauge, "pool", "What a request that would go to the pool costs at the cheapest other target, in the mean."),
        [&](const PoolStance& stance) { return positive(static_cast<double>(stance.elsewhere.count()) * 1e-12); });
  gauge(series_of(families, "tollgate_autopilot_service_seconds", MetricType::Gauge, "pool", "How long the pool's answers take once a worker is up; no series while that is not measured."),
        [&](const PoolStance& stance) { return positive(static_cast<double>(stance.service_seconds)); });
  MetricFamily& switches = series_of(families, "tollgate_autopilot_switches_total", MetricType::Counter, "pool,to", "Times the autopilot opened or closed the pool.");
  for (const OfPool& each : pools) {
    add_sample(switches, static_cast<double>(each.opened), {{"pool", std::string(text(each.pool))}, {"to", "open"}});
    add_sample(switches, static_cast<double>(each.closed), {{"pool", std::string(text(each.pool))}, {"to", "closed"}});
  }
  MetricFamily& decisions = series_of(families, "tollgate_autopilot_decisions_total", MetricType::Counter, "route,target,standing",
                                      "Requests on routes with autopilot by the target that came first and where the autopilot put it: paid_for, open, priced, full, closed or unpriced.");
  for (const auto& [labels, count] : totals.decisions) {
    add_sample(decisions, static_cast<double>(count),
               {{"route", std::string(text(labels.route))}, {"target", std::string(text(labels.target))}, {"standing", std::string(name_of(labels.standing))}});
  }
}

}  // namespace tollgate
