#pragma once
// What budgets and rate limits a configuration asks for. Part of config.hpp.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/names.hpp"
#include "config/secret.hpp"
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
  bool shared = true;  ///< with the other gateways, if the configuration has a `shared` section
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
  bool shared = true;  ///< as a budget's
};
inline constexpr std::size_t rate_limits_max = 64;

/// What a gateway does about shared budgets while it cannot reach the store.
enum class OnLoss : std::uint8_t {
  refuse,  ///< spends what it has leased, then refuses
  local    ///< goes on with what was left when it last looked, as if it were alone
};

/// `shared`: the Redis or Valkey through which several gateways hold the same budgets and limits (docs/money/shared.md).
struct SharedConfig {
  std::string where;  ///< for messages: without user and password
  std::string host;
  std::uint16_t port = 6379;
  std::string socket_path;  ///< a Unix socket instead of host and port
  bool tls = false;
  std::string ca_file;  ///< absent: the system's certificates
  unsigned database = 0;
  std::string user;
  Secret password;
  std::string key_prefix = "tollgate:";
  std::string gateway;  ///< this gateway's name in the store; absent: one made beside the ledger
  std::chrono::milliseconds timeout{1'000};     ///< to connect; to be answered
  std::chrono::milliseconds report{250};        ///< how often spend is reported and leases are renewed
  std::chrono::milliseconds grant_wait{3'000};  ///< how long a request waits for a lease
  std::chrono::milliseconds grace{2'000};       ///< after the store has lost anything: time to report before it grants
  unsigned gateways_min = 1;                    ///< so many must have reported before a new store grants anything
  OnLoss on_loss = OnLoss::refuse;
  friend bool operator==(const SharedConfig&, const SharedConfig&) = default;
};

}  // namespace tollgate
