#pragma once
// What this process has put into the ledger, added up by the day (UTC) on which requests arrived: what `tollgate costs`
// reads from the ledger for the same requests, without reading it. Rows count once they are committed, not before.
//
//    sums.add(settled, costs);        // the ledger thread, row by row
//    sums.publish();                  // their commit worked …
//    sums.forget();                   // … or did not
//
// Threads: none of its own; the ledger thread calls publish() under the lock under which others read committed().

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "metrics/baselines.hpp"
#include "metrics/records.hpp"

namespace tollgate {

inline constexpr std::int64_t day_us = 86'400'000'000;

/// A baseline over the requests of one day.
struct DayBaseline {
  std::uint64_t compared = 0;  ///< requests whose own cost and whose baseline are both known
  std::uint64_t unknown = 0;   ///< the others
  UsdSum baseline;             ///< what the compared ones would have cost
  UsdSum actual;               ///< what they were charged

  DayBaseline& operator+=(const DayBaseline& more) noexcept;
};

struct DaySums {
  std::int64_t day = 0;  ///< since the Unix epoch
  std::uint64_t requests = 0, failed = 0, attempts = 0;
  std::uint64_t unpriced = 0;  ///< attempts whose cost is not known; not in the money
  UsdSum spend;                ///< all charges
  UsdSum gpu;                  ///< of which shares of pools
  std::int64_t input_tokens = 0, output_tokens = 0;
  std::map<NameId, DayBaseline> baselines;

  DaySums& operator+=(const DaySums& more);  ///< keeps its day
};

struct CommittedSums {
  std::vector<DaySums> days;  ///< the latest on which requests arrived, rising; at most SumsByDay::days_max
  /// Since the process began: what the requests that a target answered would have cost at a baseline, by both.
  std::map<std::pair<NameId, NameId>, UsdSum> worth;

  /// Of a day on which nothing arrived: zeros.
  [[nodiscard]] DaySums on(std::int64_t day) const;
};

class SumsByDay {
 public:
  static constexpr std::size_t days_max = 3;  ///< yesterday's stragglers, today, and a clock that is set back

  void add(const OpenRequest& settled);
  void add(const OpenRequest& settled, NameId baseline, const BaselineCost& cost);
  void publish();
  void forget() { pending_ = {}; }
  [[nodiscard]] const CommittedSums& committed() const noexcept { return committed_; }

 private:
  struct Pending {
    std::map<std::int64_t, DaySums> days;
    std::map<std::pair<NameId, NameId>, UsdSum> worth;
  };
  DaySums& pending_day(const OpenRequest& settled);

  Pending pending_;
  CommittedSums committed_;
};

}  // namespace tollgate
