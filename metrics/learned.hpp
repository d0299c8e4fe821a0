#pragma once
// What a reactor has learned of a target from exact usages: bytes per token both ways, the usual length of an answer,
// the usual wait for its first byte. Averages over about the last `memory` requests; before that the customary 4 bytes
// per token and 300 tokens count as `prior` requests of their own, so that one odd answer does not decide. Not money:
// forecasts and estimates only.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "metrics/metrics.hpp"

namespace tollgate {

class LearnedSums {
 public:
  static constexpr double memory = 200;
  static constexpr double prior = 4;
  static constexpr double speed_memory = 50;  // how fast a target is changes sooner than how it counts tokens

  /// Counts of 0 say nothing about a ratio (a text that was only images, an empty answer) and are passed over there.
  void learn(std::int64_t input_bytes, std::int64_t output_bytes, const Usage& exact) noexcept {
    input_.add(input_bytes, exact.total_input().count());
    output_.add(output_bytes, exact.output.count() - exact.reasoning.count());
    ++samples_;
    const double weight = 1.0 / std::min(memory, prior + static_cast<double>(samples_));
    output_tokens_ += (static_cast<double>(exact.total_output().count()) - output_tokens_) * weight;
  }

  /// A whole answer: long ones weigh more than short ones.
  void paced(std::int64_t wall_us, std::int64_t output_tokens) noexcept {
    if (wall_us <= 0 || output_tokens <= 0) return;
    constexpr double fade = 1 - 1 / memory;
    wall_us_ = wall_us_ * fade + static_cast<double>(wall_us);
    paced_tokens_ = paced_tokens_ * fade + static_cast<double>(output_tokens);
  }

  void waited(std::int64_t first_token_us) noexcept {
    if (first_token_us < 0) return;
    ++waits_;
    first_token_us_ +=
        (static_cast<double>(first_token_us) - first_token_us_) / std::min(speed_memory, static_cast<double>(waits_));
  }

  /// A whole attempt; `decoding_us` over `decoded` tokens after the first, of a stream; 0: it was none.
  void took(std::int64_t duration_us, std::int64_t decoding_us, std::int64_t decoded, MonoTime now) noexcept {
    timed_at_ = now;
    ++durations_;
    duration_us_ += (static_cast<double>(duration_us) - duration_us_) / std::min(speed_memory, static_cast<double>(durations_));
    if (decoding_us <= 0 || decoded <= 0) return;
    ++decodings_;
    const double each = static_cast<double>(decoding_us) / static_cast<double>(decoded);
    output_token_us_ += (each - output_token_us_) / std::min(speed_memory, static_cast<double>(decodings_));
  }

  [[nodiscard]] Books::Learned now() const noexcept {
    return {input_.ratio(), output_.ratio(), output_tokens_,
            std::chrono::microseconds{
                waits_ == 0 ? 0 : std::max<std::int64_t>(1, static_cast<std::int64_t>(first_token_us_))},
            samples_,
            micros(output_token_us_, decodings_),
            micros(duration_us_, durations_),
            timed_at_,
            wall_us_ / paced_tokens_ / 1e6};
  }

 private:
  static std::chrono::microseconds micros(double value, std::uint64_t samples) noexcept {
    return std::chrono::microseconds{samples == 0 ? 0 : std::max<std::int64_t>(1, static_cast<std::int64_t>(value))};
  }

  /// Bytes over tokens, both fading alike, so that long texts weigh more than short ones.
  struct Ratio {
    double bytes = 4.0 * 100 * prior, tokens = 100 * prior;
    void add(std::int64_t more_bytes, std::int64_t more_tokens) noexcept {
      if (more_bytes <= 0 || more_tokens <= 0) return;
      constexpr double fade = 1 - 1 / memory;
      bytes = bytes * fade + static_cast<double>(more_bytes);
      tokens = tokens * fade + static_cast<double>(more_tokens);
    }
    [[nodiscard]] double ratio() const noexcept { return std::clamp(bytes / tokens, 0.1, 100.0); }
  };

  Ratio input_, output_;
  double output_tokens_ = 300;
  double first_token_us_ = 0, output_token_us_ = 0, duration_us_ = 0;
  std::uint64_t samples_ = 0, waits_ = 0, decodings_ = 0, durations_ = 0;
  MonoTime timed_at_{};
  double wall_us_ = 0.05e6 * 100 * prior, paced_tokens_ = 100 * prior;  // 20 tokens a second until known better
};

}  // namespace tollgate
