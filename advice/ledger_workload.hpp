#pragma once
// Traffic out of a ledger. Reads only, also while a gateway writes.

#include <string>
#include <vector>

#include "advice/workload.hpp"
#include "config/ledger_place.hpp"

namespace tollgate::advice {

struct LedgerQuestion {
  LedgerPlace ledger;
  std::int64_t since_us = 0, until_us = 0;
  std::string target;              ///< "backend/model"; "": every target by itself
};
/// One workload per target, the one with the most tokens first; `model` is the target's id. Attempts of unknown usage are left out.
/// A ledger that is younger than the window shortens it, to an hour at least: nothing is known of the time before.
/// Past `arrivals_max` requests of a target the earliest ones stand for the rest.
[[nodiscard]] Result<std::vector<Workload>> ledger_workloads(const LedgerQuestion& question);

}  // namespace tollgate::advice
