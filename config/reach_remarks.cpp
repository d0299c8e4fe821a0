#include "config/reach_remarks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "config/route_remarks.hpp"

namespace tollgate {
namespace {

/// What tiers and yes-or-no conditions tell apart: a bit per combination of tier, tools, images, json_output, stream.
using Cells = std::uint64_t;
constexpr std::size_t flag_count = 4, cell_count = tier_count << flag_count;
static_assert(cell_count <= 64);

Cells cells_of(const Condition& when) {
  const std::array<std::optional<bool>, flag_count> flags{when.tools, when.images, when.json_output, when.stream};
  Cells cells = 0;
  for (std::size_t cell = 0; cell < cell_count; ++cell) {
    const std::size_t tier = cell >> flag_count;
    bool holds = !when.tiers || (static_cast<unsigned>(*when.tiers) >> tier & 1U) != 0;
    for (std::size_t flag = 0; flag < flag_count; ++flag) {
      const bool is_set = (cell >> flag & 1U) != 0;
      holds = holds && (!flags[flag] || *flags[flag] == is_set);
    }
    if (holds) cells |= Cells{1} << cell;
  }
  return cells;
}

Condition without_cells(Condition when) {
  when.tiers.reset();
  when.tools.reset();
  when.images.reset();
  when.json_output.reset();
  when.stream.reset();
  return when;
}

/// The routes before it that together take all it would; empty: something is left to it.
std::vector<std::size_t> taken_by(const Config& config, std::size_t at) {
  const Condition& when = config.routes[at].when;
  const Condition narrow = without_cells(when);
  Cells left = cells_of(when);
  std::vector<std::size_t> takers;
  for (std::size_t before = 0; before < at && left != 0; ++before) {
    const Condition& earlier = config.routes[before].when;
    const Cells takes = cells_of(earlier) & left;
    if (takes == 0 || !covers(without_cells(earlier), narrow)) continue;
    left &= ~takes;
    takers.push_back(before);
  }
  return left == 0 ? takers : std::vector<std::size_t>{};
}

/// The lowest score that the conditions let through.
double lowest_score(const Condition& when, const TierBounds& bounds) {
  double from = when.complexity_from.value_or(0);
  if (!when.tiers || *when.tiers == 0) return from;
  const std::array<double, tier_count> begins{0, bounds.medium, bounds.complex, bounds.reasoning};
  for (std::size_t tier = 0; tier < tier_count; ++tier) {
    if ((static_cast<unsigned>(*when.tiers) >> tier & 1U) != 0) return std::max(from, begins[tier]);
  }
  return from;
}

void remark_on_union(const Config& config, std::size_t at, std::vector<std::string>& remarks) {
  const std::vector<std::size_t> takers = taken_by(config, at);
  if (takers.size() < 2) return;  // a single one is said of elsewhere
  std::string names;
  for (std::size_t i = 0; i < takers.size(); ++i) {
    names.append(i == 0 ? "" : i + 1 < takers.size() ? ", " : " and ").append(text(config.routes[takers[i]].name));
  }
  remarks.push_back(
      fmt::format("route {} never matches: routes {} before it take everything it would; change their order or "
                  "their conditions",
                  text(config.routes[at].name), names));
}

template <class Can>
bool none_can(const Route& route, const Config& config, const Can& can) {
  return std::none_of(route.among.begin(), route.among.end(),
                      [&](std::size_t index) { return can(config.targets[index]); });
}

/// All its requests need something that none of its targets can do: each of them is refused.
void remark_on_abilities(const Route& route, const Config& config, std::vector<std::string>& remarks) {
  const auto refused = [&](std::string_view what, std::string_view who) {
    remarks.push_back(fmt::format("route {} takes only requests {}, and {}: every one of them is refused",
                                  text(route.name), what, who));
  };
  if (route.when.tools == true && none_can(route, config, [](const Target& target) { return target.tools; })) {
    refused("with tools", "none of its targets takes tools");
  }
  if (route.when.images == true && none_can(route, config, [](const Target& target) { return target.images; })) {
    refused("with images", "none of its targets takes images (images: true says that one does)");
  }
  const std::int64_t from = route.when.input_tokens_from.value_or(0);
  const auto fits = [from](const Target& target) { return target.context_tokens == 0 || target.context_tokens > from; };
  if (from > 0 && none_can(route, config, fits)) {
    refused(fmt::format("from {} input tokens on", from), "none of its targets has a context that long");
  }
}

/// Scores that begin above what a target is trusted with leave it only what better targets may not have.
void remark_on_scores(const Route& route, const Config& config, std::vector<std::string>& remarks) {
  const double lowest = lowest_score(route.when, config.tiers);
  if (lowest <= 0 || route.among.size() < 2) return;
  double most = 0;
  for (const std::size_t index : route.among) most = std::max(most, config.targets[index].capability);
  for (const std::size_t index : route.among) {
    const Target& target = config.targets[index];
    if (target.capability >= std::min(lowest, most) || target.capability < route.min_capability) continue;
    remarks.push_back(fmt::format(
        "route {} goes to target {} only where nothing better is left: its capability {} is below every score that "
        "the route takes (from {})",
        text(route.name), text(target.id), target.capability, lowest));
  }
}

}  // namespace

bool never_matches(const Config& config, std::size_t route) {
  const Condition& when = config.routes[route].when;
  return !has_a_score(when, config.tiers) || !taken_by(config, route).empty();
}

void remark_on_reach(const Config& config, std::vector<std::string>& remarks) {
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    remark_on_union(config, i, remarks);
    if (never_matches(config, i)) continue;
    remark_on_abilities(config.routes[i], config, remarks);
    remark_on_scores(config.routes[i], config, remarks);
  }
}

}  // namespace tollgate
