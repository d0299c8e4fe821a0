#include "router/governors.hpp"

#include <algorithm>

namespace tollgate {
namespace {

bool has_target_of(const Route& route, const Config& config, std::size_t backend) {
  return route.autopilot && std::any_of(route.among.begin(), route.among.end(), [&](std::size_t target) { return config.targets[target].backend == backend; });
}

bool is_governed(const Config& config, std::size_t backend) {
  const std::optional<Pool>& pool = config.backends[backend].pool;
  if (!pool || pool->billing != Billing::serverless) return false;
  return std::any_of(config.routes.begin(), config.routes.end(), [&](const Route& route) { return has_target_of(route, config, backend); });
}

/// FNV-1a over whole numbers.
class Number {
 public:
  void add(std::int64_t value) noexcept {
    auto rest = static_cast<std::uint64_t>(value);
    for (int i = 0; i < 8; ++i, rest >>= 8) hash_ = (hash_ ^ (rest & 0xFFU)) * 0x100000001B3ULL;
  }
  void add(const TokenPrices& prices) noexcept {
    for (const UsdPerToken each : {prices.input, prices.cached_input.value_or(prices.input), prices.output}) add(each.count());
    add(prices.per_request.count());
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return hash_ | 1U; }   // 0 stands for none

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
};

}  // namespace

std::uint64_t prices_number(const Config& config, std::size_t backend, std::chrono::sys_seconds clock) {
  Number number;
  const Pool& pool = *config.backends[backend].pool;
  number.add(static_cast<std::int64_t>(pool.rate_picodollars));
  number.add(pool.rate_denominator);
  std::vector<bool> added(config.targets.size(), false);
  for (const Route& route : config.routes) {
    if (!has_target_of(route, config, backend)) continue;
    for (const std::size_t target : route.among) {
      if (added[target] || !config.targets[target].prices) continue;
      added[target] = true;
      number.add(prices_at(*config.targets[target].prices, clock));
    }
  }
  return number.value();
}

void Governors::adopt(const Config& config) {
  std::vector<Governed> kept;
  for (std::size_t backend = 0; backend < config.backends.size(); ++backend) {
    if (!is_governed(config, backend)) continue;
    const NameId name = config.backends[backend].pool->name;
    const auto known = std::find_if(all_.begin(), all_.end(), [&](const Governed& each) { return each.pool == name; });
    kept.push_back(known == all_.end() ? Governed{backend, name, {}} : *known);
    kept.back().backend = backend;
  }
  all_ = std::move(kept);
}

const PoolStance& Governors::tick(Governed& each, const Config& config, const PoolGovernor::Seen& seen, std::uint32_t workers_up, std::chrono::sys_seconds clock,
                                  double now) const {
  const Pool& pool = *config.backends[each.backend].pool;
  PoolGovernor::Facts facts;
  facts.cost = worker_cost_of(pool);
  constexpr double millis = 1000;
  facts.boot_seconds = static_cast<double>(pool.serverless.cold_start.count()) / millis;
  facts.workers_max = pool.serverless.workers_max;
  facts.workers_up = workers_up;
  facts.prices = prices_number(config, each.backend, clock);
  return each.governor.tick(seen, facts, config.autopilot, now);
}

}  // namespace tollgate
