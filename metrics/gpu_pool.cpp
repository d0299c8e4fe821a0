#include "metrics/gpu_pool.hpp"

#include <algorithm>

namespace tollgate {
namespace {

constexpr Int128 hour_ns = 3'600'000'000'000;
constexpr Int128 int128_max = ~(static_cast<Int128>(1) << 127);

std::int64_t ns_of(MonoTime time) noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

GpuPool::GpuPool(const Pool& pool, MonoTime since) noexcept
    : name_(pool.name), at_ns_(ns_of(since)), down_until_ns_(ns_of(since)), window_(ns_of(since)) {
  set_rate(pool);
  set_rules(pool);
}

void GpuPool::set_rate(const Pool& pool) noexcept {
  gateways_ = std::max<std::int64_t>(pool.gateways, 1);
  gpu_over_ = 0;
  set_rate(pool.rate_picodollars, static_cast<Int128>(pool.rate_denominator) * gateways_, pool.gpus);
}

Int128 GpuPool::gpu_time(std::int64_t nanoseconds) noexcept {
  const Int128 all = static_cast<Int128>(gpus_) * nanoseconds + gpu_over_;
  gpu_over_ = all % gateways_;
  return all / gateways_;
}

// Money up to now stays the same number of shares: the part of a picodollar that was under way is carried over in the
// new fraction, rounded up by less than a share, which is the only thing a rate change costs.
void GpuPool::set_rate(Int128 picodollars, Int128 per_hours, std::int64_t gpus) noexcept {
  const Int128 per = hour_ns * std::max<Int128>(per_hours, 1);
  const Int128 shares_over = (billed_over_ << pool_share_bits) / per_;
  billed_over_ = (shares_over * per + pool_share - 1) >> pool_share_bits;
  const Int128 rate = std::max<Int128>(picodollars, 0);
  per_ = per;
  rate_whole_ = rate / per_;
  rate_rest_ = rate - rate_whole_ * per_;
  gpus_ = gpus;
  const Int128 step = (int128_max - per_) / std::max<Int128>(rate_rest_, 1);
  step_max_ns_ = static_cast<std::int64_t>(std::clamp<Int128>(step, 1, INT64_MAX));
}

void GpuPool::set_rules(const Pool& pool) noexcept {
  if (billing_ == Billing::serverless && pool.billing != Billing::serverless) workers_.clear();
  billing_ = pool.billing;
  stopped_ = false;
  if (billing_ == Billing::serverless) workers_.set_rules(pool.serverless);
  weigher_.calibrate(pool.token_weights);
}

void GpuPool::advance(MonoTime now) noexcept {
  const std::int64_t now_ns = ns_of(now);
  while (at_ns_ < now_ns) {
    const std::int64_t to_ns = std::min(now_ns, hour_ends_ns_);
    live(to_ns);
    at_ns_ = to_ns;
    if (at_ns_ == hour_ends_ns_) close_hour();
  }
}

void GpuPool::live(std::int64_t to_ns) noexcept {
  std::int64_t from_ns = at_ns_;
  if (from_ns < down_until_ns_) {
    const std::int64_t until_ns = std::min(to_ns, down_until_ns_);
    if (billing_ == Billing::dedicated || billing_ == Billing::owned) bill(Line::down, until_ns - from_ns);
    from_ns = until_ns;
  }
  if (from_ns >= to_ns) return;
  window_.add(from_ns, to_ns, in_flight_ > 0);
  switch (billing_) {
    case Billing::dedicated:
    case Billing::owned:
      return bill(weights_ > 0 ? Line::busy : Line::idle, to_ns - from_ns);
    case Billing::serverless:
      return workers_.advance(from_ns, to_ns, in_flight_, [this](WorkerTime line, std::int64_t nanoseconds) {
        bill(static_cast<Line>(line), nanoseconds);
      });
    case Billing::reported:
      return;
  }
}

void GpuPool::bill(Line line, std::int64_t nanoseconds) noexcept {
  static_assert(static_cast<Line>(WorkerTime::minimum) == Line::minimum);
  while (nanoseconds > 0) {
    const std::int64_t step = std::min(nanoseconds, step_max_ns_);
    pass(line, step);
    nanoseconds -= step;
  }
}

void GpuPool::pass(Line line, std::int64_t nanoseconds) noexcept {
  const Int128 over = rate_rest_ * nanoseconds + billed_over_;
  const Int128 carry = over / per_;
  const Int128 whole = rate_whole_ * nanoseconds + carry;
  const Int128 before = (billed_over_ << pool_share_bits) / per_;
  billed_over_ = over - carry * per_;
  lines_.billed += whole;
  const Int128 shares = (whole << pool_share_bits) + (billed_over_ << pool_share_bits) / per_ - before;
  const Int128 gpu_ns = gpu_time(nanoseconds);
  switch (line) {
    case Line::busy:
      break;
    case Line::idle:
      lines_.idle += shares;
      lines_.idle_ns += gpu_ns;
      return;
    case Line::cold_start:
      lines_.cold_start += shares;
      lines_.cold_start_ns += gpu_ns;
      return;
    case Line::minimum:
      lines_.minimum += shares;
      lines_.minimum_ns += gpu_ns;
      return;
    case Line::down:
      lines_.down += shares;
      lines_.down_ns += gpu_ns;
      return;
  }
  const Int128 to_share = shares + carried_;
  const Int128 each = to_share / weights_;
  value_ += each;
  carried_ = to_share - each * weights_;
  lines_.busy_ns += gpu_ns;
  const Int128 time_each = (gpu_ns + gpu_carried_) / weights_;
  gpu_value_ += static_cast<std::uint64_t>(time_each);
  gpu_carried_ += gpu_ns - time_each * weights_;
}

GpuPool::Run GpuPool::join(std::uint32_t weight) noexcept {
  const Run run{value_, gpu_value_, std::max<std::uint32_t>(weight, 1), 0};
  weights_ += run.weight;
  begun_ += value_ * run.weight;
  ++in_flight_;
  return run;
}

GpuPool::Run GpuPool::begin(MonoTime now, std::uint32_t weight) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  const Run run = join(weight);
  note();
  return run;
}

GpuPool::Run GpuPool::begin(MonoTime now, const ExpectedWork& work) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  const TokenWeigher::Begun begun =
      weigher_.calibrated() ? weigher_.begin(work, in_flight_) : TokenWeigher::Begun{};
  Run run = join(begun.weight);
  run.prefill_us = begun.prefill_us;
  note();
  return run;
}

bool GpuPool::first_token(Run& run, MonoTime now) noexcept {
  if (run.weight == 0 || run.prefill_us == 0) return false;
  const std::lock_guard lock(mutex_);
  advance(now);
  weigher_.left_prefill(run.prefill_us);
  run.prefill_us = 0;
  if (weigher_.calibrated()) reweigh(run, weigher_.decoding(in_flight_));
  note();
  return true;
}

bool GpuPool::decoded(Run& run, std::int64_t tokens, std::chrono::nanoseconds in, MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  const bool weighs = run.weight != 0 && tokens > 0 && in.count() > 0 && weigher_.calibrated();
  if (weighs) reweigh(run, weigher_.decoding(tokens, in));
  note();
  return weighs;
}

// What the run has accrued is now expressed in its new weight; what does not divide by it goes back to be shared.
void GpuPool::reweigh(Run& run, std::uint32_t weight) noexcept {
  if (weight == run.weight) return;
  const Int128 accrued = (value_ - run.began_at) * run.weight;
  const Int128 each = accrued / weight;
  const Int128 time = static_cast<Int128>(gpu_value_ - run.gpu_began_at) * run.weight;
  const Int128 time_each = time / weight;
  begun_ -= run.began_at * run.weight;
  weights_ += static_cast<Int128>(weight) - run.weight;
  run.began_at = value_ - each;
  run.gpu_began_at = gpu_value_ - static_cast<std::uint64_t>(time_each);
  run.weight = weight;
  begun_ += run.began_at * weight;
  carried_ += accrued - each * weight;
  gpu_carried_ += time - time_each * weight;
}

void GpuPool::leave(const Run& run) noexcept {
  weights_ -= run.weight;
  begun_ -= run.began_at * run.weight;
  --in_flight_;
  if (run.prefill_us != 0) weigher_.left_prefill(run.prefill_us);
}

GpuPool::Ended GpuPool::end(const Run& run, MonoTime now) noexcept {
  if (run.weight == 0) return {};
  const std::lock_guard lock(mutex_);
  advance(now);
  leave(run);
  const Ended ended{charge_between(run.began_at, value_, run.weight), value_};
  settled_ += (value_ - run.began_at) * run.weight;
  lines_.charged += ended.charge.count();
  ++charges_;
  note();
  return ended;
}

std::optional<Usd> GpuPool::end_reported(const Run& run, std::optional<GpuTime> billed, MonoTime now) noexcept {
  if (run.weight == 0) return std::nullopt;
  const std::lock_guard lock(mutex_);
  advance(now);
  leave(run);
  std::optional<Usd> charge;
  if (billed) {
    constexpr Int128 charge_max = INT64_MAX / 8;  // all lines of a charge together still fit
    const Int128 nanoseconds = static_cast<Int128>(billed->count()) * 1000;
    const Int128 exact = rate_whole_ * nanoseconds + divide_half_even(rate_rest_ * nanoseconds, per_);
    charge = Usd{static_cast<std::int64_t>(std::min(exact, charge_max))};
    lines_.billed += charge->count();
    lines_.charged += charge->count();
    lines_.busy_ns += nanoseconds * gpus_;
    settled_ += static_cast<Int128>(charge->count()) * pool_share;
    ++charges_;
  }
  note();
  return charge;
}

void GpuPool::withdraw(const Run& run, MonoTime now) noexcept {
  if (run.weight == 0) return;
  const std::lock_guard lock(mutex_);
  advance(now);
  leave(run);
  lines_.idle += (value_ - run.began_at) * run.weight;
  const Int128 time = static_cast<Int128>(gpu_value_ - run.gpu_began_at) * run.weight;
  lines_.busy_ns -= time;
  lines_.idle_ns += time;
  note();
}

GpuPool::Value GpuPool::touch(MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  note();
  return value_;
}

void GpuPool::change_rate(const Pool& pool, MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  set_rate(pool);
  set_rules(pool);
  note();
}

void GpuPool::stop_billing(MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  stopped_ = true;
  if (billing_ == Billing::dedicated || billing_ == Billing::owned) set_rate(0, 1, 0);
  note();
}

Usd GpuPool::rounded(Int128 shares) noexcept {
  return Usd{static_cast<std::int64_t>(divide_half_even(shares, pool_share))};
}

Usd GpuPool::charge_between(Value from, Value to, std::uint32_t weight) noexcept {
  return to > from ? rounded((to - from) * weight) : Usd{};
}

PoolTotals GpuPool::totals() const noexcept {
  PoolTotals totals = lines_;
  totals.running = running();
  return totals;
}

PoolStatus GpuPool::status(MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  const PoolLines lines = lines_of(totals());
  PoolStatus status;
  status.pool = name_;
  status.billed = lines.billed;
  status.attributed = lines.attributed;
  status.idle = lines.idle;
  status.cold_start = lines.cold_start;
  status.minimum = lines.minimum;
  status.down = lines.down;
  status.rounding = lines.rounding;
  status.busy_gpu_time = lines.busy_gpu_time;
  status.idle_gpu_time = lines.idle_gpu_time;
  status.cold_start_gpu_time = lines.cold_start_gpu_time;
  status.minimum_gpu_time = lines.minimum_gpu_time;
  status.down_gpu_time = lines.down_gpu_time;
  status.in_flight = in_flight_;
  status.workers_up = static_cast<std::int64_t>(workers_.up());
  status.workers_booting = static_cast<std::int64_t>(workers_.booting(at_ns_));
  status.busy_ratio = window_.ratio(at_ns_);
  return status;
}

GpuPool::Audit GpuPool::audit(MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  advance(now);
  const Int128 billed = (lines_.billed << pool_share_bits) + (billed_over_ << pool_share_bits) / per_;
  return {billed,   settled_, running(),      lines_.idle, lines_.cold_start,
          carried_, charges_, lines_.minimum, lines_.down};
}

// ---- by the hour ----

void GpuPool::keep_hours(std::int64_t run, std::int64_t wall_minus_mono_ns, PoolJournal* journal,
                         const std::optional<Resumed>& resumed, MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  keeps_hours_ = true;
  journal_ = journal;
  wall_minus_mono_ns_ = wall_minus_mono_ns;
  base_.run = run;
  base_.name_id = name_;
  const std::string_view name = text(name_);
  name.copy(base_.name.data(), std::min(name.size(), PoolFile::name_max));
  down_until_ns_ = std::max(ns_of(now), at_ns_);
  if (resumed && ns_of(resumed->since) < at_ns_) at_ns_ = ns_of(resumed->since);
  hour_ends_ns_ = at_ns_ + static_cast<std::int64_t>(hour_ns) - wall_ns() % static_cast<std::int64_t>(hour_ns);
  if (resumed && billing_ == Billing::serverless) bill(Line::down, resumed->tail_ns);
  advance(now);
  note_base();
  note();
}

// The stretch of time that ends here is added to the hour it lies in.
void GpuPool::close_hour() noexcept {
  const PoolLines now = lines_of(totals());
  const PoolLines since = now - at_hour_;
  at_hour_ = now;
  const auto hour = static_cast<std::int64_t>((wall_ns() - 1) / hour_ns);  // time up to a full hour is the hour's before
  if (!(since == PoolLines{})) {
    if (closed_.size() > taken_ && closed_.back().hour == hour) {
      closed_.back().lines += since;
    } else {
      closed_.push_back({hour, since});
    }
  }
  const auto whole = static_cast<std::int64_t>(hour_ns);
  hour_ends_ns_ = at_ns_ + whole - wall_ns() % whole;
}

GpuPool::Take GpuPool::take(std::int64_t wall_minus_mono_ns, MonoTime now) {
  const std::lock_guard lock(mutex_);
  advance(now);
  close_hour();
  wall_minus_mono_ns_ = wall_minus_mono_ns;
  const auto whole = static_cast<std::int64_t>(hour_ns);
  hour_ends_ns_ = at_ns_ + whole - wall_ns() % whole;
  base_.taken = totals();
  ++base_.take;
  taken_ = closed_.size();
  note_base();
  note();
  return {name_, closed_, base_.take, wall_ns(), workers_.tail_ns(at_ns_), !stopped_};
}

void GpuPool::recorded() noexcept {
  const std::lock_guard lock(mutex_);
  base_.recorded = base_.taken;
  closed_.erase(closed_.begin(), closed_.begin() + static_cast<std::ptrdiff_t>(taken_));
  taken_ = 0;
  note_base();
}

void GpuPool::note_base() noexcept {
  if (journal_ != nullptr) journal_->note(base_);
}

void GpuPool::note() noexcept {
  if (journal_ == nullptr) return;
  PoolMoment moment;
  moment.totals = totals();
  moment.value_high = static_cast<std::uint64_t>(value_ >> 64);
  moment.value_low = static_cast<std::uint64_t>(value_ & ~std::uint64_t{0});
  moment.at_ns = wall_ns();
  moment.tail_ns = workers_.tail_ns(at_ns_);
  journal_->note(moment);
}

}  // namespace tollgate
