#pragma once
// What became of a stretch of traffic: every request, and the sums by target, team, route, tier, pool, budget, constraint and block of
// time. The same form for what the ledger recorded and for what was simulated, so that the two can be compared.

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "router/router.hpp"
#include "simulate/traffic.hpp"

namespace tollgate::simulate {

/// Why a request did not go where it went when it was recorded.
enum class Lost : std::uint8_t {
  nothing,     ///< it went there, or had gone nowhere
  gone,        ///< the configuration has no such target
  not_among,   ///< the route's targets are others
  ruled_out,   ///< see Served::lost_why
  behind,      ///< it can serve, another comes first
  saturated,   ///< another has room
  refused      ///< the request is refused now
};

/// What became of one request.
struct Served {
  static constexpr std::int16_t nowhere = -1;
  std::int16_t target = nowhere;     ///< of the world's configuration; nowhere: refused, or a target it does not have
  Why why = Why::only_one;           ///< of its place, at the first target of the plan
  Lost lost = Lost::nothing;
  Why lost_why = Why::only_one;
  NameId lost_by{};                  ///< the constraint, if that ruled it out
  bool unpriced = false;             ///< what it cost is not known
  bool guessed_usage = false;        ///< it was refused in the ledger: its tokens are guessed
  bool unknown_facts = false;        ///< decided otherwise if what the ledger does not say were so
  bool as_recorded = false;          ///< refused by what is not replayed
  RowResult result;                  ///< of the decision, or of the last attempt
  NameId route{};
  Usd tokens, gpu;                   ///< charges, all attempts
  float first_token_ms = -1, whole_ms = -1;   ///< -1: not known
};

struct Sums {
  std::int64_t requests = 0, refused = 0, unpriced = 0;
  std::int64_t tokens = 0;
  UsdSum token_usd, gpu_usd;
  std::int64_t at_risk = 0;          ///< complexity above the capability of where they went
  double risk = 0;                   ///< expected bad answers, where outcomes tell (risk_known)
  std::int64_t risk_known = 0;
  [[nodiscard]] UsdSum usd() const noexcept { return token_usd + gpu_usd; }
};

/// One stretch of time.
struct Block {
  UsdSum token_usd;                  ///< of requests that arrived in it
  UsdSum pools_usd;                  ///< billed in it
  double whole_ms = 0;               ///< sum over answered requests
  std::int64_t answered = 0, requests = 0, at_risk = 0;
  std::map<std::int16_t, UsdSum> by_target;
  [[nodiscard]] UsdSum usd() const noexcept { return token_usd + pools_usd; }
};

struct PoolWorld {
  NameId pool{};
  std::size_t backend = 0;
  UsdSum billed, attributed, idle, other;   ///< other: cold starts, minimums, time no gateway ran, rounding
  double busy_ratio = 0;             ///< share of the time with work in flight
  double load = 0;                   ///< requests at work over those it serves at full speed, in the mean; recorded: not known (-1)
  std::uint32_t most_at_once = 0;
  std::uint64_t cold_starts = 0;
  std::int64_t requests = 0;
  std::uint64_t opened = 0, closed = 0;   ///< by the autopilot
  double open_ratio = -1;            ///< share of the time that it was; -1: no autopilot governs it
};

struct BudgetWorld {
  NameId budget{};
  WhenOver when_over = WhenOver::refuse;
  Usd limit;
  std::int64_t windows = 0, breached = 0;
  std::int64_t first_breach_us = 0;  ///< 0: none
  std::int64_t requests_past = 0;    ///< that arrived when it was used up
  UsdSum most;                       ///< spent in one window
};

struct ConstraintWorld {
  NameId constraint{};
  std::int64_t covered = 0, refused = 0, unknown = 0;
};

struct World {
  std::vector<Served> served;        ///< by Traffic::requests (of scaled traffic, the first copy)
  std::map<std::int16_t, Sums> by_target;
  std::map<NameId, Sums> by_team, by_route;
  std::array<Sums, tier_count> by_tier{};
  Sums total;
  std::vector<PoolWorld> pools;
  std::vector<BudgetWorld> budgets;
  std::vector<ConstraintWorld> constraints;
  std::vector<Block> blocks;
  std::vector<std::string> targets;  ///< what Served::target means
  bool recorded = false;
  std::int64_t failed_attempts = 0;
  [[nodiscard]] UsdSum usd() const noexcept {
    UsdSum sum;
    for (const Block& block : blocks) sum += block.usd();
    return sum;
  }
};

/// How time is cut: into whole hours where there are at least twenty, else into twenty pieces.
struct Blocks {
  std::int64_t begin_us = 0, end_us = 0, block_us = 1;
  [[nodiscard]] std::size_t count() const noexcept { return static_cast<std::size_t>((end_us - begin_us + block_us - 1) / block_us); }
  [[nodiscard]] std::size_t of(std::int64_t us) const noexcept {
    const std::int64_t index = (us - begin_us) / block_us;
    return static_cast<std::size_t>(index < 0 ? 0 : index >= static_cast<std::int64_t>(count()) ? static_cast<std::int64_t>(count()) - 1 : index);
  }
};
[[nodiscard]] Blocks blocks_of(const Traffic& traffic);

/// Share of bad answers by target and tier, from outcomes; where fewer than `outcomes_min` are known, nothing is.
class QualityBook {
 public:
  static constexpr std::int64_t outcomes_min = 20;
  explicit QualityBook(const Traffic& traffic);
  [[nodiscard]] std::optional<double> bad_share(NameId target, Tier tier) const;
  [[nodiscard]] std::int64_t known() const noexcept { return known_; }

 private:
  std::map<std::pair<NameId, Tier>, std::array<std::int64_t, 2>> counts_;   // good, bad
  std::int64_t known_ = 0;
};

}  // namespace tollgate::simulate
