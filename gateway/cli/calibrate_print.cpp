// How `tollgate calibrate` shows its curve, and how it puts a boundary into the configuration.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "config/config.hpp"
#include "config/decimal.hpp"
#include "gateway/cli/calibrate.hpp"
#include "gateway/cli/text_table.hpp"

namespace tollgate::cli {
namespace {

using namespace advice;  // NOLINT(google-build-using-namespace): this file is all about it
using Json = nlohmann::ordered_json;

constexpr int table_steps = 10, chart_columns = 41, chart_rows = 8;
constexpr int score_decimals = 6;

std::string score_of(double value) { return decimal_text(static_cast<Int128>(value * 1e6 + 0.5), score_decimals); }
std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

/// Of 1,000 requests, to a hundredth of a cent.
std::string cost_text(const std::optional<UsdSum>& sum, std::int64_t requests) {
  if (!sum) return "unknown";
  const Int128 each = divide_half_even(sum->picodollars() * 1000, static_cast<Int128>(requests) * 100'000'000);
  std::string out = decimal_text(each, 4);
  if (out.find('.') == std::string::npos) out += '.';
  out.append(out.find('.') + 5 - std::min(out.size(), out.find('.') + 5), '0');
  return "$" + out;
}

std::string joined(const std::vector<const Target*>& targets) {
  std::string out;
  for (const Target* target : targets) out.append(out.empty() ? "" : ", ").append(text(target->id));
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

std::string kept_text(const Curve& curve, const CurvePoint& point) {
  const std::optional<double> kept = curve.kept(point);
  return kept ? percent(*kept) : "-";
}

void print_table(const Calibration& all) {
  std::vector<const CurvePoint*> points = all.curve.thinned(table_steps);
  if (all.chosen != nullptr) {
    const auto after = std::find_if(points.begin(), points.end(),
                                    [&](const CurvePoint* each) { return each->strong >= all.chosen->strong; });
    if (after == points.end() || *after != all.chosen) points.insert(after, all.chosen);
  }
  TextTable table;
  table.column("", false);
  table.column("score above", true);
  table.column("to the strong side", true);
  table.column("cost of 1,000", true);
  const bool judged = all.curve.source() != QualitySource::none;
  if (judged)
    table.column(all.curve.source() == QualitySource::capability ? "quality kept (assumed)" : "quality kept", true);
  for (const CurvePoint* point : points) {
    std::vector<std::string> cells{point == all.chosen ? "→" : "", point->bound_text(),
                                   percent(all.curve.share(*point)), cost_text(point->cost, all.curve.requests())};
    if (judged) cells.push_back(kept_text(all.curve, *point));
    table.row(std::move(cells));
  }
  table.print();
}

/// What the chart shows by share: the kept quality where it is known for all, else the bound.
std::optional<double> height_of(const Curve& curve, const CurvePoint& point, bool quality) {
  return quality ? curve.kept(point) : std::optional(static_cast<double>(point.bound_ppm()) / 1e6);
}

void print_chart(const Calibration& all) {
  const Curve& curve = all.curve;
  if (curve.points().size() < 3) return;
  const bool quality = curve.source() != QualitySource::none &&
                       std::any_of(curve.points().begin(), curve.points().end() - 1,
                                   [&](const CurvePoint& each) { return curve.kept(each).has_value(); });
  std::vector<std::string> rows(chart_rows, std::string(chart_columns, ' '));
  double low = quality ? 1 : 0;
  std::vector<std::optional<double>> heights(chart_columns);
  for (int column = 0; column < chart_columns; ++column) {
    const CurvePoint* const point = curve.nearest_share(static_cast<double>(column) / (chart_columns - 1));
    heights[static_cast<std::size_t>(column)] = height_of(curve, *point, quality);
    if (const auto& height = heights[static_cast<std::size_t>(column)]; height && quality) low = std::min(low, *height);
  }
  double high = 1;
  for (const auto& height : heights) high = std::max(high, height.value_or(0));
  const auto row_of = [&](double height) {
    return static_cast<std::size_t>(
        std::clamp((high - height) / std::max(high - low, 1e-9) * (chart_rows - 1) + 0.5, 0.0, chart_rows - 1.0));
  };
  for (std::size_t column = 0; column < heights.size(); ++column) {
    if (heights[column]) rows[row_of(*heights[column])][column] = '*';
  }
  if (all.chosen != nullptr) {
    const auto column = static_cast<std::size_t>(curve.share(*all.chosen) * (chart_columns - 1) + 0.5);
    if (const auto height = height_of(curve, *all.chosen, quality)) {
      for (std::string& row : rows) {
        if (row[column] == ' ') row[column] = ':';
      }
      rows[row_of(*height)][column] = 'O';
    }
  }
  std::printf("\n%s by share of the strong side\n", quality ? "quality kept" : "score above which requests go there,");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double height = high - (high - low) * static_cast<double>(i) / (chart_rows - 1);
    std::printf("%6s |%s\n",
                i == 0 || i + 1 == rows.size()
                    ? (quality ? fmt::format("{:.0f} %", 100 * height) : fmt::format("{:.2f}", height)).c_str()
                    : "",
                rows[i].c_str());
  }
  std::printf("       +%s\n        0 %%%*s\n", std::string(chart_columns, '-').c_str(), chart_columns - 3, "100 %");
}

std::string sentence_of(const Calibration& all, const CalibrateOptions& options) {
  const std::string wanted = options.strong_share >= 0
                                 ? fmt::format("For {} on the strong side", percent(options.strong_share))
                                 : fmt::format("To keep {} of the strong side's quality", percent(options.quality));
  const std::string reached =
      options.strong_share >= 0
          ? fmt::format(" (here {})", percent(all.curve.share(*all.chosen)))
          : fmt::format(" (here {} with {} on the strong side{})", kept_text(all.curve, *all.chosen),
                        percent(all.curve.share(*all.chosen)),
                        all.curve.source() == QualitySource::capability ? "; assumed from the capabilities" : "");
  return wanted + reached;
}

Json point_json(const Curve& curve, const CurvePoint& point) {
  Json out{{"score_above", static_cast<double>(point.bound_ppm()) / 1e6},
           {"strong_share", curve.share(point)},
           {"strong_requests", point.strong}};
  out["cost_usd"] = point.cost ? Json(decimal_text(*point.cost)) : Json();
  const std::optional<double> kept = curve.kept(point);
  out["quality_kept"] = kept ? Json(*kept) : Json();
  return out;
}

/// The new text holds what was wanted and nothing else has changed; else what is wrong.
std::string wrong_with(const Config& before, const Config& after, const std::vector<BoundaryChange>& changes) {
  const auto wanted = [&](const std::string& path, double now) {
    for (const BoundaryChange& change : changes) {
      if (change.path() == path) return change.edit.value;
    }
    return score_of(now);
  };
  const auto differs = [&](const std::string& path, double was, double is) {
    return wanted(path, was) != score_of(is);
  };
  if (differs("tiers.medium", before.tiers.medium, after.tiers.medium) ||
      differs("tiers.complex", before.tiers.complex, after.tiers.complex) ||
      differs("tiers.reasoning", before.tiers.reasoning, after.tiers.reasoning)) {
    return "the tiers would not be what was wanted";
  }
  for (std::size_t i = 0; i < before.targets.size(); ++i) {
    const Target& target = before.targets[i];
    const std::string path =
        fmt::format("backends.{}.models.{}.capability", text(before.backend_of(target).name), text(target.model));
    if (i >= after.targets.size() || differs(path, target.capability, after.targets[i].capability))
      return fmt::format("{} would change as well", path);
  }
  return "";
}

}  // namespace

std::string yaml_lines(const std::vector<BoundaryChange>& changes) {
  std::string tiers, rest;
  std::map<std::string, std::map<std::string, std::string>> backends;
  std::map<std::string, std::string> routes;
  for (const BoundaryChange& change : changes) {
    const std::vector<std::string>& path = change.edit.path;
    if (path.front() == "tiers") {
      tiers += (tiers.empty() ? "" : ", ") + path.back() + ": " + change.edit.value;
    } else if (path.front() == "backends") {
      backends[path[1]][path[3]] = change.edit.value;
    } else {
      std::string& band = routes[path[1]];
      band += (band.empty() ? "" : ", ") + path.back() + ": " + change.edit.value;
    }
  }
  std::string out;
  if (!tiers.empty()) out += "tiers: {" + tiers + "}\n";
  if (!backends.empty()) out += "backends:\n";
  for (const auto& [backend, models] : backends) {
    out += "  " + backend + ":\n    models:\n";
    for (const auto& [model, value] : models) out += "      " + model + ": {capability: " + value + "}\n";
  }
  if (!routes.empty()) out += "routes:\n";
  for (const auto& [route, band] : routes) out += "  - {name: " + route + ", when: {complexity: {" + band + "}}}\n";
  return out;
}

void print_calibration(const Calibration& all, const CalibrateOptions& options) {
  const Curve& curve = all.curve;
  std::printf("%lld requests of %s %s, from %s\n", static_cast<long long>(curve.requests()),
              all.use.routes.size() == 1 ? "route" : "routes", joined(all.use.routes).c_str(),
              all.input.source.c_str());
  std::printf("strong side: %s; weak side: %s\ncosts: %s\n\n", joined(all.use.strong).c_str(),
              joined(all.use.weak).c_str(), all.input.costs.c_str());
  print_table(all);
  print_chart(all);
  const double now_share = static_cast<double>(curve.above(all.use.now)) / static_cast<double>(curve.requests());
  std::printf("\nNow the boundary is %s: %s of these requests have a score above it", score_of(all.use.now).c_str(),
              percent(now_share).c_str());
  if (all.input.went_to_strong >= 0) {
    std::printf("; %s went to the strong side",
                percent(static_cast<double>(all.input.went_to_strong) / static_cast<double>(curve.requests())).c_str());
  }
  std::printf(".\n");
  if (curve.source() == QualitySource::rated) {
    std::printf("Outcomes: %lld of the weak side, %lld of the strong side.\n",
                static_cast<long long>(curve.weak_outcomes()), static_cast<long long>(curve.strong_outcomes()));
  }
  if (all.chosen != nullptr) {
    std::printf("%s, put the boundary at %s:\n", sentence_of(all, options).c_str(), all.chosen->bound_text().c_str());
    if (all.changes.empty()) std::printf("  it is there already\n");
    for (const BoundaryChange& change : all.changes)
      std::printf("  %s: %s    # now %s\n", change.path().c_str(), change.edit.value.c_str(),
                  score_of(change.now).c_str());
    if (!all.changes.empty() && !options.write)
      std::printf("--yaml prints these as lines for the configuration, --write puts them into %s.\n",
                  options.config.c_str());
  }
  for (const std::string& note : all.input.notes) std::printf("note: %s\n", note.c_str());
}

void print_calibration_json(const Calibration& all, const CalibrateOptions& options) {
  const Curve& curve = all.curve;
  Json out{{"source", all.input.source}, {"routes", all.use.routes}, {"requests", curve.requests()}};
  for (const Target* target : all.use.strong) out["strong"].push_back(text(target->id));
  for (const Target* target : all.use.weak) out["weak"].push_back(text(target->id));
  out["costs"] = all.input.costs;
  out["quality_source"] = name_of(curve.source());
  out["quality_of_strong"] = curve.quality_of_strong() ? Json(*curve.quality_of_strong()) : Json();
  if (curve.source() == QualitySource::rated)
    out["outcomes"] = {{"weak", curve.weak_outcomes()}, {"strong", curve.strong_outcomes()}};
  out["now"] = {
      {"score_above", all.use.now},
      {"strong_share", static_cast<double>(curve.above(all.use.now)) / static_cast<double>(curve.requests())}};
  if (all.input.went_to_strong >= 0)
    out["now"]["went_to_strong"] =
        static_cast<double>(all.input.went_to_strong) / static_cast<double>(curve.requests());
  if (all.chosen != nullptr) {
    out["wanted"] = options.strong_share >= 0 ? Json{{"strong_share", options.strong_share}}
                                              : Json{{"quality_kept", options.quality}};
    out["chosen"] = point_json(curve, *all.chosen);
    out["changes"] = Json::array();
    for (const BoundaryChange& change : all.changes)
      out["changes"].push_back({{"key", change.path()}, {"now", change.now}, {"value", std::stod(change.edit.value)}});
    out["yaml"] = yaml_lines(all.changes);
  }
  out["curve"] = Json::array();
  for (const CurvePoint* point : curve.thinned(100)) out["curve"].push_back(point_json(curve, *point));
  out["notes"] = all.input.notes;
  std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

int write_changes(const std::vector<BoundaryChange>& changes, const std::string& path) {
  if (changes.empty()) return ok;
  std::error_code code;
  const std::filesystem::path real = std::filesystem::canonical(path, code);  // a link stays one
  const Result<std::string> before = read_config_text(path);
  if (code || !before) {
    print_error(before ? path + ": " + code.message() : before.error().message);
    return io_failure;
  }
  std::vector<YamlEdit> edits;
  for (const BoundaryChange& change : changes) edits.push_back(change.edit);
  const Result<std::string> after = edit_yaml(before.value(), edits, path);
  if (!after) {
    print_error(after.error().message);
    return finding;
  }
  const Result<ConfigPtr> old_config = load_text(before.value(), path, process_environment()),
                          new_config = load_text(after.value(), path, process_environment());
  const std::string wrong = !old_config   ? "it cannot be read any more"
                            : !new_config ? new_config.error().message
                                          : wrong_with(*old_config.value(), *new_config.value(), changes);
  if (!wrong.empty()) {
    print_error(path + " was left as it is, for " + wrong + "; --yaml prints the lines to put in by hand");
    return finding;
  }
  const std::string fresh = real.string() + ".calibrated";
  struct stat mode {};
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  const bool written = ::stat(real.c_str(), &mode) == 0 && ::chmod(fresh.c_str(), mode.st_mode) == 0 &&
                       static_cast<bool>(file << after.value() << std::flush);
  file.close();
  if (!written || std::rename(fresh.c_str(), real.c_str()) != 0) {
    std::remove(fresh.c_str());
    print_error("cannot write " + fresh + " and put it in the place of " + path);
    return io_failure;
  }
  std::fprintf(stderr, "wrote %s; a running gateway notices by itself, or `kill -HUP` tells it\n", path.c_str());
  return ok;
}

}  // namespace tollgate::cli
