#include "gateway/admin/pages.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/admin/assets.hpp"
#include "gateway/admin/live_view.hpp"
#include "gateway/admin/what_if.hpp"
#include "gateway/budget_report.hpp"
#include "gateway/gateway.hpp"
#include "gateway/reply.hpp"
#include "gateway/resilience_series.hpp"

namespace tollgate {

namespace {

using Json = nlohmann::ordered_json;

AdminReply json(int status, const Json& body) { return {status, "application/json", body.dump(2) + "\n", {}}; }

Json targets(const Serving& serving) {
  Json all = Json::array();
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < serving.config->targets.size(); ++i) {
    const Target& target = serving.config->targets[i];
    all.push_back({{"target", text(target.id)},
                   {"state", state_name(serving, i, now)},
                   {"usable", is_usable(*serving.health[i], now)},
                   {"in_flight", serving.health[i]->in_flight.load()},
                   {"priced", target.prices.has_value() || target.unit_prices.has_value() || serving.config->backend_of(target).pool.has_value()}});
  }
  return all;
}

/// Of the store of shared budgets: null, "answers", or why not. It does not decide about ready: what is leased can be spent, and a
/// balancer that takes every gateway out at once helps nobody.
Json shared_state(Gateway& gateway) {
  const Guards& guards = gateway.guards();
  if (!guards.sharing) return nullptr;
  const SharingStatus status = guards.sharing->status();
  return !status.reached ? status.error : status.remark.empty() ? "answers" : status.remark;
}

std::string state_of(const LedgerStatus& ledger) {
  if (!ledger.failing) return "writable";
  return ledger.writable ? ledger.error + "; requests are served and wait in this gateway's files" : ledger.error;
}

// Ready: a request sent now can be served and recorded.
AdminReply readyz(Gateway& gateway) {
  const ServingPtr serving = gateway.serving();
  const LedgerStatus ledger = gateway.accounts().ledger();
  const auto now = std::chrono::steady_clock::now();
  bool usable = false;
  for (const TargetHealth* health : serving->health) usable = usable || is_usable(*health, now);
  const bool draining = gateway.draining();
  const bool ready = usable && ledger.writable && !draining;
  return json(ready ? 200 : 503, {{"ready", ready},
                                  {"draining", draining},
                                  {"ledger", state_of(ledger)},
                                  {"shared", shared_state(gateway)},
                                  {"targets", targets(*serving)}});
}

Json price(const std::optional<Usd>& usd) { return usd ? Json(decimal_text(*usd)) : Json(); }

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

// What is not known is null, never 0.
void add_engine(Json& entry, const PoolView& view) {
  const PoolPrices& prices = view.prices;
  entry["foreign_requests"] = or_null(view.foreign_requests);
  entry["usd_per_million_tokens"] = {{"marginal", price(prices.marginal)},
                                     {"busy", price(prices.busy)},
                                     {"loaded", price(prices.loaded)},
                                     {"busy_since_start", price(prices.busy_since_start)},
                                     {"loaded_since_start", price(prices.loaded_since_start)}};
  entry["tokens_per_second"] = or_null(prices.tokens_per_second);
  entry["load_ratio"] = or_null(prices.load_ratio);
  entry["saturation"] = {{"tokens_per_second", prices.saturation_source == SaturationSource::none ? Json() : Json(prices.saturation_tokens_per_second)},
                         {"source", name_of(prices.saturation_source)}};
}

Json engine(const EngineStatus& status) {
  if (!status.scraped) return Json();
  const auto tokens = [](const TokenAccount& account) {
    if (!account.known) return Json();
    return Json{{"engine", account.engine}, {"own", account.own}, {"foreign", account.foreign}, {"unexplained", account.unexplained},
                {"drift_ratio", or_null(account.drift_ratio())}};
  };
  const std::chrono::duration<double> age = std::chrono::steady_clock::now() - status.last_success;
  return {{"kind", status.kind.empty() ? Json() : Json(status.kind)},
          {"age_seconds", status.last_success == std::chrono::steady_clock::time_point{} ? Json() : Json(age.count())},
          {"error", status.error.empty() ? Json() : Json(status.error)},
          {"running", or_null(status.running)},
          {"waiting", or_null(status.waiting)},
          {"kv_cache_usage", or_null(status.kv_cache_usage)},
          {"foreign_requests", or_null(status.foreign_requests)},
          {"restarts", status.restarts},
          {"prompt_tokens", tokens(status.prompt)},
          {"generation_tokens", tokens(status.generation)}};
}

/// Of a serverless pool: cold, booting or warm, by its rules; null: workers are none of it.
Json worker_state(Gateway& gateway, const PoolStatus& pool) {
  const Config& config = *gateway.serving()->config;
  const auto backend = std::find_if(config.backends.begin(), config.backends.end(), [&](const Backend& each) { return each.pool && each.pool->name == pool.pool; });
  if (backend == config.backends.end() || backend->pool->billing != Billing::serverless) return {};
  if (pool.workers_up == 0) return "cold";
  return pool.workers_up > pool.workers_booting ? "warm" : "booting";
}

AdminReply pools(Gateway& gateway) {
  Json all = Json::array();
  for (const PoolStatus& pool : gateway.accounts().pools()) {
    Json entry{{"pool", text(pool.pool)},
               {"billed_usd", decimal_text(pool.billed)},
               {"attributed_usd", decimal_text(pool.attributed)},
               {"idle_usd", decimal_text(pool.idle)},
               {"foreign_usd", decimal_text(pool.foreign)},
               {"cold_start_usd", decimal_text(pool.cold_start)},
               {"minimum_usd", decimal_text(pool.minimum)},
               {"down_usd", decimal_text(pool.down)},
               {"rounding_usd", decimal_text(pool.rounding)},
               {"in_flight", pool.in_flight},
               {"workers_up", pool.workers_up},
               {"workers_booting", pool.workers_booting},
               {"state", worker_state(gateway, pool)},
               {"warm_up", warm_up_report(gateway, pool.pool)},
               {"busy_ratio", pool.busy_ratio}};
    add_engine(entry, gateway.engine_watch().pool(pool.pool));
    all.push_back(std::move(entry));
  }
  return json(200, {{"pools", all}});
}

AdminReply budgets(Gateway& gateway) {
  return json(200, budget_report(gateway.guards().budgets.status(BudgetClock::now()), KnownOfBudgets::live));
}

/// By place and fingerprint, never the keys.
Json keys(const Serving& serving, std::size_t backend) {
  Json all = Json::array();
  if (serving.config->backends[backend].api_key.empty()) return all;
  const Serving::UpstreamKeys& keys = serving.upstream_keys[backend];
  for (std::size_t key = 0; key < keys.health.size(); ++key) {
    all.push_back({{"key", key_text(key, keys.fingerprints[key])},
                   {"usable", keys.health[key]->usable(std::chrono::steady_clock::now())},
                   {"refusals", keys.health[key]->refusals()}});
  }
  return all;
}

AdminReply backends(Gateway& gateway) {
  const ServingPtr serving = gateway.serving();
  Json all = Json::array();
  for (std::size_t i = 0; i < serving->config->backends.size(); ++i) {
    const Backend& backend = serving->config->backends[i];
    all.push_back({{"backend", text(backend.name)},
                   {"url", backend.url},
                   {"simulated", backend.simulated.has_value()},
                   {"trust", backend.trust == Trust::internal ? "internal" : "external"},
                   {"labels", backend.labels},
                   {"draining", gateway.is_drained(std::string(text(backend.name)))},
                   {"keys", keys(*serving, i)},
                   {"engine", engine(serving->engines[i]->status())}});
  }
  return json(200, {{"backends", all}, {"targets", targets(*serving)}});
}

AdminReply reload(Gateway& gateway) {
  const Result<void> done = gateway.reload(ReloadCause::asked);
  if (!done) return json(400, {{"reloaded", false}, {"error", done.error().message}});
  return json(200, {{"reloaded", true}, {"sha256", gateway.config()->sha256}});
}

AdminReply decisions(Gateway& gateway, const AdminRequest& request) {
  constexpr std::size_t shown = 50;
  std::size_t most = shown;
  if (const std::string_view limit = request.query("limit"); !limit.empty()) {
    const auto [end, failed] = std::from_chars(limit.data(), limit.data() + limit.size(), most);
    if (failed != std::errc{} || end != limit.data() + limit.size() || most == 0 || most > LiveView::decisions_max) {
      return {400, "application/json", error_body(fail(Fault::bad_request, "limit is a number from 1 to 200", "limit")), {}};
    }
  }
  std::string body = "{\"decisions\":[";
  std::size_t count = 0;
  for (const DecisionPtr& decision : gateway.live().decisions()) {
    if (count == most) break;
    body += (count++ == 0 ? "\n" : ",\n") + LiveView::brief(*decision);
  }
  return {200, "application/json", body + "]}\n", {}};
}

constexpr std::string_view decisions_path = "/admin/v1/decisions";

AdminReply decision(Gateway& gateway, std::string_view id) {
  if (const DecisionPtr found = gateway.live().decision(id)) return {200, "application/json", LiveView::whole(*found) + "\n", {}};
  return {404, "application/json", error_body(fail(Fault::not_found, "no decision of this id is kept: only a sample of the last ones is")), {}};
}

struct Page {
  std::string_view path, method;
  AdminReply (*answer)(Gateway&, const AdminRequest&);
};

/// A page that needs nothing but the gateway.
template <AdminReply (*answer)(Gateway&)>
AdminReply plain(Gateway& gateway, const AdminRequest&) {
  return answer(gateway);
}

AdminReply healthz(Gateway&) { return {200, "text/plain; charset=utf-8", "ok\n", {}}; }

AdminReply metrics(Gateway& gateway, const AdminRequest& request) {
  if (!request.scrape_timeout.empty()) gateway.live().scraped(std::chrono::steady_clock::now());
  return {200, "text/plain; version=0.0.4; charset=utf-8", gateway.accounts().render_metrics(), {}};
}

AdminReply clear_cache(Gateway& gateway) { return json(200, {{"cleared", gateway.response_cache().clear()}}); }

AdminReply overview(Gateway& gateway) { return {200, "application/json", gateway.live().overview() + "\n", {}}; }

// Others, which take their time, are in server.cpp.
constexpr Page pages[] = {
    {"/healthz", "GET", plain<healthz>},
    {"/readyz", "GET", plain<readyz>},
    {"/metrics", "GET", metrics},
    {"/admin/v1/overview", "GET", plain<overview>},
    {decisions_path, "GET", decisions},
    {"/admin/v1/backends", "GET", plain<backends>},
    {"/admin/v1/pools", "GET", plain<pools>},
    {"/admin/v1/budgets", "GET", plain<budgets>},
    {"/admin/v1/cache/clear", "POST", plain<clear_cache>},
    {"/admin/v1/config", "GET", plain<written_config>},
    {"/-/reload", "POST", plain<reload>},
};

AdminReply not_allowed(std::string_view method, std::string_view path) {
  AdminReply reply{405, "application/json", error_body(fail(Fault::method_not_allowed, "use " + std::string(method) + " on " + std::string(path))), {}};
  reply.allow = method;
  return reply;
}

}  // namespace

std::string_view AdminRequest::query(std::string_view name) const noexcept {
  std::size_t at = target.find('?');
  while (at != std::string_view::npos) {
    const std::size_t end = target.find('&', at + 1);
    const std::string_view pair = target.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name) return equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    at = end;
  }
  return {};
}

nlohmann::ordered_json targets_report(const Serving& serving) { return targets(serving); }

AdminReply answer_admin(Gateway& gateway, const AdminRequest& request) {
  const std::string_view path = request.path();
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (std::optional<AdminReply> warmed = answer_warm(gateway, request)) return *std::move(warmed);
  if (std::optional<AdminReply> drained = answer_drain(gateway, request.method, path)) return *std::move(drained);
  for (const Page& page : pages) {
    if (page.path != path) continue;
    if (page.method == request.method || (page.method == "GET" && reads)) return page.answer(gateway, request);
    return not_allowed(page.method, path);
  }
  if (path.starts_with(decisions_path) && path.size() > decisions_path.size() + 1 && path[decisions_path.size()] == '/') {
    return reads ? decision(gateway, path.substr(decisions_path.size() + 1)) : not_allowed("GET", path);
  }
  for (const std::string_view streamed : {"/admin/v1/explain", "/admin/v1/send", "/admin/v1/check", "/admin/v1/simulate"}) {
    if (path == streamed) return not_allowed("POST", path);
  }
  if (path == "/admin/v1/events" || path == "/admin/v1/advice") return not_allowed("GET", path);
  if (std::optional<AdminReply> file = page_file(path)) return reads ? std::move(*file) : not_allowed("GET", path);
  return {404, "application/json", error_body(fail(Fault::not_found, "there is nothing here; docs/openapi/admin.yaml lists what there is")), {}};
}

}  // namespace tollgate
