#include "config/route_remarks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/glob.hpp"

namespace tollgate {
namespace {

bool equal_without_case(const std::string& a, const std::string& b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

/// A wide pattern's `*` takes in whatever a narrow one's wildcards stand for; with `?` that is not certain.
bool covers_pattern(const std::string& wide, const std::string& narrow) {
  if (wide == narrow) return true;
  return wide.find('?') == std::string::npos && fits_glob(wide, narrow);
}

bool covers_patterns(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
  if (narrow.empty()) return wide.empty();
  return std::all_of(narrow.begin(), narrow.end(), [&](const std::string& each) {
    return std::any_of(wide.begin(), wide.end(),
                       [&](const std::string& pattern) { return covers_pattern(pattern, each); });
  });
}

bool covers_values(const Condition::Header& wide, const Condition::Header& narrow) {
  if (wide.name != narrow.name) return false;
  if (wide.any_of.empty()) return true;
  return !narrow.any_of.empty() &&
         std::all_of(narrow.any_of.begin(), narrow.any_of.end(), [&](const std::string& value) {
           return std::any_of(wide.any_of.begin(), wide.any_of.end(),
                              [&](const std::string& other) { return equal_without_case(other, value); });
         });
}

/// All of `wide` must hold where all of `narrow` do.
bool covers_headers(const std::vector<Condition::Header>& wide, const std::vector<Condition::Header>& narrow) {
  return std::all_of(wide.begin(), wide.end(), [&](const Condition::Header& wanted) {
    return std::any_of(narrow.begin(), narrow.end(),
                       [&](const Condition::Header& given) { return covers_values(wanted, given); });
  });
}

bool covers_names(const std::vector<NameId>& wide, const std::vector<NameId>& narrow) {
  return !narrow.empty() && std::all_of(narrow.begin(), narrow.end(), [&](NameId name) {
    return std::find(wide.begin(), wide.end(), name) != wide.end();
  });
}

template <class Number>
void drop_band(std::optional<Number>& from, std::optional<Number>& below, const std::optional<Number>& narrow_from,
               const std::optional<Number>& narrow_below) {
  if (from && narrow_from && *narrow_from >= *from) from.reset();
  if (below && narrow_below && *narrow_below <= *below) below.reset();
}

void drop_same(std::optional<bool>& wide, const std::optional<bool>& narrow) {
  if (wide == narrow) wide.reset();
}

/// The scores of a tier: from <= score < below, the last up to and with 1.
std::pair<double, double> band_of(std::size_t tier, const TierBounds& bounds) {
  const std::array<double, tier_count + 1> edges{0, bounds.medium, bounds.complex, bounds.reasoning, 2};
  return {edges[tier], edges[tier + 1]};
}

/// Whether anything about the load of a target can be known.
bool has_load(const Config& config, std::size_t target) {
  return config.targets[target].concurrency_max > 0 || config.backend_of(config.targets[target]).is_scraped();
}

void remark_on_load(const Route& route, const Config& config, std::vector<std::string>& remarks) {
  if (!route.when.load) return;
  for (const std::size_t target : route.when.load->targets) {
    if (has_load(config, target)) continue;
    remarks.push_back(fmt::format(
        "route {}: the load of target {} is never known; give it concurrency_max or let its engine be asked, or take it out of when.load",
        text(route.name), text(config.targets[target].id)));
  }
}

void remark_on_capability(const Route& route, const Config& config, std::vector<std::string>& remarks) {
  for (const std::size_t target : route.among) {
    if (config.targets[target].capability >= route.min_capability) continue;
    remarks.push_back(fmt::format("route {} never goes to target {}: its capability {} is below min_capability {}",
                                  text(route.name), text(config.targets[target].id), config.targets[target].capability,
                                  route.min_capability));
  }
}

/// Autopilot without anything to steer, or without anything to hold it against.
void remark_on_autopilot(const Route& route, const Config& config, std::vector<std::string>& remarks) {
  if (!route.autopilot) return;
  bool serverless = false, priced = false;
  for (const std::size_t target : route.among) {
    const std::optional<Pool>& pool = config.backend_of(config.targets[target]).pool;
    serverless = serverless || (pool && pool->billing == Billing::serverless);
    priced = priced || (!pool && config.targets[target].prices);
  }
  if (!serverless) {
    remarks.push_back(fmt::format("route {} has autopilot, but none of its targets is on a serverless pool: it orders them as choose: cheapest does", text(route.name)));
  } else if (!priced) {
    remarks.push_back(fmt::format("route {} has autopilot, but no managed target with a price: what its serverless pool saves is not known, so it stays last", text(route.name)));
  }
}

void remark_on_unreachable(std::size_t at, const Config& config, std::vector<std::string>& remarks) {
  const Route& route = config.routes[at];
  if (!has_a_score(route.when, config.tiers)) {
    remarks.push_back(
        fmt::format("route {} never matches: no score is in both tier and complexity (tiers.* say where tiers begin)",
                    text(route.name)));
  }
  for (std::size_t before = 0; before < at; ++before) {
    const Condition& earlier = config.routes[before].when;
    if (earlier == Condition{}) return;  // said of it already
    if (!covers(earlier, route.when)) continue;
    remarks.push_back(fmt::format(
        "route {} never matches: route {} before it takes everything it would; change their order or their conditions",
        text(route.name), text(config.routes[before].name)));
    return;
  }
}

}  // namespace

bool has_a_score(const Condition& when, const TierBounds& bounds) {
  if (!when.tiers) return true;
  const double from = when.complexity_from.value_or(0), below = when.complexity_below.value_or(2);
  for (std::size_t tier = 0; tier < tier_count; ++tier) {
    const auto [begin, end] = band_of(tier, bounds);
    if ((static_cast<unsigned>(*when.tiers) >> tier & 1U) != 0 && std::max(begin, from) < std::min(end, below)) return true;
  }
  return false;
}

// What is certain to hold is taken out of the wide condition; nothing may be left. A condition that this does not know
// stays in.
bool covers(const Condition& wide, const Condition& narrow) {
  if (wide == narrow) return true;
  Condition left = wide;
  if (covers_patterns(wide.models, narrow.models)) left.models.clear();
  if (covers_patterns(wide.users, narrow.users)) left.users.clear();
  if (covers_headers(wide.headers, narrow.headers)) left.headers.clear();
  if (covers_headers(wide.metadata, narrow.metadata)) left.metadata.clear();
  if (covers_names(wide.teams, narrow.teams)) left.teams.clear();
  if (covers_names(wide.keys, narrow.keys)) left.keys.clear();
  if (wide.tiers && narrow.tiers && (*narrow.tiers & ~*wide.tiers) == 0) left.tiers.reset();
  drop_band(left.complexity_from, left.complexity_below, narrow.complexity_from, narrow.complexity_below);
  drop_band(left.input_tokens_from, left.input_tokens_below, narrow.input_tokens_from, narrow.input_tokens_below);
  drop_same(left.tools, narrow.tools);
  drop_same(left.images, narrow.images);
  drop_same(left.json_output, narrow.json_output);
  drop_same(left.stream, narrow.stream);
  if (narrow.pii.any() && (narrow.pii & wide.pii) == narrow.pii) left.pii = {};
  if (wide.time == narrow.time) left.time.reset();
  if (wide.load == narrow.load) left.load.reset();
  return left == Condition{};
}

void remark_on_choices(const Config& config, std::vector<std::string>& remarks) {
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const Route& route = config.routes[i];
    remark_on_unreachable(i, config, remarks);
    remark_on_load(route, config, remarks);
    remark_on_capability(route, config, remarks);
    remark_on_autopilot(route, config, remarks);
    if (route.sticky && config.sticky_ttl.count() == 0) {
      remarks.push_back(fmt::format("route {} is sticky, but sticky.ttl_seconds is 0: no conversation is remembered",
                                    text(route.name)));
    }
    if (route.sticky && route.among.size() == 1) {
      remarks.push_back(fmt::format("route {} is sticky, but has only one target: there is nothing to stay away from",
                                    text(route.name)));
    }
  }
  for (const Constraint& constraint : config.constraints) {
    if (has_a_score(constraint.when, config.tiers)) continue;
    remarks.push_back(
        fmt::format("constraint {} never applies: no score is in both tier and complexity", text(constraint.name)));
  }
}

}  // namespace tollgate
