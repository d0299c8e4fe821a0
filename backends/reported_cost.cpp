#include "backends/reported_cost.hpp"

#include <simdjson.h>

#include "config/decimal.hpp"

namespace tollgate {
namespace {

namespace sj = simdjson::ondemand;

constexpr std::int64_t picodollars_per_tick = 100;

sj::parser& parser() {
  thread_local sj::parser kept;
  return kept;
}

std::optional<Usd> plausible(Usd cost) noexcept {
  if (cost < Usd{} || cost > reported_cost_max) return std::nullopt;
  return cost;
}

std::optional<Usd> amount(sj::value value) {
  sj::json_type type{};
  if (value.type().get(type) || type != sj::json_type::number) return std::nullopt;
  std::string_view text = value.raw_json_token();
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  const Result<Usd> cost = parse_usd_rounded(text);
  return cost ? plausible(cost.value()) : std::nullopt;
}

std::optional<Usd> amount_at(sj::object& object, std::string_view name) {
  sj::value value;
  if (object.find_field_unordered(name).get(value)) return std::nullopt;
  return amount(value);
}

std::optional<Usd> ticks(sj::object& usage) {
  std::int64_t count = 0;
  if (usage.find_field_unordered("cost_in_usd_ticks").get_int64().get(count)) return std::nullopt;
  if (count < 0 || count > reported_cost_max.count() / picodollars_per_tick) return std::nullopt;
  return Usd{count * picodollars_per_tick};
}

std::optional<Usd> dollars(sj::object& usage) {
  sj::value cost;
  if (usage.find_field_unordered("cost").get(cost)) return std::nullopt;
  sj::object parts;
  if (!cost.get_object().get(parts)) return amount_at(parts, "total_cost");
  return amount(cost);
}

}  // namespace

std::optional<Usd> reported_cost(std::string_view usage_object) {
  const simdjson::padded_string padded(usage_object);
  sj::document document;
  sj::object usage;
  if (parser().iterate(padded).get(document) || document.get_object().get(usage)) return std::nullopt;
  if (const auto billed = ticks(usage)) return billed;
  const std::optional<Usd> cost = dollars(usage);
  bool own_key = false;
  if (!cost || usage.find_field_unordered("is_byok").get_bool().get(own_key) || !own_key) return cost;
  sj::object details;
  if (usage.find_field_unordered("cost_details").get_object().get(details)) return std::nullopt;
  const std::optional<Usd> beside = amount_at(details, "upstream_inference_cost");
  return beside ? plausible(*cost + *beside) : std::nullopt;
}

std::optional<Usd> reported_cost(const Backend& backend, std::string_view usage_object) {
  return backend.reported_costs && !usage_object.empty() ? reported_cost(usage_object) : std::nullopt;
}

}  // namespace tollgate
