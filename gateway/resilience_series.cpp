#include "gateway/resilience_series.hpp"

#include <chrono>
#include <string>

#include "gateway/series_of.hpp"
#include "router/target_state.hpp"

namespace tollgate {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

void collect_first_answers(const Serving& serving, std::vector<MetricFamily>& families) {
  constexpr double shown = 0.95;
  MetricFamily& times = series_of(families, "tollgate_first_answer_seconds", MetricType::Gauge, "target,answers",
                                  "The 95th percentile of what a target takes to the first token (answers=stream) or to a whole answer (answers=whole), as "
                                  "hedges know it; at most an eighth too high. Only where a route hedges.");
  const std::vector<Target>& targets = serving.config->targets;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto add = [&](const FirstAnswerTimes& known, const char* answers) {
      const auto time = known.percentile(shown, 1);
      if (time) add_sample(times, std::chrono::duration<double>(*time).count(), {{"target", std::string(text(targets[i].id))}, {"answers", answers}});
    };
    add(serving.health[i]->first_tokens, "stream");
    add(serving.health[i]->whole_answers, "whole");
  }
}

}  // namespace

bool is_usable(const TargetHealth& health, std::chrono::steady_clock::time_point now) {
  return health.reachable() && health.usable(now) && !health.draining.load(std::memory_order_relaxed);
}

std::string_view state_name(const Serving& serving, std::size_t target, std::chrono::steady_clock::time_point now) {
  const TargetHealth& health = *serving.health[target];
  if (health.draining.load(std::memory_order_relaxed)) return "draining";
  if (!health.reachable()) return "unreachable";
  if (health.state(now) == BreakerState::open) return "breaker_open";
  if (health.state(now) == BreakerState::half_open) return "half_open";
  if (health.ejected(now)) return "ejected";
  if (health.connects.stuck(now)) return "connecting";
  TargetState state;
  note_limits(serving, target, now, state);
  return state.limited_for.count() > 0 || state.tokens_left == 0 ? "rate_limited" : "up";
}

void collect_targets(const Serving& serving, std::vector<MetricFamily>& families) {
  const auto now = std::chrono::steady_clock::now();
  const std::vector<Target>& targets = serving.config->targets;
  const auto fill = [&](MetricFamily& family, const auto& value) {
    for (std::size_t i = 0; i < targets.size(); ++i) add_sample(family, value(i), {{"target", std::string(text(targets[i].id))}});
  };
  fill(series_of(families, "tollgate_target_draining", MetricType::Gauge, "target",
                 "1 while an operator has drained the target's backend: nothing new is sent there."),
       [&](std::size_t i) { return serving.health[i]->draining.load(std::memory_order_relaxed) ? 1.0 : 0.0; });
  fill(series_of(families, "tollgate_target_ejected", MetricType::Gauge, "target", "1 while the target is left out because it failed more often than its peers."),
       [&](std::size_t i) { return serving.health[i]->ejected(now) ? 1.0 : 0.0; });
  fill(series_of(families, "tollgate_target_rate_limited_seconds", MetricType::Gauge, "target",
                 "How long the provider's rate limit keeps requests from the target; 0: it does not."),
       [&](std::size_t i) {
         TargetState state;
         note_limits(serving, i, now, state);
         return std::chrono::duration<double>(state.limited_for).count();
       });
  if (serving.config->hedges) collect_first_answers(serving, families);
  MetricFamily& refusals = series_of(families, "tollgate_upstream_key_refusals_total", MetricType::Counter, "backend,key",
                                     "How often a provider refused one of its keys (401, 402, 403, no quota), by the key's place in api_keys.");
  for (std::size_t i = 0; i < serving.upstream_keys.size(); ++i) {
    const Serving::UpstreamKeys& keys = serving.upstream_keys[i];
    if (serving.config->backends[i].api_key.empty()) continue;
    for (std::size_t key = 0; key < keys.health.size(); ++key) {
      add_sample(refusals, static_cast<double>(keys.health[key]->refusals()),
                 {{"backend", std::string(text(serving.config->backends[i].name))}, {"key", std::to_string(key + 1)}});
    }
  }
}

}  // namespace tollgate
