#include "router/constraints.hpp"

#include <algorithm>

#include "router/matcher.hpp"
#include "router/screening.hpp"

namespace tollgate {

bool satisfies(const Backend& backend, const Constraint& constraint) noexcept {
  if (constraint.trust && *constraint.trust != backend.trust) return false;
  return std::all_of(constraint.labels.begin(), constraint.labels.end(), [&backend](const auto& wanted) {
    const auto label = backend.labels.find(wanted.first);
    return label != backend.labels.end() &&
           std::find(wanted.second.begin(), wanted.second.end(), label->second) != wanted.second.end();
  });
}

bool ActiveConstraints::satisfied_by(const Target& target, const Constraint& constraint) const noexcept {
  return target.backend < config_.backends.size() && satisfies(config_.backend_of(target), constraint);
}

const Constraint* ActiveConstraints::forbids(const Target& target) const noexcept {
  for (const Constraint* constraint : active_) {
    const bool masks = constraint->action == ConstraintAction::mask && readable_;
    if (constraint->action == ConstraintAction::reject || (!masks && !satisfied_by(target, *constraint))) return constraint;
  }
  return nullptr;
}

MaskOrder ActiveConstraints::masks(const Target& target) const noexcept {
  MaskOrder order;
  for (const Constraint* constraint : active_) {
    if (constraint->action != ConstraintAction::mask || satisfied_by(target, *constraint)) continue;
    order.kinds |= constraint->when.pii;
    order.restore = order.restore || constraint->restore;
  }
  return order;
}

const Constraint* ActiveConstraints::rejects() const noexcept {
  const auto found = std::find_if(active_.begin(), active_.end(), [](const Constraint* constraint) {
    return constraint->action == ConstraintAction::reject;
  });
  return found == active_.end() ? nullptr : *found;
}

ActiveConstraints constraints_on(const RequestFacts& facts, const Config& config) {
  ActiveConstraints active(config);
  if (config.constraints.empty()) return active;
  const Screening own(*facts.chat, {});
  RequestFacts with = facts;
  if (with.screening == nullptr) with.screening = &own;
  for (const Constraint& constraint : config.constraints) {
    if (matches(constraint.when, with)) active.add(constraint);
  }
  active.set_readable(with.screening->readable());  // known when every condition has read what it asks about
  return active;
}

Permission permits(const RequestFacts& facts, const Config& config, const Target& target) {
  if (config.constraints.empty()) return {};
  const ActiveConstraints active = constraints_on(facts, config);
  Permission permission;
  if (const Constraint* const constraint = active.forbids(target); constraint != nullptr) {
    // Forbidden stays forbidden, also by a constraint whose name is missing.
    permission.forbidden_by = constraint->name != NameId::none ? constraint->name : target.id;
  }
  permission.mask = active.masks(target);
  return permission;
}

NameId forbidden_by(const RequestFacts& facts, const Config& config, const Target& target) {
  return permits(facts, config, target).forbidden_by;
}

MaskOrder mask_order(const RequestFacts& facts, const Config& config, const Target& target) {
  return permits(facts, config, target).mask;
}

std::uint64_t covered_by(const RequestFacts& facts, const Config& config) {
  std::uint64_t covered = 0;
  for (const Constraint* constraint : constraints_on(facts, config)) {
    const auto index = static_cast<std::size_t>(constraint - config.constraints.data());
    if (index < constraints_max) covered |= std::uint64_t{1} << index;
  }
  return covered;
}

}  // namespace tollgate
