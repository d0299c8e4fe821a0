#include "router/serverless.hpp"

#include <algorithm>
#include <limits>

#include "router/forecast.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t micros_max = 1'000'000'000'000;   // eleven days; keeps products within 128 bits

std::int64_t micros_of(milliseconds time) noexcept { return std::int64_t{time.count()} * 1000; }

/// How long a worker that is up works on it.
std::int64_t work_micros(const ChatView& chat, const Target& target, TargetState state) noexcept {
  state.boot_wait = std::chrono::microseconds{0};
  const Waits waits = waits_of(chat, target, state);
  std::int64_t micros = waits.whole.count() - waits.queue.count();
  if (waits.whole.count() == 0) {   // nothing was learned of its speed lately
    micros = static_cast<std::int64_t>(std::min(static_cast<double>(output_tokens_of(chat, state).count()) * state.seconds_per_output_token * 1e6, 1e12));
  }
  return std::clamp<std::int64_t>(micros, 0, micros_max);
}

/// What a worker that starts for this request adds to the bill if nothing else comes: from its start to its stop.
std::int64_t billed_micros(const ServerlessRules& rules, std::int64_t work) noexcept {
  const std::int64_t up = (rules.cold_start_billed ? micros_of(rules.cold_start) : 0) + work + micros_of(rules.idle_timeout);
  const std::int64_t least = std::max(up, micros_of(rules.min_billed));
  const std::int64_t step = std::max<std::int64_t>(micros_of(rules.increment), 1);
  return (least + step - 1) / step * step;
}

Usd charge_for(const Pool& pool, std::int64_t micros) noexcept {
  constexpr Int128 micros_per_hour = 3'600'000'000;
  const Int128 picodollars = divide_half_even(pool.rate_picodollars * micros, micros_per_hour * pool.rate_denominator);
  constexpr Int128 most = std::numeric_limits<std::int64_t>::max();
  return Usd{static_cast<std::int64_t>(std::min(picodollars, most))};
}

}  // namespace

void note_workers(const Pool& pool, const WorkersNow& now, TargetState& state) noexcept {
  if (pool.billing != Billing::serverless) return;
  const ServerlessRules& rules = pool.serverless;
  const std::int64_t per_worker = std::max<std::int64_t>(rules.requests_per_worker, 1);
  const std::int64_t wanted = std::min<std::int64_t>((now.in_flight + per_worker) / per_worker, std::max<std::int64_t>(rules.workers_max, 1));
  const bool starts = wanted > now.up;
  state.worker = starts ? TargetState::Worker::starts : TargetState::Worker::up;
  state.worker_shared_with = starts ? 0 : static_cast<std::uint32_t>(now.in_flight / std::max<std::int64_t>(now.up, 1));
  const bool boots = starts || now.booting >= now.up;
  state.boot_wait = boots ? std::chrono::microseconds{micros_of(rules.cold_start)} : std::chrono::microseconds{0};
}

std::optional<Usd> charge_of_work(const ChatView& chat, const Target& target, const Pool& pool, const TargetState& state, bool saturated) noexcept {
  if (pool.billing == Billing::reported) return charge_for(pool, work_micros(chat, target, state));
  if (pool.billing != Billing::serverless || state.worker == TargetState::Worker::not_known) return std::nullopt;
  const std::int64_t work = work_micros(chat, target, state);
  if (state.worker == TargetState::Worker::starts) return charge_for(pool, billed_micros(pool.serverless, work));
  if (saturated) return std::nullopt;
  return charge_for(pool, work / (std::int64_t{state.worker_shared_with} + 1));
}

}  // namespace tollgate
