#pragma once
// Usable targets → ordered steps. `cheapest` orders by forecast, ties by the order written; `first` keeps the order
// written. Under both, what is not priced competes after what is (cheapest), and what is saturated goes behind all that
// is not. Pure, any thread.

#include <boost/container/small_vector.hpp>

#include "router/forecast.hpp"
#include "router/routes.hpp"

namespace tollgate {

/// A target that may be asked, can do it and is up.
struct Usable {
  const Target* target;
  Forecast forecast;
  bool saturated;
};
using Usables = boost::container::small_vector<Usable, 24>;

/// Fills plan.steps; `usable` is in the order written and not empty; it is sorted in place.
void choose(Usables& usable, const Candidates& candidates, Plan& plan);

}  // namespace tollgate
