#pragma once
// How often requests were helped over a failure, per reactor: attempts made again at the same target and why, and requests that went to
// another target for the sake of what they hold. Cells as in gateway/routing_counts.hpp.

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/names.hpp"
#include "metrics/counter.hpp"

namespace prometheus {
struct MetricFamily;
}

namespace tollgate {

class ResilienceCounts {
 public:
  /// The first ones as RetryOn has them, by the position of their bit.
  enum class What : std::uint8_t { busy, error, unreachable, broke_off, timeout, garbage, key, context_length, content_filter, too_large, model_unknown };

  /// Of the reactor's thread.
  void count(NameId target, What what);

  struct Labels {
    NameId target;
    What what;
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
  mutable std::mutex growth_;  // held to make a cell, and to read all of them
  std::deque<Cell> cells_;     // addresses never change
  std::unordered_map<std::uint64_t, Cell*> by_labels_;
};

/// The series of all reactors together.
void collect_resilience(const ResilienceCounts::Totals& totals, std::vector<prometheus::MetricFamily>& families);

}  // namespace tollgate
