// The section `baselines`: references that every request is also priced at.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/draft.hpp"
#include "config/spelling.hpp"

namespace tollgate {
namespace {

constexpr std::size_t baselines_max = 8;  // each is a row per request

/// The target that is named there, or nothing and a finding.
void add_target(const Cursor& place, const Config& config, Baseline& baseline) {
  const auto id = place.text();
  if (!id) return;
  const Target* const target = config.find_target(*id);
  if (target == nullptr) {
    std::vector<std::string> known;
    for (const Target& each : config.targets) known.emplace_back(text(each.id));
    place.report(fmt::format("there is no target '{}'{}", *id, suggestion_for(*id, known)));
    return;
  }
  const auto index = static_cast<std::size_t>(target - config.targets.data());
  if (std::find(baseline.targets.begin(), baseline.targets.end(), index) == baseline.targets.end()) {
    baseline.targets.push_back(index);
  }
}

void load_baseline(const Cursor& place, std::map<std::string, Place>& taken, Config& config) {
  MapReader section(place);
  if (!section.cursor().present()) return;
  Baseline baseline;
  const Cursor name = section.required("name");
  const auto name_text = name.present() ? name.text() : std::nullopt;
  const Cursor target = section.at("target"), cheapest_of = section.at("cheapest_of");
  if (target.present() == cheapest_of.present()) {
    place.report("a baseline has either target (backend/model) or cheapest_of (a list of them)");
  } else if (target.present()) {
    add_target(target, config, baseline);
  } else {
    const std::vector<Cursor> items = cheapest_of.items();
    if (cheapest_of.is_list() && items.empty()) cheapest_of.report("the list is empty; name at least one target");
    for (const Cursor& item : items) add_target(item, config, baseline);
  }
  if (!name_text || !is_legal_name(*name_text, name, "baseline")) return;
  const auto [first, is_new] = taken.emplace(*name_text, name.place());
  if (!is_new) {
    name.report(fmt::format("the baseline in line {} has this name; name them apart", first->second.line));
    return;
  }
  baseline.name = Names::global().intern(*name_text);
  config.baselines.push_back(std::move(baseline));
}

}  // namespace

void load_baselines(MapReader& root, Draft& draft) {
  const Cursor baselines = root.at("baselines");
  if (!baselines.present()) return;
  std::map<std::string, Place> taken;
  const std::vector<Cursor> items = baselines.items();
  if (items.size() > baselines_max) {
    items[baselines_max].report(fmt::format("at most {} baselines: each adds a row to every request", baselines_max));
    return;
  }
  for (const Cursor& place : items) load_baseline(place, taken, draft.config);
}

}  // namespace tollgate
