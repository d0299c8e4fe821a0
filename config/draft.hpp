#pragma once
// A Config while it is being read: what each load_*.cpp fills in, and what check.cpp needs to say where a wrong thing
// stands. Private to this folder.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/yaml_reader.hpp"

namespace tollgate {

namespace prices { struct PriceBook; }

struct Draft {
  /// A route's `among` before the names are looked up; empty: every target.
  struct Among {
    std::vector<std::pair<std::string, Cursor>> patterns;
    std::vector<std::uint32_t> weights;  ///< one per pattern
  };
  Config config;
  std::optional<Cursor> server_listen, admin_listen;
  std::vector<Cursor> backend_places, target_places, constraint_places, route_places;  ///< one per element of config
  std::shared_ptr<const prices::PriceBook> book;   ///< of prices.file; nullptr: the built-in prices
  std::vector<Among> route_among;                                                      ///< one per route
};

// Sections, in the order they are read: later ones look names up in earlier ones.
void load_server(MapReader& root, Draft& draft);  ///< server, admin, ledger, log, tiers, attempts_max
void load_ledger(MapReader section, Config& config);  ///< after air_gap
void load_prices(MapReader& root, Draft& draft);  ///< prices; before the backends
void load_auth(MapReader& root, Draft& draft);
void load_backends(MapReader& root, Draft& draft);
void load_targets(const Cursor& models, std::size_t backend, Draft& draft);  ///< `models:` of one backend
void load_pool(const Cursor& place, Backend& backend);                       ///< `pool:` of one backend
void load_dialect(MapReader& backend, Backend& out);   ///< what its dialect needs beside url and key
void check_credentials(MapReader& backend, const Backend& read);             ///< once all of them are read
/// An amount of USD, exact to the picodollar.
[[nodiscard]] std::optional<Usd> load_usd(const Cursor& place);
/// `prices:` of a target that is passed to: what is not billed by tokens. nullopt: it says none of it, or what it says is wrong.
[[nodiscard]] std::optional<UnitPrices> load_unit_prices(MapReader& prices);
/// Why a backend of this dialect has no such endpoint; "": it has.
[[nodiscard]] std::string_view why_not_passed(const Backend& backend, Surface surface) noexcept;
/// Its dialect's API knows no other surface.
[[nodiscard]] bool serves_chat_only(const Backend& backend) noexcept;
void load_engine(const Cursor& place, Backend& backend);                     ///< `engine:` of one backend
void load_hedge(const Cursor& place, HedgeRules& hedge);                     ///< `hedge:` of a route
void load_retry(const Cursor& place, RetryOverride& retry);                  ///< `retry:` of a backend or a route
void load_breaker(const Cursor& place, BreakerRules& breaker);
void load_outliers(const Cursor& place, OutlierRules& outliers);             ///< `outliers:`
void load_constraints(MapReader& root, Draft& draft);
void load_routes(MapReader& root, Draft& draft);
void load_baselines(MapReader& root, Draft& draft);
void load_learning(MapReader& root, Draft& draft);  ///< complexity, format_checks, shadow, feedback
/// `cache:` of all routes, and of one.
void load_cache(const Cursor& place, CacheConfig& cache);
void load_route_cache(const Cursor& place, Route& route);
/// `spill_over`, `sticky` and `autopilot`.
void load_choice(MapReader& root, Draft& draft);
/// What a route says about choosing, besides `choose` and `cost_basis`.
void load_route_choice(MapReader& section, Route& route, Draft::Among& among);
/// A route's `autopilot`, once `choose` and `cost_basis` are read.
void load_route_autopilot(MapReader& section, Route& route);
/// The conditions `user`, `metadata`, `time` and `load`.
void load_more_conditions(MapReader& when, const Draft& draft, Condition& condition);
void load_passthrough(MapReader& root, Draft& draft);  ///< passthrough
void load_budgets(MapReader& root, Draft& draft);  ///< budgets, limits; after the routes
void load_shared(MapReader& root, Draft& draft);   ///< shared: the store of several gateways
/// One `when:`; absent: matches everything.
[[nodiscard]] Condition load_condition(const Cursor& when, const Draft& draft);
/// Fills each route's targets and the virtual models, then the rules over the whole.
void check(Draft& draft);

/// The one line of a file that holds a credential; nullopt and a report if it cannot be used.
[[nodiscard]] std::optional<std::string> read_credential_file(const Cursor& place);
/// A name of a backend, route, team …: letters, digits, '.', '_', '-'. Reports and returns false otherwise, and for
/// words that the gateway itself uses ("other", "direct").
[[nodiscard]] bool is_legal_name(std::string_view name, const Cursor& place, std::string_view what);
/// A name of a model: as above, and ':' and '/' within.
[[nodiscard]] bool is_legal_model(std::string_view name, const Cursor& place);

/// load_text with the list of keys it asked for (config.hpp's load_text is this without the list).
struct Loaded {
  Result<ConfigPtr> config;
  std::set<std::string> accepted;
  Noted noted;
};
[[nodiscard]] Loaded load_and_list_keys(std::string_view yaml, const std::string& source,
                                        const Environment& environment);

}  // namespace tollgate
