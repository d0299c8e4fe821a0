#pragma once
// What simulated spending does to budgets: windows in which one is used up, and the requests that come after. Nothing is refused here:
// what a breach would have done is for the reader to judge.

#include <vector>

#include "metrics/budget_window.hpp"
#include "simulate/world.hpp"

namespace tollgate::simulate {

class BudgetWatch {
 public:
  BudgetWatch(const Config& config, std::int64_t begin_us);
  /// `begins`: the request's first charge.
  void spend(const RecordedRequest& request, NameId target, Usd usd, bool begins);
  [[nodiscard]] std::vector<BudgetWorld> results() const;

 private:
  struct Account {
    const Budget* budget;
    BudgetWindows windows;
    BudgetWorld result;
    bool used_up = false;
  };
  std::vector<Account> accounts_;
  std::int64_t now_us_;
};

}  // namespace tollgate::simulate
