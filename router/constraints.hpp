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
  /// False: a part of the request is not text that could be read.
  void set_readable(bool readable) noexcept { readable_ = readable; }
  void add(const Constraint& constraint) { active_.push_back(&constraint); }
  /// The first constraint, in the order written, that forbids the target; nullptr if none does. One that masks forbids a target
  /// that does not satisfy it only if the request cannot be read, for then it cannot be masked.
  [[nodiscard]] const Constraint* forbids(const Target& target) const noexcept;
  /// What must be masked on the way to the target.
  [[nodiscard]] MaskOrder masks(const Target& target) const noexcept;
  /// The first that rejects; nullptr if none does.
  [[nodiscard]] const Constraint* rejects() const noexcept;
  [[nodiscard]] auto begin() const noexcept { return active_.begin(); }
  [[nodiscard]] auto end() const noexcept { return active_.end(); }
  [[nodiscard]] bool empty() const noexcept { return active_.empty(); }

 private:
  [[nodiscard]] bool satisfied_by(const Target& target, const Constraint& constraint) const noexcept;

  const Config& config_;
  bool readable_ = true;
  boost::container::small_vector<const Constraint*, 8> active_;
};

[[nodiscard]] ActiveConstraints constraints_on(const RequestFacts& facts, const Config& config);
[[nodiscard]] bool satisfies(const Backend& backend, const Constraint& constraint) noexcept;

}  // namespace tollgate
