#include "backends/first_answer_times.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tollgate {

std::size_t FirstAnswerTimes::bucket_of(std::uint64_t us) noexcept {
  constexpr std::uint64_t least = 1ULL << first_log2, most = (1ULL << last_log2) - 1;
  us = std::clamp(us, least, most);
  const int power = static_cast<int>(std::bit_width(us)) - 1;
  const std::uint64_t step = (us >> (power - steps_log2)) & ((1U << steps_log2) - 1);
  return (static_cast<std::size_t>(power - first_log2) << steps_log2) + static_cast<std::size_t>(step);
}

std::uint64_t FirstAnswerTimes::upper_bound_of(std::size_t bucket) noexcept {
  const std::size_t next = bucket + 1;
  const std::uint64_t power = (next >> steps_log2) + first_log2, step = next & ((1U << steps_log2) - 1);
  return (1ULL << power) + (step << (power - steps_log2));
}

void FirstAnswerTimes::add(std::chrono::microseconds time) noexcept {
  counts_[bucket_of(static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0)))].fetch_add(1, std::memory_order_relaxed);
  if (samples_.fetch_add(1, std::memory_order_relaxed) + 1 == samples_max) forget();
}

// One thread does it: the one whose sample filled it. What others add meanwhile may be lost; it is one of thousands.
void FirstAnswerTimes::forget() noexcept {
  std::uint32_t left = 0;
  for (auto& count : counts_) {
    const std::uint32_t half = count.load(std::memory_order_relaxed) / 2;
    count.store(half, std::memory_order_relaxed);
    left += half;
  }
  samples_.store(left, std::memory_order_relaxed);
}

std::optional<std::chrono::microseconds> FirstAnswerTimes::percentile(double share, std::uint32_t samples_min) const noexcept {
  std::array<std::uint32_t, buckets> counts;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < buckets; ++i) total += counts[i] = counts_[i].load(std::memory_order_relaxed);
  if (total == 0 || total < samples_min) return std::nullopt;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    seen += counts[i];
    if (seen >= wanted) return std::chrono::microseconds{upper_bound_of(i)};
  }
  return std::chrono::microseconds{upper_bound_of(buckets - 1)};
}

}  // namespace tollgate
