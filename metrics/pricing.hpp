#pragma once
// What an attempt that has ended costs: the one place that decides between a charge, "not billed" and "unknown".
//
//   backend has a pool        charged the GPU share of its time, however it ended; withdrawn (0, not billed) if nothing
//   was sent target has token prices   charged for its usage, however it ended and however the usage is known
//     … and no usage is known   not billed if nothing was sent or the upstream refused it (an HTTP error); else
//     unpriced: work was
//                               done and nobody knows how much. Unknown is never zero.
//   billed by other units     charged what they come to, as one line (`request`), where no tokens are counted and priced
//   the provider says what    charged that, as one line (`request`), whatever the prices say: they stand for answers that
//   it billed                 do not say it
//   both                      both, as two kinds of lines of one charge; unpriced if either is unknown
//   neither                   unpriced, unless nothing was sent or the upstream refused it
//
// Pure functions: Books uses them at the end of an attempt, recovery for attempts that a crash ended.

#include "metrics/gpu_pool.hpp"
#include "metrics/records.hpp"

namespace tollgate {

/// No byte of the attempt can have reached an engine.
[[nodiscard]] bool nothing_sent(RowResult result) noexcept;
/// The upstream said no before any work: providers bill nothing for it.
[[nodiscard]] bool refused_unbilled(RowResult result) noexcept;

/// No count is negative or past what any model can do: else the upstream talks nonsense and its usage is not known.
inline constexpr std::int64_t tokens_per_attempt_max = 1'000'000'000;
[[nodiscard]] bool plausible(const Usage& usage) noexcept;

/// What is known of an attempt's prices from its begin on.
struct AttemptPrices {
  bool has_rates = false;
  bool has_pool = false;
  TokenRates rates;
  PoolMethod method = PoolMethod::time;  ///< how its share of the pool is known
  bool gpu_unknown = false;              ///< a reported pool whose provider did not say what it bills
  std::optional<Usd> by_units{};         ///< what it costs by other units than tokens, if that is known; only where no usage is
  std::optional<Usd> reported{};         ///< what the provider says it billed
};

/// Fills pricing, charge and pool_method of an attempt whose result, usage and usage_source stand. `gpu`: its share of
/// the pool.
void price(AttemptRow& attempt, const AttemptPrices& prices, Usd gpu) noexcept;

}  // namespace tollgate
