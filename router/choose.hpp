#pragma once
// Usable targets → ordered steps.
//
//   cheapest   by forecast; ties stay with the conversation's last target, then keep the order written; what is not
//              priced competes after what is
//              with autopilot: by Standing first (router/autopilot.hpp), and by forecast within
//   first      the order written
//   fastest    by expected time until the client sees something: the first token of a stream, else the whole answer; those
//              whose speed is not known come behind, but one request in `explore_one_in` goes to one of them first, for it
//              would never become known otherwise
//   weighted   drawn by the request's dice, each target with its share; a target of weight 0 is a fallback only
//
// Under all of them what is saturated goes behind all that is not: a request that therefore goes elsewhere has spilled
// over. A conversation stays with its last target (cheapest, weighted) where that is not dearer with its prompt cache
// than what would be chosen without. Pure, any thread.

#include <boost/container/small_vector.hpp>

#include "router/forecast.hpp"
#include "router/routes.hpp"

namespace tollgate {

/// A target that may be asked, can do it and is up.
struct Usable {
  const Target* target;
  Forecast forecast;           ///< with what the conversation's prompt cache holds there
  Forecast without_cache;
  Forecast if_free;            ///< as if it were not saturated
  Waits waits;
  std::chrono::microseconds wait{0}, wait_if_free{0};  ///< what `fastest` compares
  TokenCount cached;           ///< expected of the conversation's prompt cache
  std::uint32_t weight = 1;
  bool saturated = false;
  bool in_conversation = false;  ///< its last turn went here
  Standing standing = Standing::paid_for;   ///< all the same without autopilot
  const PoolStance* stance = nullptr;       ///< of a serverless pool, with autopilot
};
using Usables = boost::container::small_vector<Usable, 24>;

inline constexpr std::uint64_t explore_one_in = 16;

/// Fills plan.steps and plan.spilled_from; `usable` is in the order written and not empty; it is sorted in place.
void choose(Usables& usable, const Candidates& candidates, std::uint64_t dice, Plan& plan);

}  // namespace tollgate
