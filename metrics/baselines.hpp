#pragma once
// What a request would have cost elsewhere: the same tokens at the prices of the configured references.
//
//    BaselineSet set = baselines_of(*config);
//    for (const BaselineRule& rule : set.rules) {
//      if (const auto cost = baseline_cost(rule, settled)) …cost->usd, nullopt where it is not known…
//    }
//
// The tokens are those of the last attempt whose usage is known: the answer the client got. What failed attempts wasted
// belongs to the request's own cost only, so savings can be negative. A request that nobody worked on would have cost
// nothing elsewhere either. Pure functions; the ledger thread uses them, so the request path pays nothing.

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "metrics/charge.hpp"
#include "metrics/records.hpp"

namespace tollgate {

/// A place a request could have gone to, as plain numbers: it is kept in the ledger as it stands.
struct BaselineHost {
  TokenRates rates;
  std::uint32_t surfaces = 0;         ///< bit set of Surface: what it serves
  bool priced = false;                ///< false: what it costs there is not known
};

struct BaselineRule {
  NameId name{};
  std::vector<BaselineHost> hosts;  ///< of several the cheapest for each request
  /// Of each host whose prices depend on the time, those prices (else nullptr); empty where none does, and for requests
  /// that a killed process left: those are compared at the prices that held when it started.
  std::vector<std::shared_ptr<const TokenPrices>> timed;
};

struct BaselineSet {
  std::vector<BaselineRule> rules;
};

[[nodiscard]] BaselineSet baselines_of(const Config& config);

struct BaselineCost {
  std::optional<Usd> usd;  ///< absent: not known
};
/// Absent: the baseline does not apply, because none of its hosts serves such requests (embeddings at a chat model), or no client asked.
[[nodiscard]] std::optional<BaselineCost> baseline_cost(const BaselineRule& rule, const OpenRequest& settled) noexcept;

}  // namespace tollgate
