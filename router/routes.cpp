#include "router/routes.hpp"

#include <algorithm>

#include "router/matcher.hpp"

namespace tollgate {
namespace {

constexpr std::size_t name_shown_max = 80;
constexpr std::size_t names_listed_max = 4;

/// A name from a request, fit for a message: clipped, control characters and broken UTF-8 ends replaced.
std::string shown(std::string_view name) {
  std::string text(name.substr(0, name_shown_max));
  if (name.size() > name_shown_max) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.pop_back();
    if (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80U) != 0) text.pop_back();
    text += "...";
  }
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

bool is_virtual(const Config& config, std::string_view model) noexcept {
  return std::find(config.virtual_models.begin(), config.virtual_models.end(), model) != config.virtual_models.end();
}

Candidates candidates_of(const Route& route, const Config& config) {
  Candidates candidates{route.name, false, route.choose, route.cost_basis, &route, {}, {}};
  for (std::size_t i = 0; i < route.among.size(); ++i) {
    const std::size_t index = route.among[i];
    const bool known = index < config.targets.size();
    if (known && std::find(candidates.among.begin(), candidates.among.end(), index) == candidates.among.end()) {
      candidates.among.push_back(index);
      if (route.choose == Choose::weighted) candidates.weights.push_back(i < route.weights.size() ? route.weights[i] : 1);
    }
  }
  return candidates;
}

/// The target with this id, else all targets with this model.
Candidates direct_candidates(std::string_view model, const Config& config) {
  Candidates candidates{direct_route(), true, Choose::cheapest, CostBasis::marginal, nullptr, {}, {}};
  for (std::size_t i = 0; i < config.targets.size(); ++i) {
    if (text(config.targets[i].id) == model) {
      candidates.among.assign(1, i);
      return candidates;
    }
    if (text(config.targets[i].model) == model) candidates.among.push_back(i);
  }
  return candidates;
}

/// Requests that name no model, as those for files do not: every target of their endpoint.
Candidates candidates_for(Surface surface, const Config& config) {
  Candidates candidates{direct_route(), true, Choose::first, CostBasis::marginal, nullptr, {}, {}};
  for (std::size_t i = 0; i < config.targets.size(); ++i) {
    if (config.targets[i].serves(surface)) candidates.among.push_back(i);
  }
  return candidates;
}

/// A route that says nothing of models is none for an endpoint that no target of it serves: "whatever else" of chats is not that of files.
bool is_about(const Route& route, Surface surface, const Config& config) noexcept {
  if (!passes_through(surface)) return !route.passed_only;
  return std::any_of(route.among.begin(), route.among.end(), [&](std::size_t target) { return config.targets[target].serves(surface); });
}

Error unknown_model(std::string_view model, const Config& config) {
  std::string message = "no model \"" + shown(model) + "\"";
  std::size_t listed = 0;
  const auto list = [&](std::string_view name) {
    if (listed == names_listed_max) return;
    message += listed++ == 0 ? "; there are " : ", ";
    message += name;
  };
  for (const std::string& name : config.virtual_models) list(name);
  for (const Target& target : config.targets) list(text(target.id));
  if (config.virtual_models.size() + config.targets.size() > listed) message += " and more (GET /v1/models lists them)";
  return fail(Fault::model_not_found, std::move(message), "model");
}

}  // namespace

NameId direct_route() noexcept {
  static const NameId name = Names::global().intern("direct");
  return name;
}

Result<Candidates> find_route(const RequestFacts& facts, const Config& config, std::span<const TargetState> states) {
  const std::string_view model = facts.chat->model;
  const Surface surface = facts.chat->surface;
  const bool unnamed = model.empty() && passes_through(surface);
  const bool known = unnamed || is_virtual(config, model);
  bool named = false;  // by a route's pattern
  for (const Route& route : config.routes) {
    if (route.when.models.empty()) {
      if (!known || !is_about(route, surface, config)) continue;
    } else {
      if (!matches_model(route.when, model)) continue;
      named = true;
    }
    if (matches(route.when, facts) && matches_load(route.when, config, states)) return candidates_of(route, config);
  }
  if (unnamed) return candidates_for(surface, config);
  if (!model.empty()) {
    Candidates direct = direct_candidates(model, config);
    if (!direct.among.empty()) return direct;
  }
  if (!known && !named) return unknown_model(model, config);
  return fail(Fault::unsupported,
              "no route takes this request: model \"" + shown(model) +
                  "\" is known, but the conditions of its routes do not hold; a last route without conditions would",
              "model");
}

}  // namespace tollgate
