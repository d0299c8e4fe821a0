#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/cli/simulate.hpp"
#include "gateway/cli/text_table.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate::cli {
namespace {

using Json = nlohmann::ordered_json;
using simulate::Change;
using simulate::Comparison;
using simulate::Fidelity;
using simulate::Interval;
using simulate::PoolWorld;
using simulate::Sums;

constexpr std::size_t moves_shown = 12;

std::string count(std::int64_t n) {
  std::string text = std::to_string(n);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (n < 0 ? 1 : 0); at -= 3) text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string share_text(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return "none";
  // 99.96 is not 100.
  const double share = 100 * static_cast<double>(part) / static_cast<double>(whole);
  return part == whole ? "100 %" : fmt::format("{:.2f} %", std::min(share, 99.99));
}

std::string signed_money(UsdSum usd) { return (usd.picodollars() > 0 ? "+" : "") + money_text(usd); }
std::string dollars(double usd) { return (usd < 0 ? "-$" : "$") + money_text(UsdSum{static_cast<Int128>(std::llround(std::abs(usd) * 1e6)) * 1'000'000}); }
std::string range(const Interval& interval) { return dollars(interval.low) + " to " + dollars(interval.high); }
std::string ms(double value) { return value >= 10'000 ? fmt::format("{:.1f} s", value / 1000) : fmt::format("{:.0f} ms", value); }

void print_changes(const char* what, const std::vector<Change>& changes) {
  TextTable table;
  table.column(what, false);
  for (const char* heading : {"requests", "after", "$ before", "$ after", "difference"}) table.column(heading, true);
  for (const Change& change : changes) {
    table.row({change.name, count(change.before.requests), count(change.after.requests), money_text(change.before.usd()), money_text(change.after.usd()),
               signed_money(change.after.usd() - change.before.usd())});
  }
  table.print();
  std::printf("\n");
}

const PoolWorld* find(const std::vector<PoolWorld>& pools, NameId name) {
  for (const PoolWorld& pool : pools) {
    if (pool.pool == name) return &pool;
  }
  return nullptr;
}

void print_pools(const SimulationPage& page) {
  if (page.after.pools.empty() && page.before.pools.empty()) return;
  TextTable table;
  table.column("pool", false);
  table.column("", false);
  for (const char* heading : {"$ billed", "at work", "idle", "other", "busy", "load", "at once", "cold starts", "requests"}) table.column(heading, true);
  const auto add = [&](const PoolWorld& pool, const char* when) {
    table.row({std::string(text(pool.pool)), when, money_text(pool.billed), money_text(pool.attributed), money_text(pool.idle), money_text(pool.other),
               percent(pool.busy_ratio), pool.load < 0 ? "-" : percent(pool.load), pool.load < 0 ? "-" : count(pool.most_at_once),
               pool.load < 0 ? "-" : count(static_cast<std::int64_t>(pool.cold_starts)), count(pool.requests)});
  };
  for (const PoolWorld& pool : page.before.pools) {
    add(pool, "before");
    if (const PoolWorld* const after = find(page.after.pools, pool.pool)) add(*after, "after");
  }
  for (const PoolWorld& pool : page.after.pools) {
    if (find(page.before.pools, pool.pool) == nullptr) add(pool, "after, new");
  }
  table.print();
  for (const PoolWorld& pool : page.after.pools) {
    if (pool.open_ratio < 0) continue;
    std::printf("Autopilot: %s open %s of the time; opened %s times, closed %s times.\n", std::string(text(pool.pool)).c_str(), percent(pool.open_ratio).c_str(),
                count(static_cast<std::int64_t>(pool.opened)).c_str(), count(static_cast<std::int64_t>(pool.closed)).c_str());
  }
  std::printf("\n");
}

void print_moves(const Comparison& all) {
  std::printf("%s of %s requests change target.\n", count(all.changed).c_str(), count(all.requests).c_str());
  if (all.moves.empty()) return;
  TextTable table;
  table.column("from", false);
  table.column("to", false);
  table.column("why", false);
  for (const char* heading : {"requests", "weaker", "$ before", "$ after"}) table.column(heading, true);
  for (std::size_t i = 0; i < all.moves.size() && i < moves_shown; ++i) {
    const simulate::Move& move = all.moves[i];
    table.row({move.from, move.to, move.why, count(move.requests), count(move.weaker), money_text(move.usd_before), money_text(move.usd_after)});
  }
  table.print();
  if (all.moves.size() > moves_shown) std::printf("… and %zu more kinds of change (--json has all)\n", all.moves.size() - moves_shown);
  std::printf("\n");
}

void print_latency(const Comparison& all) {
  TextTable table;
  table.column("latency", false);
  for (const char* heading : {"mean before", "after", "p50 before", "after", "p95 before", "after"}) table.column(heading, true);
  const auto add = [&](const char* what, const simulate::Latency& before, const simulate::Latency& after) {
    if (before.known == 0 && after.known == 0) return;
    const auto cell = [](const simulate::Latency& latency, double value) { return latency.known == 0 ? std::string("-") : ms(value); };
    table.row({what, cell(before, before.mean_ms), cell(after, after.mean_ms), cell(before, before.p50_ms), cell(after, after.p50_ms), cell(before, before.p95_ms),
               cell(after, after.p95_ms)});
  };
  add("first token", all.first_before, all.first_after);
  add("whole answer", all.whole_before, all.whole_after);
  table.print();
  std::printf("Mean of whole answers: %+.0f ms (95 %%: %+.0f to %+.0f ms).\n\n", all.whole_after.mean_ms - all.whole_before.mean_ms, all.whole_mean_difference.low,
              all.whole_mean_difference.high);
}

void print_quality(const Comparison& all) {
  std::printf("Quality: complexity above the target's capability at %s requests, was %s. %s go to a weaker target, %s to a stronger one.\n", count(all.at_risk_after).c_str(),
              count(all.at_risk_before).c_str(), count(all.weaker).c_str(), count(all.stronger).c_str());
  if (all.bad_known_before + all.bad_known_after == 0) {
    std::printf("Known outcomes: %s, too few to expect a share of bad answers from.\n", count(all.outcomes_known).c_str());
  } else {
    const auto share = [](double bad, std::int64_t of) { return of > 0 ? percent(bad / static_cast<double>(of)) + " of " + count(of) : std::string("not known"); };
    std::printf("Bad answers to be expected, by %s known outcomes: %s requests, was %s.\n", count(all.outcomes_known).c_str(), share(all.bad_after, all.bad_known_after).c_str(),
                share(all.bad_before, all.bad_known_before).c_str());
  }
  std::printf("\n");
}

void print_rules(const SimulationPage& page) {
  for (const simulate::ConstraintWorld& constraint : page.after.constraints) {
    std::printf("Constraint %s: covers %s requests, all of them stay inside; %s of them have no target left and are refused", std::string(text(constraint.constraint)).c_str(),
                count(constraint.covered).c_str(), count(constraint.refused).c_str());
    std::printf(constraint.unknown > 0 ? "; of %s more it is not known whether it covers them.\n" : "%s.\n", constraint.unknown > 0 ? count(constraint.unknown).c_str() : "");
  }
  for (const simulate::BudgetWorld& budget : page.after.budgets) {
    const std::string name(text(budget.budget));
    if (budget.breached == 0) {
      std::printf("Budget %s: holds; at most $%s of $%s in a window.\n", name.c_str(), money_text(budget.most).c_str(), money_text(UsdSum{budget.limit}).c_str());
      continue;
    }
    const char* const then = budget.when_over == WhenOver::refuse ? "would be refused" : budget.when_over == WhenOver::warn ? "would be served with a warning" : "would get the cheapest target";
    std::printf("Budget %s: USED UP %s times, first at %s; $%s of $%s; %s requests came after and %s (the costs above count them).\n", name.c_str(), count(budget.breached).c_str(),
                time_text(budget.first_breach_us).c_str(), money_text(budget.most).c_str(), money_text(UsdSum{budget.limit}).c_str(), count(budget.requests_past).c_str(), then);
  }
  if (!page.after.constraints.empty() || !page.after.budgets.empty()) std::printf("\n");
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

void print_unknown(const SimulationPage& page) {
  const simulate::NotKnown& unknown = page.comparison.not_known;
  std::printf("What cannot be known:\n");
  const auto say = [](std::int64_t requests, const std::string& what) {
    if (requests > 0) std::printf("  %s requests %s\n", count(requests).c_str(), what.c_str());
  };
  say(unknown.without_facts, "were recorded without facts of their routing: decided by size and complexity alone");
  say(unknown.unknown_facts, "turn on a header, a word or a pattern that was not asked about then: taken as not there");
  say(unknown.unpriced, "go where the price is not known (" + listed(unknown.unpriced_targets) + "): not in the cost");
  say(unknown.unseen, "go to targets whose speed was never measured (" + listed(unknown.unseen_targets) + ")");
  say(unknown.guessed_usage, "were refused and would be served: their tokens are guessed");
  say(unknown.as_recorded, "were refused by limits, budgets or the client's own bound, and are left so");
  say(unknown.cached, "were answered from the response cache and are left out on both sides");
  say(unknown.other_model, "were scored by another complexity model than this configuration's: their scores are taken as recorded");
  say(unknown.folded, "are kept as daily sums only and cannot be replayed");
  say(page.traffic.left_out, "of the period came before these and are left out (--requests-max)");
  if (!unknown.never_full.empty()) std::printf("  when %s would slow down: the traffic never filled it\n", listed(unknown.never_full).c_str());
  std::printf("  whether answers would be as long, and prompt caches as warm, elsewhere: the length is taken as it was, caches as cold\n");
}

Json interval_json(const Interval& interval) { return Json::array({interval.low, interval.high}); }

Json sums_json(const Sums& sums) {
  return {{"requests", sums.requests}, {"refused", sums.refused}, {"unpriced", sums.unpriced}, {"usd", decimal_text(sums.usd())}, {"usd_tokens", decimal_text(sums.token_usd)},
          {"usd_gpu", decimal_text(sums.gpu_usd)}, {"at_risk", sums.at_risk}};
}

Json changes_json(const std::vector<Change>& changes) {
  Json all = Json::array();
  for (const Change& change : changes) all.push_back({{"name", change.name}, {"before", sums_json(change.before)}, {"after", sums_json(change.after)}});
  return all;
}

Json pools_json(const std::vector<PoolWorld>& pools) {
  Json all = Json::array();
  for (const PoolWorld& pool : pools) {
    Json each{{"pool", text(pool.pool)}, {"usd_billed", decimal_text(pool.billed)}, {"usd_attributed", decimal_text(pool.attributed)}, {"usd_idle", decimal_text(pool.idle)},
              {"usd_other", decimal_text(pool.other)}, {"busy_ratio", pool.busy_ratio}, {"requests", pool.requests}};
    if (pool.load >= 0) {
      each["load_ratio"] = pool.load;
      each["most_at_once"] = pool.most_at_once;
      each["cold_starts"] = pool.cold_starts;
    }
    if (pool.open_ratio >= 0) each["autopilot"] = {{"open_ratio", pool.open_ratio}, {"opened", pool.opened}, {"closed", pool.closed}};
    all.push_back(std::move(each));
  }
  return all;
}

Json fidelity_json(const std::optional<Fidelity>& fidelity) {
  if (!fidelity) return {};
  Json all;
  for (std::size_t i = 0; i < simulate::depends_count; ++i) {
    const Fidelity::Count& count = fidelity->by[i];
    if (count.decisions > 0) all["decisions"].push_back({{"depend_on", simulate::name_of(static_cast<simulate::Depends>(i))}, {"decisions", count.decisions}, {"same", count.same}});
  }
  all["without_facts"] = fidelity->without_facts;
  all["other_configuration"] = fidelity->other_configuration;
  all["usd_recorded"] = decimal_text(fidelity->recorded_usd);
  all["usd_replayed"] = decimal_text(fidelity->replayed_usd);
  all["usd_replayed_interval"] = interval_json(fidelity->replayed_interval);
  all["cost_within_interval"] = fidelity->cost_holds();
  all["attempts_priced_by_one_only"] = fidelity->unpriced;
  all["differences"] = Json::array();
  for (const Fidelity::Difference& each : fidelity->differences) {
    all["differences"].push_back({{"request", text(each.id).view()}, {"recorded", each.recorded}, {"replayed", each.replayed}});
  }
  return all;
}

Json latency_json(const simulate::Latency& latency) {
  if (latency.known == 0) return {};
  return {{"mean_ms", latency.mean_ms}, {"p50_ms", latency.p50_ms}, {"p95_ms", latency.p95_ms}, {"requests", latency.known}};
}

Json unknown_json(const simulate::NotKnown& unknown) {
  return {{"without_facts", unknown.without_facts}, {"unknown_facts", unknown.unknown_facts}, {"unpriced", unknown.unpriced}, {"unpriced_targets", unknown.unpriced_targets},
          {"unseen", unknown.unseen}, {"unseen_targets", unknown.unseen_targets}, {"guessed_usage", unknown.guessed_usage}, {"refused_as_recorded", unknown.as_recorded},
          {"cached", unknown.cached}, {"folded", unknown.folded}, {"other_model", unknown.other_model}, {"pools_never_full", unknown.never_full}};
}

}  // namespace

std::string money_text(UsdSum usd) {
  const Int128 size = usd.picodollars() < 0 ? -usd.picodollars() : usd.picodollars();
  const bool small = size >= 500'000 && size < 100'000'000'000;
  const int places = small ? 6 : 2;   // below ten cents, cents say nothing
  const Int128 unit = small ? 1'000'000 : 10'000'000'000;
  const Int128 rounded = divide_half_even(size, unit);
  std::string whole = decimal_text(rounded, places);
  std::size_t point = whole.find('.');
  if (point == std::string::npos) {
    point = whole.size();
    whole += ".";
  }
  while (whole.size() - point - 1 < static_cast<std::size_t>(places)) whole += '0';
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(point) - 3; at > 0; at -= 3) whole.insert(static_cast<std::size_t>(at), ",");
  return (usd.picodollars() < 0 && rounded != 0 ? "-" : "") + whole;
}

std::string fidelity_line(const std::optional<Fidelity>& fidelity) {
  if (!fidelity) return "Replay fidelity: not known without --against, the configuration in force; compared is with what the ledger says.";
  const Fidelity::Count facts = fidelity->of(simulate::Depends::recorded), state = fidelity->of_state();
  std::string line = fmt::format("Replay fidelity: {} of {} decisions that depend on recorded facts come out as in the ledger ({})", count(facts.same), count(facts.decisions),
                                 share_text(facts.same, facts.decisions));
  if (state.decisions > 0) line += fmt::format(", and {} of {} that depend on state ({})", count(state.same), count(state.decisions), share_text(state.same, state.decisions));
  if (fidelity->without_facts > 0) line += fmt::format("; {} were recorded without facts", count(fidelity->without_facts));
  return line + fmt::format(". Cost replayed ${}, ledger ${}, {} the 95 % interval {}.", money_text(fidelity->replayed_usd), money_text(fidelity->recorded_usd),
                            fidelity->cost_holds() ? "within" : "OUTSIDE", range(fidelity->replayed_interval));
}

void print_text(const SimulationPage& page) {
  const Comparison& all = page.comparison;
  std::printf("%s\n", fidelity_line(page.fidelity).c_str());
  if (page.fidelity) {
    for (const Fidelity::Difference& each : page.fidelity->differences) {
      std::printf("  %s: recorded %s, replayed %s\n", std::string(text(each.id).view()).c_str(), each.recorded.c_str(), each.replayed.c_str());
    }
  }
  std::printf("\n%s requests, %s to %s", count(all.requests).c_str(), time_text(page.traffic.began_us()).c_str(), time_text(page.traffic.ended_us()).c_str());
  if (page.options.scale != 1) std::printf(", %g times", page.options.scale);
  std::printf("; before: %s; after: %s\n\n", page.before.recorded ? "the ledger" : page.options.against.c_str(), page.options.config.c_str());
  const UsdSum difference = all.cost.after - all.cost.before;
  std::printf("Cost $%s before, $%s after: %s (95 %%: %s).\n", money_text(all.cost.before).c_str(), money_text(all.cost.after).c_str(), signed_money(difference).c_str(),
              range(all.cost.difference_interval).c_str());
  std::printf("After: %s (95 %%). Pools are counted with their whole bill, the table of targets with what requests used of it.\n\n", range(all.cost.after_interval).c_str());
  print_changes("target", all.targets);
  print_changes("team", all.teams);
  print_changes("tier", all.tiers);
  print_pools(page);
  print_moves(all);
  print_latency(all);
  print_quality(all);
  print_rules(page);
  print_unknown(page);
}

void print_json(const SimulationPage& page) {
  const Comparison& all = page.comparison;
  Json out{{"fidelity", fidelity_json(page.fidelity)}, {"line", fidelity_line(page.fidelity)}, {"requests", all.requests}, {"since", time_text(page.traffic.began_us())},
           {"until", time_text(page.traffic.ended_us())}, {"scale", page.options.scale}, {"seed", page.options.seed}, {"before", page.before.recorded ? "ledger" : page.options.against},
           {"after", page.options.config}};
  out["cost"] = {{"usd_before", decimal_text(all.cost.before)}, {"usd_after", decimal_text(all.cost.after)}, {"usd_difference", decimal_text(all.cost.after - all.cost.before)},
                 {"before_interval", interval_json(all.cost.before_interval)}, {"after_interval", interval_json(all.cost.after_interval)},
                 {"difference_interval", interval_json(all.cost.difference_interval)}};
  out["targets"] = changes_json(all.targets);
  out["teams"] = changes_json(all.teams);
  out["tiers"] = changes_json(all.tiers);
  out["routes"] = changes_json(all.routes);
  out["pools"] = {{"before", pools_json(page.before.pools)}, {"after", pools_json(page.after.pools)}};
  out["changed"] = all.changed;
  out["moves"] = Json::array();
  for (const simulate::Move& move : all.moves) {
    out["moves"].push_back({{"from", move.from}, {"to", move.to}, {"why", move.why}, {"requests", move.requests}, {"weaker", move.weaker},
                            {"usd_before", decimal_text(move.usd_before)}, {"usd_after", decimal_text(move.usd_after)}});
  }
  out["latency"] = {{"first_token", {{"before", latency_json(all.first_before)}, {"after", latency_json(all.first_after)}}},
                    {"whole", {{"before", latency_json(all.whole_before)}, {"after", latency_json(all.whole_after)}}},
                    {"whole_mean_difference_interval_ms", interval_json(all.whole_mean_difference)}};
  out["quality"] = {{"at_risk_before", all.at_risk_before}, {"at_risk_after", all.at_risk_after}, {"weaker", all.weaker}, {"stronger", all.stronger},
                    {"outcomes_known", all.outcomes_known}, {"bad_expected_before", all.bad_before}, {"bad_expected_after", all.bad_after},
                    {"bad_known_requests_before", all.bad_known_before}, {"bad_known_requests_after", all.bad_known_after}};
  out["constraints"] = Json::array();
  for (const simulate::ConstraintWorld& each : page.after.constraints) {
    out["constraints"].push_back({{"constraint", text(each.constraint)}, {"covered", each.covered}, {"refused", each.refused}, {"unknown", each.unknown}});
  }
  out["budgets"] = Json::array();
  for (const simulate::BudgetWorld& each : page.after.budgets) {
    out["budgets"].push_back({{"budget", text(each.budget)}, {"limit_usd", decimal_text(each.limit)}, {"most_usd", decimal_text(each.most)}, {"windows", each.windows},
                              {"used_up", each.breached}, {"first", each.first_breach_us == 0 ? Json() : Json(time_text(each.first_breach_us))}, {"requests_past", each.requests_past}});
  }
  out["speeds"] = Json::array();
  for (std::size_t i = 0; i < page.config.targets.size(); ++i) {
    const simulate::TargetSpeed& speed = page.speeds.of(i);
    out["speeds"].push_back({{"target", text(page.config.targets[i].id)}, {"known_from", simulate::name_of(speed.source)}, {"overhead_ms", speed.overhead_us / 1000},
                             {"us_per_input_token", speed.us_per_input}, {"us_per_output_token", speed.us_per_output}, {"attempts", speed.samples}});
  }
  out["not_known"] = unknown_json(all.not_known);
  out["not_known"]["left_out"] = page.traffic.left_out;
  std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace tollgate::cli
