// Engines and pool prices as Prometheus families. What is not known has no series: it is not 0.

#include <prometheus/metric_family.h>

#include <limits>

#include "gateway/engine_watch.hpp"

namespace tollgate {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = std::vector<MetricFamily>;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add(MetricFamily& to, double value, Labels labels) {
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(labels);
  if (to.type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

// Division, not multiplication by 1e-12: the nearest double to the exact value.
double usd(Usd amount) { return static_cast<double>(amount.count()) / 1e12; }

std::string word(NameId name) { return std::string(text(name)); }

void add_scrapes(Families& families, const std::vector<EngineStatus>& engines) {
  const auto now = std::chrono::steady_clock::now();
  families.push_back(
      family("tollgate_engine_scrapes_total", "Times that an engine's metrics were asked for.", MetricType::Counter));
  for (const EngineStatus& engine : engines)
    add(families.back(), static_cast<double>(engine.scrapes), {{"backend", word(engine.backend)}});
  families.push_back(family("tollgate_engine_scrape_failures_total", "Of these, how often they could not be read.",
                            MetricType::Counter));
  for (const EngineStatus& engine : engines)
    add(families.back(), static_cast<double>(engine.failures), {{"backend", word(engine.backend)}});
  families.push_back(family("tollgate_engine_scrape_age_seconds", "Time since an engine's metrics were last read.",
                            MetricType::Gauge));
  for (const EngineStatus& engine : engines) {
    if (engine.last_success == std::chrono::steady_clock::time_point{}) continue;
    const std::chrono::duration<double> age = now - engine.last_success;
    add(families.back(), age.count(), {{"backend", word(engine.backend)}});
  }
  families.push_back(
      family("tollgate_engine_restarts_total", "Times that an engine's counters began anew.", MetricType::Counter));
  for (const EngineStatus& engine : engines)
    add(families.back(), static_cast<double>(engine.restarts), {{"backend", word(engine.backend)}});
}

void add_load(Families& families, const std::vector<EngineStatus>& engines) {
  families.push_back(
      family("tollgate_engine_running", "Requests that the engine works on, whoever sent them.", MetricType::Gauge));
  for (const EngineStatus& engine : engines) {
    if (engine.running) add(families.back(), static_cast<double>(*engine.running), {{"backend", word(engine.backend)}});
  }
  families.push_back(
      family("tollgate_engine_waiting", "Requests that wait in the engine, whoever sent them.", MetricType::Gauge));
  for (const EngineStatus& engine : engines) {
    if (engine.waiting) add(families.back(), static_cast<double>(*engine.waiting), {{"backend", word(engine.backend)}});
  }
  families.push_back(
      family("tollgate_engine_kv_cache_usage_ratio", "Share of the engine's KV cache in use.", MetricType::Gauge));
  for (const EngineStatus& engine : engines) {
    if (engine.kv_cache_usage) add(families.back(), *engine.kv_cache_usage, {{"backend", word(engine.backend)}});
  }
}

struct Side {
  std::string backend, type;
  TokenAccount account;
};

/// The counts that the engines tell.
std::vector<Side> sides_of(const std::vector<EngineStatus>& engines) {
  std::vector<Side> sides;
  for (const EngineStatus& engine : engines) {
    if (engine.prompt.known) sides.push_back({word(engine.backend), "prompt", engine.prompt});
    if (engine.generation.known) sides.push_back({word(engine.backend), "generation", engine.generation});
  }
  return sides;
}

void add_tokens(Families& families, const std::vector<EngineStatus>& engines) {
  const std::vector<Side> sides = sides_of(engines);
  families.push_back(family("tollgate_engine_tokens_total",
                            "Tokens by the engine's own count since the gateway began to watch it: prompt (cached ones "
                            "included) and generation.",
                            MetricType::Counter));
  for (const Side& side : sides) {
    add(families.back(), static_cast<double>(side.account.engine_total),
        {{"backend", side.backend}, {"type", side.type}});
  }
  families.push_back(family("tollgate_foreign_tokens_total", "Of these, tokens of requests that did not pass here.",
                            MetricType::Counter));
  for (const Side& side : sides) {
    add(families.back(), static_cast<double>(side.account.foreign_total),
        {{"backend", side.backend}, {"type", side.type}});
  }
  families.push_back(family("tollgate_engine_unexplained_tokens",
                            "The engine's tokens less those counted here and foreign ones: the last ones of what was "
                            "cut off, or a wrong count.",
                            MetricType::Gauge));
  for (const Side& side : sides) {
    add(families.back(), static_cast<double>(side.account.unexplained),
        {{"backend", side.backend}, {"type", side.type}});
  }
  families.push_back(family("tollgate_engine_token_drift_ratio",
                            "(engine's tokens - tokens counted here) / engine's tokens, since both are known: 0 they "
                            "agree, above 0 the engine "
                            "served more, below 0 less.",
                            MetricType::Gauge));
  for (const Side& side : sides) {
    if (const auto ratio = side.account.drift_ratio())
      add(families.back(), *ratio, {{"backend", side.backend}, {"type", side.type}});
  }
}

void add_prices(Families& families, const std::vector<std::pair<NameId, PoolView>>& pools) {
  families.push_back(family("tollgate_pool_foreign_requests", "Requests in the pool's engines that did not pass here.",
                            MetricType::Gauge));
  for (const auto& [name, view] : pools) {
    if (view.foreign_requests)
      add(families.back(), static_cast<double>(*view.foreign_requests), {{"pool", word(name)}});
  }
  families.push_back(family("tollgate_pool_usd_per_million_tokens",
                            "Price of a million tokens over the last five minutes. loaded: the bill (less foreign) "
                            "over tokens served; busy: what "
                            "is attributed over the same; marginal: 0 while there is room, busy when full.",
                            MetricType::Gauge));
  for (const auto& [name, view] : pools) {
    for (const auto& [basis, price] : {std::pair{"marginal", view.prices.marginal}, std::pair{"busy", view.prices.busy},
                                       std::pair{"loaded", view.prices.loaded}}) {
      if (price) add(families.back(), usd(*price), {{"pool", word(name)}, {"basis", basis}});
    }
  }
  families.push_back(
      family("tollgate_pool_tokens_per_second", "Tokens per second over the last 30 s.", MetricType::Gauge));
  for (const auto& [name, view] : pools) {
    if (view.prices.tokens_per_second) add(families.back(), *view.prices.tokens_per_second, {{"pool", word(name)}});
  }
  families.push_back(family("tollgate_pool_saturation_tokens_per_second",
                            "Tokens per second when full. source: configured; learned, the most seen while requests "
                            "waited; peak, the most seen.",
                            MetricType::Gauge));
  for (const auto& [name, view] : pools) {
    if (view.prices.saturation_source == SaturationSource::none) continue;
    add(families.back(), view.prices.saturation_tokens_per_second,
        {{"pool", word(name)}, {"source", std::string(name_of(view.prices.saturation_source))}});
  }
  families.push_back(
      family("tollgate_pool_load_ratio", "Tokens per second over tokens per second when full.", MetricType::Gauge));
  for (const auto& [name, view] : pools) {
    if (view.prices.load_ratio) add(families.back(), *view.prices.load_ratio, {{"pool", word(name)}});
  }
}

void add_histogram(MetricFamily& to, const TimingTotals& totals, Labels labels) {
  constexpr double micros = 1e6;
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(labels);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i <= timing_bounds.size(); ++i) {
    cumulative += totals.counts[i];
    const double bound = i < timing_bounds.size() ? static_cast<double>(timing_bounds[i]) / micros
                                                  : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({cumulative, bound});
  }
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = static_cast<double>(totals.sum) / micros;
}

void add_timings(Families& families, const Serving& serving) {
  families.push_back(family(
      "tollgate_engine_ttft_seconds",
      "From the moment the engine took a request to its first token, by the engine's own clock (per_request_metrics).",
      MetricType::Histogram));
  const auto add_all = [&](TimingHistogram TimingsSeen::*which) {
    for (std::size_t i = 0; i < serving.timings.size(); ++i) {
      const TimingHistogram& seen = serving.timings[i]->*which;
      if (seen.empty()) continue;
      add_histogram(families.back(), seen.totals(), {{"target", word(serving.config->targets[i].id)}});
    }
  };
  add_all(&TimingsSeen::first_token);
  families.push_back(family("tollgate_engine_generation_seconds", "First token to last, by the engine's own clock.",
                            MetricType::Histogram));
  add_all(&TimingsSeen::generation);  // by {"target", …}
  families.push_back(family("tollgate_engine_queue_seconds", "What a request waited in the engine, by its own clock.",
                            MetricType::Histogram));
  add_all(&TimingsSeen::queue);  // by {"target", …}
}

}  // namespace

void EngineWatch::collect(const Serving& serving, std::vector<prometheus::MetricFamily>& families) const {
  std::vector<EngineStatus> engines;
  for (const EngineState* engine : serving.engines) {
    EngineStatus status = engine->status();
    if (status.scraped) engines.push_back(std::move(status));
  }
  std::vector<std::pair<NameId, PoolView>> pools;
  for (const Backend& backend : serving.config->backends) {
    if (backend.pool) pools.emplace_back(backend.pool->name, pool(backend.pool->name));
  }
  add_scrapes(families, engines);
  add_load(families, engines);
  add_tokens(families, engines);
  add_prices(families, pools);
  add_timings(families, serving);
}

}  // namespace tollgate
