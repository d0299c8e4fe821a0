#pragma once
// The shares of one budget's windows: the one that runs and the one before it. And what all budgets know of the store. Guarded by
// the lock of Budgets.

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "config/config.hpp"
#include "metrics/budget_window.hpp"
#include "metrics/shared/budget_share.hpp"

namespace tollgate {

struct StoreState {
  OnLoss on_loss = OnLoss::refuse;
  milliseconds grant_wait{0};
  std::function<void()> wake;  ///< a lease runs short
  bool lost = true;            ///< until it has answered
  MonoTime lost_since{};
  bool leases = true;          ///< false: the gateway is stopping

  /// Requests need not wait for it any more.
  [[nodiscard]] bool is_away(MonoTime now) const noexcept { return lost && now - lost_since >= grant_wait; }
};

struct AccountShares {
  struct Window {
    BudgetWindows::Slot slot = 0;
    BudgetShare share;
    std::int64_t end_us = 0;
    MonoTime told_at{};
    bool exists = false;
  };

  AccountShares(const Budget& rule, StoreState& state);
  /// Of a window that is remembered; a new one takes the place of the older.
  [[nodiscard]] Window& at(BudgetWindows::Slot slot, const BudgetWindows& windows);
  [[nodiscard]] const Window* find(BudgetWindows::Slot slot) const noexcept;
  [[nodiscard]] Window* find(BudgetWindows::Slot slot) noexcept { return const_cast<Window*>(std::as_const(*this).find(slot)); }
  [[nodiscard]] std::string key_of(BudgetWindows::Slot slot) const { return key + ":" + std::to_string(slot); }

  StoreState& store;
  std::string key;  ///< in the store: name and a print of scope and window, so that another meaning is another account
  std::array<Window, 2> windows;
};

}  // namespace tollgate
