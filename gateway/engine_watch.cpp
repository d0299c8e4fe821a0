#include "gateway/engine_watch.hpp"

namespace tollgate {
namespace {

constexpr std::chrono::milliseconds sample_interval{1'000};

/// Every place that is configured on the backend is taken. Without configured places nothing can be said.
bool all_places_taken(const Serving& serving, std::size_t backend) {
  const Config& config = *serving.config;
  bool any = false;
  for (std::size_t i = 0; i < config.targets.size(); ++i) {
    const Target& target = config.targets[i];
    if (target.backend != backend || target.concurrency_max == 0) continue;
    any = true;
    if (serving.health[i]->in_flight.load(std::memory_order_relaxed) < target.concurrency_max) return false;
  }
  return any;
}

}  // namespace

void EngineWatch::add(Together& pool, const Serving& serving, std::size_t backend) const {
  EngineState& engine = *serving.engines[backend];
  const OwnCounts own = engine.load.counts();
  const EngineStatus status = engine.status();
  pool.tokens += own.all_tokens();
  pool.loads.push_back(&engine.load);
  pool.saturation += serving.config->backends[backend].pool->saturation_tokens_per_second;
  const bool counted = status.prompt.known && status.generation.known;
  pool.engine_known = pool.engine_known && counted;
  if (counted) pool.engine_tokens += status.prompt.engine_total + status.generation.engine_total;
  const bool waits = status.waiting.value_or(0) > 0;
  pool.queue = pool.queue || waits;
  pool.full = pool.full || waits || all_places_taken(serving, backend);
  if (!status.foreign_requests) return;
  pool.foreign_known = true;
  pool.foreign += *status.foreign_requests;
}

void EngineWatch::sample(const PoolStatus& status, const Together& pool, MonoTime now) {
  PoolState& state = pools_[status.pool];
  if (pool.foreign_known) {
    state.view.foreign_requests = pool.foreign;
  } else {
    state.view.foreign_requests.reset();
  }
  for (EngineLoad* load : pool.loads) {
    load->workers_booting.store(static_cast<std::int32_t>(status.workers_booting), std::memory_order_relaxed);
    load->pool_in_flight.store(static_cast<std::int32_t>(status.in_flight), std::memory_order_relaxed);
    load->workers_up.store(static_cast<std::int32_t>(status.workers_up), std::memory_order_relaxed);
  }
  if (state.sampled != MonoTime{} && now - state.sampled < sample_interval) return;
  state.sampled = now;
  PoolSample sample{now,         status.billed, status.attributed, status.foreign,
                    pool.tokens, std::nullopt,  pool.queue,        pool.full};
  if (pool.engine_known) sample.engine_tokens = pool.engine_tokens;
  state.window.add(sample);
  state.view.prices = state.window.prices(pool.saturation);
  const std::optional<Usd>& loaded = state.view.prices.loaded;
  for (EngineLoad* load : pool.loads) {
    load->loaded_picodollars_per_million.store(loaded ? loaded->count() : 0, std::memory_order_relaxed);
  }
}

void EngineWatch::tick(const Serving& serving, MonoTime now) {
  std::map<NameId, Together> pools;
  for (std::size_t i = 0; i < serving.config->backends.size(); ++i) {
    const Backend& backend = serving.config->backends[i];
    if (backend.pool) add(pools[backend.pool->name], serving, i);
  }
  for (const auto& [name, pool] : pools) accounts_.set_foreign(name, pool.foreign > 0);
  const std::vector<PoolStatus> statuses = accounts_.pools();
  const std::lock_guard lock(mutex_);
  for (const PoolStatus& status : statuses) {
    const auto found = pools.find(status.pool);
    if (found == pools.end()) {
      accounts_.set_foreign(status.pool, false);  // it left the configuration
      pools_.erase(status.pool);
    } else {
      sample(status, found->second, now);
    }
  }
}

PoolView EngineWatch::pool(NameId name) const {
  const std::lock_guard lock(mutex_);
  const auto found = pools_.find(name);
  return found == pools_.end() ? PoolView{} : found->second.view;
}

}  // namespace tollgate
