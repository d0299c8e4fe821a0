#include "metrics/baselines.hpp"

#include <algorithm>

namespace tollgate {
namespace {

std::uint32_t bit_of(Surface surface) noexcept { return 1U << static_cast<unsigned>(surface); }

/// The attempt whose tokens count; nullptr if no usage is known. What a hedge lost would not have been asked of one provider.
const AttemptRow* answered_by(const OpenRequest& settled) noexcept {
  for (std::size_t i = settled.row.attempts; i-- > 0;) {
    if (settled.attempts[i].usage_source != UsageSource::none && !settled.attempts[i].result.is_lost_hedge()) return &settled.attempts[i];
  }
  return nullptr;
}

TokenRates rates_of(const BaselineRule& rule, std::size_t host, std::int64_t at_us) noexcept {
  if (host >= rule.timed.size() || !rule.timed[host]) return rule.hosts[host].rates;
  return TokenRates(prices_at(*rule.timed[host], std::chrono::sys_seconds{std::chrono::seconds{at_us / 1'000'000}}));
}

/// Nothing was sent, or what was sent was refused before any work.
bool nobody_worked(const OpenRequest& settled) noexcept {
  const auto begin = settled.attempts.begin();
  return std::all_of(begin, begin + settled.row.attempts,
                     [](const AttemptRow& attempt) { return attempt.pricing == Pricing::not_billed; });
}

}  // namespace

BaselineSet baselines_of(const Config& config) {
  BaselineSet set;
  for (const Baseline& baseline : config.baselines) {
    BaselineRule rule{baseline.name, {}, {}};
    for (const std::size_t index : baseline.targets) {
      const Target& target = config.targets[index];
      BaselineHost host;
      host.priced = target.prices.has_value();
      const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
      if (target.prices) {
        host.rates = TokenRates(prices_at(*target.prices, now));
      }
      const bool by_time = target.prices && !target.prices->timed.empty();
      rule.timed.push_back(by_time ? std::make_shared<const TokenPrices>(*target.prices) : nullptr);
      for (const Surface surface : target.surfaces) host.surfaces |= bit_of(surface);
      rule.hosts.push_back(host);
    }
    set.rules.push_back(std::move(rule));
  }
  return set;
}

std::optional<BaselineCost> baseline_cost(const BaselineRule& rule, const OpenRequest& settled) noexcept {
  if (settled.row.purpose != Purpose::client) return std::nullopt;  // nobody would have sent it elsewhere
  const std::uint32_t surface = bit_of(settled.row.surface);
  const bool served = std::any_of(rule.hosts.begin(), rule.hosts.end(),
                                  [&](const BaselineHost& host) { return (host.surfaces & surface) != 0; });
  if (!served) return std::nullopt;
  const AttemptRow* const answer = answered_by(settled);
  if (answer == nullptr) return BaselineCost{nobody_worked(settled) ? std::optional(Usd{}) : std::nullopt};
  BaselineCost cheapest;
  for (std::size_t i = 0; i < rule.hosts.size(); ++i) {
    const BaselineHost& host = rule.hosts[i];
    const TokenRates rates = rates_of(rule, i, answer->started_us);
    if (!host.priced || !rates.cover(answer->usage) || (host.surfaces & surface) == 0) continue;
    const Usd usd = token_charge(answer->usage, rates).total();
    if (!cheapest.usd || usd < *cheapest.usd) cheapest.usd = usd;
  }
  return cheapest;
}

}  // namespace tollgate
