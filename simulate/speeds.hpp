#pragma once
// How fast targets are, measured: what a request takes there alone, and how many a pool serves before they slow each other down.
//
//    const SpeedBook speeds = measure(traffic, config);
//    const ServiceTime time = speeds.of(target).time(input_tokens, output_tokens);
//
// A request takes overhead + input × prefill + output × decode, fitted by least squares to the attempts that ran with the least
// company. Where more are at work than a pool's `full_speed`, all slow down in proportion (processor sharing).

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "simulate/traffic.hpp"

namespace tollgate::simulate {

struct ServiceTime {
  double first_token_us = 0, whole_us = 0;
  [[nodiscard]] double first_us_or_whole() const noexcept { return first_token_us > 0 ? first_token_us : whole_us; }
};

/// Where a speed is known from.
enum class SpeedSource : std::uint8_t {
  measured,     ///< of this target
  same_model,   ///< of another target with the same model, as many GPUs
  configured,   ///< of the simulated engine, or the pool's calibrated weights
  everything    ///< nothing is known of it: as all traffic together
};
[[nodiscard]] std::string_view name_of(SpeedSource source) noexcept;

struct TargetSpeed {
  double overhead_us = 0;          ///< to a first token of a prompt of no length
  double us_per_input = 0, us_per_output = 0;
  std::int64_t samples = 0;
  SpeedSource source = SpeedSource::everything;
  [[nodiscard]] ServiceTime time(double input, double output) const noexcept {
    const double first = overhead_us + input * us_per_input + us_per_output;
    return {first, first + us_per_output * (output > 1 ? output - 1 : 0)};
  }
};

struct PoolSpeed {
  double full_speed = 0;           ///< requests at once without slowing down; serverless: of all workers
  bool seen_full = false;          ///< false: nothing in the traffic ever slowed down, or the pool was never seen
  std::uint32_t places = 256;      ///< at work at once; others wait in the engine's queue
};

class SpeedBook {
 public:
  [[nodiscard]] const TargetSpeed& of(std::size_t target) const noexcept { return targets[target]; }
  std::vector<TargetSpeed> targets;          ///< by Config::targets
  std::vector<PoolSpeed> pools;              ///< by Config::backends; meaningful where there is a pool
};
[[nodiscard]] SpeedBook measure(const Traffic& traffic, const Config& config);

/// Least squares of `took` over (1, input, output), without negative parts. Fewer than three rows: the mean, all of it decoding.
struct TimedRow {
  double input = 0, output = 0, first_us = -1, took_us = 0;   ///< first_us < 0: not known
  double company = 0;                                          ///< others at the pool meanwhile, in the mean
};
[[nodiscard]] TargetSpeed fit(std::vector<TimedRow> rows);

}  // namespace tollgate::simulate
