#include "config/rules.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

using Json = nlohmann::json;

constexpr std::string_view action_names[] = {"constrain", "reject", "mask"};

std::string_view trust_name(Trust trust) noexcept { return trust == Trust::internal ? "internal" : "external"; }

}  // namespace

std::string_view name_of(ConstraintAction action) noexcept { return action_names[static_cast<std::size_t>(action)]; }

std::string rules_text(const Config& config) {
  if (config.constraints.empty()) return {};
  Json constraints = Json::array(), backends = Json::object();
  for (const Constraint& constraint : config.constraints) {
    Json rule{{"name", text(constraint.name)}, {"action", name_of(constraint.action)}, {"labels", constraint.labels}};
    if (constraint.trust) rule["trust"] = trust_name(*constraint.trust);
    constraints.push_back(std::move(rule));
  }
  for (const Backend& backend : config.backends) {
    backends[std::string(text(backend.name))] = {{"trust", trust_name(backend.trust)}, {"labels", backend.labels}};
  }
  return Json{{"constraints", std::move(constraints)}, {"backends", std::move(backends)}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

std::string RecordedRules::Standing::words() const {
  std::string words(trust_name(trust));
  for (const auto& [label, value] : labels) words.append(", ").append(label).append("=").append(value);
  return words;
}

std::optional<RecordedRules> RecordedRules::parse(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("constraints") || !json.contains("backends")) return std::nullopt;
  try {
    RecordedRules recorded;
    const auto trust_of = [](const Json& word) {
      return word.get<std::string>() == "internal" ? Trust::internal : Trust::external;
    };
    for (const Json& each : json.at("constraints")) {
      Rule rule;
      rule.name = each.at("name").get<std::string>();
      const auto known =
          std::find(std::begin(action_names), std::end(action_names), each.at("action").get<std::string>());
      if (known == std::end(action_names)) return std::nullopt;
      rule.action = static_cast<ConstraintAction>(known - std::begin(action_names));
      if (each.contains("trust")) rule.trust = trust_of(each.at("trust"));
      rule.labels = each.at("labels").get<decltype(rule.labels)>();
      recorded.rules.push_back(std::move(rule));
    }
    for (const auto& [name, each] : json.at("backends").items()) {
      recorded.backends[name] = {trust_of(each.at("trust")),
                                 each.at("labels").get<std::map<std::string, std::string>>()};
    }
    return recorded;
  } catch (const Json::exception&) {  // the library's only way to say that a member is missing
    return std::nullopt;
  }
}

bool RecordedRules::satisfies(const Standing& standing, const Rule& rule) noexcept {
  if (rule.trust && *rule.trust != standing.trust) return false;
  return std::all_of(rule.labels.begin(), rule.labels.end(), [&](const auto& wanted) {
    const auto found = standing.labels.find(wanted.first);
    return found != standing.labels.end() &&
           std::find(wanted.second.begin(), wanted.second.end(), found->second) != wanted.second.end();
  });
}

}  // namespace tollgate
