#include "advice/decision.hpp"

#include <cstdio>

#include "advice/break_even.hpp"

namespace tollgate::advice {
namespace {

std::string text(const char* format, double a, double b = 0, double c = 0) {
  char out[256];
  std::snprintf(out, sizeof out, format, a, b, c);
  return out;
}

double dollars(UsdSum usd) { return static_cast<double>(usd.picodollars()) * 1e-12; }

std::string burden_of(TierKind tier, const Operations& operations) {
  if (operations.known_per_month && tier != TierKind::managed) {
    const double share = tier == TierKind::serverless ? operations.serverless_share : 1;
    return text("the $%.0f a month that the configuration counts for operations", static_cast<double>(operations.known_per_month->count()) * 1e-12 * share);
  }
  switch (tier) {
    case TierKind::managed:
      return "nothing beyond keys and budgets";
    case TierKind::serverless:
      return text("about %.0f engineering hours a month: images, cold starts, limits", operations.engineering_hours[1] * operations.serverless_share);
    case TierKind::dedicated:
      return text("%.0f to %.0f engineering hours a month: drivers, engines, updates, on-call", operations.engineering_hours[0], operations.engineering_hours[2]);
    case TierKind::owned:
      return text("%.0f to %.0f engineering hours a month, and hardware: lead times of 6 to 16 weeks, spares, a contract for power and room", operations.engineering_hours[0],
                  operations.engineering_hours[2]);
  }
  return {};
}

}  // namespace

std::string guides_note(const Comparison& all) {
  const double used = all.needed.utilisation();
  const std::string rule = used < 0.2 ? "a case for serverless" : used < 0.4 ? "still serverless" : used < 0.6 ? "between their rules" : "a case for GPUs of one's own";
  return "The field's guides contradict each other unless the utilisation is known: one gives 30 M tokens a day two reserved H100 ($7,000 a month with operations), which would be at work "
         "under 8 % of the time; by the other, below 20 % is a case for serverless. " +
         std::string(all.workload.measured ? "Measured here: " : "Assumed here: ") + text("%.0f %%", 100 * used) + ", by their rules of thumb " + rule + "; what follows from the bills stands above.";
}

Decision decide(const Comparison& all, const Circumstances& circumstances) {
  Decision out;
  const Workload& workload = all.workload;
  const double constrained = workload.requests > 0 ? static_cast<double>(workload.constrained) / static_cast<double>(workload.requests) : 0;
  const bool data_may_leave = workload.constrained == 0;
  out.steps.push_back({"Does a managed model fit the task?", circumstances.closed_fits ? "yes (assumed; --needs-own-weights says otherwise)" : "no: own weights are needed",
                       circumstances.closed_fits ? "managed is possible" : "serverless or own GPUs"});
  out.steps.push_back({"May the data leave?", workload.measured ? text("%.1f %% of the requests were under a constraint", 100 * constrained) : "assumed to (no ledger was read)",
                       data_may_leave ? "managed stays possible" : "for these requests: own or rented GPUs whatever they cost; the rest may still go out"});
  const Shape shape = shape_of(workload);
  out.steps.push_back({"Is the load bursty or steady?",
                       text("variation %.1f, busiest minute %.1f times the mean, longest gap %.1f h", shape.variation, shape.peak_over_mean, shape.longest_gap_hours) +
                           text(", something to do in %.0f %% of the minutes", 100 * shape.busy_ratio),
                       shape.variation > 1 || shape.longest_gap_hours > 2 ? "bursty: GPUs of one's own would stand idle" : "steady"});
  const double used = all.needed.utilisation();
  std::string therefore = used < 0.2 ? "below 20 %: serverless, if self-hosted at all" : used < 0.4 ? "below 40 %: serverless" : used < 0.6 ? "between the rules of thumb: the bill decides" : "above 60 %: own GPUs";
  out.steps.push_back({"Would the GPUs be at work?", text("%.0f %% of %.0f × replica", 100 * used, static_cast<double>(all.needed.replicas)), therefore});
  out.steps.push_back({"Is there a team to run them?", circumstances.team ? "yes (assumed; --no-team says otherwise)" : "no", circumstances.team ? "own GPUs are possible" : "managed or serverless"});
  if (!circumstances.closed_fits) out.managed_ruled_out = "own weights are needed";
  else if (!data_may_leave) out.managed_ruled_out = text("%.1f %% of the requests must not leave", 100 * constrained);
  const TierCost* best = nullptr;
  for (const TierKind kind : {TierKind::managed, TierKind::serverless, TierKind::dedicated, TierKind::owned}) {
    if (kind == TierKind::managed && !out.managed_ruled_out.empty()) continue;
    if ((kind == TierKind::dedicated || kind == TierKind::owned) && !circumstances.team) continue;
    const TierCost* const tier = all.of(kind);
    if (tier != nullptr && (best == nullptr || tier->per_month().mid < best->per_month().mid)) best = tier;
  }
  if (best != nullptr) out.tier = best->kind;
  const TierCost* const managed = all.of(TierKind::managed);
  if (best != nullptr && managed != nullptr) {
    out.saving_per_month = managed->per_month().mid - best->per_month().mid;
    out.saving_known = true;
  }
  out.steps.push_back({"What costs least of what is left?", best == nullptr ? "nothing has a known price" : std::string(name_of(best->kind)) + ", " + best->where + text(": $%.0f a month", dollars(best->per_month().mid)),
                       std::string(name_of(out.tier))});
  out.burden = burden_of(out.tier, all.operations);
  return out;
}

}  // namespace tollgate::advice
