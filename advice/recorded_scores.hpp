#pragma once
// The requests of a ledger as calibration needs them: score, route, the tokens of the answer, and what became known of
// it. Reads only, also while a gateway writes. Ledgers that hold no outcomes are read without them.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/ledger_place.hpp"
#include "config/result.hpp"
#include "config/units.hpp"
#include "metrics/usage.hpp"

namespace tollgate::advice {

struct RecordedScore {
  std::int32_t score_ppm = 0;
  std::string target;             ///< whose answer it was
  Usage usage;                    ///< of the attempt that answered
  std::optional<double> quality;  ///< of that answer, in [0,1]: a rating, or 0 where its form was wrong
};

struct RecordedScores {
  std::vector<RecordedScore> requests;
  std::int64_t constrained = 0;    ///< left out: a constraint covered them, the score did not decide alone
  std::int64_t without_usage = 0;  ///< left out: failed, or nothing is known of their tokens
  std::int64_t other_routes = 0;   ///< left out: decided elsewhere
  bool has_outcomes = false;       ///< the ledger is of a version that keeps any
  struct PoolCost {
    UsdSum usd;
    std::int64_t tokens = 0;
  };
  std::map<std::string, PoolCost>
      pools;  ///< by target: what was attributed to its tokens, waste of failed attempts included
};

struct ScoresQuestion {
  LedgerPlace ledger;
  std::int64_t since_us = 0, until_us = 0;
  std::vector<std::string> routes;
};
[[nodiscard]] Result<RecordedScores> recorded_scores(const ScoresQuestion& question);

}  // namespace tollgate::advice
