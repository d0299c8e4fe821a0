// The sections `budgets` and `limits`: what may be spent, and how fast.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "config/decimal.hpp"
#include "config/draft.hpp"
#include "config/glob.hpp"
#include "config/spelling.hpp"

namespace tollgate {
namespace {

using std::chrono::seconds;

constexpr std::int64_t rate_max = 1'000'000'000;
constexpr seconds rolling_min{60}, rolling_max{366LL * 86'400};

using Taken = std::map<std::string, Place>;

std::optional<NameId> load_name(MapReader& section, Taken& taken, std::string_view what) {
  const Cursor place = section.required("name");
  const auto name = place.present() ? place.text() : std::nullopt;
  if (!name || !is_legal_name(*name, place, what)) return std::nullopt;
  const auto [first, is_new] = taken.emplace(*name, place.place());
  if (is_new) return Names::global().intern(*name);
  place.report(fmt::format("the {} in line {} has this name; name them apart", what, first->second.line));
  return std::nullopt;
}

/// Patterns of names. One without `*` must be known: a budget on a misspelt team would guard nothing.
std::vector<std::string> load_patterns(const Cursor& place, const std::vector<std::string>& known,
                                       std::string_view what) {
  std::vector<std::string> patterns;
  if (!place.present()) return patterns;
  for (const Cursor& item : place.one_or_more()) {
    const auto pattern = item.text();
    if (!pattern) continue;
    const bool fits =
        std::any_of(known.begin(), known.end(), [&](const auto& name) { return fits_glob(*pattern, name); });
    if (!fits) {
      item.report(is_glob(*pattern)
                      ? fmt::format("no {} fits '{}'", what, *pattern)
                      : fmt::format("there is no {} '{}'{}", what, *pattern, suggestion_for(*pattern, known)));
    }
    patterns.push_back(*pattern);
  }
  return patterns;
}

std::vector<std::string> names_of_keys(const Config& config, NameId ApiKey::*member) {
  std::vector<std::string> names;
  for (const ApiKey& key : config.keys) names.emplace_back(text(key.*member));
  return names;
}

/// The names under which requests are recorded (Serving::recorded_model).
std::vector<std::string> recorded_models(const Config& config) {
  std::vector<std::string> names{"other"};
  for (const Target& target : config.targets) {
    names.emplace_back(text(target.id));
    names.emplace_back(text(target.model));
  }
  for (const Route& route : config.routes) {
    std::copy_if(route.when.models.begin(), route.when.models.end(), std::back_inserter(names),
                 [](const std::string& model) { return !is_glob(model); });
  }
  return names;
}

enum class WithTargets : bool { no, yes };

PayerScope load_scope(MapReader& section, const Config& config, WithTargets with_targets) {
  PayerScope scope;
  scope.keys = load_patterns(section.at("key"), names_of_keys(config, &ApiKey::name), "key in auth.keys");
  scope.teams = load_patterns(section.at("team"), names_of_keys(config, &ApiKey::team), "team in auth.keys");
  scope.models = load_patterns(section.at("model"), recorded_models(config), "model that requests are recorded under");
  std::vector<std::string> routes{"direct"}, targets;
  for (const Route& route : config.routes) routes.emplace_back(text(route.name));
  for (const Target& target : config.targets) targets.emplace_back(text(target.id));
  if (with_targets == WithTargets::yes) routes.insert(routes.end(), {"(shadow)", "(judge)", "(warm-up)"});  // what the gateway's own calls are recorded as
  scope.routes = load_patterns(section.at("route"), routes, "route");
  if (with_targets == WithTargets::yes) scope.targets = load_patterns(section.at("target"), targets, "target");
  return scope;
}

/// "90s", "15m", "24h", "7d"
std::optional<seconds> parse_duration(std::string_view text) {
  if (text.size() < 2 || text.size() > 10) return std::nullopt;
  static constexpr std::pair<char, std::int64_t> units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86'400}};
  std::int64_t count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    count = count * 10 + (c - '0');
  }
  for (const auto& [letter, length] : units) {
    if (text.back() == letter) return seconds(count * length);
  }
  return std::nullopt;
}

void load_window(MapReader& section, const Cursor& place, Budget& budget) {
  const Cursor per = section.at("per"), rolling = section.at("rolling"), zone = section.at("time_zone");
  if (per.present() == rolling.present()) {
    place.report("a budget has either per (hour, day or month of the calendar) or rolling (such as 24h)");
    return;
  }
  if (rolling.present()) {
    budget.period = BudgetPeriod::rolling;
    const auto text = rolling.text();
    const auto length = text ? parse_duration(*text) : std::nullopt;
    if (text && (!length || *length < rolling_min || *length > rolling_max)) {
      rolling.report("a length from 60s to 366d was expected: a number and s, m, h or d, such as 24h");
    }
    budget.rolling = length.value_or(rolling_min);
    if (zone.present()) zone.report("a rolling window has no time zone; it ends now");
    return;
  }
  static const std::vector<std::string> words{"hour", "day", "month"};
  if (const auto index = per.one_of(words)) budget.period = static_cast<BudgetPeriod>(*index);
  const auto name = zone.present() ? zone.text() : std::optional<std::string>("UTC");
  if (!name) return;
  Result<TimeZonePtr> found = find_time_zone(*name);
  if (found) {
    budget.zone = std::move(found.value());
  } else {
    zone.report(found.error().message);
  }
}

/// Sums per day do not say which gateway spent them, so a window must lie within the days whose requests are kept.
void check_kept(const Cursor& place, const Budget& budget, const LedgerConfig& ledger) {
  if (ledger.postgres.empty() || ledger.keep_days == 0) return;
  constexpr std::int64_t day = 86'400;
  const std::int64_t window = budget.period == BudgetPeriod::month     ? 31
                              : budget.period == BudgetPeriod::rolling ? (budget.rolling.count() + day - 1) / day
                                                                       : 1;
  const std::int64_t least = window + 1;  // days of the ledger are UTC, the window may begin in another zone
  if (ledger.keep_days >= least) return;
  place.report(fmt::format("in PostgreSQL sums per day do not say which gateway spent them: with this budget's window ledger.keep_days must be 0 or at least {}", least));
}

void load_mode(MapReader& section, Budget& budget) {
  enum class Mode : std::uint8_t { hard, soft } mode = Mode::hard;
  section.choice("mode", mode, {{"hard", Mode::hard}, {"soft", Mode::soft}});
  const Cursor over = section.at("when_over");
  if (mode == Mode::soft) {
    budget.when_over = WhenOver::warn;
    section.choice("when_over", budget.when_over, {{"warn", WhenOver::warn}, {"cheaper", WhenOver::cheaper}});
  } else if (over.present()) {
    over.report("a hard budget refuses when it is used up; write mode: soft for warn or cheaper");
  }
  section.seconds("wait_seconds", budget.wait_max, milliseconds(0), std::chrono::minutes(5));
}

void load_budget(const Cursor& place, Taken& taken, Config& config) {
  MapReader section(place);
  if (!section.cursor().present()) return;
  Budget budget;
  const auto name = load_name(section, taken, "budget");
  budget.scope = load_scope(section, config, WithTargets::yes);
  const Cursor limit = section.required("limit_usd");
  constexpr Int128 most = std::numeric_limits<std::int64_t>::max();
  const Cursor unpriced = section.at("unpriced_usd");
  if (unpriced.present()) {
    const auto counted = unpriced.decimal(usd_decimals, 0, most);
    if (counted) budget.unpriced = Usd{static_cast<std::int64_t>(*counted)};
  }
  const auto amount = limit.present() ? limit.decimal(usd_decimals, 0, most) : std::nullopt;
  if (amount) budget.limit = Usd{static_cast<std::int64_t>(*amount)};
  load_window(section, place, budget);
  check_kept(place, budget, config.ledger);
  load_mode(section, budget);
  section.flag("shared", budget.shared);
  if (!name) return;
  budget.name = *name;
  config.budgets.push_back(std::move(budget));
}

void load_limit(const Cursor& place, Taken& taken, Config& config) {
  MapReader section(place);
  if (!section.cursor().present()) return;
  RateLimit limit;
  const auto name = load_name(section, taken, "limit");
  section.choice("each", limit.each,
                 {{"key", RateLimit::Each::key},
                  {"team", RateLimit::Each::team},
                  {"model", RateLimit::Each::model},
                  {"route", RateLimit::Each::route},
                  {"all", RateLimit::Each::all}});
  limit.scope = load_scope(section, config, WithTargets::no);
  section.integer("requests_per_minute", limit.requests_per_minute, 1, rate_max);
  section.integer("tokens_per_minute", limit.tokens_per_minute, 1, rate_max);
  section.integer("concurrent_requests", limit.concurrent, 1, rate_max);
  section.flag("shared", limit.shared);
  if (limit.requests_per_minute == 0 && limit.tokens_per_minute == 0 && limit.concurrent == 0) {
    place.report("a limit has at least one of requests_per_minute, tokens_per_minute, concurrent_requests");
  }
  if (!name) return;
  limit.name = *name;
  config.limits.push_back(std::move(limit));
}

template <class Load>
void load_list(MapReader& root, std::string_view key, std::size_t most, Config& config, Load load) {
  const Cursor list = root.at(key);
  if (!list.present()) return;
  Taken taken;
  const std::vector<Cursor> items = list.items();
  if (items.size() > most) {
    items[most].report(fmt::format("at most {} {}", most, key));
    return;
  }
  for (const Cursor& place : items) load(place, taken, config);
}

}  // namespace

void load_budgets(MapReader& root, Draft& draft) {
  load_list(root, "budgets", budgets_max, draft.config, load_budget);
  load_list(root, "limits", rate_limits_max, draft.config, load_limit);
}

}  // namespace tollgate
