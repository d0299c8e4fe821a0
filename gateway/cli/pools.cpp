// `tollgate pools`: what the running gateway knows of its hardware now: the bill, what a token costs, what the engines
// say.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "gateway/cli/admin_client.hpp"
#include "gateway/cli/commands.hpp"
#include "gateway/cli/text_table.hpp"

namespace tollgate::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view unknown = "-";

std::string percent(const Json& ratio) {
  return ratio.is_number() ? fmt::format("{:.1f}%", ratio.get<double>() * 100) : std::string(unknown);
}
/// Exact amounts are long; six digits behind the point are for people. JSON has them all.
std::string amount(const Json& usd) {
  if (!usd.is_string()) return std::string(unknown);
  const std::string& text = usd.get_ref<const std::string&>();
  const std::size_t point = text.find('.');
  return point == std::string::npos ? text : text.substr(0, point + 7);
}
std::string count(const Json& number) { return number.is_number() ? number.dump() : std::string(unknown); }

/// "attributed_usd" → "attributed": the lines of a pool's bill, as the gateway names them.
std::vector<std::string> lines_of(const Json& pools) {
  std::vector<std::string> lines;
  for (const auto& [key, value] : pools.front().items()) {
    if (key.ends_with("_usd")) lines.push_back(key.substr(0, key.size() - 4));
  }
  return lines;
}

bool is_zero(const Json& usd) { return usd.is_string() && usd.get_ref<const std::string&>() == "0"; }

void print_bill(const Json& pools) {
  TextTable table;
  table.column("pool", false);
  std::vector<std::string> used;  // a line that no pool has is not worth a column
  for (const std::string& line : lines_of(pools)) {
    bool any = line == "billed";
    for (const Json& pool : pools) any = any || !is_zero(pool[line + "_usd"]);
    if (!any || line == "rounding") continue;
    used.push_back(line);
    table.column("USD " + line, true);
  }
  table.column("in flight", true);
  table.column("foreign now", true);
  std::vector<std::vector<std::string>> rows;
  for (const Json& pool : pools) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(pool["pool"].get<std::string>());
    for (const std::string& line : used) row.push_back(amount(pool[line + "_usd"]));
    row.push_back(count(pool["in_flight"]));
    row.push_back(count(pool["foreign_requests"]));
  }
  for (std::size_t column = 1; column <= used.size(); ++column) {
    std::vector<std::string*> amounts;
    for (auto& row : rows) amounts.push_back(&row[column]);
    align_decimals(amounts);
  }
  for (auto& row : rows) table.row(std::move(row));
  table.print();
}

std::string saturation(const Json& full) {
  if (!full["tokens_per_second"].is_number()) return std::string(unknown);
  return fmt::format("{:.0f} ({})", full["tokens_per_second"].get<double>(), full["source"].get<std::string>());
}

void print_prices(const Json& pools) {
  TextTable table;
  table.column("pool", false);
  for (const char* const heading : {"busy", "load", "tokens/s", "when full", "$/M marginal", "$/M busy", "$/M loaded"})
    table.column(heading, true);
  for (const Json& pool : pools) {
    const Json& price = pool["usd_per_million_tokens"];
    const Json& rate = pool["tokens_per_second"];
    table.row({pool["pool"].get<std::string>(), percent(pool["busy_ratio"]), percent(pool["load_ratio"]),
               rate.is_number() ? fmt::format("{:.0f}", rate.get<double>()) : std::string(unknown),
               saturation(pool["saturation"]), amount(price["marginal"]), amount(price["busy"]),
               amount(price["loaded"])});
  }
  table.print();
}

/// Both sides of an engine's token counts together; what it does not tell is left out.
struct TokenSums {
  std::int64_t engine = 0, foreign = 0, unexplained = 0;
  bool known = false;
  void add(const Json& side) {
    if (side.is_null()) return;
    known = true;
    engine += side["engine"].get<std::int64_t>();
    foreign += side["foreign"].get<std::int64_t>();
    unexplained += side["unexplained"].get<std::int64_t>();
  }
  [[nodiscard]] std::string share(std::int64_t part) const {
    if (!known || engine == 0) return std::string(unknown);
    return fmt::format("{:.1f}%", static_cast<double>(part) * 100 / static_cast<double>(engine));
  }
};

void print_engines(const Json& backends) {
  TextTable table;
  for (const char* const heading : {"backend", "engine"}) table.column(heading, false);
  for (const char* const heading :
       {"running", "waiting", "cache", "foreign now", "tokens served", "foreign", "unexplained"})
    table.column(heading, true);
  std::string failures;
  bool any = false;
  for (const Json& backend : backends) {
    const Json& engine = backend["engine"];
    if (engine.is_null()) continue;
    any = true;
    const std::string name = backend["backend"].get<std::string>();
    TokenSums tokens;
    tokens.add(engine["prompt_tokens"]);
    tokens.add(engine["generation_tokens"]);
    table.row({name, engine["kind"].is_string() ? engine["kind"].get<std::string>() : std::string(unknown),
               count(engine["running"]), count(engine["waiting"]), percent(engine["kv_cache_usage"]),
               count(engine["foreign_requests"]), tokens.known ? std::to_string(tokens.engine) : std::string(unknown),
               tokens.share(tokens.foreign), tokens.share(tokens.unexplained)});
    if (engine["error"].is_string())
      failures += fmt::format("note: {} cannot be read: {}\n", name, engine["error"].get<std::string>());
  }
  if (!any) return;
  std::printf("\n");
  table.print();
  std::fputs(failures.c_str(), stderr);
}

}  // namespace

int pools(const PoolsOptions& options) {
  std::string url;
  if (const int code = find_admin_port({options.config, options.url}, url); code != ok) return code;
  Json known;
  for (const char* const page : {"pools", "backends"}) {
    const AdminAnswer answer = ask_admin_port(url + "/admin/v1/" + page, options.timeout_seconds);
    Json body = Json::parse(answer.body, nullptr, false);
    if (!answer.failure.empty() || answer.status != 200 || !body.is_object() || !body.contains(page)) {
      print_error(
          fmt::format("{}/admin/v1/{}: {}", url, page,
                      answer.failure.empty()
                          ? fmt::format("answered with {}, and not as a gateway's admin port does", answer.status)
                          : answer.failure));
      return io_failure;
    }
    known[page] = std::move(body[page]);
  }
  if (options.json) {
    std::printf("%s\n", known.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return ok;
  }
  if (known["pools"].empty()) {
    std::printf("no pools are configured\n");
  } else {
    print_bill(known["pools"]);
    std::printf("\n");
    print_prices(known["pools"]);
  }
  print_engines(known["backends"]);
  return ok;
}

}  // namespace tollgate::cli
