// `tollgate simulate --sweep`: what a setting costs and risks over a range of its values.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/decimal.hpp"
#include "gateway/cli/simulate.hpp"
#include "gateway/cli/text_table.hpp"

namespace tollgate::cli {
namespace {

using Json = nlohmann::ordered_json;
using simulate::SweepPoint;

std::string bar_of(double share) {
  constexpr int width = 24;
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * width + 0.5);
  std::string out;
  for (int i = 0; i < filled; ++i) out += "█";
  return out;
}

void print_curve(const simulate::Sweep& sweep, const std::vector<SweepPoint>& points) {
  UsdSum most;
  double most_risk = 0;
  for (const SweepPoint& point : points) {
    most = std::max(most, point.usd);
    most_risk = std::max(most_risk, point.risk());
  }
  const bool outcomes = std::any_of(points.begin(), points.end(), [](const SweepPoint& point) { return point.bad_known > 0; });
  TextTable table;
  table.column(sweep.setting, true);
  table.column("$", true);
  table.column("cost", false);
  table.column("at risk", true);
  table.column("risk", false);
  if (outcomes) table.column("bad expected", true);
  table.column("refused", true);
  table.column("mean ms", true);
  table.column("", false);
  for (const SweepPoint& point : points) {
    const double cost = most.picodollars() > 0 ? static_cast<double>(point.usd.picodollars()) / static_cast<double>(most.picodollars()) : 0;
    std::vector<std::string> row{fmt::format("{:g}", point.value), money_text(point.usd), bar_of(cost), fmt::format("{:.1f} %", 100 * point.risk()),
                                 bar_of(most_risk > 0 ? point.risk() / most_risk : 0)};
    if (outcomes) row.push_back(point.bad_known > 0 ? fmt::format("{:.1f} %", 100 * point.bad / static_cast<double>(point.bad_known)) : "-");
    row.push_back(std::to_string(point.refused));
    row.push_back(fmt::format("{:.0f}", point.mean_ms));
    row.emplace_back(point.is_knee ? "← knee" : "");
    table.row(std::move(row));
  }
  table.print();
  std::printf("\nAt risk: requests whose complexity is above the capability, as configured, of where they go.\n");
  const auto knee = std::find_if(points.begin(), points.end(), [](const SweepPoint& point) { return point.is_knee; });
  if (knee == points.end()) {
    std::printf("There is no knee: cost and risk are traded evenly, or one of them does not change.\n");
  } else {
    std::printf("Knee at %g: farther on, risk buys less.\n", knee->value);
  }
}

void print_curve_json(const simulate::Sweep& sweep, const std::vector<SweepPoint>& points) {
  Json all{{"setting", sweep.setting}, {"points", Json::array()}};
  for (const SweepPoint& point : points) {
    all["points"].push_back({{"value", point.value}, {"usd", decimal_text(point.usd)}, {"usd_interval", {point.usd_interval.low, point.usd_interval.high}}, {"requests", point.requests},
                             {"at_risk", point.at_risk}, {"refused", point.refused}, {"bad_expected", point.bad_known > 0 ? Json(point.bad) : Json()},
                             {"bad_known_requests", point.bad_known}, {"mean_ms", point.mean_ms}, {"knee", point.is_knee}});
  }
  std::printf("%s\n", all.dump(2).c_str());
}

}  // namespace

ProgressBar::ProgressBar(For whom) : whom_(whom == For::people && ::isatty(STDERR_FILENO) != 1 ? For::nobody : whom) {}

void ProgressBar::clear() const {
  if (whom_ == For::people) std::fprintf(stderr, "\r\033[K");
}

simulate::OnProgress ProgressBar::of(const std::string& what) const {
  if (whom_ == For::nobody) return {};
  if (whom_ == For::programs) {
    return [what, said = -1](double share) mutable {
      const int now = static_cast<int>(100 * share);
      if (now == std::exchange(said, now)) return;
      std::fprintf(stderr, "{\"progress\":{\"step\":\"%s\",\"share\":%.2f}}\n", what.c_str(), share);
    };
  }
  return [what](double share) {
    constexpr int width = 30;
    std::string bar;
    for (int i = 0; i < width; ++i) bar += i < static_cast<int>(share * width) ? "█" : "·";
    std::fprintf(stderr, "\r\033[K%-10s %s %3.0f %%", what.c_str(), bar.c_str(), 100 * share);
    std::fflush(stderr);
  };
}

int sweep_traffic(const SimulateOptions& options, const SweepBasis& basis, const ProgressBar& bar) {
  const Result<simulate::Sweep> sweep = simulate::parse_sweep(options.sweep);
  if (!sweep) {
    print_error(sweep.error().message);
    return usage;
  }
  std::vector<double> trusted;
  for (const Target& target : basis.config->targets) trusted.push_back(target.capability);
  std::vector<ConfigPtr> configs;
  for (const double value : sweep.value().values) {
    Result<ConfigPtr> changed = simulate::with(*basis.config, sweep.value(), value);
    if (!changed) {
      print_error(changed.error().message);
      return usage;
    }
    configs.push_back(std::move(changed.value()));
  }
  const auto simulated = [&](std::size_t i, const simulate::OnProgress& on_progress) {
    const simulate::Rules rules(configs[i]);
    const simulate::World world = simulate::run({rules, basis.traffic, basis.speeds, basis.quality, options.scale, options.seed, trusted}, basis.blocks, on_progress);
    return simulate::point_of(sweep.value().values[i], world, options.seed);
  };
  std::vector<SweepPoint> points;
  for (std::size_t i = 0; i < configs.size(); i += 2) {   // two at a time: they share nothing that changes
    std::future<SweepPoint> second;
    if (i + 1 < configs.size()) second = std::async(std::launch::async, simulated, i + 1, simulate::OnProgress());
    points.push_back(simulated(i, bar.of(fmt::format("{:g}", sweep.value().values[i]))));
    if (second.valid()) points.push_back(second.get());
  }
  simulate::mark_knee(points);
  bar.clear();
  if (options.json) {
    print_curve_json(sweep.value(), points);
  } else {
    print_curve(sweep.value(), points);
  }
  return ok;
}

}  // namespace tollgate::cli
