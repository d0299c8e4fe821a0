#pragma once
// What one budget has spent and holds, by window. Times are microseconds since 1970.
//
//    TimeWindow may = window_at(BudgetPeriod::month, berlin, now_us);    // [begin, end)
//
// A charge counts in the window in which its request arrived, and so does its hold: so that a budget agrees with what
// `tollgate costs` and the ledger say of the same time, and a request that ends after midnight takes nothing of the
// new day. The window before the current one is kept for such requests.
// A window never comes back: a clock that is set back stays in the window it was in.
// A rolling window is kept in slices; a charge leaves with the whole of its slice, so it counts for the length of the
// window and at most one slice more (1/240 of it): never less.
// Not thread-safe, allocates nothing after construction.

#include <vector>

#include "config/config.hpp"

namespace tollgate {

struct TimeWindow {
  std::int64_t begin_us = 0, end_us = 0;
};
/// The hour, day or month of a zone's calendar that an instant lies in. A day begins with the first instant that bears
/// its date; an hour is always one by the clock on the wall, so the one that is lived twice is two.
[[nodiscard]] TimeWindow window_at(BudgetPeriod period, const TimeZone& zone, std::int64_t now_us) noexcept;

class BudgetWindows {
 public:
  static constexpr std::int64_t slices = 240;
  static constexpr std::int64_t never = INT64_MAX;
  using Slot = std::int64_t;  ///< a window, for as long as it is remembered

  BudgetWindows(const Budget& rule, std::int64_t now_us);

  /// Goes on to the window of now.
  void turn(std::int64_t now_us) noexcept;
  /// Where a request counts that arrived then; after turn().
  [[nodiscard]] Slot slot_of(std::int64_t arrived_us) const noexcept;

  [[nodiscard]] UsdSum spent(Slot slot) const noexcept;
  [[nodiscard]] UsdSum held(Slot slot) const noexcept;
  // A slot that is no longer remembered takes nothing.
  void hold(Slot slot, Usd amount) noexcept;
  void release(Slot slot, Usd amount) noexcept;
  void spend(Slot slot, std::int64_t arrived_us, UsdSum amount) noexcept;

  [[nodiscard]] Slot current() const noexcept { return now_.window.begin_us; }
  /// Of the current window; a rolling one begins where its oldest slice does and has no end.
  [[nodiscard]] TimeWindow window() const noexcept;
  /// When at least so much will have left the window, if nothing is added; never, if that is more than was spent.
  [[nodiscard]] std::int64_t frees(UsdSum amount) const noexcept;
  /// How far apart charges must be told when they are read back: one slice, or everything.
  [[nodiscard]] std::int64_t grain_us() const noexcept { return rolling_ ? slice_us_ : never; }

 private:
  struct Window {
    TimeWindow window;
    UsdSum spent, held;
  };
  [[nodiscard]] const Window* find(Slot slot) const noexcept;
  [[nodiscard]] Window* find(Slot slot) noexcept { return const_cast<Window*>(std::as_const(*this).find(slot)); }
  [[nodiscard]] UsdSum& slice(std::int64_t number) noexcept {
    return ring_[static_cast<std::size_t>(number % (slices + 1))];
  }
  [[nodiscard]] const UsdSum& slice(std::int64_t number) const noexcept {
    return ring_[static_cast<std::size_t>(number % (slices + 1))];
  }

  BudgetPeriod period_;
  TimeZonePtr zone_;
  bool rolling_;
  Window now_, before_;  // before_: of calendar windows only, and only if its end lies behind its begin
  // Of the rolling one: slices up to last_slice_, of which the oldest is last_slice_ - slices.
  std::int64_t slice_us_ = 0, last_slice_ = 0;
  std::vector<UsdSum> ring_;
};

}  // namespace tollgate
