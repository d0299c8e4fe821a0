// `tollgate budgets`: what is spent and left of every budget, from the ledger or from a running gateway.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"

#include "gateway/budget_report.hpp"
#include "gateway/cli/admin_client.hpp"
#include "gateway/cli/commands.hpp"
#include "gateway/cli/text_table.hpp"
#include "metrics/shared/redis_store.hpp"

namespace tollgate::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double answer_seconds_max = 10;

/// What the gateway itself says.
Result<Json> ask(const std::string& admin) {
  const std::string url = admin + (admin.ends_with('/') ? "" : "/") + "admin/v1/budgets";
  const AdminAnswer answer = ask_admin_port(url, answer_seconds_max);
  if (!answer.failure.empty()) return fail(Fault::io_failed, "cannot ask " + url + ": " + answer.failure);
  Json report = Json::parse(answer.body, nullptr, false);
  if (!report.is_object() || !report.value("budgets", Json()).is_array()) {
    return fail(Fault::io_failed, url + " does not answer as the admin port of a gateway does");
  }
  return report;
}

/// What the ledger says: everything that is spent and committed.
Result<Json> read(const std::string& config, const std::string& ledger) {
  TOLLGATE_TRY(const std::string text, read_config_text(config));
  TOLLGATE_TRY(const ConfigPtr loaded, load_text(text, config, process_environment()));
  const Config& chosen = *loaded;
  const LedgerPlace place = ledger.empty() ? chosen.ledger.place() : LedgerPlace(ledger);
  Budgets budgets;
  const BudgetClock now = BudgetClock::now();
  TOLLGATE_TRY(budgets.adopt(
      chosen, [] {}, now, place));
  Json report = budget_report(budgets.status(now), KnownOfBudgets::from_ledger);
  report["shared"] = chosen.shared.has_value();
  report["all_gateways"] = place.is_postgres();
  return report;
}

std::string cell(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "?" : value.dump();
}

std::string window_of(const Json& budget) {
  if (budget.value("window", "") != "rolling") return budget.value("window", "");
  return "last " + cell(budget["rolling_seconds"]) + " s";
}

void print_table(const Json& report) {
  TextTable table;
  for (const auto& [heading, numbers] : {std::pair("budget", false),
                                         {"mode", false},
                                         {"window", false},
                                         {"limit USD", true},
                                         {"spent USD", true},
                                         {"reserved USD", true},
                                         {"left USD", true},
                                         {"used %", true},
                                         {"resets", false}}) {
    table.column(heading, numbers);
  }
  for (const Json& budget : report["budgets"]) {
    const bool rolls = budget.value("window", "") == "rolling";
    const std::string mode = budget.value("mode", "") == "hard" ? "hard" : "soft, " + budget.value("when_over", "");
    table.row({cell(budget["budget"]), mode, window_of(budget), cell(budget["limit_usd"]), cell(budget["spent_usd"]),
               cell(budget["reserved_usd"]), cell(budget["remaining_usd"]), cell(budget["used_percent"]),
               rolls ? "rolls" : cell(budget["resets"])});
  }
  table.print();
  if (!report.value("live", false)) {
    std::printf("\nFrom the ledger; what requests under way reserve is known to the gateway only: --url asks it.\n");
  }
  if (report.value("all_gateways", false)) {
    std::printf("All gateways that write this ledger together; what each counts by itself (a budget that is not shared) --url says.\n");
  } else if (report.value("shared", false)) {
    std::printf("These budgets are shared; here stands what went through the gateway of this ledger. --url says what all of them spent.\n");
  }
}

bool is_used_up(const Json& budget) { return cell(budget["remaining_usd"]) == "0"; }

/// Asks the store itself, for the gateway in question does not run.
Result<Json> free_leases(const std::string& config, const std::string& gateway) {
  TOLLGATE_TRY(const std::string text, read_config_text(config));
  TOLLGATE_TRY(const ConfigPtr loaded, load_text(text, config, process_environment()));
  if (!loaded->shared) return fail(Fault::bad_config, config + " shares no budgets: it has no section shared");
  RedisStore store(*loaded->shared);
  TOLLGATE_TRY(const std::vector<RedisStore::Freed> freed, store.forget(gateway));
  Json windows = Json::array();
  for (const RedisStore::Freed& each : freed) {
    windows.push_back({{"window", each.key}, {"freed_usd", decimal_text(each.leased)}, {"spent_usd", decimal_text(each.spent)}});
  }
  return Json{{"gateway", gateway}, {"windows", std::move(windows)}};
}

void print_freed(const Json& report) {
  if (report["windows"].empty()) {
    std::printf("the store knows no gateway %s\n", cell(report["gateway"]).c_str());
    return;
  }
  TextTable table;
  for (const auto& [heading, numbers] : {std::pair("window", false), {"freed USD", true}, {"stays spent USD", true}}) table.column(heading, numbers);
  for (const Json& window : report["windows"]) table.row({cell(window["window"]), cell(window["freed_usd"]), cell(window["spent_usd"])});
  table.print();
}

int free_gateway(const BudgetsOptions& options) {
  const Result<Json> report = free_leases(options.config, options.free);
  if (!report) {
    print_error(report.error().message);
    return exit_code_of(report.error());
  }
  if (options.json) {
    std::printf("%s\n", report.value().dump(2).c_str());
  } else {
    print_freed(report.value());
  }
  return report.value()["windows"].empty() ? finding : ok;
}

}  // namespace

int budgets(const BudgetsOptions& options) {
  if (!options.free.empty()) return free_gateway(options);
  const Result<Json> report = options.url.empty() ? read(options.config, options.ledger) : ask(options.url);
  if (!report) {
    print_error(report.error().message);
    return exit_code_of(report.error());
  }
  if (options.json) {
    std::printf("%s\n", report.value().dump(2).c_str());
  } else if (report.value()["budgets"].empty()) {
    std::printf("no budgets are configured\n");
  } else {
    print_table(report.value());
  }
  for (const Json& budget : report.value()["budgets"]) {
    if (is_used_up(budget)) return finding;
  }
  return ok;
}

}  // namespace tollgate::cli
