// What GET /admin/v1/overview says: one JSON object. Money is decimal text; what is not known is null, with why beside
// it.

#include <cmath>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/admin/checklist.hpp"
#include "gateway/admin/live_view.hpp"
#include "gateway/admin/pages.hpp"
#include "gateway/budget_report.hpp"
#include "gateway/cli/time_spec.hpp"
#include "gateway/gateway.hpp"

#ifndef TOLLGATE_VERSION
#error "TOLLGATE_VERSION comes from the build (gateway/CMakeLists.txt)"
#endif

namespace tollgate {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds history_step{5};
constexpr double rate_least_seconds = 2;  // a rate over less says nothing

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Money in so many seconds, as money per hour.
Json per_hour(UsdSum sum, double seconds) {
  if (seconds < rate_least_seconds) return {};
  constexpr Int128 millis_per_hour = 3'600'000;
  return decimal_text(
      UsdSum(divide_half_even(sum.picodollars() * millis_per_hour, static_cast<Int128>(seconds * 1000))));
}

double rounded(double value, double to = 1000) { return std::round(value * to) / to; }
Json ratio(const std::optional<double>& value) { return value ? Json(rounded(*value, 1e4)) : Json(); }
Json price(const std::optional<Usd>& usd) { return usd ? Json(decimal_text(*usd)) : Json(); }

std::string_view name_of(Billing billing) {
  static constexpr std::array<std::string_view, 4> names{"dedicated", "owned", "serverless", "reported"};
  return names[static_cast<std::size_t>(billing)];
}

Json configuration(const Gateway& gateway) {
  const ConfigStatus status = gateway.config_status();
  const auto loaded =
      std::chrono::duration_cast<std::chrono::microseconds>(status.last_success.time_since_epoch()).count();
  return {{"source", gateway.config()->source},
          {"sha256", gateway.config()->sha256},
          {"loaded", loaded > 0 ? Json(cli::time_text(loaded)) : Json()},
          {"valid", status.last_reload_ok},
          {"error", status.last_reload_ok ? Json() : Json(status.last_error)}};
}

Json access(const Gateway& gateway) {
  const Gateway::Addresses at = gateway.addresses();
  return {{"data_url", at.data_url}, {"needs_key", at.needs_key}, {"models", at.models}};
}

Json requests(const Gateway& gateway, const LiveView::Rates& rates, const LiveView::Today& today) {
  const bool known = rates.seconds >= rate_least_seconds;
  return {{"per_second", known ? Json(rounded(static_cast<double>(rates.requests) / rates.seconds, 100)) : Json()},
          {"in_flight", gateway.requests_under_way()},
          {"today", today.sums.requests},
          {"failed_today", today.sums.failed},
          {"input_tokens_today", today.sums.input_tokens},
          {"output_tokens_today", today.sums.output_tokens}};
}

Json spend(const LiveView::Rates& rates, const LiveView::Today& today) {
  return {{"usd_per_hour", per_hour(rates.spend, rates.seconds)},
          {"today_usd", decimal_text(today.sums.spend)},
          {"unpriced_attempts_today", today.sums.unpriced}};
}

UsdSum managed_of(const LiveView::Today& today) { return today.sums.spend - today.sums.gpu; }

Json bill(const LiveView::Rates& rates, const LiveView::Today& today) {
  const UsdSum unused = today.hardware - today.sums.gpu;
  return {{"usd_per_hour", per_hour(rates.bill, rates.seconds)},
          {"today_usd", decimal_text(managed_of(today) + today.hardware)},
          {"managed_usd", decimal_text(managed_of(today))},
          {"hardware_usd", decimal_text(today.hardware)},
          {"hardware_not_charged_usd", decimal_text(unused)}};
}

// What the baseline would have taken for today's requests, less the whole bill: hardware counts whether it worked or
// not.
Json savings(const Config& config, const LiveView::Today& today) {
  Json all = Json::array();
  const UsdSum whole = managed_of(today) + today.hardware;
  for (const Baseline& baseline : config.baselines) {
    const auto found = today.sums.baselines.find(baseline.name);
    const DayBaseline sums = found == today.sums.baselines.end() ? DayBaseline{} : found->second;
    all.push_back({{"baseline", text(baseline.name)},
                   {"today_usd", decimal_text(sums.baseline - whole)},
                   {"requests_only_usd", decimal_text(sums.baseline - sums.actual)},
                   {"baseline_usd", decimal_text(sums.baseline)},
                   {"compared_requests", sums.compared},
                   {"unknown_requests", sums.unknown}});
  }
  return all;
}

Json break_even(const LiveView& live, const Config& config, const PoolStatus& pool) {
  Json all = Json::array();
  for (const Baseline& baseline : config.baselines) {
    const LiveView::BreakEven point = live.break_even(pool.pool, baseline.name, pool.busy_ratio);
    const bool served = point.worth > UsdSum{};
    all.push_back({{"against", text(baseline.name)},
                   {"busy_ratio", ratio(point.ratio)},
                   {"baseline_usd_per_hour", served ? per_hour(point.worth, point.seconds) : Json()},
                   {"bill_usd_per_hour", per_hour(point.bill, point.seconds)},
                   {"why_unknown",
                    point.ratio ? Json()
                    : !served   ? Json("nothing was served in the last five minutes that has a price at the baseline")
                                : Json("the pool was not busy long enough to say")}});
  }
  return all;
}

Json pools(Gateway& gateway, const LiveView& live, const LiveView::Today& today) {
  Json all = Json::array();
  const Config& config = *gateway.config();
  const std::vector<PoolStatus> statuses = gateway.accounts().pools();
  for (const Backend& backend : config.backends) {
    if (!backend.pool) continue;
    for (const PoolStatus& status : statuses) {
      if (status.pool != backend.pool->name) continue;
      const Pool& pool = *backend.pool;
      const PoolView view = gateway.engine_watch().pool(pool.name);
      const auto bill_today = today.pools.find(std::string(text(pool.name)));
      const Usd rate{static_cast<std::int64_t>(divide_half_even(pool.rate_picodollars, pool.rate_denominator))};
      all.push_back(
          {{"pool", text(pool.name)},
           {"billing", name_of(pool.billing)},
           {"gpu", pool.gpu.empty() ? Json() : Json(pool.gpu)},
           {"gpus", pool.gpus},
           {"usd_per_hour", decimal_text(rate)},
           {"busy_ratio", rounded(status.busy_ratio, 1e4)},
           {"break_even", break_even(live, config, status)},
           {"load_ratio", ratio(view.prices.load_ratio)},
           {"in_flight", status.in_flight},
           {"workers_up", status.workers_up},
           {"today_usd", decimal_text(bill_today == today.pools.end() ? UsdSum{} : bill_today->second)},
           {"usd_per_million_tokens", {{"busy", price(view.prices.busy)}, {"loaded", price(view.prices.loaded)}}}});
    }
  }
  return all;
}

/// What the autopilot holds of each serverless pool that it governs.
Json autopilot(const Gateway& gateway) {
  Json all = Json::array();
  const auto known = [](float value) { return value > 0 ? Json(rounded(static_cast<double>(value), 1e6)) : Json(); };
  for (const Autopilot::OfPool& each : gateway.autopilot().report()) {
    const PoolStance& stance = each.stance;
    all.push_back({{"pool", text(each.pool)},
                   {"open", stance.open()},
                   {"why", name_of(stance.why)},
                   {"workers", stance.workers},
                   {"workers_up", stance.workers_up},
                   {"requests_per_second", rounded(static_cast<double>(stance.per_second), 1e6)},
                   {"break_even_requests_per_second", known(stance.break_even)},
                   {"worth_ratio", known(stance.worth)},
                   {"elsewhere_usd_per_request", stance.elsewhere > Usd{} ? Json(decimal_text(stance.elsewhere)) : Json()},
                   {"service_seconds", known(stance.service_seconds)},
                   {"opened", each.opened},
                   {"closed", each.closed}});
  }
  return all;
}

Json targets(const Gateway& gateway, const LiveView::Rates& rates) {
  const ServingPtr serving = gateway.serving();
  Json all = targets_report(*serving);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Target& target = serving->config->targets[i];
    const Backend& backend = serving->config->backend_of(target);
    const auto found = rates.targets.find(target.id);
    const LiveSample::OfTarget lately = found == rates.targets.end() ? LiveSample::OfTarget{} : found->second;
    all[i]["trust"] = backend.trust == Trust::internal ? "internal" : "external";
    all[i]["simulated"] = backend.simulated.has_value();
    all[i]["capability"] = target.capability;
    all[i]["attempts"] = lately.attempts;
    all[i]["failed"] = lately.failed;
    all[i]["usd_per_hour"] = per_hour(lately.spend, rates.seconds);
  }
  return all;
}

/// Columns, oldest first: what was charged and billed per hour, and requests per second, in steps of five seconds.
Json history(const std::deque<LiveSample>& samples) {
  Json spend = Json::array(), bill = Json::array(), requests = Json::array();
  std::vector<const LiveSample*> points;
  for (auto sample = samples.rbegin(); sample != samples.rend(); ++sample) {
    if (points.empty() || points.back()->at - sample->at >= history_step) points.push_back(&*sample);
  }
  for (std::size_t i = points.size(); i-- > 1;) {
    const LiveSample& from = *points[i];
    const LiveSample& to = *points[i - 1];
    const double seconds = std::chrono::duration<double>(to.at - from.at).count();
    spend.push_back(per_hour(to.spend - from.spend, seconds));
    bill.push_back(per_hour(to.bill - from.bill, seconds));
    requests.push_back(rounded(static_cast<double>(to.requests - from.requests) / seconds, 100));
  }
  return {{"step_seconds", history_step.count()},
          {"spend_usd_per_hour", spend},
          {"bill_usd_per_hour", bill},
          {"requests_per_second", requests}};
}

Json ledger(Gateway& gateway) {
  const LedgerStatus status = gateway.accounts().ledger();
  return {{"writable", status.writable},
          {"error", status.failing ? Json(status.error) : Json()},
          {"requests_waiting", status.requests_waiting}};
}

}  // namespace

std::string LiveView::overview() {
  const Rates lately = rates(rate_span);
  const Today now = today();
  const std::int64_t now_us =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  Json all{
      {"at", cli::time_text(now_us)},
      {"version", TOLLGATE_VERSION},
      {"uptime_seconds", (now_us - started_us_) / 1'000'000},
      {"rates_over_seconds", rounded(lately.seconds)},
      {"today",
       {{"since", cli::time_text(day_ * day_us)},
        {"complete", now.complete},
        {"error", now.error.empty() ? Json() : Json(now.error)}}},
      {"draining", gateway_.draining()},
      {"config", configuration(gateway_)},
      {"access", access(gateway_)},
      {"requests", requests(gateway_, lately, now)},
      {"spend", spend(lately, now)},
      {"bill", bill(lately, now)},
      {"savings", savings(*gateway_.config(), now)},
      {"pools", pools(gateway_, *this, now)},
      {"autopilot", autopilot(gateway_)},
      {"targets", targets(gateway_, lately)},
      {"budgets", budget_report(gateway_.guards().budgets.status(BudgetClock::now()), KnownOfBudgets::live)["budgets"]},
      {"checklist", checklist(gateway_, {now.sums.requests, now.sums.unpriced, scraped_lately()})},
      {"ledger", ledger(gateway_)},
      {"history", history(samples_)}};
  return line_of(all);
}

}  // namespace tollgate
