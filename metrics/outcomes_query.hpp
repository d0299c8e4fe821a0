#pragma once
// What became known of the answers in a ledger: counted, listed, and with what routing saw of the requests, which is
// what a model is fitted to. Reads only, also while a gateway writes.
//
//    Result<std::vector<OutcomeSum>> sums = outcome_sums("tollgate.db", {since_us, until_us});
//    Result<std::vector<JudgedRequest>> rows = judged_requests("tollgate.db", since_us, 20'000);

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/result.hpp"
#include "config/ledger_place.hpp"
#include "metrics/outcomes.hpp"
#include "metrics/records.hpp"

namespace tollgate {

struct JudgedRequest {
  RequestId id{};
  std::string target;  ///< whose answer was judged
  FeatureBlob features;
  std::optional<OutcomeVerdict> feedback, format, judge;
};

/// Client requests since then with features and at least one outcome, oldest first; of more than `rows_max` the
/// youngest. Errors say what is in the way.
[[nodiscard]] Result<std::vector<JudgedRequest>> judged_requests(const LedgerPlace& place, std::int64_t since_us,
                                                                 std::size_t rows_max);

/// Of requests that arrived at or after the first and before the second.
struct OutcomePeriod {
  std::int64_t since_us = 0, until_us = 0;
};

struct OutcomeSum {
  std::string target, source, verdict;
  std::int64_t count = 0;
  std::optional<std::int64_t> score_ppm_mean;  ///< of those that have a score
};
[[nodiscard]] Result<std::vector<OutcomeSum>> outcome_sums(const LedgerPlace& place, const OutcomePeriod& period);

struct ListedOutcome {
  std::string request, at, arrived, target, team, tier, source, verdict, comment;
  std::string score;  ///< "0.800000"; "": none
};
/// The youngest requests' first, at most `rows_max`.
[[nodiscard]] Result<std::vector<ListedOutcome>> list_outcomes(const LedgerPlace& place, const OutcomePeriod& period,
                                                               std::size_t rows_max);

}  // namespace tollgate
