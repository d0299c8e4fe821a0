#include "metrics/pool_lines.hpp"

namespace tollgate {
namespace {

UsdSum rounded(Int128 shares) noexcept { return UsdSum(divide_half_even(shares, pool_share)); }
GpuTime gpu_time(Int128 ns) noexcept { return GpuTime{static_cast<std::int64_t>(ns / 1000)}; }

}  // namespace

PoolTotals& PoolTotals::operator+=(const PoolTotals& other) noexcept {
  billed += other.billed;
  charged += other.charged;
  running += other.running;
  idle += other.idle;
  cold_start += other.cold_start;
  minimum += other.minimum;
  down += other.down;
  busy_ns += other.busy_ns;
  idle_ns += other.idle_ns;
  cold_start_ns += other.cold_start_ns;
  minimum_ns += other.minimum_ns;
  down_ns += other.down_ns;
  return *this;
}

PoolLines& PoolLines::operator+=(const PoolLines& other) noexcept {
  billed += other.billed;
  attributed += other.attributed;
  idle += other.idle;
  cold_start += other.cold_start;
  minimum += other.minimum;
  down += other.down;
  rounding += other.rounding;
  busy_gpu_time += other.busy_gpu_time;
  idle_gpu_time += other.idle_gpu_time;
  cold_start_gpu_time += other.cold_start_gpu_time;
  minimum_gpu_time += other.minimum_gpu_time;
  down_gpu_time += other.down_gpu_time;
  return *this;
}

PoolLines& PoolLines::operator-=(const PoolLines& other) noexcept {
  billed -= other.billed;
  attributed -= other.attributed;
  idle -= other.idle;
  cold_start -= other.cold_start;
  minimum -= other.minimum;
  down -= other.down;
  rounding -= other.rounding;
  busy_gpu_time -= other.busy_gpu_time;
  idle_gpu_time -= other.idle_gpu_time;
  cold_start_gpu_time -= other.cold_start_gpu_time;
  minimum_gpu_time -= other.minimum_gpu_time;
  down_gpu_time -= other.down_gpu_time;
  return *this;
}

PoolLines lines_of(const PoolTotals& totals) noexcept {
  PoolLines lines;
  lines.billed = UsdSum(totals.billed);
  lines.attributed = UsdSum(totals.charged) + rounded(totals.running);
  lines.idle = rounded(totals.idle);
  lines.cold_start = rounded(totals.cold_start);
  lines.minimum = rounded(totals.minimum);
  lines.down = rounded(totals.down);
  lines.rounding = lines.billed - lines.sum();
  lines.busy_gpu_time = gpu_time(totals.busy_ns);
  lines.idle_gpu_time = gpu_time(totals.idle_ns);
  lines.cold_start_gpu_time = gpu_time(totals.cold_start_ns);
  lines.minimum_gpu_time = gpu_time(totals.minimum_ns);
  lines.down_gpu_time = gpu_time(totals.down_ns);
  return lines;
}

}  // namespace tollgate
