#pragma once
// Which serverless pools a decided request was on offer to, for the autopilot's averages (router/autopilot.hpp): it would have gone
// there, had they been open. Counted the same whether they are, so that opening a pool does not change what it is judged by.
//
//    for (const OfferedTo& each : offered_of(plan, config)) …
//
// A pool gets nothing of what something paid for has room for, nor of what another pool before it in the route's order takes. Requests
// with no priced target that has room are not counted: what they would cost elsewhere is not known. Pure.

#include <boost/container/small_vector.hpp>

#include "router/router.hpp"

namespace tollgate {

struct OfferedTo {
  std::size_t backend;   ///< index into Config::backends
  Usd elsewhere;         ///< at the cheapest priced target with room
};
[[nodiscard]] boost::container::small_vector<OfferedTo, 2> offered_of(const Plan& plan, const Config& config);

}  // namespace tollgate
