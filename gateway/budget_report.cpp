#include "gateway/budget_report.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate {

namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(BudgetPeriod period) {
  static constexpr std::array<std::string_view, 4> names{"hour", "day", "month", "rolling"};
  return names[static_cast<std::size_t>(period)];
}

std::string_view name_of(WhenOver over) {
  static constexpr std::array<std::string_view, 3> names{"refuse", "warn", "cheaper"};
  return names[static_cast<std::size_t>(over)];
}

/// In tenths of a percent, rounded; of no limit there is no share.
Json percent_of(UsdSum spent, Usd limit) {
  if (limit <= Usd{}) return nullptr;
  return decimal_text(divide_half_even(spent.picodollars() * 1000, limit.count()), 1);
}

Json scope_of(const PayerScope& scope) {
  Json patterns = Json::object();
  const auto add = [&](const char* name, const std::vector<std::string>& of) {
    if (!of.empty()) patterns[name] = of;
  };
  add("key", scope.keys);
  add("team", scope.teams);
  add("model", scope.models);
  add("route", scope.routes);
  add("target", scope.targets);
  return patterns;
}

Json one(const BudgetStatus& status, KnownOfBudgets known) {
  const Budget& rule = status.rule;
  const bool rolls = rule.period == BudgetPeriod::rolling;
  const bool live = known == KnownOfBudgets::live;
  Json budget{{"budget", text(rule.name)},
              {"mode", rule.when_over == WhenOver::refuse ? "hard" : "soft"},
              {"when_over", name_of(rule.when_over)},
              {"window", name_of(rule.period)}};
  budget["rolling_seconds"] = rolls ? Json(rule.rolling.count()) : Json(nullptr);
  budget["time_zone"] = rule.zone ? Json(rule.zone->name()) : Json(nullptr);
  budget["since"] = cli::time_text(status.window.begin_us);
  budget["resets"] = rolls ? Json(nullptr) : Json(cli::time_text(status.window.end_us));
  budget["limit_usd"] = decimal_text(rule.limit);
  budget["spent_usd"] = decimal_text(status.spent);
  budget["reserved_usd"] = live ? Json(decimal_text(status.held)) : Json(nullptr);
  budget["remaining_usd"] = decimal_text(status.left());
  budget["used_percent"] = percent_of(status.spent, rule.limit);
  budget["scope"] = scope_of(rule.scope);
  if (!live) return budget;
  if (status.shared) {
    budget["shared"] = {{"gateways", status.shared->gateways},
                        {"granting", status.shared->granting},
                        {"own_spent_usd", decimal_text(status.shared->own_spent)},
                        {"own_reserved_usd", decimal_text(status.shared->own_held)},
                        {"leased_usd", decimal_text(status.shared->leased)}};
  } else {
    budget["shared"] = nullptr;
  }
  budget["refused"] = status.refused;
  budget["warned"] = status.warned;
  budget["diverted"] = status.diverted;
  budget["trimmed"] = status.trimmed;
  budget["unpriced_attempts"] = status.unpriced;
  budget["overrun_usd"] = decimal_text(status.overrun);
  return budget;
}

}  // namespace

Json budget_report(const std::vector<BudgetStatus>& all, KnownOfBudgets known) {
  Json list = Json::array();
  for (const BudgetStatus& status : all) list.push_back(one(status, known));
  return Json{{"live", known == KnownOfBudgets::live}, {"budgets", std::move(list)}};
}

}  // namespace tollgate
