#pragma once
// How heavy a run is on its engine now, from what a calibration says of prefill and decode: its rate of work, in engine
// seconds per second. Sharing busy time by these weights makes a long prompt pay for its prefill and a long answer for
// its tokens.
//
//    prefill   1 for the whole engine, divided among the prompts that wait for it: a prompt of e seconds of prefill
//              that arrives when prompts of E seconds in all (its own included) have no first token yet weighs e/E. An
//              engine computes prompts in order of arrival, so one that waits is light for long, one that is computed
//              at once heavy for a short while: either way it pays for about e seconds.
//    decode    its own tokens per second over what the engine does in all.
//    whole     an answer that comes in one piece shows no phases: expected work over expected time, all along.
//
// Not money but shares of it: plain integers. Threads: none of its own; belongs to a pool's lock. O(1) each.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "config/config.hpp"

namespace tollgate {

/// What is thought of a request when it goes out.
struct ExpectedWork {
  std::int64_t prompt_tokens = 0, output_tokens = 0;
  bool stream = false;
};

class TokenWeigher {
 public:
  /// The weight of a run that has the engine to itself, and of every run where time decides.
  static constexpr std::uint32_t whole = 1U << 16;

  void calibrate(const TokenWeights& rates) noexcept { rates_ = rates; }
  [[nodiscard]] bool calibrated() const noexcept { return rates_.calibrated(); }

  struct Begun {
    std::uint32_t weight = whole;
    std::uint32_t prefill_us = 0;  ///< to be given back to left_prefill(); 0: nothing to give back
  };
  [[nodiscard]] Begun begin(const ExpectedWork& work, std::int64_t in_flight) noexcept {
    const std::int64_t prefill = std::clamp<std::int64_t>(
        std::clamp<std::int64_t>(work.prompt_tokens, 1, tokens_max) * million / rates_.prefill_per_second, 1, us_max);
    if (work.stream) {
      waiting_us_ += prefill;
      return {weight_of(prefill, waiting_us_), static_cast<std::uint32_t>(prefill)};
    }
    const std::int64_t output = std::clamp<std::int64_t>(work.output_tokens, 0, tokens_max);
    const std::int64_t work_us = prefill + output * million / rates_.decode_per_second;
    const std::int64_t time_us = waiting_us_ + prefill + output * million / std::max<std::int64_t>(speed(in_flight), 1);
    return {weight_of(work_us, time_us), 0};
  }
  void left_prefill(std::uint32_t prefill_us) noexcept {
    waiting_us_ -= std::min<std::int64_t>(waiting_us_, prefill_us);
  }
  /// Of a run that begins to decode.
  [[nodiscard]] std::uint32_t decoding(std::int64_t in_flight) const noexcept {
    return weight_of(speed(in_flight), rates_.decode_per_second);
  }
  /// Of a run that has just generated so many tokens in so long.
  [[nodiscard]] std::uint32_t decoding(std::int64_t tokens, std::chrono::nanoseconds in) noexcept {
    const std::int64_t milli = std::clamp<std::int64_t>(tokens, 0, tokens_max) * million * million /
                               std::max<std::int64_t>(in.count() / 1000, 1) / 1000;
    milli_speed_ = milli_speed_ == 0 ? milli : milli_speed_ + (milli - milli_speed_) / 8;
    return weight_of(milli, rates_.decode_per_second * 1000);
  }

 private:
  static constexpr std::int64_t million = 1'000'000;
  static constexpr std::int64_t tokens_max = 8'000'000;
  static constexpr std::int64_t us_max = 3'600'000'000;
  static constexpr std::uint32_t least = 16;  // so that no run is without weight

  [[nodiscard]] static std::uint32_t weight_of(std::int64_t part, std::int64_t of) noexcept {
    const Int128 weight = static_cast<Int128>(part) * whole / std::max<std::int64_t>(of, 1);
    return static_cast<std::uint32_t>(std::clamp<Int128>(weight, least, whole));
  }
  /// Tokens per second of one stream: as seen lately, else a fair part of a moderately full engine.
  [[nodiscard]] std::int64_t speed(std::int64_t in_flight) const noexcept {
    constexpr std::int64_t moderate = 8;
    return milli_speed_ > 0 ? (milli_speed_ + 999) / 1000
                            : rates_.decode_per_second / std::max<std::int64_t>(in_flight, moderate);
  }

  TokenWeights rates_;
  std::int64_t waiting_us_ = 0;   // Σ of the prompts that have no first token yet
  std::int64_t milli_speed_ = 0;  // a stream's tokens per second, times 1000; 0: none seen yet
};

}  // namespace tollgate
