#pragma once
// The share of the last minutes in which something was going on, from a ring of intervals: O(1) to keep, exact at
// interval borders.
//
//    window.add(from_ns, to_ns, true);        // busy from … to
//    window.ratio(now_ns);                    // of the last five minutes, or of what there is of them
//
// Threads: none of its own; belongs to whoever holds the lock. Not money, so a double is allowed.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace tollgate {

class BusyWindow {
 public:
  static constexpr std::int64_t interval_ns = 30'000'000'000;
  static constexpr std::int64_t intervals = 10;  ///< complete ones; the current one comes on top
  static constexpr std::int64_t window_ns = interval_ns * intervals;

  explicit BusyWindow(std::int64_t since_ns) noexcept : since_ns_(since_ns), newest_(since_ns / interval_ns) {}

  /// Calls follow each other in time: `from_ns` is where the last one ended.
  void add(std::int64_t from_ns, std::int64_t to_ns, bool busy) noexcept {
    from_ns = std::max(
        from_ns, to_ns - window_ns - interval_ns);  // what is older than the ring holds would be overwritten anyway
    while (from_ns < to_ns) {
      const std::int64_t interval = from_ns / interval_ns;
      const std::int64_t end = std::min(to_ns, (interval + 1) * interval_ns);
      turn_to(interval);
      if (busy) busy_ns_[slot(interval)] += end - from_ns;
      from_ns = end;
    }
  }

  /// `now_ns`: where the last add() ended. 0 when no time has passed.
  [[nodiscard]] double ratio(std::int64_t now_ns) const noexcept {
    const std::int64_t oldest = newest_ - intervals;
    const std::int64_t span = now_ns - std::max(since_ns_, oldest * interval_ns);
    if (span <= 0) return 0;
    std::int64_t busy = 0;
    for (const std::int64_t ns : busy_ns_) busy += ns;
    return std::clamp(static_cast<double>(busy) / static_cast<double>(span), 0.0, 1.0);
  }

 private:
  static constexpr std::int64_t ring = intervals + 1;
  static std::size_t slot(std::int64_t interval) noexcept { return static_cast<std::size_t>(interval % ring); }
  void turn_to(std::int64_t interval) noexcept {
    if (interval <= newest_) return;
    for (std::int64_t i = std::max(newest_ + 1, interval - intervals); i <= interval; ++i) busy_ns_[slot(i)] = 0;
    newest_ = interval;
  }

  std::int64_t since_ns_;
  std::int64_t newest_;
  std::array<std::int64_t, ring> busy_ns_{};
};

}  // namespace tollgate
