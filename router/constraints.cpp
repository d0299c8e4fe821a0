#include "router/constraints.hpp"

#include <algorithm>

#include "router/matcher.hpp"

namespace tollgate {

bool satisfies(const Backend& backend, const Constraint& constraint) noexcept {
  if (constraint.trust && *constraint.trust != backend.trust) return false;
  return std::all_of(constraint.labels.begin(), constraint.labels.end(), [&backend](const auto& wanted) {
    const auto label = backend.labels.find(wanted.first);
    return label != backend.labels.end() &&
           std::find(wanted.second.begin(), wanted.second.end(), label->second) != wanted.second.end();
  });
}

const Constraint* ActiveConstraints::forbids(const Target& target) const noexcept {
  if (active_.empty()) return nullptr;
  for (const Constraint* constraint : active_) {
    if (target.backend >= config_.backends.size() || !satisfies(config_.backend_of(target), *constraint))
      return constraint;
  }
  return nullptr;
}

ActiveConstraints constraints_on(const RequestFacts& facts, const Config& config) {
  ActiveConstraints active(config);
  for (const Constraint& constraint : config.constraints) {
    if (matches(constraint.when, facts)) active.add(constraint);
  }
  return active;
}

NameId forbidden_by(const RequestFacts& facts, const Config& config, const Target& target) {
  const Constraint* const constraint = constraints_on(facts, config).forbids(target);
  if (constraint == nullptr) return NameId::none;
  // Config load gives every constraint a name; should one come without, it must forbid all the same.
  return constraint->name != NameId::none ? constraint->name : target.id;
}

}  // namespace tollgate
