#include "metrics/budget_window.hpp"

#include <algorithm>
#include <chrono>

namespace tollgate {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t hour_s = 3600, day_s = 24 * hour_s;

std::int64_t floor_to(std::int64_t value, std::int64_t unit) noexcept {
  const std::int64_t rest = value % unit;
  return value - rest - (rest < 0 ? unit : 0);
}

/// Hours follow the wall clock; where a change moves it by less than an hour, the hour in which it happens is cut in
/// two.
TimeWindow hour_at(const TimeZone& zone, std::int64_t now) noexcept {
  const std::int64_t offset = zone.offset_at(now);
  std::int64_t begin = floor_to(now + offset, hour_s) - offset;
  std::int64_t end = begin + hour_s;
  const std::int64_t change = zone.next_change(now);
  const auto other_minutes = [&](std::int64_t at) {
    return floor_to(zone.offset_at(at) - offset, hour_s) != zone.offset_at(at) - offset;
  };
  if (change < end && other_minutes(change)) end = change;
  if (other_minutes(begin)) {  // the change lies between begin and now
    const std::int64_t changed = zone.next_change(begin);
    if (changed <= now) begin = changed;
  }
  return {begin * second_us, end * second_us};
}

std::int64_t month_begin(std::chrono::year_month month) noexcept {
  return std::chrono::sys_days{month / 1}.time_since_epoch().count() * day_s;
}

}  // namespace

TimeWindow window_at(BudgetPeriod period, const TimeZone& zone, std::int64_t now_us) noexcept {
  using namespace std::chrono;
  const std::int64_t now = floor_to(now_us, second_us) / second_us;
  if (period == BudgetPeriod::hour) return hour_at(zone, now);
  // Where the clock goes back over midnight the old date is shown again for a while; the new day has begun all the
  // same.
  std::int64_t day = floor_to(now + zone.offset_at(now), day_s);
  while (zone.first_instant_of(day + day_s) <= now) day += day_s;
  if (period == BudgetPeriod::day) {
    return {zone.first_instant_of(day) * second_us, zone.first_instant_of(day + day_s) * second_us};
  }
  const year_month_day date{sys_days{days{day / day_s - (day % day_s < 0 ? 1 : 0)}}};
  const year_month month{date.year(), date.month()};
  return {zone.first_instant_of(month_begin(month)) * second_us,
          zone.first_instant_of(month_begin(month + months{1})) * second_us};
}

BudgetWindows::BudgetWindows(const Budget& rule, std::int64_t now_us)
    : period_(rule.period), zone_(rule.zone), rolling_(rule.period == BudgetPeriod::rolling) {
  if (rolling_) {
    const std::int64_t length_us = rule.rolling.count() * second_us;
    slice_us_ = (length_us + slices - 1) / slices;
    last_slice_ = now_us / slice_us_;
    ring_.resize(static_cast<std::size_t>(slices + 1));
  } else {
    now_.window = window_at(period_, *zone_, now_us);
  }
}

void BudgetWindows::turn(std::int64_t now_us) noexcept {
  if (!rolling_) {
    if (now_us < now_.window.end_us) return;
    before_ = now_;
    now_ = Window{};
    now_.window = window_at(period_, *zone_, now_us);
    return;
  }
  const std::int64_t last = now_us / slice_us_;
  if (last <= last_slice_) return;
  const std::int64_t steps = std::min(last - last_slice_, slices + 1);
  for (std::int64_t i = 1; i <= steps; ++i) {  // each new slice takes the place of the one that leaves
    UsdSum& leaving = slice(last - steps + i);
    now_.spent -= leaving;
    leaving = UsdSum{};
  }
  last_slice_ = last;
}

BudgetWindows::Slot BudgetWindows::slot_of(std::int64_t arrived_us) const noexcept {
  if (rolling_ || arrived_us >= now_.window.begin_us) return current();
  const bool in_the_one_before =
      before_.window.begin_us < before_.window.end_us && arrived_us >= before_.window.begin_us;
  return in_the_one_before ? before_.window.begin_us : current();
}

const BudgetWindows::Window* BudgetWindows::find(Slot slot) const noexcept {
  if (slot == now_.window.begin_us) return &now_;
  const bool is_before = before_.window.begin_us < before_.window.end_us && slot == before_.window.begin_us;
  return is_before ? &before_ : nullptr;
}

UsdSum BudgetWindows::spent(Slot slot) const noexcept {
  const Window* const window = find(slot);
  return window == nullptr ? UsdSum{} : window->spent;
}

UsdSum BudgetWindows::held(Slot slot) const noexcept {
  const Window* const window = find(slot);
  return window == nullptr ? UsdSum{} : window->held;
}

void BudgetWindows::hold(Slot slot, Usd amount) noexcept {
  if (Window* const window = find(slot)) window->held += amount;
}

void BudgetWindows::release(Slot slot, Usd amount) noexcept {
  if (Window* const window = find(slot)) window->held -= amount;
}

void BudgetWindows::spend(Slot slot, std::int64_t arrived_us, UsdSum amount) noexcept {
  Window* const window = find(slot);
  if (window == nullptr) return;
  if (rolling_) {
    const std::int64_t number = std::min(arrived_us / slice_us_, last_slice_);
    if (number < last_slice_ - slices) return;  // it has left already
    slice(number) += amount;
  }
  window->spent += amount;
}

TimeWindow BudgetWindows::window() const noexcept {
  if (!rolling_) return now_.window;
  return {(last_slice_ - slices) * slice_us_, never};
}

std::int64_t BudgetWindows::frees(UsdSum amount) const noexcept {
  if (!rolling_) return now_.window.end_us;
  UsdSum freed;
  for (std::int64_t number = last_slice_ - slices; number <= last_slice_; ++number) {
    if (number >= 0) freed += slice(number);
    if (freed >= amount) return (number + slices + 1) * slice_us_;
  }
  return never;
}

}  // namespace tollgate
