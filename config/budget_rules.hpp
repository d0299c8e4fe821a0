#pragma once
// What budgets and rate limits a configuration asks for. Part of config.hpp.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/names.hpp"
#include "config/time_zone.hpp"
#include "config/units.hpp"

namespace tollgate {

/// Whose spending counts: patterns (`*` for any text), all dimensions that are given must fit; an empty one fits
/// everything.
struct PayerScope {
  std::vector<std::string> keys, teams;
  std::vector<std::string> models;  ///< as asked for, by the name it is recorded under
  std::vector<std::string> routes;
  std::vector<std::string> targets;  ///< where the money goes
  friend bool operator==(const PayerScope&, const PayerScope&) = default;
};

enum class BudgetPeriod : std::uint8_t { hour, day, month, rolling };
enum class WhenOver : std::uint8_t {
  refuse,  ///< a hard budget
  warn,    ///< soft: a header, a counter
  cheaper  ///< soft: only the cheapest targets of the plan remain
};

struct Budget {
  NameId name;
  PayerScope scope;
  Usd limit;
  BudgetPeriod period = BudgetPeriod::month;
  TimeZonePtr zone;                 ///< of calendar periods
  std::chrono::seconds rolling{0};  ///< of the rolling one
  WhenOver when_over = WhenOver::refuse;
  std::chrono::milliseconds wait_max{5'000};  ///< how long a request waits for holds of others to come free
  /// What an attempt at a target without prices counts for. Absent: nothing is known of it, so a hard budget does not
  /// allow it and a soft one counts nothing.
  std::optional<Usd> unpriced{};
};
inline constexpr std::size_t budgets_max = 256;

/// Limits of a rate. Each key (team, model, route) that fits has an allowance of its own.
struct RateLimit {
  enum class Each : std::uint8_t { key, team, model, route, all };
  NameId name;
  Each each = Each::key;                 ///< all: everybody who fits shares one allowance
  PayerScope scope;                      ///< without targets: limits act before one is chosen
  std::int64_t requests_per_minute = 0;  ///< 0: not limited; so the next two
  std::int64_t tokens_per_minute = 0;
  std::int64_t concurrent = 0;
};
inline constexpr std::size_t rate_limits_max = 64;

}  // namespace tollgate
