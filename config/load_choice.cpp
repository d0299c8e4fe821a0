// What routes say about choosing among targets, the conditions of time, load, user and metadata, and the sections
// `spill_over`, `sticky` and `autopilot` that all routes share.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "config/draft.hpp"
#include "config/glob.hpp"
#include "config/spelling.hpp"

namespace tollgate {
namespace {

using std::chrono::hours;
constexpr std::int64_t weight_max = 1'000'000;
constexpr int minutes_per_day = 24 * 60;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "08:30" as minutes; nullopt if it is anything else. 24:00 is the end of the day.
std::optional<int> minutes_of(std::string_view text) {
  const bool shaped = text.size() == 5 && is_digit(text[0]) && is_digit(text[1]) && text[2] == ':' &&
                      is_digit(text[3]) && is_digit(text[4]);
  if (!shaped) return std::nullopt;
  const int hour = (text[0] - '0') * 10 + (text[1] - '0'), minute = (text[3] - '0') * 10 + (text[4] - '0');
  if (hour > 24 || minute > 59 || (hour == 24 && minute != 0)) return std::nullopt;
  return hour * 60 + minute;
}

std::optional<int> read_time(const Cursor& place) {
  if (!place.present()) return std::nullopt;
  const auto text = place.text();
  if (!text) return std::nullopt;
  const auto minutes = minutes_of(*text);
  if (!minutes) place.report("a time of day was expected, in quotes: \"08:30\"; the end of the day is \"24:00\"");
  return minutes;
}

/// "+01:00", "-05:30", "UTC".
std::optional<int> read_offset(const Cursor& place) {
  constexpr int offset_max = 14 * 60;
  const auto text = place.text();
  if (!text) return std::nullopt;
  if (*text == "UTC" || *text == "Z") return 0;
  const bool is_signed = text->starts_with('+') || text->starts_with('-');
  const auto minutes = is_signed ? minutes_of(std::string_view(*text).substr(1)) : std::nullopt;
  if (!minutes || *minutes > offset_max) {
    place.report(
        "the distance from UTC was expected, in quotes: \"+01:00\", \"-05:30\" or UTC. Names of time zones are not "
        "known, and summer time is not followed");
    return std::nullopt;
  }
  return text->front() == '-' ? -*minutes : *minutes;
}

std::uint8_t read_days(const Cursor& place) {
  static const std::vector<std::string> words{"mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekdays", "weekend"};
  constexpr unsigned weekdays = 0x1F, weekend = 0x60;
  unsigned days = 0;
  for (const Cursor& item : place.one_or_more()) {
    const auto index = item.one_of(words);
    if (!index) continue;
    days |= *index < 7 ? 1U << *index : *index == 7 ? weekdays : weekend;
  }
  return static_cast<std::uint8_t>(days);
}

void load_time(const Cursor& place, Condition& condition) {
  MapReader section(place);
  const Cursor from = section.at("from"), to = section.at("to"), days = section.at("days"),
               offset = section.at("utc_offset");
  if (!place.present()) return;
  Schedule schedule;
  schedule.from_minute = static_cast<std::int16_t>(read_time(from).value_or(0));
  schedule.to_minute = static_cast<std::int16_t>(read_time(to).value_or(minutes_per_day));
  if (days.present()) schedule.days = read_days(days);
  if (offset.present()) schedule.utc_offset_minutes = static_cast<std::int16_t>(read_offset(offset).value_or(0));
  if (!from.present() && !to.present() && !days.present()) place.report("needs days, or from and to");
  const bool no_time = schedule.from_minute == schedule.to_minute || schedule.from_minute == minutes_per_day;
  if (no_time)
    place.report(
        "from and to leave no time between them; a window past midnight is written from \"22:00\" to \"06:00\"");
  condition.time = schedule;
}

/// A load: 1 is saturated, more is possible.
std::optional<double> read_load(const Cursor& place) {
  constexpr int decimals = 3;
  constexpr double units = 1000;
  const auto read = place.decimal(decimals, 0, Int128{100'000});
  return read ? std::optional(static_cast<double>(*read) / units) : std::nullopt;
}

void load_load(const Cursor& place, const Draft& draft, Condition& condition) {
  MapReader section(place);
  const Cursor of = section.required("of"), from = section.at("from"), below = section.at("below");
  if (!place.present()) return;
  LoadCondition load;
  std::vector<std::string> ids;
  for (const Target& target : draft.config.targets) ids.emplace_back(text(target.id));
  for (const Cursor& item : of.present() ? of.one_or_more() : std::vector<Cursor>{}) {
    const auto pattern = item.text();
    if (!pattern) continue;
    const std::size_t before = load.targets.size();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool is_new = std::find(load.targets.begin(), load.targets.end(), i) == load.targets.end();
      if (is_new && fits_glob(*pattern, ids[i])) load.targets.push_back(i);
    }
    if (load.targets.size() == before)
      item.report(fmt::format("there is no such target, or it stands here twice{}", suggestion_for(*pattern, ids)));
  }
  if (from.present()) load.from = read_load(from);
  if (below.present()) load.below = read_load(below);
  if (!from.present() && !below.present()) place.report("needs from, below or both");
  if (load.below && load.from.value_or(0) >= *load.below)
    place.report("from must be less than below; nothing can match this");
  condition.load = std::move(load);
}

void load_metadata(const Cursor& place, Condition& condition) {
  if (!place.present()) return;
  const auto entries = place.entries();
  if (entries.empty() && place.is_map()) place.report("names no member; name one or remove the key");
  for (const auto& [name, value] : entries) {
    Condition::Header member{name.text, value.texts()};
    const bool any_value = std::find(member.any_of.begin(), member.any_of.end(), "*") != member.any_of.end();
    if (any_value && member.any_of.size() > 1) value.report("'*' means any value; remove it or the other values");
    if (!any_value && member.any_of.empty()) continue;  // reported when read
    if (any_value) member.any_of.clear();
    condition.metadata.push_back(std::move(member));
  }
}

void load_among(const Cursor& among, Draft::Among& patterns) {
  if (!among.present()) return;
  for (const Cursor& item : among.one_or_more()) {
    if (!item.is_map()) {
      if (auto pattern = item.text()) {
        patterns.patterns.emplace_back(std::move(*pattern), item);
        patterns.weights.push_back(1);
      }
      continue;
    }
    MapReader entry(item);
    const Cursor target = entry.required("target");
    std::uint32_t weight = 1;
    entry.integer("weight", weight, 0, weight_max);
    if (!target.present()) continue;
    if (auto pattern = target.text()) {
      patterns.patterns.emplace_back(std::move(*pattern), target);
      patterns.weights.push_back(weight);
    }
  }
}

void load_autopilot(const Cursor& place, AutopilotRules& rules) {
  MapReader section(place);
  section.share("margin", rules.margin);
  section.seconds("dwell_seconds", rules.dwell, milliseconds(0), hours(24));
  section.seconds("window_seconds", rules.window, milliseconds(1000), hours(24));
  section.seconds("trial_seconds", rules.trial, milliseconds(0), hours(24 * 7));
}

}  // namespace

void load_choice(MapReader& root, Draft& draft) {
  {
    MapReader section(root.at("spill_over"));
    SpillOver& spill_over = draft.config.spill_over;
    spill_over.is_on = section.cursor().present();
    section.integer("waiting_requests", spill_over.waiting_requests, 0, 1'000'000);
    section.share("kv_cache_share", spill_over.kv_cache_share);
    section.share("back_at", spill_over.back_at);
  }
  MapReader section(root.at("sticky"));
  section.seconds("ttl_seconds", draft.config.sticky_ttl, milliseconds(0), hours(24));
  load_autopilot(root.at("autopilot"), draft.config.autopilot);
}

void load_route_choice(MapReader& section, Route& route, Draft::Among& among) {
  load_among(section.at("among"), among);
  section.share("min_capability", route.min_capability);
  section.millis("first_token_ms", route.first_token, milliseconds(1), hours(1));
  section.millis("deadline_ms", route.deadline, milliseconds(1), hours(1));
  section.flag("sticky", route.sticky);
  const bool by_speed = route.choose == Choose::fastest, by_order = route.choose == Choose::first;
  if (route.sticky && (by_speed || by_order)) {
    section.cursor().report(fmt::format(
        "sticky keeps a conversation where its cache makes that no dearer, but choose: {} does not look at cost; use "
        "choose: cheapest or weighted, or remove sticky",
        by_speed ? "fastest" : "first"));
  }
  const bool both = route.first_token.count() > 0 && route.deadline.count() > 0;
  if (both && route.deadline < route.first_token) {
    section.cursor().report(
        "deadline_ms is shorter than first_token_ms: the whole answer cannot be there before its first token");
  }
  section.flag("cascade", route.cascade);
  if (route.cascade && route.when.stream.value_or(false)) {
    section.cursor().report(
        "cascade checks answers that are not streams, but when.stream takes streams only; remove one of the two");
  }
}

void load_route_autopilot(MapReader& section, Route& route) {
  section.flag("autopilot", route.autopilot);
  if (!route.autopilot) return;
  if (route.choose != Choose::cheapest) section.cursor().report("autopilot follows cost; use choose: cheapest, or remove autopilot");
  if (route.cost_basis == CostBasis::loaded) {
    section.cursor().report("autopilot keeps busy what is paid for anyway, which is the marginal cost; remove cost_basis: loaded, or autopilot");
  }
}

void load_more_conditions(MapReader& when, const Draft& draft, Condition& condition) {
  const Cursor users = when.at("user");
  if (users.present()) condition.users = users.texts();
  load_metadata(when.at("metadata"), condition);
  load_time(when.at("time"), condition);
  load_load(when.at("load"), draft, condition);
}

}  // namespace tollgate
