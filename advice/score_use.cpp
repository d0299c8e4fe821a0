#include "advice/score_use.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace tollgate::advice {
namespace {

constexpr double whole_ppm = 1e6;  // the configuration reads bounds with six decimals

bool answers_text(const Target& target) {
  return std::any_of(target.surfaces.begin(), target.surfaces.end(),
                     generates_text) ||
         target.surfaces.empty();
}

std::vector<const Target*> targets_of(const Route& route, const Config& config) {
  std::vector<const Target*> out;
  for (const std::size_t index : route.among) {
    const Target& target = config.targets[index];
    if (answers_text(target) && target.capability >= route.min_capability) out.push_back(&target);
  }
  return out;
}

BoundaryKey capability_key(const Target& target, const Config& config) {
  return {{"backends", std::string(text(config.backend_of(target).name)), "models", std::string(text(target.model)),
           "capability"},
          target.capability};
}

/// Targets of different capability compete within the route.
std::optional<ScoreUse> within(const Route& route, const Config& config) {
  const std::vector<const Target*> targets = targets_of(route, config);
  if (targets.empty()) return std::nullopt;
  double most = 0, next = -1;
  for (const Target* target : targets) most = std::max(most, target->capability);
  ScoreUse use;
  for (const Target* target : targets) {
    if (target->capability >= most) {
      use.strong.push_back(target);
    } else {
      use.weak.push_back(target);
      next = std::max(next, target->capability);
    }
  }
  if (use.weak.empty()) return std::nullopt;
  use.routes.emplace_back(text(route.name));
  use.basis = route.cost_basis;
  use.now = next;
  // Those below the boundary keep what they are trusted with, unless the boundary falls below it.
  for (const Target* target : use.weak) {
    if (target->capability >= next) use.keys.push_back(capability_key(*target, config));
  }
  return use;
}

Condition without_scores(Condition when) {
  when.tiers.reset();
  when.complexity_from.reset();
  when.complexity_below.reset();
  return when;
}

bool takes_simple(const Condition& when) {
  return (!when.tiers || (*when.tiers & 1U) != 0) && when.complexity_from.value_or(0) <= 0;
}
bool takes_hardest(const Condition& when) {
  constexpr unsigned reasoning = 1U << static_cast<unsigned>(Tier::reasoning);
  return (!when.tiers || (*when.tiers & reasoning) != 0) && !when.complexity_below;
}

/// The lowest tier of a set that holds all tiers from it on.
std::optional<Tier> upper_set(std::uint8_t tiers) {
  for (unsigned from = 1; from < tier_count; ++from) {
    if (tiers == ((1U << tier_count) - (1U << from))) return static_cast<Tier>(from);
  }
  return std::nullopt;
}
std::optional<Tier> lower_set(std::uint8_t tiers) {
  constexpr unsigned all = (1U << tier_count) - 1;
  return upper_set(static_cast<std::uint8_t>(all & ~static_cast<unsigned>(tiers)));
}

/// The boundary that one route's conditions draw.
struct Drawn {
  std::optional<Tier> tier;
  std::optional<double> band;
  bool strong_here = false;  ///< the route takes what lies above it
};

std::optional<Drawn> drawn_by(const Condition& when) {
  if (when.tiers && !when.complexity_from && !when.complexity_below) {
    if (const auto tier = upper_set(*when.tiers)) return Drawn{tier, {}, true};
    if (const auto tier = lower_set(*when.tiers)) return Drawn{tier, {}, false};
  }
  if (when.tiers) return std::nullopt;
  if (when.complexity_from && *when.complexity_from > 0 && !when.complexity_below)
    return Drawn{{}, when.complexity_from, true};
  if (when.complexity_below && when.complexity_from.value_or(0) <= 0) return Drawn{{}, when.complexity_below, false};
  return std::nullopt;
}

void add_band_keys(const Route& route, double band, ScoreUse& use) {
  const std::string name(text(route.name));
  if (route.when.complexity_from == band) use.keys.push_back({{"routes", name, "when", "complexity", "from"}, band});
  if (route.when.complexity_below == band) use.keys.push_back({{"routes", name, "when", "complexity", "below"}, band});
}

/// Two routes for the same requests, of which one takes what lies above a boundary and the other what lies below it.
std::optional<ScoreUse> between(const Route& first, const Route& second, const Config& config) {
  const std::optional<Drawn> drawn = drawn_by(first.when);
  if (!drawn || without_scores(first.when) != without_scores(second.when)) return std::nullopt;
  if (drawn->strong_here ? !takes_simple(second.when) : !takes_hardest(second.when)) return std::nullopt;
  const Route& strong = drawn->strong_here ? first : second;
  const Route& weak = drawn->strong_here ? second : first;
  ScoreUse use;
  use.routes = {std::string(text(strong.name)), std::string(text(weak.name))};
  use.strong = targets_of(strong, config);
  use.weak = targets_of(weak, config);
  if (use.strong.empty() || use.weak.empty()) return std::nullopt;
  use.basis = weak.cost_basis;
  if (drawn->tier) {
    use.by_tier = true;
    use.tier = *drawn->tier;
    use.now = bound_below(config.tiers, use.tier);
    use.keys.push_back({{"tiers", std::string(bound_key(use.tier))}, use.now});
  } else {
    use.now = *drawn->band;
    add_band_keys(strong, use.now, use);
    add_band_keys(weak, use.now, use);
  }
  return use;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

bool same_sides(const ScoreUse& a, const ScoreUse& b) {
  return a.weak == b.weak && a.strong == b.strong && a.now == b.now;
}

std::vector<ScoreUse> all_uses(const Config& config) {
  std::vector<ScoreUse> uses;
  const auto add = [&](ScoreUse use) {
    const auto same =
        std::find_if(uses.begin(), uses.end(), [&](const ScoreUse& each) { return same_sides(each, use); });
    if (same == uses.end()) {
      uses.push_back(std::move(use));
      return;
    }
    for (std::string& route : use.routes) {
      if (std::find(same->routes.begin(), same->routes.end(), route) == same->routes.end())
        same->routes.push_back(std::move(route));
    }
  };
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    if (auto use = within(config.routes[i], config)) add(std::move(*use));
    for (std::size_t j = i + 1; j < config.routes.size(); ++j) {
      auto use = between(config.routes[i], config.routes[j], config);
      if (!use) continue;
      add(std::move(*use));
      break;
    }
  }
  return uses;
}

}  // namespace

std::string BoundaryKey::text() const {
  std::string out;
  for (const std::string& each : path) out += (out.empty() ? "" : ".") + each;
  return out;
}

std::string_view bound_key(Tier tier) noexcept {
  switch (tier) {
    case Tier::simple:
    case Tier::medium:
      return "medium";
    case Tier::complex:
      return "complex";
    case Tier::reasoning:
      return "reasoning";
  }
  return "complex";
}

double bound_below(const TierBounds& bounds, Tier tier) noexcept {
  switch (tier) {
    case Tier::simple:
    case Tier::medium:
      return bounds.medium;
    case Tier::complex:
      return bounds.complex;
    case Tier::reasoning:
      return bounds.reasoning;
  }
  return bounds.complex;
}

TierBounds moved_bounds(TierBounds now, Tier first_strong, double bound) noexcept {
  const double was = bound_below(now, first_strong);
  const auto rounded = [](double value) { return std::round(value * whole_ppm) / whole_ppm; };
  const auto below = [&](double other) { return other < bound ? other : rounded(other * bound / was); };
  const auto above = [&](double other) {
    return other > bound ? other : rounded(1 - (1 - other) * (1 - bound) / (1 - was));
  };
  TierBounds out = now;
  out.medium = first_strong == Tier::medium ? bound : below(now.medium);
  out.complex = first_strong == Tier::complex  ? bound
                : first_strong == Tier::medium ? above(now.complex)
                                               : below(now.complex);
  out.reasoning = first_strong == Tier::reasoning ? bound : above(now.reasoning);
  return out;
}

Result<ScoreUse> score_use_of(const Config& config, const std::string& route) {
  std::vector<ScoreUse> uses = all_uses(config);
  if (!route.empty()) {
    const bool exists = std::any_of(config.routes.begin(), config.routes.end(),
                                    [&](const Route& each) { return text(each.name) == route; });
    if (!exists) return fail(Fault::bad_config, "the configuration has no route '" + route + "'");
    std::erase_if(uses, [&](const ScoreUse& use) {
      return std::find(use.routes.begin(), use.routes.end(), route) == use.routes.end();
    });
    // Asked about one route, its own targets are meant before what tells it from others.
    const auto own = std::find_if(uses.begin(), uses.end(), [](const ScoreUse& use) { return use.routes.size() == 1; });
    if (own != uses.end()) uses = {ScoreUse(*own)};
  }
  if (uses.empty()) {
    const std::string where = route.empty() ? "no route lets" : "route '" + route + "' does not let";
    return fail(Fault::bad_config, where +
                                       " the complexity score decide: give the targets of a route different "
                                       "capabilities, or tell routes apart by tier or complexity");
  }
  if (uses.size() > 1) {
    std::string choices;
    for (const ScoreUse& use : uses) choices += (choices.empty() ? "" : "; ") + joined(use.routes);
    return fail(
        Fault::bad_config,
        "the complexity score decides in several places, each with a boundary of its own: name one with --route (" +
            choices + ")");
  }
  return std::move(uses.front());
}

}  // namespace tollgate::advice
