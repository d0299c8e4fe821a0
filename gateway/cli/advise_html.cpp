// The report of `tollgate advise --html`: for a meeting, and for paper.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "advice/break_even.hpp"
#include "gateway/cli/advise.hpp"
#include "gateway/cli/svg_chart.hpp"

namespace tollgate::cli {
namespace {

using advice::Amount;
using advice::Comparison;
using advice::TierCost;
using advice::TierKind;

constexpr double days_per_month = static_cast<double>(advice::hours_per_month) / 24;
constexpr int curve_points = 60;

constexpr std::string_view style = R"css(
:root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--ground:#fff;--panel:#f6f8fa;--k0:#0969da;--k1:#bf3989;--k2:#1a7f37;--k3:#9a6700}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--line:#30363d;--ground:#0d1117;--panel:#161b22;--k0:#58a6ff;--k1:#f778ba;--k2:#56d364;--k3:#e3b341}}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--ground:#fff;--panel:#fff;--k0:#0550ae;--k1:#99286e;--k2:#116329;--k3:#7d4e00}}
*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.5rem 4rem;max-width:54rem;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.25rem;margin:2.4rem 0 .4rem;padding-top:1rem;border-top:2px solid var(--line)}h3{font-size:1rem;margin:1.6rem 0 .4rem}
p{margin:.4rem 0}.soft{color:var(--soft);font-size:.9rem}
.advice{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}.advice div{flex:1 1 11rem;background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}
.advice b{display:block;font-size:1.35rem;line-height:1.3}.advice span{color:var(--soft);font-size:.85rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}th{font-weight:600}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}ol{padding-left:1.3rem}li{margin:.4rem 0}li b{font-weight:600}
svg{width:100%;height:auto;display:block;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}svg .tick,svg .note{fill:var(--soft);font-size:11px}svg .marked{font-weight:700}
.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--soft)}.marker{stroke:var(--soft);stroke-dasharray:3 3}.whisker{stroke:var(--ink);fill:none;stroke-width:1.2}
.line{fill:none;stroke-width:2.2}.line.k0{stroke:var(--k0)}.line.k1{stroke:var(--k1);stroke-dasharray:7 3}.line.k2{stroke:var(--k2)}.line.k3{stroke:var(--k3);stroke-dasharray:2 3}
.bar.k0{fill:var(--k0)}.bar.k1{fill:var(--k1)}.bar.k2{fill:var(--k2)}.bar.k3{fill:var(--k3)}
@media print{body{padding:0;max-width:none;font-size:11pt}h2{break-before:page;border:0}h2.first{break-before:auto}h3,svg,table,.advice{break-inside:avoid}@page{margin:16mm}}
)css";

double usd(UsdSum sum) { return static_cast<double>(sum.picodollars()) * 1e-12; }

std::string dollars(double value) {
  std::string whole = fmt::format("{:.0f}", std::abs(value));
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(whole.size()) - 3; at > 0; at -= 3) whole.insert(static_cast<std::size_t>(at), ",");
  return (value <= -0.5 ? "-$" : "$") + whole;
}

std::string short_dollars(double value) {
  if (value >= 1e6) return fmt::format("${:g}M", value / 1e6);
  if (value >= 1e3) return fmt::format("${:g}k", value / 1e3);
  return fmt::format("${:g}", value);
}

std::string tokens(double count) {
  if (count >= 1e9) return fmt::format("{:.3g}B", count / 1e9);
  if (count >= 1e6) return fmt::format("{:.3g}M", count / 1e6);
  if (count >= 1e3) return fmt::format("{:.3g}k", count / 1e3);
  return fmt::format("{:.0f}", count);
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

double input_share(const Comparison& all) {
  return all.workload.tokens() > 0 ? static_cast<double>(all.workload.input_tokens) / static_cast<double>(all.workload.tokens()) : 0;
}

/// USD per token of the cheapest managed host; 0: none is known.
double managed_price(const AdvicePage& page) {
  const TierCost* const managed = page.all.of(TierKind::managed);
  const double all = page.all.workload.per_day(page.all.workload.tokens());
  return managed != nullptr && all > 0 ? usd(managed->per_month().mid) / (all * days_per_month) : 0;
}

/// What of a tier's month grows with its hardware, and what does not.
struct Fixed {
  double hardware = 0, operations = 0;
};
Fixed parts_of(const TierCost& tier) {
  Fixed parts;
  for (const advice::Line& line : tier.lines) (line.what == "operations" ? parts.operations : parts.hardware) += usd(line.usd.mid);
  return parts;
}

std::string cost_bars(const Comparison& all, TierKind advised) {
  std::vector<Bar> bars;
  const TierCost* const best_managed = all.of(TierKind::managed);
  int managed_shown = 0;
  constexpr int managed_most = 5;
  for (const TierCost& tier : all.tiers) {
    if (!tier.unknown.empty() || (tier.kind == TierKind::managed && ++managed_shown > managed_most)) continue;
    const Amount month = tier.per_month();
    const bool best_of_kind = tier.kind != TierKind::managed || &tier == best_managed;
    const std::string label = tier.kind == TierKind::managed ? tier.where.substr(0, tier.where.find('/')) : std::string(name_of(tier.kind)) + ", " + tier.where.substr(0, tier.where.find(" ("));
    bars.push_back({label, dollars(usd(month.mid)), usd(month.low), usd(month.mid), usd(month.high), static_cast<int>(tier.kind), tier.kind == advised && best_of_kind});
  }
  return bar_chart(bars);
}

std::string volume_chart(const AdvicePage& page) {
  const Comparison& all = page.all;
  const double today = all.workload.per_day(all.workload.tokens()), price = managed_price(page);
  if (today <= 0) return {};
  LineChart chart;
  chart.x_label = "tokens a day";
  chart.y_label = "USD a month";
  chart.log_x = chart.log_y = true;
  chart.x_text = [](double value) { return tokens(value); };
  chart.y_text = [](double value) { return short_dollars(value); };
  const double from = today / 100, step = std::pow(1e4, 1.0 / curve_points);
  const double full_at = 0.85, needed_today = std::max(all.needed.peak, all.needed.busy_share);
  const auto curve = [&](const char* label, TierKind kind, bool stepped, auto cost) {
    Line line{label, {}, static_cast<int>(kind), stepped};
    double volume = from;
    for (int i = 0; i <= curve_points; ++i, volume *= step) line.points.emplace_back(volume, std::max(cost(volume), 0.01));
    chart.lines.push_back(std::move(line));
  };
  if (price > 0) curve("managed", TierKind::managed, false, [&](double volume) { return price * volume * days_per_month; });
  for (const TierKind kind : {TierKind::dedicated, TierKind::owned}) {
    const TierCost* const tier = all.of(kind);
    if (tier == nullptr) continue;
    const Fixed parts = parts_of(*tier);
    const double replica = parts.hardware / static_cast<double>(all.needed.replicas);
    curve(kind == TierKind::dedicated ? "rented" : "bought", kind, true, [&, replica, parts](double volume) {
      return replica * std::max(1.0, std::ceil(needed_today * volume / today / full_at)) + parts.operations;
    });
  }
  chart.markers.push_back({today, "today: " + tokens(today)});
  for (const BreakEven& point : page.points) {
    if (point.key == "dedicated_over_managed_tokens_per_day") chart.markers.push_back({point.number, "the GPUs of today's peak pay off at " + tokens(point.number)});
  }
  return line_chart(chart);
}

std::string utilisation_chart(const AdvicePage& page) {
  const Comparison& all = page.all;
  const double share = input_share(all), seconds = all.hardware.speed.work_seconds(share, 1 - share);
  if (!(seconds > 0)) return {};
  LineChart chart;
  chart.x_label = "GPUs at work (share of full throughput)";
  chart.y_label = "USD per million tokens, without operations";
  chart.log_y = true;
  chart.x_text = [](double value) { return percent(value); };
  chart.y_text = [](double value) { return short_dollars(value); };
  const double replica_hours = static_cast<double>(all.needed.replicas * advice::hours_per_month);
  const auto curve = [&](const char* label, TierKind kind, auto cost) {
    Line line{label, {}, static_cast<int>(kind), false};
    for (int i = 0; i <= curve_points; ++i) {
      const double used = 0.02 + 0.98 * i / curve_points;
      line.points.emplace_back(used, cost(used));
    }
    chart.lines.push_back(std::move(line));
  };
  if (const double price = managed_price(page); price > 0) curve("managed", TierKind::managed, [price](double) { return price * 1e6; });
  for (const TierKind kind : {TierKind::dedicated, TierKind::owned}) {
    const TierCost* const tier = all.of(kind);
    if (tier == nullptr) continue;
    const Usd per_hour{static_cast<std::int64_t>(parts_of(*tier).hardware / replica_hours * 1e12)};
    curve(kind == TierKind::dedicated ? "rented" : "bought", kind, [&, per_hour](double used) { return advice::usd_per_million_at(per_hour, 1 / seconds, used); });
  }
  chart.markers.push_back({std::min(1.0, all.needed.utilisation()), "today: " + percent(all.needed.utilisation())});
  for (const BreakEven& point : page.points) {
    if (point.key == "dedicated_over_managed_utilisation" && point.number <= 1) chart.markers.push_back({point.number, "rented beats managed from " + percent(point.number)});
    if (point.key == "dedicated_over_serverless_utilisation" && point.number <= 1) chart.markers.push_back({point.number, "rented beats serverless from " + percent(point.number)});
  }
  return line_chart(chart);
}

std::string tier_table(const Comparison& all) {
  std::string out = "<table><tr><th>tier</th><th>where</th><th class=\"n\">USD a month</th><th class=\"n\">from</th><th class=\"n\">to</th><th>of which</th></tr>";
  for (const TierCost& tier : all.tiers) {
    out += fmt::format("<tr><td>{}</td><td>{}</td>", name_of(tier.kind), html_text(tier.where));
    if (!tier.unknown.empty()) {
      out += fmt::format("<td class=\"n\">unknown</td><td></td><td></td><td>{}</td></tr>", html_text(tier.unknown));
      continue;
    }
    const Amount month = tier.per_month();
    std::string parts;
    for (const advice::Line& line : tier.lines) parts += (parts.empty() ? "" : "; ") + line.what + " " + dollars(usd(line.usd.mid));
    out += fmt::format("<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>", dollars(usd(month.mid)), dollars(usd(month.low)), dollars(usd(month.high)), html_text(parts));
  }
  return out + "</table>";
}

std::string tiles(const AdvicePage& page) {
  const advice::Decision& decision = page.decision;
  const TierCost* const best = page.all.of(decision.tier);
  std::string out = "<div class=\"advice\">";
  out += fmt::format("<div><span>advice</span><b>{}</b><span>{}</span></div>", name_of(decision.tier), best != nullptr ? html_text(best->where.substr(0, best->where.find(" ("))) : "");
  if (best != nullptr) {
    const Amount month = best->per_month();
    out += fmt::format("<div><span>a month</span><b>{}</b><span>{}</span></div>", dollars(usd(month.mid)),
                       month.low != month.high ? dollars(usd(month.low)) + " to " + dollars(usd(month.high)) : "at list prices");
  }
  if (decision.saving_known && decision.tier != TierKind::managed) {
    const double saving = usd(decision.saving_per_month);
    out += fmt::format("<div><span>against the cheapest managed host</span><b>{}</b><span>{} a month</span></div>", dollars(std::abs(saving)), saving < 0 ? "more" : "less");
  }
  out += fmt::format("<div><span>GPUs would be at work</span><b>{}</b><span>{} replica(s) of {} × {}</span></div></div>", percent(page.all.needed.utilisation()), page.all.needed.replicas,
                     page.all.hardware.replica.count, html_text(page.all.hardware.replica.gpu));
  if (!decision.managed_ruled_out.empty()) out += "<p>Managed hosts are ruled out: " + html_text(decision.managed_ruled_out) + ".</p>";
  return out + "<p>Running it takes " + html_text(decision.burden) + ".</p>";
}

std::string section(const AdvicePage& page, bool first) {
  const Comparison& all = page.all;
  const advice::Workload& workload = all.workload;
  std::string out = fmt::format("<h2{}>{}</h2><p class=\"soft\">From {}: {} tokens a day ({:.0f} % input), {} requests a day.</p>", first ? " class=\"first\"" : "", html_text(workload.model), html_text(workload.source),
                                tokens(workload.per_day(workload.tokens())), 100 * input_share(all), tokens(workload.per_day(workload.requests)));
  if (workload.measured) out += "<p class=\"soft\">Trend of the traffic: " + html_text(trend_text(page.trend)) + ".</p>";
  out += tiles(page);
  out += "<h3>The same requests on every tier, USD a month</h3>" + cost_bars(all, page.decision.tier);
  if (const std::string chart = volume_chart(page); !chart.empty()) out += "<h3>With more or less traffic</h3>" + chart;
  if (const std::string chart = utilisation_chart(page); !chart.empty()) out += "<h3>What a token costs depends on how busy the GPUs are</h3>" + chart;
  if (!page.points.empty()) {
    out += "<h3>Break-even points</h3><table><tr><th></th><th class=\"n\">at</th><th class=\"n\">today</th><th>the trend</th></tr>";
    for (const BreakEven& point : page.points) {
      out += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>", html_text(point.what), html_text(point.value), html_text(point.today), html_text(point.trend));
    }
    out += "</table>";
  }
  out += "<h3>The decision, step by step</h3><ol>";
  for (const advice::DecisionStep& step : page.decision.steps) {
    out += fmt::format("<li><b>{}</b> {}<br>→ {}</li>", html_text(step.question), html_text(step.found), html_text(step.therefore));
  }
  out += "</ol><h3>All tiers</h3>" + tier_table(all);
  out += "<h3>What was assumed</h3><table>";
  for (const Assumption& each : page.assumptions) out += fmt::format("<tr><td>{}</td><td>{}</td><td class=\"soft\">{}</td></tr>", html_text(each.what), html_text(each.value), html_text(each.flags));
  return out + "</table><p class=\"soft\">" + html_text(guides_note(all)) + "</p><p class=\"soft\">A month has " + std::to_string(advice::hours_per_month) +
         " hours. Ranges: cheapest to dearest list price, and the spread of operations. Formulas: docs/advice.md.</p>";
}

}  // namespace

std::string html_report(const std::vector<AdvicePage>& pages, const std::string& made_at) {
  std::string out = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Where the models should run</title><style>";
  out += style;
  out += "</style></head><body><h1>Where the models should run</h1><p class=\"soft\">Made by tollgate advise on " + html_text(made_at) +
         " from measured or given traffic: managed APIs, serverless GPUs, rented GPUs, bought GPUs.</p>";
  bool first = true;
  for (const AdvicePage& page : pages) {
    out += section(page, first);
    first = false;
  }
  return out + "</body></html>\n";
}

}  // namespace tollgate::cli
