// A Plan in words.

#include <algorithm>
#include <array>
#include <cstdio>

#include "router/abilities.hpp"
#include "router/routes.hpp"
#include "router/wording.hpp"

namespace tollgate {
namespace {

constexpr std::size_t reason_text_max = 200;  // what a response header may be burdened with

std::string money(const Step& step) { return step.forecast_known ? "$" + decimal_text(step.forecast) : "cost unknown"; }

std::string plain_name(NameId id) { return std::string(text(id)); }

/// The targets ruled out, as far as a header has room for them: "claude/sonnet: constraint phi-stays-home".
std::string others(const Plan& plan) {
  std::string said;
  for (const RuledOut& out : plan.ruled_out) {
    said += said.empty() ? "" : ", ";
    said.append(plain_name(out.target->id)).append(": ").append(name_of(out.why));
    if (out.constraint != NameId::none) said.append(" ").append(text(out.constraint));
  }
  return said;
}

std::string cheapest_text(const Plan& plan, const Step& step) {
  std::string said = "cheapest of " + std::to_string(plan.steps.size()) + " that can: " + money(step);
  const Step& next = plan.steps[1];
  return said + " against " + money(next) + (next.why == Why::saturated ? " (saturated)" : "");
}

std::string text_of(const Plan& plan, std::size_t index) {
  const Step& step = plan.steps[index];
  const std::string count = std::to_string(plan.steps.size());
  switch (step.why) {
    case Why::asked_for:
      return "asked for by name";
    case Why::only_one:
      if (plan.ruled_out.empty()) return "the only target of its route";
      return "only one of " + std::to_string(plan.ruled_out.size() + 1) + " left (" + others(plan) + ")";
    case Why::cheapest:
      if (plan.steps.size() > 1) return cheapest_text(plan, step);
      return "cheapest: " + money(step);
    case Why::first_listed:
      return "first listed of " + count + " that can";
    case Why::saturated:
      return "saturated: behind the targets with room, " + std::to_string(index + 1) + " of " + count;
    case Why::fallback:
      return "fallback, " + std::to_string(index + 1) + " of " + count + ": " + money(step);
    default:
      return std::string(name_of(step.why));
  }
}

std::string printable(std::string said) {
  std::replace_if(
      said.begin(), said.end(), [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  if (said.size() > reason_text_max) said = said.substr(0, reason_text_max - 3) + "...";
  return said;
}

}  // namespace

std::string_view name_of(Why why) noexcept {
  static constexpr std::array<std::string_view, 18> names = {
      "cheapest", "first_listed", "only_one", "asked_for", "fallback",     "constraint",  "capability", "context",
      "tools",    "images",       "schema",   "surface",   "breaker_open", "unreachable", "draining",   "saturated",
      "max_cost", "budget"};
  static_assert(static_cast<std::size_t>(Why::budget) + 1 == names.size());
  return names[static_cast<std::size_t>(why)];
}

std::string reason_text(const Plan& plan, std::size_t step) {
  if (step >= plan.steps.size()) return {};
  std::string said = text_of(plan, step);
  if (plan.route != direct_route() && !is_trusted_with(*plan.steps[step].target, plan.complexity.score)) {
    said = "none is trusted with complexity " + score_text(plan.complexity.score) + ", so the most capable; " + said;
  }
  return printable(std::move(said));
}

std::string score_text(double score) {
  std::array<char, 32> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), "%.2f", score);
  return std::string(buffer.data(), static_cast<std::size_t>(std::clamp(length, 0, 31)));
}

}  // namespace tollgate
