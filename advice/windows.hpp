#pragma once
// Arrivals on hardware: how long workers are up, and how many it takes. A request on a replica takes one of its places for
// input / prefill + output / decode_alone seconds; a replica has decode / decode_alone places.

#include <cstdint>

#include "advice/workload.hpp"

namespace tollgate::advice {

/// What a replica (the GPUs that hold the model once) can do.
struct Speed {
  double prefill = 0;        ///< prompt tokens per second when it does nothing else
  double decode = 0;         ///< answer tokens per second, all requests together, when it is full
  double decode_alone = 0;   ///< of one request
  [[nodiscard]] std::uint32_t places() const noexcept;
  /// Seconds of a full replica that these tokens take.
  [[nodiscard]] double work_seconds(double input, double output) const noexcept { return input / prefill + output / decode; }
};

struct ServerlessRules {
  double cold_start_seconds = 30, idle_timeout_seconds = 60;
  bool cold_start_billed = true;
};

/// One window of worker time: started, then busy or waiting for more, then stopped.
struct ServerlessBill {
  std::int64_t arrivals_us = 0;       ///< what was simulated
  double billed_seconds = 0, busy_seconds = 0, cold_seconds = 0, idle_seconds = 0;   ///< of workers; billed is the sum of the others
  std::int64_t cold_starts = 0, waited = 0;   ///< requests that waited for a worker to boot
  std::uint32_t workers_at_once = 0;
  /// Time a worker is up beyond the time it is needed, per second needed: the "o" of break_even.hpp.
  [[nodiscard]] double overhead() const noexcept { return busy_seconds > 0 ? (billed_seconds - busy_seconds) / busy_seconds : 0; }
};
/// Requests go to the fullest worker that is up and has a place, else to a new one. O(n log n).
[[nodiscard]] ServerlessBill serverless_windows(const Workload& workload, const Speed& speed, const ServerlessRules& rules);

struct Needed {
  double busy_share = 0;      ///< of a replica, in the mean: 1.7 replicas' worth of work
  double peak = 0;            ///< … in the busiest minute
  std::int64_t replicas = 1;  ///< that hold the peak at `full_at` of their throughput
  [[nodiscard]] double utilisation() const noexcept { return busy_share / static_cast<double>(replicas); }
};
[[nodiscard]] Needed replicas_needed(const Workload& workload, const Speed& speed, double full_at = 0.85);

}  // namespace tollgate::advice
