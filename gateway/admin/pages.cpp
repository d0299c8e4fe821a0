#include "gateway/admin/pages.hpp"

#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
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
                   {"priced", target.prices.has_value() || serving.config->backend_of(target).pool.has_value()}});
  }
  return all;
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
                                  {"ledger", ledger.writable ? "writable" : ledger.error},
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

AdminReply index(Gateway& gateway) {
  std::string page = "Tollgate, admin port\n\n/metrics              Prometheus\n/healthz              the process runs\n"
                     "/readyz               requests can be served and recorded\n/admin/v1/backends    backends and targets, and what their engines say\n"
                     "POST …/BACKEND/drain  sends nothing new there and lets finish what is under way; …/undrain\n"
                     "/admin/v1/pools       what each pool was billed, and for what; what a million tokens cost\n/admin/v1/budgets     what each budget allows, has spent, holds and has left\nPOST /-/reload        read the configuration again\n\n";
  page += "configuration " + gateway.config()->source + ", sha256 " + gateway.config()->sha256 + "\n";
  return {200, "text/plain; charset=utf-8", page, {}};
}

struct Page {
  std::string_view path, method;
  AdminReply (*answer)(Gateway&);
};

constexpr Page pages[] = {
    {"/", "GET", index},
    {"/healthz", "GET", [](Gateway&) { return AdminReply{200, "text/plain; charset=utf-8", "ok\n", {}}; }},
    {"/readyz", "GET", readyz},
    {"/metrics", "GET",
     [](Gateway& gateway) { return AdminReply{200, "text/plain; version=0.0.4; charset=utf-8", gateway.accounts().render_metrics(), {}}; }},
    {"/admin/v1/backends", "GET", backends},
    {"/admin/v1/pools", "GET", pools},
    {"/admin/v1/budgets", "GET", budgets},
    {"/-/reload", "POST", reload},
};

}  // namespace

AdminReply answer_admin(Gateway& gateway, std::string_view method, std::string_view target, const std::string&) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (std::optional<AdminReply> drained = answer_drain(gateway, method, path)) return *std::move(drained);
  for (const Page& page : pages) {
    if (page.path != path) continue;
    if (page.method == method || (page.method == "GET" && method == "HEAD")) return page.answer(gateway);
    AdminReply reply{405, "application/json", error_body(fail(Fault::method_not_allowed, "use " + std::string(page.method) + " on " + std::string(path))), {}};
    reply.allow = page.method;
    return reply;
  }
  return {404, "application/json", error_body(fail(Fault::not_found, "there is nothing here; GET / lists what there is")), {}};
}

}  // namespace tollgate
