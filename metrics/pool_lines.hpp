#pragma once
// A pool's bill by whose it is. PoolTotals is what a pool counts, exactly and since it began; lines_of() is what people
// read: whole picodollars, and the line `rounding` that makes them add up.
//
//    billed = attributed + idle + cold_start + minimum + down + rounding          to the picodollar, always
//
// Lines of a period are the difference of the lines at its ends, so periods that follow each other sum to the whole.

#include <type_traits>

#include "config/units.hpp"

namespace tollgate {

/// Parts of a picodollar that pools count in.
inline constexpr int pool_share_bits = 32;
inline constexpr Int128 pool_share = static_cast<Int128>(1) << pool_share_bits;

/// Trivially copyable: stands in a mapped file (metrics/pool_file.hpp).
struct PoolTotals {
  Int128 billed = 0;   ///< whole picodollars
  Int128 charged = 0;  ///< the same, of runs that have ended
  Int128 running = 0;  ///< shares of 2^-32 picodollar that runs in flight have accrued; so the next four
  Int128 idle = 0;
  Int128 cold_start = 0;
  Int128 minimum = 0;  ///< billed beyond the time a worker was up: minimums and increments
  Int128 down = 0;     ///< while no gateway ran
  Int128 busy_ns = 0, idle_ns = 0, cold_start_ns = 0, minimum_ns = 0, down_ns = 0;  ///< GPU time

  PoolTotals& operator+=(const PoolTotals& other) noexcept;
};
static_assert(std::is_trivially_copyable_v<PoolTotals>);

struct PoolLines {
  UsdSum billed, attributed, idle, cold_start, minimum, down, rounding;
  GpuTime busy_gpu_time, idle_gpu_time, cold_start_gpu_time, minimum_gpu_time, down_gpu_time;

  PoolLines& operator+=(const PoolLines& other) noexcept;
  PoolLines& operator-=(const PoolLines& other) noexcept;
  friend PoolLines operator-(PoolLines a, const PoolLines& b) noexcept { return a -= b; }
  friend bool operator==(const PoolLines&, const PoolLines&) = default;
  /// Everything but `billed`.
  [[nodiscard]] UsdSum sum() const noexcept { return attributed + idle + cold_start + minimum + down + rounding; }
};

[[nodiscard]] PoolLines lines_of(const PoolTotals& totals) noexcept;

}  // namespace tollgate
