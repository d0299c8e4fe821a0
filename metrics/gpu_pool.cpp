#include "metrics/gpu_pool.hpp"

#include <algorithm>

namespace tollgate {
namespace {

constexpr Int128 hour_ns = 3'600'000'000'000;
constexpr Int128 int128_max = ~(static_cast<Int128>(1) << 127);

std::int64_t ns_of(MonoTime time) noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}
GpuTime gpu_time(Int128 gpu_ns) noexcept { return GpuTime{static_cast<std::int64_t>(gpu_ns / 1000)}; }

}  // namespace

GpuPool::GpuPool(const Pool& pool, MonoTime since) noexcept
    : name_(pool.name), at_ns_(ns_of(since)), window_(ns_of(since)) {
  set_rate(pool.rate_picodollars, pool.rate_denominator, pool.gpus);
}

// Money up to now stays the same number of shares: the part of a picodollar that was under way is carried over in the
// new fraction, rounded up by less than a share, which is the only thing a rate change costs.
void GpuPool::set_rate(Int128 picodollars, std::int64_t per_hours, std::int64_t gpus) noexcept {
  const Int128 per = hour_ns * std::max<std::int64_t>(per_hours, 1);
  const Int128 shares_over = (billed_over_ << share_bits) / per_;
  billed_over_ = (shares_over * per + share - 1) >> share_bits;
  rate_ = std::max<Int128>(picodollars, 0);
  per_ = per;
  gpus_ = gpus;
  const Int128 step = (int128_max - per_) / std::max<Int128>(rate_, 1);
  step_max_ns_ = static_cast<std::int64_t>(std::clamp<Int128>(step, 1, INT64_MAX));
}

void GpuPool::advance(MonoTime now) noexcept {
  const std::int64_t now_ns = ns_of(now);
  if (now_ns <= at_ns_) return;
  window_.add(at_ns_, now_ns, weights_ > 0);
  while (at_ns_ < now_ns) {
    const std::int64_t step = std::min(now_ns - at_ns_, step_max_ns_);
    pass(step);
    at_ns_ += step;
  }
}

void GpuPool::pass(std::int64_t nanoseconds) noexcept {
  const Int128 over = rate_ * nanoseconds + billed_over_;
  const Int128 whole = over / per_;
  const Int128 before = (billed_over_ << share_bits) / per_;
  billed_over_ = over - whole * per_;
  billed_ += whole;
  const Int128 shares = (whole << share_bits) + (billed_over_ << share_bits) / per_ - before;
  const Int128 gpu_ns = static_cast<Int128>(gpus_) * nanoseconds;
  if (weights_ == 0) {
    idle_ += shares;
    idle_gpu_ns_ += gpu_ns;
    return;
  }
  const Int128 to_share = shares + carried_;
  const Int128 each = to_share / weights_;
  value_ += each;
  carried_ = to_share - each * weights_;
  busy_gpu_ns_ += gpu_ns;
  const Int128 time_each = (gpu_ns + gpu_carried_) / weights_;
  gpu_value_ += static_cast<std::uint64_t>(time_each);
  gpu_carried_ += gpu_ns - time_each * weights_;
}

GpuPool::Run GpuPool::begin(MonoTime now, std::uint32_t weight) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  const Run run{value_, gpu_value_, std::max<std::uint32_t>(weight, 1)};
  weights_ += run.weight;
  begun_ += value_ * run.weight;
  ++in_flight_;
  return run;
}

void GpuPool::leave(const Run& run) noexcept {
  weights_ -= run.weight;
  begun_ -= run.began_at * run.weight;
  --in_flight_;
}

GpuPool::Ended GpuPool::end(const Run& run, MonoTime now) noexcept {
  if (run.weight == 0) return {};
  const std::lock_guard lock(mutex_);
  advance(now);
  leave(run);
  const Ended ended{charge_between(run.began_at, value_, run.weight), value_};
  settled_ += (value_ - run.began_at) * run.weight;
  charged_ += ended.charge.count();
  ++charges_;
  return ended;
}

void GpuPool::withdraw(const Run& run, MonoTime now) noexcept {
  if (run.weight == 0) return;
  const std::lock_guard lock(mutex_);
  advance(now);
  leave(run);
  idle_ += (value_ - run.began_at) * run.weight;
  const Int128 time = static_cast<Int128>(gpu_value_ - run.gpu_began_at) * run.weight;
  busy_gpu_ns_ -= time;
  idle_gpu_ns_ += time;
}

void GpuPool::change_rate(const Pool& pool, MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  set_rate(pool.rate_picodollars, pool.rate_denominator, pool.gpus);
}

void GpuPool::stop_billing(MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  set_rate(0, 1, 0);
}

Usd GpuPool::rounded(Int128 shares) noexcept { return Usd{static_cast<std::int64_t>(divide_half_even(shares, share))}; }

Usd GpuPool::charge_between(Value from, Value to, std::uint32_t weight) noexcept {
  return to > from ? rounded((to - from) * weight) : Usd{};
}

PoolStatus GpuPool::status(MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  PoolStatus status;
  status.pool = name_;
  status.billed = UsdSum(billed_);
  status.attributed = UsdSum(charged_ + divide_half_even(running(), share));
  status.idle = UsdSum(divide_half_even(idle_, share));
  status.cold_start = UsdSum(divide_half_even(cold_start_, share));
  status.rounding = status.billed - status.attributed - status.idle - status.cold_start;
  status.busy_gpu_time = gpu_time(busy_gpu_ns_);
  status.idle_gpu_time = gpu_time(idle_gpu_ns_);
  status.in_flight = in_flight_;
  status.busy_ratio = window_.ratio(at_ns_);
  return status;
}

GpuPool::Audit GpuPool::audit(MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  const Int128 billed = (billed_ << share_bits) + (billed_over_ << share_bits) / per_;
  return {billed, settled_, running(), idle_, cold_start_, carried_, charges_};
}

}  // namespace tollgate
