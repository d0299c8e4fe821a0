#pragma once
// What routing did beyond the plan's first target, per reactor: spill-overs and escalations. Cells are made when a set
// of labels is first seen and are then counted up without a lock; reading and making a cell exclude each other.

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "config/names.hpp"
#include "gateway/answer_check.hpp"
#include "metrics/counter.hpp"

namespace prometheus {
struct MetricFamily;
}

namespace tollgate {

class RoutingCounts {
 public:
  /// Of the reactor's thread.
  void spilled(NameId route, NameId from, NameId to) { cell({route, from, to, AnswerCheck::ok}).add(1); }
  void escalated(NameId route, AnswerCheck reason) { cell({route, NameId::none, NameId::none, reason}).add(1); }

  struct Labels {
    NameId route, from, to;
    AnswerCheck reason;  ///< ok: a spill-over
    friend auto operator<=>(const Labels&, const Labels&) = default;
  };
  using Totals = std::map<Labels, std::uint64_t>;
  /// Any thread.
  void add_to(Totals& totals) const;

 private:
  struct Cell {
    Labels labels;
    Counter count;
  };
  Counter& cell(const Labels& labels);

  mutable std::mutex growth_;  // held to make a cell, and to read all of them
  std::deque<Cell> cells_;     // addresses never change
  std::unordered_map<std::uint64_t, Cell*> by_labels_;
};

/// The series of all reactors together.
void collect_routing(const RoutingCounts::Totals& totals, std::vector<prometheus::MetricFamily>& families);

}  // namespace tollgate
