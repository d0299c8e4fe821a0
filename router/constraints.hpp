#pragma once
// Filters that no attempt escapes. All constraints whose `when` holds apply together; what cannot be shown to satisfy
// one is forbidden by it (a backend without the wanted label, with no trust known to be internal).
//
//    const ActiveConstraints active = constraints_on(facts, config);
//    for (const Target& target : …) if (const Constraint* by = active.forbids(target)) …
//
// Pure, any thread; views of the Config.

#include <boost/container/small_vector.hpp>

#include "router/router.hpp"

namespace tollgate {

class ActiveConstraints {
 public:
  explicit ActiveConstraints(const Config& config) noexcept : config_(config) {}
  void add(const Constraint& constraint) { active_.push_back(&constraint); }
  /// The first constraint, in the order written, that forbids the target; nullptr if none does.
  [[nodiscard]] const Constraint* forbids(const Target& target) const noexcept;
  [[nodiscard]] auto begin() const noexcept { return active_.begin(); }
  [[nodiscard]] auto end() const noexcept { return active_.end(); }
  [[nodiscard]] bool empty() const noexcept { return active_.empty(); }

 private:
  const Config& config_;
  boost::container::small_vector<const Constraint*, 8> active_;
};

[[nodiscard]] ActiveConstraints constraints_on(const RequestFacts& facts, const Config& config);
[[nodiscard]] bool satisfies(const Backend& backend, const Constraint& constraint) noexcept;

}  // namespace tollgate
