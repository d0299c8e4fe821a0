#include "gateway/break_even_series.hpp"

#include <prometheus/metric_family.h>

#include <algorithm>

#include "advice/same_model.hpp"

namespace tollgate {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view list_name = "list";

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add(MetricFamily& to, double value, std::vector<ClientMetric::Label> labels) {
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(labels);
  metric.gauge.value = value;
}

/// Femtodollars of so many prompt and answer tokens: what the cheapest is chosen by where no mix is known yet (three to one, as is usual).
Int128 typical(UsdPerToken input, UsdPerToken output) { return 3 * static_cast<Int128>(input.count()) + output.count(); }

/// The model that all targets of a backend carry; "": several.
std::string_view only_model(const Config& config, std::size_t backend) {
  std::string_view model;
  for (const Target& target : config.targets) {
    if (target.backend != backend) continue;
    const std::string_view upstream = target.upstream.empty() ? text(target.model) : std::string_view(target.upstream);
    if (!model.empty() && !advice::is_same_model(model, upstream)) return {};
    model = upstream;
  }
  return model;
}

}  // namespace

std::optional<BreakEvenPoint> break_even_of(const PoolPrices& prices, const ManagedPrice& managed, std::uint64_t prompt, std::uint64_t answer) {
  if (prompt + answer == 0) return std::nullopt;
  const auto in = static_cast<double>(prompt), out = static_cast<double>(answer);
  constexpr double usd_per_million = 1e-9;   // of a femtodollar a token
  BreakEvenPoint point;
  point.managed_usd_per_million = (in * static_cast<double>(managed.input.count()) + out * static_cast<double>(managed.output.count())) / (in + out) * usd_per_million;
  if (point.managed_usd_per_million <= 0) return std::nullopt;
  const auto usd = [](Usd amount) { return static_cast<double>(amount.count()) * 1e-12; };
  // At work all the time a million tokens costs the busy price; at work for a share of it, that price over the share.
  if (const std::optional<Usd> busy = prices.busy ? prices.busy : prices.busy_since_start; busy && busy->count() > 0) point.ratio = usd(*busy) / point.managed_usd_per_million;
  if (prices.loaded && prices.tokens_per_second) {
    constexpr double seconds_per_hour = 3600;
    point.usd_per_hour = (point.managed_usd_per_million - usd(*prices.loaded)) * *prices.tokens_per_second * seconds_per_hour / 1e6;
  }
  return point;
}

void BreakEvenSeries::look_up(const Serving& serving) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto today = std::chrono::floor<std::chrono::days>(now);
  if (generation_ == serving.generation && day_ == today) return;
  generation_ = serving.generation;
  day_ = today;
  const Config& config = *serving.config;
  against_.assign(config.backends.size(), {});
  for (std::size_t backend = 0; backend < config.backends.size(); ++backend) {
    const std::string_view model = config.backends[backend].pool ? only_model(config, backend) : std::string_view();
    if (model.empty()) continue;
    const Target* best = nullptr;
    for (const Target& target : config.targets) {
      if (config.backend_of(target).pool || !target.prices || !advice::is_same_model(target.upstream.empty() ? text(target.model) : std::string_view(target.upstream), model)) continue;
      const TokenPrices &mine = prices_at(*target.prices, now), *theirs = best != nullptr ? &prices_at(*best->prices, now) : nullptr;
      if (theirs == nullptr || typical(mine.input, mine.output) < typical(theirs->input, theirs->output)) best = &target;
    }
    if (best != nullptr) {
      const TokenPrices& prices = prices_at(*best->prices, now);
      against_[backend].push_back({std::string(text(best->id)), {prices.input, prices.output}});
    }
    const std::vector<advice::Host> hosts = advice::hosts_of(prices::built_in_book(), model, now);
    const auto cheapest = std::min_element(hosts.begin(), hosts.end(), [](const advice::Host& a, const advice::Host& b) { return typical(a.input, a.output) < typical(b.input, b.output); });
    if (cheapest != hosts.end()) against_[backend].push_back({std::string(list_name), {cheapest->input, cheapest->output}});
  }
}

void BreakEvenSeries::collect(const Serving& serving, const EngineWatch& watch, std::vector<prometheus::MetricFamily>& families) {
  const std::lock_guard lock(mutex_);
  look_up(serving);
  MetricFamily ratios = family("tollgate_pool_break_even_ratio",
                               "Share of the time that the pool must be at work to cost less than the cheapest managed target of the same model, or the cheapest "
                               "host of the price book (against=list), at the pool's measured tokens per busy second and mix. Above 1: never.",
                               MetricType::Gauge);  // by {"pool", …} and {"against", …}
  MetricFamily managed = family("tollgate_pool_managed_usd_per_million_tokens",
                                "What a million of the pool's tokens, in its own mix of prompt and answer, costs at that managed target or host; caches left out.",
                                MetricType::Gauge);  // by {"pool", …} and {"against", …}
  MetricFamily saving = family("tollgate_pool_saving_usd_per_hour",
                               "What the pool saves an hour at its present rate against that managed target or host, idle time counted; below 0 it costs more.",
                               MetricType::Gauge);  // by {"pool", …} and {"against", …}
  for (std::size_t backend = 0; backend < against_.size(); ++backend) {
    if (against_[backend].empty()) continue;
    const NameId pool = serving.config->backends[backend].pool->name;
    std::uint64_t prompt = 0, answer = 0;
    for (const auto& tokens : serving.engines[backend]->load.counts().tokens) {
      prompt += tokens.prompt;
      answer += tokens.generation;
    }
    const PoolView view = watch.pool(pool);
    for (const Against& against : against_[backend]) {
      const std::optional<BreakEvenPoint> point = break_even_of(view.prices, against.price, prompt, answer);
      if (!point) continue;
      const std::vector<ClientMetric::Label> labels{{"pool", std::string(text(pool))}, {"against", against.name}};
      if (point->ratio) add(ratios, *point->ratio, labels);
      add(managed, point->managed_usd_per_million, labels);
      if (point->usd_per_hour) add(saving, *point->usd_per_hour, labels);
    }
  }
  families.push_back(std::move(ratios));
  families.push_back(std::move(managed));
  families.push_back(std::move(saving));
}

}  // namespace tollgate
