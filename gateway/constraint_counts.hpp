#pragma once
// How often each constraint mattered, per reactor: attempts at targets of requests that it covered, and requests that
// were refused because of constraints. The ledger knows each single one (`tollgate prove`); this is for graphs and
// alerts.

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "config/config.hpp"
#include "metrics/counter.hpp"

namespace prometheus {
struct MetricFamily;
}

namespace tollgate {

class ConstraintCounts {
 public:
  // Of the reactor's thread. `covered`: bit i is Config::constraints[i]; nothing is done where none is set.
  void attempted(const Config& config, std::uint64_t covered) {
    if (covered != 0) count(config, covered, &Cell::attempts);
  }
  void refused(const Config& config, std::uint64_t covered) {
    if (covered != 0) count(config, covered, &Cell::refused);
  }

  struct Sums {
    std::uint64_t attempts = 0, refused = 0;
  };
  using Totals = std::map<NameId, Sums>;
  /// Any thread.
  void add_to(Totals& totals) const;

 private:
  struct Cell {
    NameId constraint{};
    Counter attempts, refused;
  };
  void count(const Config& config, std::uint64_t covered, Counter Cell::*what);
  Cell& cell(NameId constraint);

  mutable std::mutex growth_;  // held to make a cell, and to read all of them
  std::deque<Cell> cells_;     // addresses never change; as many as constraints ever were in force
};

/// The series of all reactors together; every constraint of the configuration, also those that never mattered.
void collect_constraints(const Config& config, ConstraintCounts::Totals totals,
                         std::vector<prometheus::MetricFamily>& families);

}  // namespace tollgate
