#include "gateway/admin/pages.hpp"

#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/gateway.hpp"
#include "gateway/reply.hpp"

namespace tollgate {

namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(const TargetHealth& health) {
  if (!health.reachable()) return "unreachable";
  switch (health.state(std::chrono::steady_clock::now())) {
    case BreakerState::closed: return "up";
    case BreakerState::half_open: return "half_open";
    case BreakerState::open: return "breaker_open";
  }
  return "up";
}

AdminReply json(int status, const Json& body) { return {status, "application/json", body.dump(2) + "\n", {}}; }

Json targets(const Serving& serving) {
  Json all = Json::array();
  for (std::size_t i = 0; i < serving.config->targets.size(); ++i) {
    const Target& target = serving.config->targets[i];
    all.push_back({{"target", text(target.id)},
                   {"state", name_of(*serving.health[i])},
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
  for (const TargetHealth* health : serving->health) usable = usable || (health->reachable() && health->usable(now));
  const bool draining = gateway.draining();
  const bool ready = usable && ledger.writable && !draining;
  return json(ready ? 200 : 503, {{"ready", ready},
                                  {"draining", draining},
                                  {"ledger", ledger.writable ? "writable" : ledger.error},
                                  {"targets", targets(*serving)}});
}

AdminReply pools(Gateway& gateway) {
  Json all = Json::array();
  for (const PoolStatus& pool : gateway.accounts().pools()) {
    all.push_back(Json{{"pool", text(pool.pool)},
                   {"billed_usd", decimal_text(pool.billed)},
                   {"attributed_usd", decimal_text(pool.attributed)},
                   {"idle_usd", decimal_text(pool.idle)},
                   {"cold_start_usd", decimal_text(pool.cold_start)},
                   {"rounding_usd", decimal_text(pool.rounding)},
                   {"in_flight", pool.in_flight}});
  }
  return json(200, {{"pools", all}});
}

AdminReply backends(Gateway& gateway) {
  const ServingPtr serving = gateway.serving();
  Json all = Json::array();
  for (const Backend& backend : serving->config->backends) {
    all.push_back({{"backend", text(backend.name)},
                   {"url", backend.url},
                   {"simulated", backend.simulated.has_value()},
                   {"trust", backend.trust == Trust::internal ? "internal" : "external"},
                   {"labels", backend.labels}});
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
                     "/readyz               requests can be served and recorded\n/admin/v1/backends    backends and targets\n"
                     "/admin/v1/pools       what each pool was billed, and for what\nPOST /-/reload        read the configuration again\n\n";
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
    {"/-/reload", "POST", reload},
};

}  // namespace

AdminReply answer_admin(Gateway& gateway, std::string_view method, std::string_view target, const std::string&) {
  const std::string_view path = target.substr(0, target.find('?'));
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
