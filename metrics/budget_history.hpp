#pragma once
// What was spent since a moment, read back from the ledger: what budgets begin with after a start or a change of their
// rules.
//
//    Result<std::vector<PastSpend>> past = read_past_spend("tollgate.db", {since_us, grain_us, now_us});
//
// Reads only, on a connection of its own. Days that retention folded into daily sums count whole and, for a window of
// slices, as if they had been spent at their end: more than was spent, never less. What the attempts of such days that
// have a price but no known usage might have cost is not in them.

#include <functional>
#include <string>
#include <vector>

#include "config/ledger_place.hpp"
#include "config/result.hpp"
#include "config/units.hpp"
#include "metrics/records.hpp"

namespace tollgate {

struct PastSpend {
  std::string key, team, model, route, target;
  std::int64_t arrived_us = 0;  ///< the beginning of the grain it lies in
  UsdSum usd;
  /// Request bytes of attempts whose cost is not known (see assumed_input_charge).
  std::int64_t unpriced_bytes = 0;
  std::int64_t unpriced_attempts = 0;
};

struct PastQuestion {
  std::int64_t since_us = 0;  ///< requests that arrived at or after
  std::int64_t grain_us = INT64_MAX;
  std::int64_t now_us = 0;
  /// Of a ledger that several gateways write: what the one whose files these are has spent; "": all of them.
  std::string files;
  /// Requests that are counted already and shall be left out. Asked once the state of the ledger that is read stands.
  std::function<std::vector<RequestId>()> without;
};

[[nodiscard]] Result<std::vector<PastSpend>> read_past_spend(const LedgerPlace& ledger,
                                                             const PastQuestion& question);

/// What budgets count for an attempt whose cost is not known: the request's bytes as input, 4 to a token, at the input
/// price. Not nothing, since work was done; not more, since an upstream that fails would use up every budget.
[[nodiscard]] UsdSum assumed_input_charge(std::int64_t request_bytes, const Target& target) noexcept;

}  // namespace tollgate
