// `constraints:` and `routes:`, and the `when:` that both have.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/draft.hpp"
#include "config/keywords.hpp"
#include "config/spelling.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t tokens_max = 1'000'000'000;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

/// RFC 9110: the characters of a token.
bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

void load_headers(const Cursor& place, Condition& condition) {
  if (!place.present()) return;
  const auto entries = place.entries();
  if (entries.empty() && place.is_map()) place.report("names no header; name one or remove the key");
  for (const auto& [name, value] : entries) {
    if (!is_header_name(name.text)) {
      value.report("this is not the name of a header: letters, digits and '-' only");
      continue;
    }
    Condition::Header header{lower(name.text), value.texts()};
    const auto same = [&](const Condition::Header& other) { return other.name == header.name; };
    if (std::any_of(condition.headers.begin(), condition.headers.end(), same)) {
      value.report("the same header stands here twice (case does not count); put its values into one list");
      continue;
    }
    const bool any_value = std::find(header.any_of.begin(), header.any_of.end(), "*") != header.any_of.end();
    if (any_value && header.any_of.size() > 1) value.report("'*' means any value; remove it or the other values");
    if (any_value) header.any_of.clear();
    if (!any_value && header.any_of.empty()) continue;  // reported when read
    condition.headers.push_back(std::move(header));
  }
}

/// Teams or keys: only such as auth.keys knows, for a constraint on a misspelt team would never apply.
std::vector<NameId> load_callers(const Cursor& place, const Draft& draft, NameId ApiKey::*member) {
  std::vector<NameId> callers;
  if (!place.present()) return callers;
  std::vector<std::string> known;
  for (const ApiKey& key : draft.config.keys) {
    const std::string name(text(key.*member));
    if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
  }
  for (const Cursor& item : place.one_or_more()) {
    const auto name = item.text();
    if (!name) continue;
    if (std::find(known.begin(), known.end(), *name) == known.end()) {
      item.report(fmt::format("no entry of auth.keys has this name{}", suggestion_for(*name, known)));
      continue;
    }
    callers.push_back(Names::global().intern(*name));
  }
  return callers;
}

void load_tier_set(const Cursor& place, Condition& condition) {
  if (!place.present()) return;
  static const std::vector<std::string> words{"SIMPLE", "MEDIUM", "COMPLEX", "REASONING"};
  unsigned set = 0;
  for (const Cursor& item : place.one_or_more()) {
    if (const auto index = item.one_of(words)) set |= 1U << *index;
  }
  condition.tiers = static_cast<std::uint8_t>(set);
}

void load_bands(MapReader& when, Condition& condition) {
  {
    MapReader band(when.at("complexity"));
    const Cursor from = band.at("from"), below = band.at("below");
    if (from.present()) condition.complexity_from = read_share(from);
    if (below.present()) condition.complexity_below = read_share(below);
    if (band.cursor().present() && !from.present() && !below.present())
      band.cursor().report("needs from, below or both");
    const bool empty =
        condition.complexity_below && condition.complexity_from.value_or(0) >= *condition.complexity_below;
    if (empty) band.cursor().report("from must be less than below; nothing can match this");
  }
  MapReader band(when.at("input_tokens"));
  const Cursor from = band.at("from"), below = band.at("below");
  if (from.present()) condition.input_tokens_from = from.integer(0, tokens_max);
  if (below.present()) condition.input_tokens_below = below.integer(1, tokens_max);
  if (band.cursor().present() && !from.present() && !below.present()) band.cursor().report("needs from, below or both");
  const bool empty =
      condition.input_tokens_below && condition.input_tokens_from.value_or(0) >= *condition.input_tokens_below;
  if (empty) band.cursor().report("from must be less than below; nothing can match this");
}

void load_bool(MapReader& when, std::string_view key, std::optional<bool>& out) {
  const Cursor value = when.at(key);
  if (value.present()) out = value.flag();
}

/// `true`, a kind, or a list of kinds.
void load_pii(const Cursor& place, Condition& condition) {
  if (!place.present()) return;
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all{"true", "secret"};
    for (std::size_t i = 0; i < pii_kind_count; ++i) all.emplace_back(name_of(static_cast<PiiKind>(i)));
    return all;
  }();
  for (const Cursor& item : place.one_or_more()) {
    const auto index = item.one_of(words);
    if (!index) continue;
    if (*index == 0 && place.is_list()) item.report("true stands alone: it means every kind but ip");
    condition.pii |= *index == 0 ? usual_pii_kinds : pii_kinds_named(words[*index]).value_or(PiiKinds());
  }
}

void load_keywords(const Cursor& place, Condition& condition) {
  if (!place.present()) return;
  constexpr std::size_t keywords_max = 10'000, keyword_bytes_max = 200;
  std::vector<std::string> words;
  for (const Cursor& item : place.one_or_more()) {
    const auto word = item.text();
    if (!word) continue;
    const bool blank_ends = word->front() == ' ' || word->back() == ' ';
    if (blank_ends || word->size() > keyword_bytes_max) {
      item.report(fmt::format("a keyword neither begins nor ends with a blank and has at most {} bytes", keyword_bytes_max));
      continue;
    }
    words.push_back(*word);
  }
  if (words.size() > keywords_max) place.report(fmt::format("at most {} keywords can be given", keywords_max));
  if (!words.empty()) condition.keywords = std::make_shared<const Keywords>(words);
}

/// What the constraint does, and what goes with it.
void load_action(MapReader& section, Constraint& constraint) {
  section.choice("action", constraint.action,
                 {{"constrain", ConstraintAction::constrain}, {"reject", ConstraintAction::reject}, {"mask", ConstraintAction::mask}});
  const Cursor restore = section.at("restore");
  if (restore.present()) constraint.restore = restore.flag().value_or(false);
  const bool masks = constraint.action == ConstraintAction::mask;
  if (restore.present() && !masks) restore.report("only a constraint with action: mask restores; remove it");
  if (masks && !constraint.when.pii.any()) {
    section.cursor().report("action: mask needs when.pii: the kinds whose values are masked");
  }
}

void load_requirement(const Cursor& place, Constraint& constraint) {
  if (!place.present()) return;
  const auto entries = place.entries();
  if (entries.empty() && place.is_map()) place.report("requires nothing; name trust or a label");
  place.accept("trust");  // all others are labels, of the operator's choosing
  for (const auto& [key, value] : entries) {
    if (key.text == "trust") {
      static const std::vector<std::string> words{"internal", "external"};
      if (const auto index = value.one_of(words)) constraint.trust = *index == 0 ? Trust::internal : Trust::external;
    } else if (is_legal_name(key.text, value, "label")) {
      constraint.labels.emplace(key.text, value.texts());
    }
  }
}

/// The name of a constraint or route; reports one that is missing, illegal or taken.
std::optional<NameId> load_name(MapReader& section, std::map<std::string, Place>& taken, std::string_view what) {
  const Cursor place = section.required("name");
  if (!place.present()) return std::nullopt;
  const auto name = place.text();
  if (!name || !is_legal_name(*name, place, what)) return std::nullopt;
  const auto [first, is_new] = taken.emplace(*name, place.place());
  if (!is_new) {
    place.report(fmt::format("the {} in line {} has this name; name them apart", what, first->second.line));
    return std::nullopt;
  }
  return Names::global().intern(*name);
}

void load_route(const Cursor& place, std::map<std::string, Place>& taken, Draft& draft) {
  MapReader section(place);
  Route route;
  route.name = load_name(section, taken, "route").value_or(NameId::none);
  route.when = load_condition(section.at("when"), draft);
  section.choice("choose", route.choose,
                 {{"cheapest", Choose::cheapest},
                  {"first", Choose::first},
                  {"fastest", Choose::fastest},
                  {"weighted", Choose::weighted}});
  section.choice("cost_basis", route.cost_basis, {{"marginal", CostBasis::marginal}, {"loaded", CostBasis::loaded}});
  Draft::Among patterns;
  load_route_choice(section, route, patterns);
  load_route_autopilot(section, route);
  load_retry(section.at("retry"), route.retry);
  load_hedge(section.at("hedge"), route.hedge);
  load_route_cache(section.at("cache"), route);
  section.choice("on_content_filter", route.on_filter, {{"refuse", OnFilter::refuse}, {"next_target", OnFilter::next_target}});
  draft.config.routes.push_back(std::move(route));
  draft.route_places.push_back(place);
  draft.route_among.push_back(std::move(patterns));
}

}  // namespace

Condition load_condition(const Cursor& place, const Draft& draft) {
  Condition condition;
  MapReader when(place);
  const Cursor models = when.at("model");
  if (models.present()) condition.models = models.texts();
  load_headers(when.at("header"), condition);
  condition.teams = load_callers(when.at("team"), draft, &ApiKey::team);
  condition.keys = load_callers(when.at("key"), draft, &ApiKey::name);
  load_tier_set(when.at("tier"), condition);
  load_bands(when, condition);
  load_bool(when, "tools", condition.tools);
  load_bool(when, "images", condition.images);
  load_bool(when, "json_output", condition.json_output);
  load_bool(when, "stream", condition.stream);
  load_pii(when.at("pii"), condition);
  load_keywords(when.at("keywords"), condition);
  load_more_conditions(when, draft, condition);
  return condition;
}

void load_constraints(MapReader& root, Draft& draft) {
  const Cursor constraints = root.at("constraints");
  if (!constraints.present()) return;
  std::map<std::string, Place> taken;
  for (const Cursor& place : constraints.items()) {
    MapReader section(place);
    Constraint constraint;
    constraint.name = load_name(section, taken, "constraint").value_or(NameId::none);
    constraint.when = load_condition(section.at("when"), draft);
    if (constraint.when.load)
      place.report("when.load: a constraint must not come and go with the load of targets; use a route for that");
    load_action(section, constraint);
    if (constraint.action == ConstraintAction::constrain) {
      load_requirement(section.required("require"), constraint);
    } else {
      const Cursor require = section.at("require");
      load_requirement(require, constraint);
      if (require.present() && constraint.action == ConstraintAction::reject)
        require.report("action: reject refuses the request whatever the target; remove require");
      if (!require.present() && constraint.action == ConstraintAction::mask) constraint.trust = Trust::internal;
    }
    draft.config.constraints.push_back(std::move(constraint));
    draft.constraint_places.push_back(place);
  }
  if (draft.config.constraints.size() > constraints_max)
    constraints.report(fmt::format("at most {} constraints can be given; put values of one header or team into one list", constraints_max));
}

void load_routes(MapReader& root, Draft& draft) {
  const Cursor routes = root.at("routes");
  if (!routes.present()) {
    Route route;  // without any rule of the user's: `auto`, the cheapest that can
    route.name = Names::global().intern("auto");
    route.when.models = {"auto"};
    draft.config.routes.push_back(std::move(route));
    draft.route_places.push_back(root.cursor());
    draft.route_among.emplace_back();
    return;
  }
  std::map<std::string, Place> taken;
  const std::vector<Cursor> items = routes.items();
  for (const Cursor& place : items) load_route(place, taken, draft);
  if (routes.is_list() && items.empty())
    routes.report("the list is empty; write a route, or remove the key to get the route 'auto' among all targets");
}

}  // namespace tollgate
