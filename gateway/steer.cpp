// The gateway's part in the autopilot: brings together what reactors counted and hands the stances of serverless pools back to them.
#include <algorithm>
#include <boost/asio/as_tuple.hpp>

#include "gateway/gateway.hpp"

namespace tollgate {

// Before the first reactor is there nothing is to be steered.
void Gateway::steer() {
  const bool wanted = std::any_of(serving_->config->routes.begin(), serving_->config->routes.end(), [](const Route& route) { return route.autopilot; });
  if (!wanted && !steered_) return;
  const StancesPtr stances = autopilot_.tick(*serving_, autopilot_totals(), accounts_->pools(), std::chrono::steady_clock::now());
  steered_ = stances != nullptr;
  for (const auto& reactor : reactors_) reactor->steer(stances);
}

AutopilotCounts::Totals Gateway::autopilot_totals() const {
  AutopilotCounts::Totals totals;
  for (const auto& reactor : reactors_) reactor->autopilot_counts().add_to(totals);
  return totals;
}

Task<void> Gateway::watch_economics() {
  Timer timer(control_.get_executor());
  for (;;) {
    timer.expires_after(Autopilot::interval);
    auto [failed] = co_await timer.async_wait(asio::as_tuple(use_task));
    if (failed) co_return;
    steer();
  }
}

}  // namespace tollgate
