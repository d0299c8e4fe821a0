#include "router/offered.hpp"

#include <algorithm>

namespace tollgate {
namespace {

bool is_serverless(const Step& step) noexcept { return step.standing == Standing::open || step.is_held(); }

/// Where the target stands in its route's order.
std::size_t place_of(const Target* target, const Route& route, const Config& config) noexcept {
  const auto index = static_cast<std::size_t>(target - config.targets.data());
  return static_cast<std::size_t>(std::find(route.among.begin(), route.among.end(), index) - route.among.begin());
}

}  // namespace

boost::container::small_vector<OfferedTo, 2> offered_of(const Plan& plan, const Config& config) {
  boost::container::small_vector<OfferedTo, 2> offered;
  if (plan.rule == nullptr || !plan.rule->autopilot || plan.steps.empty()) return offered;
  std::optional<Usd> elsewhere;
  for (const Step& step : plan.steps) {
    if (step.is_saturated) continue;
    if (step.standing == Standing::paid_for) return offered;
    if (step.standing == Standing::priced) elsewhere = std::min(elsewhere.value_or(step.forecast), step.forecast);
  }
  if (!elsewhere) return offered;
  const Step& taker = plan.steps.front();
  const bool taken = is_serverless(taker) && !taker.is_saturated;
  for (const Step& step : plan.steps) {
    if (step.is_saturated || !is_serverless(step)) continue;
    const bool passed_by = taken && &step != &taker && step.standing != Standing::full &&
                           place_of(step.target, *plan.rule, config) > place_of(taker.target, *plan.rule, config);
    const bool known = std::any_of(offered.begin(), offered.end(), [&](const OfferedTo& each) { return each.backend == step.target->backend; });
    if (!passed_by && !known) offered.push_back({step.target->backend, *elsewhere});
  }
  return offered;
}

}  // namespace tollgate
