#include "simulate/budget_watch.hpp"

#include <algorithm>

#include "metrics/payer.hpp"

namespace tollgate::simulate {

BudgetWatch::BudgetWatch(const Config& config, std::int64_t begin_us) : now_us_(begin_us) {
  for (const Budget& budget : config.budgets) {
    accounts_.push_back({&budget, BudgetWindows(budget, begin_us), {}});
    BudgetWorld& result = accounts_.back().result;
    result.budget = budget.name;
    result.when_over = budget.when_over;
    result.limit = budget.limit;
    result.windows = 1;
  }
}

void BudgetWatch::spend(const RecordedRequest& request, NameId target, Usd usd, bool begins) {
  now_us_ = std::max(now_us_, request.arrived_us);
  for (Account& account : accounts_) {
    const Budget& budget = *account.budget;
    const Payer payer{request.key, request.team, request.model, request.route};
    if (!fits(budget.scope, payer) || !fits_any(budget.scope.targets, text(target))) continue;
    const bool rolling = budget.period == BudgetPeriod::rolling;
    const BudgetWindows::Slot before = account.windows.current();
    account.windows.turn(now_us_);
    if (!rolling && account.windows.current() != before) {
      ++account.result.windows;
      account.used_up = false;
    }
    const BudgetWindows::Slot slot = account.windows.slot_of(request.arrived_us);
    if (begins && account.windows.spent(slot) >= UsdSum{budget.limit}) ++account.result.requests_past;
    account.windows.spend(slot, request.arrived_us, UsdSum{usd});
    const UsdSum spent = account.windows.spent(slot);
    account.result.most = std::max(account.result.most, spent);
    const bool used_up = spent >= UsdSum{budget.limit};
    if (used_up && !account.used_up) {
      ++account.result.breached;
      if (account.result.first_breach_us == 0) account.result.first_breach_us = request.arrived_us;
    }
    account.used_up = used_up;
  }
}

std::vector<BudgetWorld> BudgetWatch::results() const {
  std::vector<BudgetWorld> all;
  for (const Account& account : accounts_) all.push_back(account.result);
  return all;
}

}  // namespace tollgate::simulate
