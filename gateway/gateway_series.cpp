// What the gateway itself says on /metrics, and who is asked for the rest.

#include <prometheus/metric_family.h>

#include <ctime>

#include "config/prices/book.hpp"
#include "gateway/answer_review.hpp"
#include "gateway/gateway.hpp"
#include "gateway/resilience_series.hpp"

namespace tollgate {

namespace {

prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type) {
  prometheus::MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add(prometheus::MetricFamily& to, double value, std::vector<prometheus::ClientMetric::Label> labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (to.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  to.metric.push_back(std::move(metric));
}

}  // namespace

void Gateway::collect(std::vector<prometheus::MetricFamily>& families) const {
  using prometheus::MetricType;
  const ConfigStatus status = holder_->status();
  const auto gauge = [&](const char* name, const char* help, double value) {
    families.push_back(family(name, help, MetricType::Gauge));
    add(families.back(), value);
  };
  gauge("tollgate_connections", "Client connections open now.", connections());
  gauge("tollgate_requests_in_flight", "Requests being served now.", requests_under_way());
  families.push_back(family("tollgate_client_retries_total", "Requests that a client's SDK sent again after a failure, as it says itself (x-stainless-retry-count); they are counted as requests too.", MetricType::Counter));
  std::uint64_t retries = 0;
  for (const auto& reactor : reactors_) retries += reactor->counts().client_retries.load(std::memory_order_relaxed);
  add(families.back(), static_cast<double>(retries));
  gauge("tollgate_config_last_reload_successful", "1 if the configuration file was valid when last read.", status.last_reload_ok ? 1 : 0);
  gauge("tollgate_config_last_reload_success_timestamp_seconds", "When a configuration last took effect.", static_cast<double>(std::chrono::system_clock::to_time_t(status.last_success)));
  if (const PriceFile& prices = serving_->config->prices; !prices.as_of.empty()) {
    const std::time_t as_of = prices::day_of(prices.as_of);
    const double age = std::difftime(std::time(nullptr), as_of);
    constexpr double seconds_per_day = 86'400;
    gauge("tollgate_price_book_as_of_timestamp_seconds", "The day on which the figures of the price book held.", static_cast<double>(as_of));
    gauge("tollgate_price_book_stale", "1 if the figures of the price book are older than prices.stale_after_days.",
          age > static_cast<double>(prices.stale_after_days) * seconds_per_day ? 1 : 0);
  }
  gauge("tollgate_complexity_corrected", "1 if complexity scores are corrected by what `tollgate train` installed.", serving_->scoring.correction ? 1 : 0);
  families.push_back(family("tollgate_format_checks_left_out_total", "Answers that were to be checked for their form and were not, for too many waited.", MetricType::Counter));
  add(families.back(), static_cast<double>(review_->left_out()));
  families.push_back(family("tollgate_config_reloads_total", "Times the configuration was read again, by result.", MetricType::Counter));
  add(families.back(), static_cast<double>(status.reloads), {{"result", "ok"}});
  add(families.back(), static_cast<double>(status.reloads_failed), {{"result", "invalid"}});
  families.push_back(family("tollgate_breaker_state", "Circuit breaker of a target: 0 closed, 1 half open, 2 open.", MetricType::Gauge));
  const auto now = std::chrono::steady_clock::now();
  const ServingPtr serving = serving_;
  for (std::size_t i = 0; i < serving->config->targets.size(); ++i) {
    add(families.back(), static_cast<double>(serving->health[i]->state(now)), {{"target", std::string(text(serving->config->targets[i].id))}});
  }
  families.push_back(family("tollgate_target_reachable", "1 unless health probes of the target fail.", MetricType::Gauge));
  for (std::size_t i = 0; i < serving->config->targets.size(); ++i) {
    add(families.back(), serving->health[i]->reachable() ? 1 : 0, {{"target", std::string(text(serving->config->targets[i].id))}});
  }
  collect_targets(*serving, families);
  RoutingCounts::Totals routed;
  ConstraintCounts::Totals constrained;
  for (const auto& reactor : reactors_) reactor->constraint_counts().add_to(constrained);
  collect_constraints(*serving_->config, std::move(constrained), families);
  for (const auto& reactor : reactors_) reactor->routing_counts().add_to(routed);
  collect_routing(routed, families);
  ResilienceCounts::Totals helped;
  for (const auto& reactor : reactors_) reactor->resilience_counts().add_to(helped);
  collect_resilience(helped, families);
  Hedges::Totals hedges;
  for (const auto& reactor : reactors_) reactor->hedges().add_to(hedges);
  collect_hedges(hedges, families);
  CacheCounts::Totals cached;
  for (const auto& reactor : reactors_) reactor->cache_counts().add_to(cached);
  collect_cache(cached, response_cache_.status(), families);
  autopilot_.collect(autopilot_totals(), families);
}

}  // namespace tollgate
