// A sampled decision as JSON: one line in the list, or all that is known of it.

#include <cmath>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/admin/live_view.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate {

namespace {

using Json = nlohmann::ordered_json;

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json name_or_null(NameId name) { return name == NameId::none ? Json() : Json(text(name)); }

double rounded(double value) { return std::round(value * 1000) / 1000; }

Json millis(std::int64_t us) { return us < 0 ? Json() : Json(rounded(static_cast<double>(us) / 1000)); }

std::string_view name_of(UsageSource source) {
  static constexpr std::array<std::string_view, 4> names{"none", "estimated", "continuous", "exact"};
  return names[static_cast<std::size_t>(source)];
}
std::string_view name_of(Pricing pricing) {
  static constexpr std::array<std::string_view, 3> names{"priced", "unpriced", "not_billed"};
  return names[static_cast<std::size_t>(pricing)];
}

Json attempt_of(const AttemptRow& attempt) {
  Json charges = Json::object();
  for (std::size_t i = 0; i < charge_kind_count; ++i) {
    if (attempt.charge.lines[i] != Usd{})
      charges[std::string(name_of(static_cast<ChargeKind>(i)))] = decimal_text(attempt.charge.lines[i]);
  }
  const Usage& usage = attempt.usage;
  return {{"number", attempt.number},
          {"target", name_or_null(attempt.target)},
          {"result", attempt.result.name()},
          {"status", attempt.http_status},
          {"cost_usd", attempt.pricing == Pricing::unpriced ? Json() : Json(decimal_text(attempt.charge.total()))},
          {"pricing", name_of(attempt.pricing)},
          {"charges_usd", charges},
          {"usage_source", name_of(attempt.usage_source)},
          {"input_tokens", usage.total_input().count()},
          {"cached_input_tokens", usage.cached_input.count()},
          {"output_tokens", usage.total_output().count()},
          {"reasoning_tokens", usage.reasoning.count()},
          {"first_token_ms", millis(attempt.first_token_us > 0 ? attempt.first_token_us - attempt.started_us : -1)},
          {"duration_ms", millis(attempt.ended_us > 0 ? attempt.ended_us - attempt.started_us : -1)}};
}

Json brief_of(const DecisionSample& decision) {
  const RequestRow& row = decision.request;
  std::int64_t input = 0, output = 0;
  for (const AttemptRow& attempt : decision.attempts) {
    input += attempt.usage.total_input().count();
    output += attempt.usage.total_output().count();
  }
  return {{"id", text(row.id).view()},
          {"at", cli::time_text(row.arrived_us)},
          {"model", decision.model},
          {"team", name_or_null(row.team)},
          {"route", name_or_null(row.route)},
          {"complexity", rounded(static_cast<double>(row.complexity))},
          {"tier", tollgate::name_of(row.tier)},
          {"target", name_or_null(row.target)},
          {"reason", decision.reason},
          {"outcome", row.result.name()},
          {"status", row.http_status},
          {"attempts", decision.attempts.size()},
          {"stream", row.stream},
          {"input_tokens", input},
          {"output_tokens", output},
          {"cost_usd", decision.cost ? Json(decimal_text(*decision.cost)) : Json()},
          {"duration_ms", millis(decision.duration_us)},
          {"first_token_ms", millis(decision.first_token_us)}};
}

}  // namespace

std::string LiveView::brief(const DecisionSample& decision) { return line_of(brief_of(decision)); }

std::string LiveView::whole(const DecisionSample& decision) {
  Json all = brief_of(decision);
  all["key"] = name_or_null(decision.request.key);
  all["tries"] = Json::array();
  for (const AttemptRow& attempt : decision.attempts) all["tries"].push_back(attempt_of(attempt));
  all["explanation"] = Json::parse(decision.explanation, nullptr, false);
  return line_of(all);
}

}  // namespace tollgate
