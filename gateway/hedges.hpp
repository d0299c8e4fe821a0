#pragma once
// What a reactor knows of hedges beyond one request: how many more a route may have, and what became of those that were made.
//
// Law: of a route, hedges made <= 1 + share_max * requests. At most `saved_max` are saved up while all is fast.

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "config/names.hpp"
#include "metrics/counter.hpp"

namespace prometheus {
struct MetricFamily;
}

namespace tollgate {

/// A token bucket that requests fill and hedges empty; in millionths.
class HedgeShare {
 public:
  static constexpr std::int64_t one = 1'000'000, saved_max = 10 * one;
  void request(double share_max) noexcept;
  /// Takes one; false: there is none.
  [[nodiscard]] bool take() noexcept;
  void give_back() noexcept { left_ += one; }

 private:
  std::int64_t left_ = one;
};

class Hedges {
 public:
  /// won: it answered first. lost: the other did. failed: it had no answer. cut_short: the request ended before either answered.
  /// no_share, no_target: it was due, and was not made.
  enum class What : std::uint8_t { won, lost, failed, cut_short, no_share, no_target };

  /// Of the reactor's thread.
  [[nodiscard]] HedgeShare& share_of(NameId route) { return shares_[route]; }
  void count(NameId route, NameId target, What what);

  struct Labels {
    NameId route, target;
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
  std::unordered_map<NameId, HedgeShare> shares_;
  mutable std::mutex growth_;  // held to make a cell, and to read all of them
  std::deque<Cell> cells_;     // addresses never change
  std::map<Labels, Cell*> by_labels_;
};

/// The series of all reactors together.
void collect_hedges(const Hedges::Totals& totals, std::vector<prometheus::MetricFamily>& families);

}  // namespace tollgate
