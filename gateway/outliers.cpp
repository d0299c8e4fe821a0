#include "gateway/outliers.hpp"

#include <algorithm>

#include "config/decimal.hpp"
#include "gateway/log.hpp"
#include "gateway/serving.hpp"

namespace tollgate {
namespace {

constexpr double peers_factor = 2;       // an outlier fails at least so many times as often as its peers
constexpr std::uint32_t times_max = 10;  // the longest ejection, in units of `eject`

double share_of(std::uint64_t failures, std::uint64_t attempts) {
  return attempts == 0 ? 0 : static_cast<double>(failures) / static_cast<double>(attempts);
}

/// The other targets of the routes that `target` stands on; those that are ejected already count for the routes' limit only.
struct Peers {
  std::uint64_t attempts = 0, failures = 0;
  bool any = false, room = true;
};

Peers peers_of(std::size_t target, std::span<const TargetWindow> targets, std::span<const Route> routes, const OutlierRules& rules) {
  Peers peers;
  std::vector<bool> seen(targets.size(), false);
  for (const Route& route : routes) {
    if (std::find(route.among.begin(), route.among.end(), target) == route.among.end()) continue;
    std::size_t ejected = 1;
    for (const std::size_t other : route.among) {
      if (other == target) continue;
      if (targets[other].ejected) {
        ++ejected;
        continue;
      }
      if (seen[other]) continue;
      seen[other] = true;
      peers.any = true;
      peers.attempts += targets[other].attempts;
      peers.failures += targets[other].failures;
    }
    const double share = static_cast<double>(ejected) / static_cast<double>(route.among.size());
    peers.room = peers.room && share <= rules.ejected_share_max && ejected < route.among.size();
  }
  return peers;
}

}  // namespace

std::vector<std::size_t> outliers_of(std::span<const TargetWindow> given, std::span<const Route> routes, const OutlierRules& rules) {
  std::vector<TargetWindow> targets(given.begin(), given.end());
  std::vector<std::size_t> worst_first;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TargetWindow& target = targets[i];
    const bool enough = target.attempts > 0 && target.attempts >= rules.attempts_min;
    if (!target.ejected && enough && share_of(target.failures, target.attempts) >= rules.failed_share) worst_first.push_back(i);
  }
  const auto share = [&](std::size_t i) { return share_of(targets[i].failures, targets[i].attempts); };
  std::stable_sort(worst_first.begin(), worst_first.end(), [&](std::size_t a, std::size_t b) { return share(a) > share(b); });
  std::vector<std::size_t> out;
  for (const std::size_t i : worst_first) {
    const Peers peers = peers_of(i, targets, routes, rules);
    if (!peers.any || !peers.room || share(i) < peers_factor * share_of(peers.failures, peers.attempts)) continue;
    targets[i].ejected = true;
    out.push_back(i);
  }
  return out;
}

void Outliers::look(const Serving& serving, std::chrono::steady_clock::time_point now) {
  const OutlierRules& rules = serving.config->outliers;
  std::vector<TargetWindow> targets(serving.health.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    TargetHealth& health = *serving.health[i];
    targets[i].attempts = health.window_attempts.exchange(0, std::memory_order_relaxed);
    targets[i].failures = std::min(health.window_failures.exchange(0, std::memory_order_relaxed), targets[i].attempts);
    targets[i].ejected = health.ejected(now);
    Past& past = past_[serving.config->targets[i].id];
    if (now >= past.until + rules.window) past.ejections = 0;       // a whole window without one
  }
  for (const std::size_t i : outliers_of(targets, serving.config->routes, rules)) {
    Past& past = past_[serving.config->targets[i].id];
    past.ejections = std::min(past.ejections + 1, times_max);
    past.until = now + rules.eject * past.ejections;
    serving.health[i]->eject(past.until);
    log_event(LogLevel::warn, "a target fails more often than its peers and is left out for a while",
              {{"target", std::string(text(serving.config->targets[i].id))},
               {"failed", std::to_string(targets[i].failures), false},
               {"of", std::to_string(targets[i].attempts), false},
               {"seconds", decimal_text((rules.eject * past.ejections).count(), 3), false}});
  }
}

}  // namespace tollgate
