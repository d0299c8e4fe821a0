#include "router/explain.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "router/complexity.hpp"
#include "router/constraints.hpp"
#include "router/forecast.hpp"
#include "router/screening.hpp"
#include "router/wording.hpp"

namespace tollgate {
namespace {

constexpr float part_matters_from = 0.05F;  // logits; smaller terms are left out of the text

/// The terms that mattered, the weightiest first.
std::vector<Part> parts_that_matter(const Model& model, const Features& features) {
  std::vector<Part> parts;
  for (const Part& part : model.parts(terms_of(features), features.lexical)) {
    if (std::abs(part.adds()) >= part_matters_from) parts.push_back(part);
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return std::abs(a.adds()) > std::abs(b.adds()); });
  return parts;
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  if (out.size() < width) out.append(width - out.size(), ' ');
  return out;
}

std::string signed_number(float value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%+.2f", static_cast<double>(value));
  return buffer;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

void add_request(std::string& out, const RequestFacts& facts) {
  const ChatView& chat = *facts.chat;
  out.append("request      model \"").append(chat.model.substr(0, 80)).append("\", ");
  out += counted(chat.messages, "message") + ", " + counted(chat.text_bytes, "byte") + " of text, about " +
         counted(static_cast<std::uint64_t>(input_tokens_of(chat).count()), "input token");
  if (chat.tools > 0) out += ", " + counted(chat.tools, "tool");
  if (chat.images > 0) out += ", " + counted(chat.images, "image");
  if (chat.json_schema) out += ", JSON schema";
  out += "\n";
}

/// "0.25 to 0.5"
std::string band_text(Tier tier, const TierBounds& bounds) {
  const std::array<double, tier_count + 1> edges{0, bounds.medium, bounds.complex, bounds.reasoning, 1};
  const auto at = static_cast<std::size_t>(tier);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%g to %g", edges[at], edges[at + 1]);
  return buffer;
}

/// What the term was seen as: a term that is absent pulls as well, and would read as if it were there.
std::string seen_text(const Part& part) {
  if (part.value == 0) return "none";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2g", static_cast<double>(part.value));
  return buffer;
}

void add_complexity(std::string& out, const RequestFacts& facts, const Config& config, const Model& model) {
  out += "complexity   " + score_text(facts.complexity.score) + " " + std::string(name_of(facts.complexity.tier)) +
         " (" + band_text(facts.complexity.tier, config.tiers) + ")\n";
  for (const Part& part : parts_that_matter(model, features_of(*facts.chat))) {
    out.append("             ").append(signed_number(part.adds())).append("  ").append(part.name);
    out.append(" (").append(seen_text(part)).append(")\n");
  }
}

/// Whether any condition asks for what the text holds.
bool screens(const Config& config) {
  const auto asks = [](const auto& rule) { return rule.when.pii.any(); };
  return std::any_of(config.constraints.begin(), config.constraints.end(), asks) ||
         std::any_of(config.routes.begin(), config.routes.end(), asks);
}

void add_constraints(std::string& out, const RequestFacts& facts, const Config& config) {
  std::string names;
  for (const Constraint* constraint : constraints_on(facts, config)) {
    names.append(names.empty() ? "" : ", ").append(text(constraint->name));
    if (constraint->action != ConstraintAction::constrain) names.append(" (").append(name_of(constraint->action)).append("s)");
  }
  if (facts.screening != nullptr && screens(config)) {
    const PiiKinds kinds = facts.screening->kinds();
    out += "found        " + (!facts.screening->readable() ? "a part that cannot be read: counts as holding everything"
                              : kinds.any() ? text_of(kinds) : std::string("no personal data, no secrets")) + "\n";
  }
  out += "constraints  " + (names.empty() ? "none apply" : names) + "\n";
}

std::string time_text(std::chrono::microseconds time) {
  return time.count() == 0 ? "unknown" : std::to_string((time.count() + 500) / 1000) + " ms";
}

/// When a second attempt would be made, and where.
std::string hedge_text(const Plan& plan) {
  const HedgeRules& hedge = plan.rule->hedge;
  const auto ms = [](std::chrono::milliseconds time) { return std::to_string(time.count()) + " ms"; };
  if (plan.steps.size() < 2) return ", hedge (nobody else can take it)";
  return ", hedge at " + std::string(text(plan.steps[1].target->id)) + " after the " + std::to_string(std::lround(hedge.percentile * 100)) +
         "th percentile of " + std::string(text(plan.steps[0].target->id)) + " (" + ms(hedge.after_min) + " to " + ms(hedge.after_max) + ")";
}

/// What the route that took the request asks of its targets.
void add_rule(std::string& out, const Plan& plan) {
  if (plan.rule == nullptr) return;
  const Route& rule = *plan.rule;
  static constexpr std::array<std::string_view, 4> choices{"cheapest", "first", "fastest", "weighted"};
  out.append("             choose ").append(choices[static_cast<std::size_t>(rule.choose)]);
  if (rule.choose == Choose::cheapest) out += rule.cost_basis == CostBasis::marginal ? ", marginal cost" : ", loaded cost";
  if (rule.min_capability > 0) out += ", capability from " + score_text(rule.min_capability);
  if (rule.first_token.count() > 0) out += ", first token within " + std::to_string(rule.first_token.count()) + " ms";
  if (rule.deadline.count() > 0) out += ", whole answer within " + std::to_string(rule.deadline.count()) + " ms";
  if (rule.autopilot) out += ", autopilot";
  if (rule.sticky) out += ", sticky";
  if (rule.cascade) out += ", cascade";
  if (rule.hedge.is_on) out += hedge_text(plan);
  if (rule.retry.retries) out += ", at most " + counted(*rule.retry.retries, "more attempt") + " at a target";
  if (rule.retry.same_first.value_or(false)) out += ", the same target first";
  if (rule.on_filter == OnFilter::next_target) out += ", past content filters";
  out += "\n";
}

/// With as many decimals as it takes to see which is more.
void add_asked(std::string& out, double trusted, double asked) {
  const bool alike = score_text(trusted) == score_text(asked);
  char buffer[96];
  std::snprintf(buffer, sizeof buffer, ": trusted up to %.*f, asked %.*f", alike ? 6 : 2, trusted, alike ? 6 : 2, asked);
  out += buffer;
}

void add_ruled_out(std::string& out, const RuledOut& ruled, const Plan& plan) {
  out.append(name_of(ruled.why));
  switch (ruled.why) {
    case Why::constraint:
      out.append(" ").append(text(ruled.constraint));
      break;
    case Why::capability:
      add_asked(out, ruled.target->capability, plan.complexity.score);
      break;
    case Why::min_capability:
      out += ": trusted up to " + score_text(ruled.target->capability) + ", the route asks " + score_text(plan.rule->min_capability);
      break;
    case Why::first_token:
      out += ": expected after " + time_text(ruled.expected) + ", the route allows " + time_text(plan.rule->first_token);
      break;
    case Why::deadline:
      out += ": the answer is expected to take " + time_text(ruled.expected) + ", the route allows " + time_text(plan.rule->deadline);
      break;
    case Why::rate_limited:
      if (ruled.expected.count() > 0) out += ": by its provider, for another " + time_text(ruled.expected);
      break;
    default:
      break;
  }
}

/// ", masked": what a step's target is sent.
std::string sent_text(const RequestFacts& facts, const Config& config, const Target& target) {
  const MaskOrder order = mask_order(facts, config, target);
  if (!order.kinds.any()) return "";
  return "; sent with " + text_of(order.kinds) + " masked" + (order.restore ? ", restored in the answer" : "");
}

std::size_t widest_target(const Plan& plan) {
  std::size_t width = 0;
  for (const Step& step : plan.steps) width = std::max(width, text(step.target->id).size());
  for (const RuledOut& out : plan.ruled_out) width = std::max(width, text(out.target->id).size());
  return width;
}

void add_plan(std::string& out, const RequestFacts& facts, const Config& config, const Plan& plan) {
  out.append("route        ").append(text(plan.route)).append("\n");
  add_rule(out, plan);
  const std::size_t width = widest_target(plan);
  std::string label = "targets      ";
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    out += label + std::to_string(i + 1) + "  " + padded(text(step.target->id), width) + "  " +
           padded(step.forecast_known ? "$" + decimal_text(step.forecast) : "unknown", 16) + "  " + reason_text(plan, i) + sent_text(facts, config, *step.target);
    if (step.first_token.count() > 0 || step.whole.count() > 0) {
      out += " (first token " + time_text(step.first_token) + ", answer " + time_text(step.whole) + ")";
    }
    out += "\n";
    label.assign(label.size(), ' ');
  }
  label = "ruled out    ";
  for (const RuledOut& ruled : plan.ruled_out) {
    out += label + "-  " + padded(text(ruled.target->id), width) + "  ";
    add_ruled_out(out, ruled, plan);
    out += "\n";
    label.assign(label.size(), ' ');
  }
}

nlohmann::ordered_json complexity_json(const RequestFacts& facts, const Model& model) {
  nlohmann::ordered_json terms = nlohmann::ordered_json::array();
  const auto rounded = [](float value) { return std::round(static_cast<double>(value) * 1e4) / 1e4; };
  for (const Part& part : parts_that_matter(model, features_of(*facts.chat))) {
    terms.push_back({{"name", part.name},
                     {"value", rounded(part.value)},
                     {"weight", rounded(part.weight)},
                     {"adds", rounded(part.adds())}});
  }
  return {{"score", rounded(facts.complexity.score)},
          {"tier", name_of(facts.complexity.tier)},
          {"terms", std::move(terms)}};
}

nlohmann::ordered_json request_json(const ChatView& chat) {
  return {{"model", chat.model},
          {"messages", chat.messages},
          {"text_bytes", chat.text_bytes},
          {"input_tokens_estimated", input_tokens_of(chat).count()},
          {"tools", chat.tools},
          {"images", chat.images},
          {"json_schema", chat.json_schema},
          {"stream", chat.stream}};
}

/// null: not known.
nlohmann::ordered_json millis_json(std::chrono::microseconds time) {
  if (time.count() == 0) return {};
  return (time.count() + 500) / 1000;
}

void add_plan_json(nlohmann::ordered_json& root, const RequestFacts& facts, const Config& config, const Plan& plan) {
  root["route"] = text(plan.route);
  root["spilled_from"] = nullptr;
  if (plan.spilled_from != nullptr) root["spilled_from"] = text(plan.spilled_from->id);
  root["steps"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    nlohmann::ordered_json forecast;
    if (step.forecast_known) forecast = decimal_text(step.forecast);
    root["steps"].push_back({{"target", text(step.target->id)},
                             {"forecast_usd", std::move(forecast)},
                             {"why", name_of(step.why)},
                             {"reason", reason_text(plan, i)},
                             {"capability", step.target->capability},
                             {"saturated", step.is_saturated},
                             {"cached_input_tokens", step.cached.count()},
                             {"first_token_ms", millis_json(step.first_token)},
                             {"answer_ms", millis_json(step.whole)}});
    if (const MaskOrder order = mask_order(facts, config, *step.target); order.kinds.any()) {
      root["steps"].back()["masked"] = {{"kinds", text_of(order.kinds)}, {"restored", order.restore}};
    }
  }
  if (plan.rule != nullptr && plan.rule->hedge.is_on && plan.steps.size() > 1) {
    const HedgeRules& hedge = plan.rule->hedge;
    root["hedge"] = {{"target", text(plan.steps[1].target->id)},
                     {"percentile", std::lround(hedge.percentile * 100)},
                     {"after_ms_min", hedge.after_min.count()},
                     {"after_ms_max", hedge.after_max.count()}};
  }
  root["ruled_out"] = nlohmann::ordered_json::array();
  for (const RuledOut& ruled : plan.ruled_out) {
    nlohmann::ordered_json entry = {{"target", text(ruled.target->id)}, {"why", name_of(ruled.why)}};
    if (ruled.why == Why::constraint) entry["constraint"] = text(ruled.constraint);
    if (ruled.why == Why::capability || ruled.why == Why::min_capability) entry["capability"] = ruled.target->capability;
    if (ruled.expected.count() > 0) entry["expected_ms"] = millis_json(ruled.expected);
    root["ruled_out"].push_back(std::move(entry));
  }
}

}  // namespace

std::string explain_text(const RequestFacts& facts, const Config& config, const Result<Plan>& plan,
                         const Model& model) {
  std::string out;
  add_request(out, facts);
  add_complexity(out, facts, config, model);
  add_constraints(out, facts, config);
  if (plan) {
    add_plan(out, facts, config, plan.value());
  } else {
    out += "refused      " + plan.error().message + "\n";
  }
  return out;
}

std::string explain_json(const RequestFacts& facts, const Config& config, const Result<Plan>& plan,
                         const Model& model) {
  nlohmann::ordered_json root;
  root["request"] = request_json(*facts.chat);
  root["complexity"] = complexity_json(facts, model);
  if (facts.screening != nullptr && screens(config)) {
    root["found"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < pii_kind_count; ++i) {
      if (facts.screening->kinds().has(static_cast<PiiKind>(i))) root["found"].push_back(name_of(static_cast<PiiKind>(i)));
    }
  }
  root["constraints"] = nlohmann::ordered_json::array();
  for (const Constraint* constraint : constraints_on(facts, config))
    root["constraints"].push_back(text(constraint->name));
  if (plan) {
    add_plan_json(root, facts, config, plan.value());
  } else {
    root["refused"] = {{"message", plan.error().message}, {"param", plan.error().param}};
  }
  // A model name from a client may be broken UTF-8; it must not break the answer.
  return root.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tollgate
