// Rules over the whole configuration: what one section says about another.
#include <fmt/format.h>

#include <algorithm>

#include "config/address.hpp"
#include "config/draft.hpp"
#include "config/glob.hpp"
#include "config/rules.hpp"
#include "config/spelling.hpp"

namespace tollgate {
namespace {

std::vector<std::string> target_ids(const Config& config) {
  std::vector<std::string> ids;
  for (const Target& target : config.targets) ids.emplace_back(text(target.id));
  return ids;
}

/// Looks the patterns of one route's `among` up, in the order written; a target that two patterns name keeps its first
/// place.
void resolve_among(const Draft::Among& among, const std::vector<std::string>& ids, Route& route) {
  const auto add = [&](std::size_t target, std::uint32_t weight) {
    if (std::find(route.among.begin(), route.among.end(), target) != route.among.end()) return;
    route.among.push_back(target);
    route.weights.push_back(weight);
  };
  if (among.patterns.empty()) {
    for (std::size_t i = 0; i < ids.size(); ++i) add(i, 1);
    return;
  }
  for (std::size_t p = 0; p < among.patterns.size(); ++p) {
    const auto& [pattern, place] = among.patterns[p];
    bool found = false;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!fits_glob(pattern, ids[i])) continue;
      found = true;
      add(i, among.weights[p]);
    }
    if (found) continue;
    place.report(is_glob(pattern) ? "no target fits this pattern; targets are written backend/model"
                                  : fmt::format("there is no such target{}", suggestion_for(pattern, ids)));
  }
}

/// A hedge needs somewhere to go, and must not undo what else the route says.
void check_hedge(const Route& route, const Config& config, const Cursor& place) {
  if (!route.hedge.is_on) return;
  if (route.among.size() < 2) place.report("hedge asks a second target when the first one is slow, but the route has only one; add another");
  if (config.attempts_max < 2) place.report("hedge makes a second attempt, but attempts_max is 1; raise it");
  if (route.cascade) {
    place.report("hedge and cascade cannot be together: a cascade asks the better target only when an answer fails its check, a hedge would ask it "
                 "whenever the first is slow; remove one of the two");
  }
}

/// What a route's choice asks of the targets it has: there must be one that can be chosen.
void check_choice(const Route& route, const Config& config, const Cursor& place) {
  if (route.among.empty()) return;  // reported when the names were looked up
  double most = 0;
  for (const std::size_t target : route.among) most = std::max(most, config.targets[target].capability);
  if (route.min_capability > most) {
    place.report(fmt::format("min_capability is {}, but the most capable target of the route is trusted up to {}; lower it or add a target",
                             route.min_capability, most));
  }
  const bool weighed = std::any_of(route.weights.begin(), route.weights.end(), [](std::uint32_t weight) { return weight > 0; });
  if (route.choose == Choose::weighted && !weighed) {
    place.report("choose: weighted, but every target has weight 0; give at least one a weight above it");
  }
  const bool alike = std::all_of(route.weights.begin(), route.weights.end(), [](std::uint32_t weight) { return weight == 1; });
  if (route.choose != Choose::weighted && !alike) place.report("weights count only with choose: weighted; add it, or remove the weights");
  if (route.cascade && route.among.size() < 2) {
    place.report("cascade asks a second target when the first one's answer fails its check, but the route has only one; add another");
  }
  check_hedge(route, config, place);
}

/// No chat goes by a route whose targets take none.
bool is_passed_only(const Route& route, const Config& config) {
  return !route.among.empty() && std::all_of(route.among.begin(), route.among.end(), [&](std::size_t target) { return config.targets[target].is_passed_to(); });
}

void collect_virtual_models(Draft& draft) {
  Config& config = draft.config;
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    for (const std::string& model : config.routes[i].when.models) {
      if (is_glob(model)) continue;
      if (config.find_target(model) != nullptr) {
        draft.route_places[i].report(fmt::format(
            "when.model names the target '{}', which clients reach by that name already; choose another name", model));
        continue;
      }
      auto& models = config.virtual_models;
      if (std::find(models.begin(), models.end(), model) == models.end()) models.push_back(model);
    }
  }
}

void check_listeners(const Draft& draft) {
  const ListenAddress& server = draft.config.server.listen;
  const ListenAddress& admin = draft.config.admin.listen;
  if (!server.loopback && draft.config.keys.empty()) {
    draft.server_listen->report(
        fmt::format("{} can be reached from other machines, but auth.keys is empty; add a key ('tollgate keys new') or "
                    "listen on 127.0.0.1",
                    server.host));
  }
  if (!admin.loopback && draft.config.admin_keys.empty()) {
    draft.admin_listen->report(fmt::format(
        "{} can be reached from other machines, but admin.keys is empty; add a key ('tollgate keys new --admin') or "
        "bind it to 127.0.0.1",
        admin.host));
  }
  const bool same = server.port != 0 && server.port == admin.port && server.host == admin.host;
  if (!same) return;
  const Cursor& place = draft.server_listen->present() ? *draft.server_listen : *draft.admin_listen;
  place.report("server.listen and admin.listen are the same address; give them different ports");
}

void check_air_gap(const Draft& draft) {
  if (!draft.config.air_gap) return;
  for (std::size_t i = 0; i < draft.config.backends.size(); ++i) {
    const Backend& backend = draft.config.backends[i];
    if (backend.simulated || backend.url.empty()) continue;
    const Result<BackendUrl> url = parse_backend_url(backend.url);
    if (url && is_private(url.value().host)) continue;
    draft.backend_places[i].report(
        "air_gap is on and the address is not private: use a loopback or private IP address, localhost, a name without "
        "a "
        "dot or one in .internal, .local or .lan, or simulated");
  }
}

/// A label that no backend has is nearly always misspelt; the constraint would refuse everything.
void check_constraint_labels(const Draft& draft) {
  std::vector<std::string> known;
  for (const Backend& backend : draft.config.backends) {
    for (const auto& label : backend.labels) known.push_back(label.first);
  }
  for (std::size_t i = 0; i < draft.config.constraints.size(); ++i) {
    for (const auto& label : draft.config.constraints[i].labels) {
      if (std::find(known.begin(), known.end(), label.first) != known.end()) continue;
      draft.constraint_places[i].report(
          fmt::format("require: no backend has the label '{}'{}", label.first, suggestion_for(label.first, known)));
    }
  }
}

}  // namespace

void check(Draft& draft) {
  const std::vector<std::string> ids = target_ids(draft.config);
  for (std::size_t i = 0; i < draft.config.routes.size(); ++i) {
    resolve_among(draft.route_among[i], ids, draft.config.routes[i]);
    draft.config.routes[i].passed_only = is_passed_only(draft.config.routes[i], draft.config);
    check_choice(draft.config.routes[i], draft.config, draft.route_places[i]);
  }
  Config& config = draft.config;
  config.hedges = std::any_of(config.routes.begin(), config.routes.end(), [](const Route& route) { return route.hedge.is_on; });
  config.knows_conversations = config.sticky_ttl.count() > 0 && std::any_of(config.routes.begin(), config.routes.end(), [](const Route& route) {
                                 return route.sticky && route.among.size() > 1;
                               });
  collect_virtual_models(draft);
  check_listeners(draft);
  check_air_gap(draft);
  check_constraint_labels(draft);
  draft.config.rules = Names::global().intern(rules_text(draft.config));
}

const Target* Config::find_target(std::string_view id) const noexcept {
  const auto found =
      std::find_if(targets.begin(), targets.end(), [&](const Target& target) { return text(target.id) == id; });
  return found == targets.end() ? nullptr : &*found;
}

std::string_view name_of(Tier tier) noexcept {
  switch (tier) {
    case Tier::simple:
      return "SIMPLE";
    case Tier::medium:
      return "MEDIUM";
    case Tier::complex:
      return "COMPLEX";
    case Tier::reasoning:
      return "REASONING";
  }
  return "SIMPLE";
}

}  // namespace tollgate
