#pragma once
// The pools' way into the ledger: their lines by the hour, and where each pool's clock stands, so that the time until
// the next start can be billed too.
//
//    PoolRecorder recorder(pools, clock);     // asked by the ledger thread (metrics/ledger_recorder.hpp)
//    TOLLGATE_TRY(take_in_pools(ledger, left, charges, run));     // at a start: what a killed run left
//
// Lines are added to what the ledger holds of the hour. Each take of a pool has a number that is written with it, so
// that a crash at any point adds nothing twice and loses nothing: what the ledger does not have is the difference
// between the totals in the pool file (metrics/pool_file.hpp) and those of the last take that the ledger has.

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "metrics/ledger_recorder.hpp"
#include "metrics/ledger.hpp"
#include "metrics/pools.hpp"

namespace tollgate {

class PoolRecorder final : public LedgerRecorder {
 public:
  PoolRecorder(Pools& pools, const MonoClock& clock) : pools_(pools), clock_(clock) {}
  ~PoolRecorder() override {
    if (all_written_) pools_.remove_file();
  }
  PoolRecorder(const PoolRecorder&) = delete;
  PoolRecorder& operator=(const PoolRecorder&) = delete;
  [[nodiscard]] bool wanted() const override { return !pools_.empty(); }
  [[nodiscard]] Result<void> write(Ledger& ledger) override;
  void written() override {
    pools_.recorded();
    all_written_ = true;
  }

 private:
  Pools& pools_;
  const MonoClock& clock_;
  bool all_written_ = true;  // nothing to write is all written
};

/// Writes what a run that did not end in order left of its pools; inside the transaction that takes in its requests.
/// `charges`: what its attempts that were under way are charged for pools, by that run's names.
[[nodiscard]] Result<void> take_in_pools(Ledger& ledger, const std::vector<PoolLeft>& left,
                                         const std::map<NameId, UsdSum>& charges);

}  // namespace tollgate
