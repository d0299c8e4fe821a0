#include "router/choose.hpp"

#include <algorithm>
#include <array>

namespace tollgate {
namespace {

bool competes(const Forecast& forecast) noexcept { return forecast.known || forecast.learning; }

/// Strictly before; equal ones keep the order written.
bool cheaper(const Usable& a, const Usable& b) noexcept {
  if (a.saturated != b.saturated) return b.saturated;
  if (a.standing != b.standing) return a.standing < b.standing;
  if (a.standing == Standing::open) return false;   // each was found to earn what it costs: the order written
  const bool a_competes = competes(a.forecast), b_competes = competes(b.forecast);
  if (a_competes != b_competes) return a_competes;
  if (a.forecast.charge != b.forecast.charge) return a.forecast.charge < b.forecast.charge;
  return a.in_conversation && !b.in_conversation;
}

bool with_room(const Usable& a, const Usable& b) noexcept { return !a.saturated && b.saturated; }

bool faster(const Usable& a, const Usable& b) noexcept {
  if (a.saturated != b.saturated) return b.saturated;
  const std::int64_t a_waits = a.wait.count(), b_waits = b.wait.count();
  if ((a_waits == 0) != (b_waits == 0)) return b_waits == 0;
  return a_waits < b_waits;
}

/// Insertion sort: stable, without heap, and quickest for the few targets of a route. Places are sorted, not the large elements.
template <class Before>
void sort_stable(Usables& usable, Before before) {
  boost::container::small_vector<const Usable*, 24> order;
  for (const Usable& each : usable) order.push_back(&each);
  bool moved = false;
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Usable* const moving = order[i];
    std::size_t at = i;
    for (; at > 0 && before(*moving, *order[at - 1]); --at) order[at] = order[at - 1];
    order[at] = moving;
    moved = moved || at != i;
  }
  if (!moved) return;
  Usables sorted;
  for (const Usable* each : order) sorted.push_back(*each);
  usable = std::move(sorted);
}

void move_to_front(Usables& usable, std::size_t from) {
  std::rotate(usable.begin(), usable.begin() + static_cast<std::ptrdiff_t>(from),
              usable.begin() + static_cast<std::ptrdiff_t>(from) + 1);
}

/// splitmix64: each call another well-mixed number of the same request.
std::uint64_t roll(std::uint64_t& dice) noexcept {
  dice += 0x9E3779B97F4A7C15ULL;
  std::uint64_t mixed = dice;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  return mixed ^ (mixed >> 31);
}

/// Draws one after the other without putting back: the order is the order to ask in. What is left with weight 0 keeps
/// the order written.
void draw(Usables& usable, std::uint64_t dice) {
  for (std::size_t at = 0; at < usable.size(); ++at) {
    std::uint64_t sum = 0;
    for (std::size_t i = at; i < usable.size(); ++i) sum += usable[i].weight;
    if (sum == 0) break;
    std::uint64_t drawn = roll(dice) % sum;
    std::size_t i = at;
    for (; drawn >= usable[i].weight; ++i) drawn -= usable[i].weight;
    std::rotate(usable.begin() + static_cast<std::ptrdiff_t>(at), usable.begin() + static_cast<std::ptrdiff_t>(i),
                usable.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
  sort_stable(usable, with_room);
}

/// One request in so many goes to a target whose speed is not known.
void explore(Usables& usable, std::uint64_t dice) {
  if (usable.front().wait.count() == 0 || roll(dice) % explore_one_in != 0) return;
  for (std::size_t i = 1; i < usable.size() && !usable[i].saturated; ++i) {
    if (usable[i].wait.count() == 0) return move_to_front(usable, i);
  }
}

void sort(Usables& usable, Choose by, std::uint64_t dice) {
  switch (by) {
    case Choose::cheapest:
      return sort_stable(usable, cheaper);
    case Choose::first:
      return sort_stable(usable, with_room);
    case Choose::fastest:
      sort_stable(usable, faster);
      return explore(usable, dice);
    case Choose::weighted:
      return draw(usable, dice);
  }
}

/// What would come first if nothing were saturated.
const Target* preferred(const Usables& usable, Choose by, std::uint64_t dice) {
  Usables free = usable;
  for (Usable& each : free) {
    each.forecast = each.if_free;
    each.wait = each.wait_if_free;
    each.saturated = false;
  }
  sort(free, by, dice);
  return free.front().target;
}

/// Weighted: the conversation's last target goes first where its cache makes it no dearer than the one drawn.
bool stays_with_last(Usables& usable) {
  for (std::size_t i = 0; i < usable.size(); ++i) {
    const Usable& last = usable[i];
    if (!last.in_conversation) continue;
    const Usable& drawn = usable.front();
    const bool comparable = last.forecast.known && drawn.forecast.known;
    if (i == 0 || last.saturated || !comparable || last.forecast.charge > drawn.forecast.charge) return false;
    move_to_front(usable, i);
    return true;
  }
  return false;
}

/// Cheapest: whether the first is first only for its cache.
bool is_first_by_cache(const Usables& usable) noexcept {
  const Usable& first = usable.front();
  if (!first.in_conversation || !competes(first.forecast)) return false;
  return std::any_of(usable.begin() + 1, usable.end(), [&first](const Usable& other) {
    if (other.saturated != first.saturated || other.standing != first.standing || !competes(other.forecast)) return false;
    return other.forecast.charge <= first.without_cache.charge;
  });
}

Why why_first(const Candidates& candidates, std::size_t usable_count) noexcept {
  if (candidates.direct && candidates.among.size() == 1) return Why::asked_for;
  if (usable_count == 1) return Why::only_one;
  static constexpr std::array reasons{Why::cheapest, Why::first_listed, Why::fastest, Why::weighted};
  return reasons[static_cast<std::size_t>(candidates.choose)];
}

Step step_of(const Usable& usable, Why why) {
  return {usable.target, usable.forecast.charge, usable.forecast.known, why, usable.saturated, usable.cached,
          usable.waits.first_token, usable.waits.whole, usable.wait, usable.weight, usable.standing};
}

bool is_serverless(Standing standing) noexcept { return standing == Standing::open || standing == Standing::full || standing == Standing::closed; }

/// Notes which serverless pool the choice turned on: the first in their order that has room.
void note_steering(const Usables& usable, Plan& plan) {
  if (usable.front().standing == Standing::paid_for) return;
  const auto about = std::find_if(usable.begin(), usable.end(), [](const Usable& each) { return !each.saturated && is_serverless(each.standing); });
  if (about == usable.end()) return;
  plan.steering = Plan::Steering{about->target, {}};
  if (about->stance != nullptr) plan.steering->stance = *about->stance;
}

}  // namespace

void choose(Usables& usable, const Candidates& candidates, std::uint64_t dice, Plan& plan) {
  const bool full = std::any_of(usable.begin(), usable.end(), [](const Usable& each) { return each.saturated; });
  const Target* const wanted = full ? preferred(usable, candidates.choose, dice) : nullptr;
  sort(usable, candidates.choose, dice);
  Why first = why_first(candidates, usable.size());
  if (candidates.choose == Choose::weighted && stays_with_last(usable)) first = Why::sticky;
  if (first == Why::cheapest && is_first_by_cache(usable)) first = Why::sticky;
  if (wanted != nullptr && wanted != usable.front().target && !usable.front().saturated) {
    const auto at = std::find_if(usable.begin(), usable.end(), [&](const Usable& each) { return each.target == wanted; });
    if (at->saturated) {
      plan.spilled_from = wanted;
      first = Why::spill_over;
    }
  }
  if (is_steered(candidates) && usable.size() > 1 && !usable.front().saturated) {
    note_steering(usable, plan);
    if (first == Why::cheapest || first == Why::spill_over) first = Why::autopilot;
  }
  plan.steps.reserve(usable.size());
  for (std::size_t i = 0; i < usable.size(); ++i) {
    const Why behind = usable[i].saturated ? Why::saturated : Why::fallback;
    plan.steps.push_back(step_of(usable[i], i == 0 ? first : behind));
  }
}

}  // namespace tollgate
