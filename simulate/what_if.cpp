#include "simulate/what_if.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tollgate::simulate {
namespace {

constexpr std::string_view settings_known = "complexity.threshold, capability.TARGET, tiers.medium, tiers.complex or tiers.reasoning";
constexpr std::string_view capability_prefix = "capability.";

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Error no_sweep(std::string_view text) {
  return fail(Fault::bad_request, "--sweep takes SETTING=FROM..TO or SETTING=FROM..TO:STEPS with values from 0 to 1, such as complexity.threshold=0.3..0.9, not '" +
                                      std::string(text) + "'; settings are " + std::string(settings_known));
}

/// All but the most capable targets; bounds of complexity in routes come along.
void set_threshold(Config& config, double value) {
  double most = 0;
  for (const Target& target : config.targets) most = std::max(most, target.capability);
  for (Target& target : config.targets) {
    if (target.capability < most) target.capability = std::min(value, most);
  }
  for (Route& route : config.routes) {
    if (route.when.complexity_from) route.when.complexity_from = value;
    if (route.when.complexity_below) route.when.complexity_below = value;
  }
}

bool has_threshold(const Config& config) {
  const bool differ = std::any_of(config.targets.begin(), config.targets.end(), [&](const Target& target) { return target.capability != config.targets.front().capability; });
  const bool asked = std::any_of(config.routes.begin(), config.routes.end(), [](const Route& route) { return route.when.complexity_from || route.when.complexity_below; });
  return differ || asked;
}

}  // namespace

Result<Sweep> parse_sweep(std::string_view text) {
  const std::size_t equals = text.rfind('='), dots = text.rfind("..");
  if (equals == std::string_view::npos || dots == std::string_view::npos || dots < equals) return no_sweep(text);
  std::string_view last = text.substr(dots + 2);
  double steps = sweep_steps;
  if (const std::size_t colon = last.find(':'); colon != std::string_view::npos) {
    const std::optional<double> given = number_of(last.substr(colon + 1));
    if (!given || *given < 2 || *given > sweep_steps_max || *given != std::floor(*given)) return no_sweep(text);
    steps = *given;
    last = last.substr(0, colon);
  }
  const std::optional<double> from = number_of(text.substr(equals + 1, dots - equals - 1)), to = number_of(last);
  if (!from || !to || !(*from >= 0 && *to <= 1 && *from < *to)) return no_sweep(text);
  Sweep sweep{std::string(text.substr(0, equals)), {}};
  const bool known = sweep.setting == "complexity.threshold" || sweep.setting == "tiers.medium" || sweep.setting == "tiers.complex" || sweep.setting == "tiers.reasoning" ||
                     (sweep.setting.starts_with(capability_prefix) && sweep.setting.size() > capability_prefix.size());
  if (!known) return no_sweep(text);
  for (int i = 0; i < static_cast<int>(steps); ++i) {
    constexpr double grain = 1e6;   // 0.35, not 0.35000000000000003
    sweep.values.push_back(std::round((*from + (*to - *from) * i / (steps - 1)) * grain) / grain);
  }
  return sweep;
}

Result<ConfigPtr> with(const Config& config, const Sweep& sweep, double value) {
  auto changed = std::make_shared<Config>(config);
  if (sweep.setting == "complexity.threshold") {
    if (!has_threshold(config)) return fail(Fault::bad_request, "--sweep complexity.threshold: all targets have the same capability and no route asks for complexity: nothing would change");
    set_threshold(*changed, value);
  } else if (sweep.setting.starts_with(capability_prefix)) {
    const std::string name = sweep.setting.substr(capability_prefix.size());
    const auto found = std::find_if(changed->targets.begin(), changed->targets.end(), [&](const Target& target) { return text(target.id) == name; });
    if (found == changed->targets.end()) return fail(Fault::bad_request, "--sweep: there is no target '" + name + "'");
    found->capability = value;
  } else {
    TierBounds& tiers = changed->tiers;
    (sweep.setting == "tiers.medium" ? tiers.medium : sweep.setting == "tiers.complex" ? tiers.complex : tiers.reasoning) = value;
    if (!(tiers.medium < tiers.complex && tiers.complex < tiers.reasoning)) {
      return fail(Fault::bad_request, "--sweep: with " + sweep.setting + " at " + std::to_string(value) + " the tiers' bounds do not rise any more; choose a range between its neighbours");
    }
  }
  return ConfigPtr(std::move(changed));
}

SweepPoint point_of(double value, const World& world, std::uint64_t seed) {
  SweepPoint point;
  point.value = value;
  point.usd = world.usd();
  std::vector<double> blocks;
  double ms = 0;
  std::int64_t answered = 0;
  for (const Block& block : world.blocks) {
    blocks.push_back(static_cast<double>(block.usd().picodollars()) * 1e-12);
    ms += block.whole_ms;
    answered += block.answered;
  }
  point.usd_interval = interval_of_sum(blocks, seed);
  point.requests = world.total.requests;
  point.at_risk = world.total.at_risk;
  point.refused = world.total.refused;
  point.bad = world.total.risk;
  point.bad_known = world.total.risk_known;
  point.mean_ms = answered > 0 ? ms / static_cast<double>(answered) : 0;
  return point;
}

void mark_knee(std::vector<SweepPoint>& points) {
  if (points.size() < 3) return;
  const auto cost = [](const SweepPoint& point) { return static_cast<double>(point.usd.picodollars()); };
  const auto [least_cost, most_cost] = std::minmax_element(points.begin(), points.end(), [&](const auto& a, const auto& b) { return cost(a) < cost(b); });
  const auto [least_risk, most_risk] = std::minmax_element(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.risk() < b.risk(); });
  const double costs = cost(*most_cost) - cost(*least_cost), risks = most_risk->risk() - least_risk->risk();
  if (costs <= 0 || risks <= 0) return;
  const double cost_from = cost(*least_cost), risk_from = least_risk->risk();
  SweepPoint* knee = nullptr;
  double best = 0.02;   // of the whole range: less is no bend
  for (SweepPoint& point : points) {
    // On the straight line the two shares sum to 1.
    const double below = 1 - (cost(point) - cost_from) / costs - (point.risk() - risk_from) / risks;
    if (below <= best) continue;
    best = below;
    knee = &point;
  }
  if (knee != nullptr) knee->is_knee = true;
}

Result<MorePool> parse_more_pool(std::string_view text) {
  MorePool more;
  const std::size_t equals = text.find('=');
  more.pool = std::string(text.substr(0, equals));
  if (equals != std::string_view::npos) {
    const std::optional<double> replicas = number_of(text.substr(equals + 1));
    constexpr double most = 1000;
    if (!replicas || *replicas < 1 || *replicas > most || *replicas != std::floor(*replicas)) {
      return fail(Fault::bad_request, "--add-pool takes a pool's name, or NAME=REPLICAS with 1 to 1000 of them, not '" + std::string(text) + "'");
    }
    more.replicas = static_cast<std::int64_t>(*replicas);
  }
  return more;
}

Result<ConfigPtr> with(const Config& config, const MorePool& more) {
  auto changed = std::make_shared<Config>(config);
  for (std::size_t i = 0; i < changed->backends.size(); ++i) {
    Backend& backend = changed->backends[i];
    if (!backend.pool || text(backend.name) != more.pool) continue;
    Pool& pool = *backend.pool;
    if (pool.billing == Billing::serverless) {
      pool.serverless.workers_max += static_cast<std::uint32_t>(more.replicas);
    } else {
      const std::int64_t was = std::max<std::int64_t>(pool.replicas, 1);
      pool.replicas = was + more.replicas;
      pool.gpus = pool.gpus / was * pool.replicas;
      pool.rate_picodollars *= pool.replicas;
      pool.rate_denominator *= was;
    }
    for (Target& target : changed->targets) {
      if (target.backend != i || pool.billing == Billing::serverless) continue;
      target.concurrency_max = static_cast<unsigned>(target.concurrency_max * static_cast<std::uint64_t>(pool.replicas) / static_cast<std::uint64_t>(pool.replicas - more.replicas));
    }
    return ConfigPtr(std::move(changed));
  }
  std::string known;
  for (const Backend& backend : config.backends) {
    if (backend.pool) known.append(known.empty() ? "" : ", ").append(text(backend.name));
  }
  return fail(Fault::bad_request, "--add-pool: there is no pool '" + more.pool + "'" + (known.empty() ? "; the configuration has none" : "; there are " + known));
}

void scale_pools(const Config& measured, const Config& changed, SpeedBook& speeds) {
  for (std::size_t i = 0; i < changed.backends.size(); ++i) {
    const std::optional<Pool>&now = changed.backends[i].pool, &was = measured.backends[i].pool;
    if (!now || !was) continue;
    PoolSpeed& speed = speeds.pools[i];
    double factor = static_cast<double>(now->replicas) / static_cast<double>(std::max<std::int64_t>(was->replicas, 1));
    if (now->billing == Billing::serverless) factor = static_cast<double>(now->serverless.workers_max) / static_cast<double>(was->serverless.workers_max);
    speed.full_speed *= factor;
    speed.places = static_cast<std::uint32_t>(std::lround(speed.places * factor));
  }
}

}  // namespace tollgate::simulate
