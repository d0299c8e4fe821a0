#pragma once
// Counters with one writer and any number of readers: a plain load, add and store of a relaxed atomic; no locked
// instruction.
//
//    counter.add(1);                 // the owning reactor
//    counter.value();                // whoever renders; a moment old at most
//
// Several counters of one event are not read at one moment: a scrape may see the request counted and its tokens not
// yet.

#include <array>
#include <atomic>
#include <cstdint>

#include "config/units.hpp"

namespace tollgate {

class Counter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A sum of money in 128 bits as two words. The high one moves only once every 2^62 picodollars (4.6 million USD);
/// around that it is odd, so that a reader never sees half a carry.
class MoneyCounter {
 public:
  void add(Usd amount) noexcept {
    if (amount.count() < limit) [[likely]] {
      const std::int64_t sum = low_.load(std::memory_order_relaxed) + amount.count();
      if (sum < limit) [[likely]] {
        low_.store(sum, std::memory_order_relaxed);
        return;
      }
    }
    carry(amount);
  }
  [[nodiscard]] UsdSum value() const noexcept {
    for (;;) {
      const std::uint64_t before = carries_.load(std::memory_order_acquire);
      const std::int64_t low = low_.load(std::memory_order_acquire);
      if ((before & 1) == 0 && carries_.load(std::memory_order_relaxed) == before) {
        return UsdSum(static_cast<Int128>(before / 2) * limit + low);
      }
    }
  }

 private:
  static constexpr std::int64_t limit = std::int64_t{1} << 62;
  void carry(Usd amount) noexcept {
    const Int128 sum = static_cast<Int128>(low_.load(std::memory_order_relaxed)) + amount.count();
    const std::uint64_t carries = carries_.load(std::memory_order_relaxed);
    carries_.store(carries + 1, std::memory_order_relaxed);
    low_.store(static_cast<std::int64_t>(sum % limit),
               std::memory_order_release);  // who sees it sees the odd number too
    carries_.store(carries + 2 * static_cast<std::uint64_t>(sum / limit), std::memory_order_release);
  }

  std::atomic<std::int64_t> low_{0};       // 0 … 2^62 - 1 between calls
  std::atomic<std::uint64_t> carries_{0};  // twice the number of 2^62 carried
};

/// A histogram's counts, merged from any number of shards. `counts` are per bucket, not cumulative; the last is past
/// the last bound.
template <std::size_t Buckets>
struct HistogramTotals {
  std::array<std::uint64_t, Buckets + 1> counts{};
  Int128 sum = 0;  ///< in the unit observed
};

/// Fixed upper bounds (inclusive), in the unit observed; integers.
template <std::size_t Buckets>
class Histogram {
 public:
  using Bounds = std::array<std::int64_t, Buckets>;
  explicit constexpr Histogram(const Bounds& bounds) noexcept : bounds_(bounds) {}

  void observe(std::int64_t value) noexcept {
    std::size_t bucket = 0;
    for (const std::int64_t bound : bounds_)
      bucket += value > bound ? 1U : 0U;  // no branches; a few vector instructions
    counts_[bucket].add(1);
    sum_.add(static_cast<std::uint64_t>(value > 0 ? value : 0));
  }
  void add_to(HistogramTotals<Buckets>& totals) const noexcept {
    for (std::size_t i = 0; i <= Buckets; ++i) totals.counts[i] += counts_[i].value();
    totals.sum += static_cast<Int128>(sum_.value());
  }

 private:
  const Bounds& bounds_;
  std::array<Counter, Buckets + 1> counts_;
  Counter sum_;
};

}  // namespace tollgate
