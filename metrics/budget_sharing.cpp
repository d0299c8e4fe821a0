// Budgets that several gateways share: the side of Budgets that the thread of metrics/shared/sharing.hpp calls, and what an
// account with a lease answers.

#include <algorithm>

#include "config/sha256.hpp"
#include "metrics/budgets.hpp"

namespace tollgate {
namespace {

using Slot = BudgetWindows::Slot;

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::chrono::seconds heartbeat{1};  // an account on which nothing happens looks at the others this often

/// What two gateways must agree on to mean the same money.
std::string print_of(const Budget& rule) {
  std::string all;
  for (const auto* const patterns : {&rule.scope.keys, &rule.scope.teams, &rule.scope.models, &rule.scope.routes, &rule.scope.targets}) {
    std::vector<std::string> sorted = *patterns;
    std::sort(sorted.begin(), sorted.end());
    for (const std::string& pattern : sorted) all += pattern + '\n';
    all += '\f';
  }
  all += std::to_string(static_cast<int>(rule.period)) + ":" + std::to_string(rule.rolling.count()) + ":" +
         (rule.zone ? rule.zone->name() : std::string());
  return sha256_hex(all).substr(0, 8);
}

}  // namespace

AccountShares::AccountShares(const Budget& rule, StoreState& state)
    : store(state), key("budget:" + std::string(text(rule.name)) + ":" + print_of(rule)) {}

const AccountShares::Window* AccountShares::find(Slot slot) const noexcept {
  for (const Window& window : windows) {
    if (window.exists && window.slot == slot) return &window;
  }
  return nullptr;
}

AccountShares::Window& AccountShares::at(Slot slot, const BudgetWindows& of) {
  Window* older = &windows[0];
  for (Window& window : windows) {
    if (window.exists && window.slot == slot) return window;
    if (!window.exists || (older->exists && window.slot < older->slot)) older = &window;
  }
  *older = Window{};
  older->exists = true;
  older->slot = slot;
  older->end_us = of.window().end_us;
  return *older;
}

bool Budgets::Account::has_leased(Slot slot, Usd for_amount) const noexcept {
  if (rebuilding) return false;
  const UsdSum then = used(slot) + for_amount;
  if (then > UsdSum{rule.limit}) return false;
  const AccountShares::Window* const window = shared->find(slot);
  if (window != nullptr && window->share.covers(then)) return true;
  if (!shared->store.lost || shared->store.on_loss != OnLoss::local) return false;
  return window == nullptr || then + window->share.others_granted() <= UsdSum{rule.limit};
}

bool Budgets::Account::may_lease(Slot slot, Usd for_amount) const noexcept {
  if (rebuilding || has_leased(slot, for_amount)) return false;
  const AccountShares::Window* const window = shared->find(slot);
  if (window == nullptr || !window->share.known() || window->share.in_grace()) return used(slot) + for_amount <= UsdSum{rule.limit};
  return used(slot) + for_amount + window->share.others_granted() <= UsdSum{rule.limit};
}

UsdSum Budgets::Account::spent_by_all(Slot slot) const noexcept {
  const AccountShares::Window* const window = shared ? shared->find(slot) : nullptr;
  return windows.spent(slot) + (window != nullptr ? window->share.others_spent() : UsdSum{});
}

UsdSum Budgets::Account::held_by_all(Slot slot) const noexcept {
  const AccountShares::Window* const window = shared ? shared->find(slot) : nullptr;
  return windows.held(slot) + (window != nullptr ? window->share.others_held() : UsdSum{});
}

// Of a calendar window what others had spent when the store last spoke is the least they have spent by now. A rolling one may have
// let some of it go since; it is asked again every second.
bool Budgets::Account::is_spent_up(Slot slot, Usd for_amount) const noexcept {
  return !rebuilding && spent_by_all(slot) + for_amount > UsdSum{rule.limit};
}

void Budgets::Account::lacked(Slot slot, Usd amount) {
  shared->at(slot, windows).share.lacked(amount);
  shared->store.wake();
}

void Budgets::Account::note_hold(Slot slot) {
  AccountShares::Window& window = shared->at(slot, windows);
  if (window.share.note_used(used(slot))) shared->store.wake();
}

std::optional<BudgetStatus::Shared> Budgets::Account::shared_status(Slot slot) const {
  if (!shared) return std::nullopt;
  BudgetStatus::Shared status;
  status.own_spent = windows.spent(slot);
  status.own_held = windows.held(slot);
  if (const AccountShares::Window* const window = shared->find(slot)) {
    status.leased = std::max(window->share.have() - used(slot), UsdSum{});
    status.gateways = window->share.gateways();
    status.known = window->share.known();
    status.granting = status.known && !shared->store.lost && !window->share.in_grace();
  }
  return status;
}

void Budgets::Account::tell_of_store(Slot slot, std::int64_t arrived_us, bool never, BudgetRefusal& refusal) const {
  refusal.shared = true;
  refusal.grant_wait = shared->store.grant_wait;
  refusal.unreachable = shared->store.is_away(std::chrono::steady_clock::now());
  if (const AccountShares::Window* const window = shared->find(slot)) refusal.asked_at = window->share.asked_at();
  // When what the others have spent leaves a rolling window is not known here; all of it has when it has passed once.
  if (!never && refusal.rolling && refusal.resets_us == BudgetWindows::never) refusal.resets_us = arrived_us + rule.rolling.count() * 1'000'000;
}

/// A step that a budget would allow if this gateway leased more of it: better to wait a moment than to go elsewhere.
bool BudgetHold::lacks_lease(std::span<const StepNeed> steps, Admission& admission) {
  for (const Entry& entry : entries_) {
    Budgets::Account& account = *entry.account;
    if (!account.shared || !account.is_hard()) continue;
    for (const StepNeed& step : steps) {
      if (step.dropped_by != NameId::none || !account.draws_on(step.target)) continue;
      const std::optional<Usd> need = account.need(step);
      if (!need || !account.may_lease(entry.slot, *need)) continue;
      account.lacked(entry.slot, *need);
      BudgetRefusal refusal = refusal_of(entry, step);
      if (refusal.unreachable) continue;
      admission.outcome = Admission::Outcome::wait;
      refusal.for_lease = true;
      admission.refusal = refusal;
    }
  }
  return admission.outcome == Admission::Outcome::wait;
}

bool BudgetHold::must_lease(const StepNeed& step, const BudgetClock& now) {
  const std::lock_guard lock(budgets_.mutex_);
  bool lacks = false;
  for (const Entry& entry : entries_) {
    Budgets::Account& account = *entry.account;
    if (!held_ || !account.shared || !account.is_hard() || !account.draws_on(step.target)) continue;
    const Usd need = account.need(step).value_or(Usd{});
    if (need <= entry.remaining) continue;
    account.windows.turn(now.wall_us);
    if (account.shared->store.is_away(now.mono) || !account.may_lease(entry.slot, need - entry.remaining)) continue;
    account.lacked(entry.slot, need - entry.remaining);
    lacks = true;
  }
  return lacks;
}

void Budgets::share_with(const SharedConfig& config, std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  store_ = std::make_unique<StoreState>();
  store_->on_loss = config.on_loss;
  store_->grant_wait = config.grant_wait;
  store_->wake = std::move(wake);
  store_->lost_since = std::chrono::steady_clock::now();
}

// An account that was shared and is no longer, by its rule or for its rule is gone, is reported until it holds nothing.
void Budgets::share_or_not(Account& account, bool shared) const {
  if (!store_ || !shared) {
    account.shared.reset();
  } else if (!account.shared) {
    account.shared = std::make_unique<AccountShares>(account.rule, *store_);
  }
}

void Budgets::report_on(Account& account, bool in_force, const BudgetClock& now, std::vector<ShareReport>& out) {
  if (account.rebuilding) return;
  account.windows.turn(now.wall_us);
  const Slot current = account.windows.current();
  if (in_force) static_cast<void>(account.shared->at(current, account.windows));
  const bool rolls = account.rule.period == BudgetPeriod::rolling;
  const std::int64_t length_ms = account.rule.rolling.count() * 1'000;
  for (AccountShares::Window& window : account.shared->windows) {
    const Slot slot = window.slot;
    const bool runs = in_force && slot == current;
    // A window that the account has forgotten has no figures to report.
    const bool is_remembered = slot == current || account.windows.slot_of(slot) == slot;
    if (!window.exists || !is_remembered) continue;
    const UsdSum spent = account.windows.spent(slot), held = account.windows.held(slot);
    const bool due = window.share.urgent() || window.share.changed(spent, held) || (runs && now.mono - window.told_at >= heartbeat);
    if (!due) continue;
    ShareReport& report = out.emplace_back();
    report.key = account.shared->key_of(slot);
    const bool grows = in_force && store_->leases && account.is_hard();
    window.share.report(spent, held, UsdSum{account.rule.limit}, grows, report);
    report.ttl_ms = rolls ? length_ms + day_ms : std::max<std::int64_t>(window.end_us - now.wall_us, 0) / 1'000 + 2 * day_ms;
    // When its last request may have ended and all it spent has left the window.
    if (rolls) report.stale_ms = length_ms + length_ms / BudgetWindows::slices + std::chrono::milliseconds{hold_expires}.count();
    window.told_at = now.mono;
    reported_.emplace_back(&account, slot);
  }
}

std::vector<ShareReport> Budgets::reports(const BudgetClock& now) {
  const std::lock_guard lock(mutex_);
  reported_.clear();
  std::vector<ShareReport> out;
  expire(now.mono);
  ++round_;
  for (Account* const account : in_force_.accounts) {
    account->round = round_;
    if (account->shared) report_on(*account, true, now, out);
  }
  for (Account& account : all_) {   // those of a configuration that is no longer in force, until they hold nothing
    if (account.shared && account.round != round_) report_on(account, false, now, out);
  }
  return out;
}

bool Budgets::take_answers(const std::vector<ShareReply>& replies, MonoTime asked_at) {
  const std::lock_guard lock(mutex_);
  bool lacks = false;
  for (std::size_t i = 0; i < replies.size() && i < reported_.size(); ++i) {
    const auto& [account, slot] = reported_[i];
    if (!account->shared) continue;
    AccountShares::Window* const window = account->shared->find(slot);
    if (window == nullptr) continue;   // two windows on meanwhile
    window->share.take(replies[i], asked_at);
    lacks = lacks || window->share.was_denied();
  }
  reported_.clear();
  return lacks;
}

void Budgets::set_store_lost(bool lost) noexcept {
  const std::lock_guard lock(mutex_);
  if (!store_ || store_->lost == lost) return;
  store_->lost = lost;
  store_->lost_since = std::chrono::steady_clock::now();
}

void Budgets::stop_leasing() noexcept {
  const std::lock_guard lock(mutex_);
  if (store_) store_->leases = false;
}

}  // namespace tollgate
