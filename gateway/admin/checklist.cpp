#include "gateway/admin/checklist.hpp"

#include <ctime>
#include <nlohmann/json.hpp>

#include "config/prices/book.hpp"
#include "gateway/gateway.hpp"

namespace tollgate {

namespace {

using Json = nlohmann::ordered_json;

struct Line {
  const char* id;
  const char* title;
  bool ok;
  std::string detail;
  std::string remedy;   ///< what to do
  std::string snippet;  ///< the same, to be copied
};

Json json_of(const Line& line) {
  const bool shows = !line.ok;
  return {{"id", line.id},
          {"title", line.title},
          {"state", line.ok ? "ok" : "todo"},
          {"detail", line.detail},
          {"remedy", shows ? Json(line.remedy) : Json()},
          {"snippet", shows && !line.snippet.empty() ? Json(line.snippet) : Json()}};
}

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t shown_max = 3;
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < shown_max; ++i) out += (out.empty() ? "" : ", ") + names[i];
  if (names.size() > shown_max) out += " and " + std::to_string(names.size() - shown_max) + " more";
  return out;
}

Line configuration(const Gateway& gateway) {
  const ConfigStatus status = gateway.config_status();
  const Config& config = *gateway.config();
  return {"config",
          "Configuration is valid",
          status.last_reload_ok,
          status.last_reload_ok
              ? config.source + ", " + counted(config.backends.size(), "backend") + ", " +
                    counted(config.routes.size(), "route")
              : "the file was changed and is not valid; what was in force before stays: " + status.last_error,
          "Mend the file; it is read again as soon as it changes.",
          "tollgate check " + config.source};
}

Line upstreams(Gateway& gateway) {
  const ServingPtr serving = gateway.serving();
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::string> down;
  for (std::size_t i = 0; i < serving->config->targets.size(); ++i) {
    const TargetHealth& health = *serving->health[i];
    const bool up = health.reachable() && health.state(now) != BreakerState::open;
    if (!up) down.emplace_back(text(serving->config->targets[i].id));
  }
  const std::size_t all = serving->config->targets.size();
  std::string snippet;
  for (const std::string& id : down) {
    const Backend& backend = serving->config->backend_of(*serving->config->find_target(id));
    snippet += "curl -i " + backend.url + "   # " + std::string(text(backend.name)) + "\n";
    if (down.size() > 3) break;
  }
  return {"upstreams",
          "Every upstream answers",
          down.empty(),
          down.empty() ? counted(all, "target") + (all == 1 ? " is up" : " are up")
                       : listed(down) + (down.size() == 1 ? " does" : " do") + " not answer",
          "Is it running, and is its url right? The gateway asks again every five seconds.",
          snippet};
}

Line first_request(Gateway& gateway, const ChecklistFacts& facts) {
  const Gateway::Addresses at = gateway.addresses();
  const std::string model = at.models.empty() ? "auto" : at.models.front();
  const std::string key = at.needs_key ? " \\\n  -H \"Authorization: Bearer $TOLLGATE_KEY\"" : "";
  return {"first_request",
          "A first request has come",
          facts.requests > 0,
          facts.requests > 0 ? counted(facts.requests, "request") + " recorded" : "none so far today",
          "Send one from the box on this page, or:",
          "curl -i " + at.data_url + "/v1/chat/completions -H 'content-type: application/json'" + key +
              " \\\n  -d '{\"model\":\"" + model +
              "\",\"messages\":[{\"role\":\"user\",\"content\":\"What is the capital of France?\"}]}'"};
}

bool is_stale(const PriceFile& prices) {
  if (prices.as_of.empty()) return false;
  constexpr double seconds_per_day = 86'400;
  return std::difftime(std::time(nullptr), prices::day_of(prices.as_of)) >
         static_cast<double>(prices.stale_after_days) * seconds_per_day;
}

Line prices_known(const Gateway& gateway, const ChecklistFacts& facts) {
  const Config& config = *gateway.config();
  std::vector<std::string> unpriced;
  for (const Target& target : config.targets) {
    if (!target.prices && !target.unit_prices && !config.backend_of(target).pool) unpriced.emplace_back(text(target.id));
  }
  if (!unpriced.empty()) {
    return {
        "prices",
        "Every model has a price",
        false,
        listed(unpriced) + (unpriced.size() == 1 ? " has" : " have") + " no price: what requests cost there is unknown",
        "Give the model its prices, or the backend its pool:",
        "models:\n  my-model:\n    prices:\n      input_usd_per_million_tokens: \"2.50\"\n      "
        "output_usd_per_million_tokens: \"10.00\""};
  }
  // The built-in book matters only to models that the configuration gives no price, which nobody here can tell.
  const bool stale = is_stale(config.prices);
  if (stale && !config.prices.path.empty()) {
    return {"prices",
            "Every model has a price",
            false,
            "the price book is of " + config.prices.as_of + ", older than " +
                std::to_string(config.prices.stale_after_days) + " days",
            "Import a newer price list:",
            "tollgate prices import prices.json --to my-prices.json"};
  }
  const std::string today = facts.unpriced == 0 ? ""
                                                : "; but the cost of " + counted(facts.unpriced, "attempt") +
                                                      " of today is not known (no usage came, or no price for it)";
  const std::string book = stale ? "; the built-in price list is of " + config.prices.as_of : "";
  return {"prices", "Every model has a price",
          true,     counted(config.targets.size(), "target") + " priced by token or by hardware" + today + book,
          "",       ""};
}

Line budget(const Gateway& gateway) {
  const std::size_t count = gateway.config()->budgets.size();
  return {"budget",
          "A budget guards the spend",
          count > 0,
          count > 0 ? counted(count, "budget") + " in force" : "none is set: nothing limits what requests may cost",
          "Add one to the configuration (docs/money/budgets.md):",
          "budgets:\n  - {name: all, limit_usd: \"100\", per: month}"};
}

Line prometheus(const Gateway& gateway, const ChecklistFacts& facts) {
  std::string address = gateway.addresses().admin_url;
  if (const std::size_t scheme = address.find("//"); scheme != std::string::npos) address.erase(0, scheme + 2);
  return {"prometheus",
          "Prometheus scrapes the metrics",
          facts.scraped,
          facts.scraped ? "scraped in the last five minutes" : "no scrape in the last five minutes",
          "Add this to prometheus.yml; dashboards and alerts: docs/dashboards.md.",
          "scrape_configs:\n  - job_name: tollgate" +
              std::string(gateway.config()->admin_keys.empty()
                              ? ""
                              : "\n    authorization: {credentials_file: tollgate-admin.key}") +
              "\n    static_configs: [{targets: [\"" + address + "\"]}]"};
}

Line shared(Gateway& gateway) {
  const SharingStatus status = gateway.guards().sharing->status();
  return {"shared",
          "The store of shared budgets answers",
          status.reached && status.remark.empty(),
          !status.reached            ? status.error
          : !status.remark.empty() ? status.remark
                                   : gateway.config()->shared->where + " knows this gateway as " + status.gateway,
          "Is it running, and are address and password right? What is leased can still be spent (docs/money/shared.md).",
          ""};
}

}  // namespace

Json checklist(Gateway& gateway, const ChecklistFacts& facts) {
  Json lines = Json::array();
  for (const Line& line : {configuration(gateway), upstreams(gateway), first_request(gateway, facts),
                           prices_known(gateway, facts), budget(gateway), prometheus(gateway, facts)}) {
    lines.push_back(json_of(line));
  }
  if (gateway.guards().sharing && gateway.config()->shared) lines.push_back(json_of(shared(gateway)));
  return lines;
}

}  // namespace tollgate
