#include "router/choose.hpp"

#include <algorithm>

namespace tollgate {
namespace {

/// Strictly before; equal ones keep the order written.
bool cheaper(const Usable& a, const Usable& b) noexcept {
  if (a.saturated != b.saturated) return b.saturated;
  const bool a_competes = a.forecast.known || a.forecast.learning, b_competes = b.forecast.known || b.forecast.learning;
  if (a_competes != b_competes) return a_competes;
  return a.forecast.charge < b.forecast.charge;
}

/// Insertion sort: stable, without heap, and quickest for the few targets of a route.
template <class Before>
void sort_stable(Usables& usable, Before before) {
  for (std::size_t i = 1; i < usable.size(); ++i) {
    const Usable moving = usable[i];
    std::size_t at = i;
    for (; at > 0 && before(moving, usable[at - 1]); --at) usable[at] = usable[at - 1];
    usable[at] = moving;
  }
}

Why why_first(const Candidates& candidates, std::size_t usable_count) noexcept {
  if (candidates.direct && candidates.among.size() == 1) return Why::asked_for;
  if (usable_count == 1) return Why::only_one;
  return candidates.choose == Choose::cheapest ? Why::cheapest : Why::first_listed;
}

}  // namespace

void choose(Usables& usable, const Candidates& candidates, Plan& plan) {
  if (candidates.choose == Choose::cheapest) {
    sort_stable(usable, cheaper);
  } else {
    sort_stable(usable, [](const Usable& a, const Usable& b) { return !a.saturated && b.saturated; });
  }
  plan.steps.reserve(usable.size());
  for (std::size_t i = 0; i < usable.size(); ++i) {
    const Usable& next = usable[i];
    Why why = next.saturated ? Why::saturated : Why::fallback;
    if (i == 0) why = why_first(candidates, usable.size());
    plan.steps.push_back({next.target, next.forecast.charge, next.forecast.known, why});
  }
}

}  // namespace tollgate
