#pragma once
// What stands between a request and money, or another team's files: budgets and rate limits, one of each for the whole process, and what one
// request has taken of them. gateway/admit.cpp uses them.

#include "gateway/stored_objects.hpp"
#include "metrics/budgets.hpp"
#include "metrics/rate_limits.hpp"
#include "metrics/shared/sharing.hpp"

namespace tollgate {

struct Guards {
  Budgets budgets;
  RateLimits limits;
  std::unique_ptr<Sharing> sharing{};            ///< absent: this gateway shares nothing; set before the first request
  std::chrono::milliseconds grant_wait{0};       ///< how long a request waits for the store
  StoredObjects objects{};                       ///< whose the files and batches are that providers keep
};

/// Of one request. Its end gives back what is still held.
struct Admitted {
  explicit Admitted(Guards& guards) : permit(guards.limits), hold(guards.budgets) {}
  RatePermit permit;
  BudgetHold hold;
  RateStates rates;                                   ///< for the headers; nothing where no limit applies
  NameId warning{};                                   ///< a soft budget that is used up
  std::optional<Usd> cost_max;                        ///< x-tollgate-max-cost-usd
  boost::container::small_vector<StepNeed, 3> needs;  ///< per step of the plan
};

}  // namespace tollgate
