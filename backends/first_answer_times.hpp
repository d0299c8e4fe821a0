#pragma once
// How long a target takes to its first token (of streams) or to its whole answer: a histogram in buckets that grow with the time, of
// which any percentile can be asked. What is old is forgotten: when `samples_max` are in it, all counts are halved. 768 bytes;
// lock-free; all reactors write. Percentiles are the upper bounds of buckets: at most an eighth too high.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tollgate {

class FirstAnswerTimes {
 public:
  static constexpr std::uint32_t samples_max = 2'048;

  void add(std::chrono::microseconds time) noexcept;
  /// nullopt: fewer samples than `samples_min`. `share` as in 0.95.
  [[nodiscard]] std::optional<std::chrono::microseconds> percentile(double share, std::uint32_t samples_min) const noexcept;
  [[nodiscard]] std::uint32_t samples() const noexcept { return samples_.load(std::memory_order_relaxed); }

 private:
  // Eight buckets between two powers of two, from 64 us to 18 minutes.
  static constexpr int steps_log2 = 3, first_log2 = 6, last_log2 = 30;
  static constexpr std::size_t buckets = (last_log2 - first_log2) << steps_log2;
  [[nodiscard]] static std::size_t bucket_of(std::uint64_t us) noexcept;
  [[nodiscard]] static std::uint64_t upper_bound_of(std::size_t bucket) noexcept;
  void forget() noexcept;

  std::array<std::atomic<std::uint32_t>, buckets> counts_{};
  std::atomic<std::uint32_t> samples_{0};
};

}  // namespace tollgate
