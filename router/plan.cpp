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

std::string duration_text(std::chrono::microseconds time) {
  const std::int64_t millis = (time.count() + 500) / 1000;
  return std::to_string(std::max<std::int64_t>(millis, 1)) + " ms";
}

/// The targets ruled out, as far as a header has room for them: "claude/sonnet: constraint phi-stays-home".
std::string others(const Plan& plan) {
  std::string said;
  for (const RuledOut& out : plan.ruled_out) {
    said += said.empty() ? "" : ", ";
    said.append(plain_name(out.target->id)).append(": ").append(name_of(out.why));
    if (out.constraint != NameId::none) said.append(" ").append(text(out.constraint));
    if (out.why == Why::rate_limited && out.expected.count() > 0) said.append(" for ").append(duration_text(out.expected));
  }
  return said;
}

std::string cheapest_text(const Plan& plan, const Step& step) {
  std::string said = "cheapest of " + std::to_string(plan.steps.size()) + " that can: " + money(step);
  const Step& next = plan.steps[1];
  return said + " against " + money(next) + (next.is_saturated ? " (saturated)" : "");
}

std::string fastest_text(const Plan& plan, const Step& step) {
  const Step& next = plan.steps[1];
  if (step.wait.count() == 0) {
    return next.wait.count() == 0 ? "no target's speed is known yet: the first listed"
                                  : "to learn its speed; the fastest known takes " + duration_text(next.wait);
  }
  const std::string_view until = step.wait == step.first_token ? " to the first token" : " to the whole answer";
  std::string said = "fastest of " + std::to_string(plan.steps.size()) + " that can: " + duration_text(step.wait).append(until);
  return said + (next.wait.count() == 0 ? "" : " against " + duration_text(next.wait));
}

std::string weighted_text(const Plan& plan, const Step& step) {
  std::uint64_t sum = 0;
  for (const Step& each : plan.steps) sum += each.is_saturated && !step.is_saturated ? 0 : each.weight;
  return "weighted: drawn with " + std::to_string(step.weight) + " of " + std::to_string(sum) + " shares";
}

std::string sticky_text(const Plan& plan, const Step& step) {
  std::string said = "sticky: this conversation's last turn went here";
  if (step.cached.count() > 0) said += ", " + std::to_string(step.cached.count()) + " input tokens should be cached";
  said += ": " + money(step);
  return plan.steps.size() > 1 ? said + " against " + money(plan.steps[1]) : said;
}

/// Which of those with room, and why it; the route's rule without the saturated.
std::string spill_over_text(const Plan& plan, const Step& step) {
  static constexpr std::array<std::string_view, 4> firsts{"cheapest", "first listed", "fastest", "drawn"};
  const auto by = plan.rule == nullptr ? 0 : static_cast<std::size_t>(plan.rule->choose);
  const auto room = std::count_if(plan.steps.begin(), plan.steps.end(), [](const Step& each) { return !each.is_saturated; });
  std::string said = "spill-over: " + plain_name(plan.spilled_from->id) + " is saturated; ";
  if (room == 1) return said + "the only one with room: " + money(step);
  return said.append(firsts[by]) + " of " + std::to_string(room) + " with room: " + money(step);
}

std::string rate_text(double per_second) {
  std::array<char, 32> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), per_second < 1 ? "%.2g" : "%.3g", per_second);
  return std::string(buffer.data(), static_cast<std::size_t>(std::clamp(length, 0, 31)));
}

/// Three digits that count: what follows them says nothing in a sentence.
std::string about_money(Usd usd) {
  Int128 unit = 1;
  while (usd.count() / unit >= 1000) unit *= 10;
  return "$" + decimal_text(Usd{static_cast<std::int64_t>(divide_half_even(usd.count(), unit) * unit)});
}

/// What was held of the pool, with its numbers: "sl/llama open (2 workers): 4.1 requests/s, worth from 1.3, $0.0004 each elsewhere".
std::string steering_text(const Plan::Steering& steering, Standing standing) {
  std::string said = plain_name(steering.target->id);
  said += standing == Standing::open ? " open" : standing == Standing::full ? " full" : " closed";
  if (!steering.stance) return said + ": not measured yet";
  const PoolStance& stance = *steering.stance;
  if (stance.why == PoolStance::Why::trial) return said + ": one request at a time, to measure it";
  if (stance.workers > 0) said += " (" + std::to_string(stance.workers) + (stance.workers == 1 ? " worker)" : " workers)");
  if (stance.why == PoolStance::Why::no_traffic) return said + ": no requests for it lately";
  said += ": " + rate_text(static_cast<double>(stance.per_second)) + " requests/s";
  if (stance.why == PoolStance::Why::not_measured) return said + ", its speed is not measured";
  said += stance.break_even > 0 ? ", worth from " + rate_text(static_cast<double>(stance.break_even)) : std::string(", worth at no rate");
  return said + ", " + about_money(stance.elsewhere) + " each elsewhere";
}

std::string autopilot_text(const Plan& plan, const Step& step) {
  std::string said = "autopilot: ";
  if (plan.spilled_from != nullptr) said += plain_name(plan.spilled_from->id) + " is saturated; ";
  if (plan.steering) {
    const auto about = std::find_if(plan.steps.begin(), plan.steps.end(), [&](const Step& each) { return each.target == plan.steering->target; });
    said += steering_text(*plan.steering, about == plan.steps.end() ? Standing::closed : about->standing);
    if (about == plan.steps.begin()) return said;
    said += "; ";
  }
  switch (step.standing) {
    case Standing::paid_for:
      return said + "paid for and has room";
    case Standing::priced:
      return said + "cheapest priced: " + money(step);
    default:
      return said + "what is left: " + money(step);
  }
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
    case Why::fastest:
      return fastest_text(plan, step);
    case Why::weighted:
      return weighted_text(plan, step);
    case Why::sticky:
      return sticky_text(plan, step);
    case Why::spill_over:
      return spill_over_text(plan, step);
    case Why::autopilot:
      return autopilot_text(plan, step);
    case Why::in_time:
      return "no target is expected to answer in time; the fastest, " +
             duration_text(plan.rule->first_token.count() > 0 ? step.first_token : step.whole);
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
  static constexpr std::array<std::string_view, 30> names = {
      "cheapest", "first_listed", "only_one", "asked_for", "fallback",     "constraint",  "capability", "context",
      "tools",    "images",       "schema",   "surface",   "breaker_open", "unreachable", "draining",   "saturated",
      "fastest",  "weighted",     "sticky",   "spill_over", "in_time",     "min_capability", "first_token", "deadline",
      "max_cost", "budget", "rate_limited", "ejected", "connecting", "autopilot"};
  static_assert(static_cast<std::size_t>(Why::autopilot) + 1 == names.size());
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
