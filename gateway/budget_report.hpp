#pragma once
// Budgets as JSON: what `GET /admin/v1/budgets` and `tollgate budgets --json` say. Amounts are decimal texts.

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "metrics/budgets.hpp"

namespace tollgate {

/// Whether holds and counters are known: a ledger knows what was spent, only a running gateway the rest.
enum class KnownOfBudgets : bool { from_ledger, live };

/// {"live": …, "budgets": [{"budget", "mode", …, "limit_usd", "spent_usd", "reserved_usd", "remaining_usd",
/// "used_percent", "resets"}]}; what is not known is null.
[[nodiscard]] nlohmann::ordered_json budget_report(const std::vector<BudgetStatus>& all, KnownOfBudgets known);

}  // namespace tollgate
