#pragma once
// Two worlds of the same traffic held against each other: who moves and why, what it costs, how long it takes, what it risks, and what
// cannot be said. Losses and gains by the same rules.

#include <string>
#include <vector>

#include "simulate/bootstrap.hpp"
#include "simulate/run.hpp"

namespace tollgate::simulate {

struct Move {
  std::string from, to, why;         ///< "refused" for none
  std::int64_t requests = 0;
  Usd tokens_before, tokens_after;   ///< charges by the token; a pool's bill does not go with a request
  UsdSum usd_before, usd_after;      ///< with shares of pools
  std::int64_t weaker = 0;           ///< of a lower capability than before
};

struct Latency {
  double mean_ms = 0, p50_ms = 0, p95_ms = 0;
  std::int64_t known = 0;
};

struct Change {
  std::string name;
  Sums before, after;
};

struct Sure {
  UsdSum before, after;
  Interval before_interval, after_interval, difference_interval;   ///< 95 %, in USD
};

/// What cannot be known, each a number of requests.
struct NotKnown {
  std::int64_t without_facts = 0;    ///< recorded before facts were kept
  std::int64_t unknown_facts = 0;    ///< decided otherwise if what was not asked then were so
  std::int64_t unpriced = 0;         ///< go to targets whose price is not known; not in the cost
  std::int64_t guessed_usage = 0;    ///< were refused and are served now: tokens guessed
  std::int64_t as_recorded = 0;      ///< refused by limits or budgets in the ledger, and left so
  std::int64_t unseen = 0;           ///< go to targets whose speed was never measured
  std::int64_t cached = 0;           ///< answered by the response cache
  std::int64_t folded = 0;           ///< kept as daily sums only
  std::int64_t other_model = 0;      ///< scored by another complexity model than the configuration's
  std::vector<std::string> unpriced_targets, unseen_targets, never_full;   ///< never_full: pools whose limit the traffic never showed
};

struct Comparison {
  std::int64_t requests = 0, changed = 0;
  std::vector<Move> moves;           ///< most requests first
  std::vector<Change> targets, teams, routes, tiers;
  Sure cost;
  Latency first_before, first_after, whole_before, whole_after;
  Interval whole_mean_difference;    ///< of the mean, in ms
  std::int64_t at_risk_before = 0, at_risk_after = 0, weaker = 0, stronger = 0;
  double bad_before = 0, bad_after = 0;        ///< expected bad answers among those where outcomes tell
  std::int64_t outcomes_known = 0, bad_known_before = 0, bad_known_after = 0;
  NotKnown not_known;
};
[[nodiscard]] Comparison compare(const World& before, const World& after, const Scenario& scenario, std::uint64_t seed);

}  // namespace tollgate::simulate
