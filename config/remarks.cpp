// What is not wrong, but probably not meant.
#include <fmt/format.h>

#include <algorithm>

#include "config/address.hpp"
#include "config/config.hpp"
#include "config/decimal.hpp"
#include "config/glob.hpp"
#include "config/price_catalogue.hpp"
#include "config/reach_remarks.hpp"
#include "config/route_remarks.hpp"

namespace tollgate {
namespace {

bool matches_everything(const Condition& when) { return when == Condition{}; }

bool satisfies(const Constraint& constraint, const Backend& backend) {
  if (constraint.trust && *constraint.trust != backend.trust) return false;
  return std::all_of(constraint.labels.begin(), constraint.labels.end(), [&](const auto& label) {
    const auto found = backend.labels.find(label.first);
    return found != backend.labels.end() &&
           std::find(label.second.begin(), label.second.end(), found->second) != label.second.end();
  });
}

void remark_on_prices(const Config& config, std::vector<std::string>& remarks) {
  for (const Target& target : config.targets) {
    if (config.backend_of(target).pool) continue;
    if (!target.prices && !target.unit_prices && config.backend_of(target).reported_costs) {
      remarks.push_back(fmt::format("target {} has no known price: what a request costs there is known once the provider says it, not "
                                    "before; add prices for routing, budgets and answers that break off",
                                    text(target.id)));
      continue;
    }
    if (!target.prices && !target.unit_prices) {
      remarks.push_back(fmt::format("target {} has no known price: its requests are recorded as unpriced; add prices",
                                    text(target.id)));
      continue;
    }
    const std::int64_t limit = target.prices ? target.prices->input_tokens_max : 0;
    if (limit != 0 && target.context_tokens > limit) {
      remarks.push_back(
          fmt::format("target {}: the catalogue's prices hold up to {} input tokens, context_tokens is {}; longer "
                      "requests are unpriced: lower context_tokens or add prices",
                      text(target.id), limit, target.context_tokens));
    }
  }
}

void remark_on_baselines(const Config& config, std::vector<std::string>& remarks) {
  for (const Baseline& baseline : config.baselines) {
    for (const std::size_t target : baseline.targets) {
      if (config.targets[target].prices) continue;
      remarks.push_back(fmt::format(
          "baseline {}: target {} has no token prices, so what requests would cost there is {}", text(baseline.name),
          text(config.targets[target].id), baseline.targets.size() == 1 ? "unknown" : "left out"));
    }
  }
}

void remark_on_routes(const Config& config, std::vector<std::string>& remarks) {
  const Route* catch_all = nullptr;
  std::vector<bool> reached(config.targets.size(), false);
  for (std::size_t at = 0; at < config.routes.size(); ++at) {
    const Route& route = config.routes[at];
    if (catch_all != nullptr) {
      remarks.push_back(fmt::format("route {} never matches: route {} before it has no conditions", text(route.name),
                                    text(catch_all->name)));
      continue;
    }
    if (never_matches(config, at)) continue;
    for (const std::size_t target : route.among) reached[target] = true;
    if (matches_everything(route.when)) catch_all = &route;
  }
  if (catch_all != nullptr) {
    remarks.push_back(fmt::format("route {} has no conditions: it takes every model name, also a misspelt one",
                                  text(catch_all->name)));
  }
  for (std::size_t i = 0; i < reached.size(); ++i) {
    // What is passed through is asked for by name, or goes to who serves it: it needs no route.
    if (!reached[i] && !config.targets[i].is_passed_to())
      remarks.push_back(fmt::format("no route reaches target {}: only clients that ask for it by name get there",
                                    text(config.targets[i].id)));
  }
}

template <class T>
bool disjoint(const std::vector<T>& a, const std::vector<T>& b) {
  return !a.empty() && !b.empty() &&
         std::none_of(a.begin(), a.end(), [&](const T& each) { return std::find(b.begin(), b.end(), each) != b.end(); });
}

/// Whether no usual request meets both: other callers, other models, other values of a header.
bool exclusive(const Condition& a, const Condition& b) {
  const auto has_pattern = [](const std::string& model) { return model.find('*') != std::string::npos; };
  const bool patterns = std::any_of(a.models.begin(), a.models.end(), has_pattern) ||
                        std::any_of(b.models.begin(), b.models.end(), has_pattern);
  if (disjoint(a.teams, b.teams) || disjoint(a.keys, b.keys) || (!patterns && disjoint(a.models, b.models))) return true;
  if (a.tiers && b.tiers && (*a.tiers & *b.tiers) == 0) return true;
  const auto opposite = [](std::optional<bool> x, std::optional<bool> y) { return x && y && *x != *y; };
  if (opposite(a.tools, b.tools) || opposite(a.images, b.images) || opposite(a.json_output, b.json_output) ||
      opposite(a.stream, b.stream))
    return true;
  return std::any_of(a.headers.begin(), a.headers.end(), [&](const Condition::Header& one) {
    return std::any_of(b.headers.begin(), b.headers.end(), [&](const Condition::Header& other) {
      return one.name == other.name && disjoint(one.any_of, other.any_of);
    });
  });
}

/// Constraints that leave nothing: alone, two together, or to a route.
void remark_on_requirements(const Config& config, std::vector<std::string>& remarks) {
  const auto any_backend = [&](const auto& fits) { return std::any_of(config.backends.begin(), config.backends.end(), fits); };
  std::vector<const Constraint*> fulfillable;
  for (const Constraint& constraint : config.constraints) {
    if (constraint.action != ConstraintAction::constrain) continue;
    if (!any_backend([&](const Backend& b) { return satisfies(constraint, b); })) {
      remarks.push_back(fmt::format("no backend satisfies constraint {}: every request it applies to is refused",
                                    text(constraint.name)));
      continue;
    }
    for (const Constraint* other : fulfillable) {
      if (exclusive(constraint.when, other->when)) continue;
      if (!any_backend([&](const Backend& b) { return satisfies(constraint, b) && satisfies(*other, b); }))
        remarks.push_back(fmt::format("no backend satisfies both constraint {} and constraint {}: every request that both apply to is refused",
                                      text(other->name), text(constraint.name)));
    }
    fulfillable.push_back(&constraint);
  }
  for (const Route& route : config.routes) {
    for (const Constraint* constraint : fulfillable) {
      const bool any = std::any_of(route.among.begin(), route.among.end(), [&](std::size_t target) {
        return satisfies(*constraint, config.backend_of(config.targets[target]));
      });
      if (!any && !exclusive(route.when, constraint->when))
        remarks.push_back(fmt::format("route {} has no target that satisfies constraint {}: its requests that the constraint applies to are refused",
                                      text(route.name), text(constraint->name)));
    }
  }
}

void remark_on_constraints(const Config& config, std::vector<std::string>& remarks) {
  for (const Constraint& constraint : config.constraints) {
    if (constraint.action == ConstraintAction::reject && matches_everything(constraint.when))
      remarks.push_back(fmt::format("constraint {} rejects every request: it has no conditions", text(constraint.name)));
  }
  remark_on_requirements(config, remarks);
}

void remark_on_addresses(const Config& config, std::vector<std::string>& remarks) {
  for (const Backend& backend : config.backends) {
    const Result<BackendUrl> url = parse_backend_url(backend.url);
    if (backend.simulated || !url) continue;
    const bool open = !url.value().tls && !is_private(url.value().host);
    if (open) {
      remarks.push_back(fmt::format(
          "backend {} is reached over plain http at a public address: prompts{} travel unencrypted; use https",
          text(backend.name), backend.api_key.empty() ? "" : " and its api_key"));
    }
    if (backend.api_key.empty() && !catalogue_provider(url.value().host).empty()) {
      remarks.push_back(
          fmt::format("backend {} has no api_key: its provider will refuse every request", text(backend.name)));
    }
  }
}

}  // namespace

std::vector<std::string> remarks_on(const Config& config) {
  std::vector<std::string> remarks;
  remark_on_prices(config, remarks);
  remark_on_baselines(config, remarks);
  remark_on_routes(config, remarks);
  remark_on_choices(config, remarks);
  remark_on_reach(config, remarks);
  remark_on_constraints(config, remarks);
  remark_on_addresses(config, remarks);
  return remarks;
}

}  // namespace tollgate
