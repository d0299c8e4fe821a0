#pragma once
// What routing must know of a target now. The gateway fills one per configured target, in the order of Config::targets; replays
// fill them from recorded rows, so decide() stays a pure function.

#include <chrono>
#include <cstdint>
#include <optional>

#include "config/config.hpp"
#include "router/autopilot.hpp"

namespace tollgate {

enum class Availability : std::uint8_t { up, breaker_open, unreachable, draining, ejected, connecting };

struct TargetState {
  Availability availability = Availability::up;
  std::uint32_t in_flight = 0;                       ///< requests under way, all reactors
  double input_bytes_per_token = 4.0;                ///< learned
  double output_tokens_mean = 300;                   ///< learned expected output length
  std::chrono::microseconds first_token_mean{0};     ///< 0: not known
  std::chrono::microseconds output_token_mean{0};    ///< time per output token after the first; 0: not known
  std::chrono::microseconds duration_mean{0};        ///< of whole attempts; 0: not known
  bool was_saturated = false;                        ///< at the last decision: what makes it count as such until it has room again
  double seconds_per_output_token = 0.05;            ///< learned, of whole answers
  const TokenPrices* prices_now = nullptr;           ///< where the target's prices depend on the time: those that hold; of the same snapshot
  Usd loaded_usd_per_million_tokens{};               ///< pools: bill over tokens served so far; 0: not known yet
  // As the engine itself said when last asked, all its clients together; -1: not known.
  std::int32_t engine_running = -1, engine_waiting = -1;
  float kv_cache_usage = -1;                         ///< 0 to 1; not money
  // Of a serverless pool, as router/serverless.hpp notes it.
  enum class Worker : std::uint8_t { not_known, up, starts };
  Worker worker = Worker::not_known;                 ///< starts: the next request would start one, and pay for its cold start
  std::uint32_t worker_shared_with = 0;              ///< requests under way on the worker it would go to
  std::chrono::microseconds boot_wait{0};            ///< until that worker is ready; 0: it is
  // What is known of the provider's rate limits, for the key that has the most room.
  std::chrono::microseconds limited_for{0};          ///< nothing may be sent for so long; 0: it may
  std::int64_t tokens_left = -1;                     ///< of its tokens per minute; -1: not known
  std::int64_t tokens_per_second = 0;                ///< at which they come back
  /// Serverless pools on routes with autopilot: whether they earn what they cost; nullopt: nothing is known.
  std::optional<PoolStance> stance;
};

}  // namespace tollgate
