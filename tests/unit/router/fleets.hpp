#pragma once
// Builds configurations for tests.
//
//    Fleet fleet;
//    fleet.pool("home", "llama", 0.6).managed("cloud", "big", 1.0, 3, 15);
//    fleet.route("auto", {"auto"});
//    fleet.decide(request) …

#include <string>
#include <vector>

#include "requests.hpp"
#include "router/router.hpp"

namespace tollgate::testing {

inline NameId id(std::string_view name) { return Names::global().intern(name); }

/// Dollars per million tokens.
inline UsdPerToken per_million(std::int64_t dollars) { return UsdPerToken{dollars * 1'000'000'000}; }

struct Fleet {
  Config config;
  std::vector<TargetState> states;
  std::vector<HeaderField> headers;
  Complexity complexity{0.1F, Tier::simple};
  NameId team{}, key{};

  Fleet() { config.virtual_models = {"auto"}; }

  Target& target(std::string_view backend, std::string_view model, double capability) {
    Backend added;
    added.name = id(backend);
    config.backends.push_back(std::move(added));
    Target made;
    made.id = id(std::string(backend) + "/" + std::string(model));
    made.model = id(model);
    made.backend = config.backends.size() - 1;
    made.capability = capability;
    made.surfaces = {Surface::chat, Surface::completions};
    config.targets.push_back(std::move(made));
    states.emplace_back();
    return config.targets.back();
  }
  /// An own engine on dedicated hardware, internal.
  Target& pool(std::string_view backend, std::string_view model, double capability) {
    Target& made = target(backend, model, capability);
    config.backends.back().trust = Trust::internal;
    config.backends.back().pool.emplace();
    return made;
  }
  /// An API billed per token, external; dollars per million tokens.
  Target& managed(std::string_view backend, std::string_view model, double capability, std::int64_t in,
                  std::int64_t out) {
    Target& made = target(backend, model, capability);
    TokenPrices& prices = made.prices.emplace();
    prices.input = per_million(in);
    prices.output = per_million(out);
    prices.source = "test";
    return made;
  }
  /// A route over all targets so far, in order.
  Route& route(std::string_view name, std::vector<std::string> models) {
    Route made;
    made.name = id(name);
    made.when.models = std::move(models);
    for (std::size_t i = 0; i < config.targets.size(); ++i) made.among.push_back(i);
    config.routes.push_back(std::move(made));
    return config.routes.back();
  }
  Constraint& constraint(std::string_view name) {
    Constraint made;
    made.name = id(name);
    config.constraints.push_back(std::move(made));
    return config.constraints.back();
  }

  [[nodiscard]] RequestFacts facts(Request& request) const { return {&request.chat(), complexity, headers, team, key}; }
  [[nodiscard]] Result<Plan> decide(Request& request) const { return tollgate::decide(facts(request), config, states); }
  [[nodiscard]] Result<Plan> decide(std::string_view model = "auto") const {
    Request request;
    request.user("hello");
    request.chat().model = model;
    return decide(request);
  }
};

/// "home/llama cloud/big": the steps of a plan in order; the fault's message if there is none.
inline std::string steps_of(const Result<Plan>& plan) {
  if (!plan) return "refused: " + plan.error().message;
  std::string out;
  for (const Step& step : plan.value().steps) out.append(out.empty() ? "" : " ").append(text(step.target->id));
  return out;
}

/// "home/llama:capability cloud/big:constraint".
inline std::string ruled_out_of(const Result<Plan>& plan) {
  if (!plan) return "refused: " + plan.error().message;
  std::string out;
  for (const RuledOut& ruled : plan.value().ruled_out) {
    out.append(out.empty() ? "" : " ").append(text(ruled.target->id)).append(":").append(name_of(ruled.why));
  }
  return out;
}

}  // namespace tollgate::testing
