#include "metrics/budgets.hpp"

#include <algorithm>
#include <map>

namespace tollgate {
namespace {

/// The same money in the same windows, so that what was spent stays true.
bool counts_the_same(const Budget& a, const Budget& b) {
  const auto zone_name = [](const Budget& rule) { return rule.zone ? rule.zone->name() : std::string(); };
  return a.name == b.name && a.scope == b.scope && a.period == b.period && a.rolling == b.rolling &&
         zone_name(a) == zone_name(b);
}

}  // namespace

BudgetClock BudgetClock::now() noexcept {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(wall).count(), std::chrono::steady_clock::now()};
}

bool fits(const PayerScope& scope, const PastSpend& past) {
  return fits_any(scope.keys, past.key) && fits_any(scope.teams, past.team) && fits_any(scope.models, past.model) &&
         fits_any(scope.routes, past.route) && fits_any(scope.targets, past.target);
}

UsdSum Budgets::Account::counted(const AttemptCost& cost) const noexcept {
  if (cost.known) return cost.usd;
  if (cost.priced == nullptr) return cost.usd + UsdSum{rule.unpriced.value_or(Usd{})};
  return cost.usd + assumed_input_charge(cost.request_bytes, *cost.priced);
}

bool Budgets::Account::draws_on(NameId target) const noexcept { return fits_any(rule.scope.targets, text(target)); }

Budgets::Mask Budgets::fitting(const InForce& in_force, std::vector<std::string> PayerScope::*member, NameId name) {
  Mask mask{};
  for (std::size_t i = 0; i < in_force.accounts.size(); ++i) {
    if (fits_any(in_force.accounts[i]->rule.scope.*member, text(name))) mask[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  return mask;
}

// What a request may come with is looked up once, here; names of an older snapshot are compared when they come.
void Budgets::tabulate(InForce& in_force, const Config& config) {
  const auto note = [&](MaskOf& known, std::vector<std::string> PayerScope::*member, NameId name) {
    known.emplace(name, fitting(in_force, member, name));
  };
  note(in_force.keys, &PayerScope::keys, NameId::none);
  note(in_force.teams, &PayerScope::teams, NameId::none);
  for (const ApiKey& key : config.keys) {
    note(in_force.keys, &PayerScope::keys, key.name);
    note(in_force.teams, &PayerScope::teams, key.team);
  }
  for (const Target& target : config.targets) {
    note(in_force.models, &PayerScope::models, target.id);
    note(in_force.models, &PayerScope::models, target.model);
  }
  for (const std::string& model : config.virtual_models)
    note(in_force.models, &PayerScope::models, Names::global().intern(model));
  note(in_force.models, &PayerScope::models, Names::global().intern("other"));
  for (const Route& route : config.routes) note(in_force.routes, &PayerScope::routes, route.name);
  note(in_force.routes, &PayerScope::routes, Names::global().intern("direct"));
}

Budgets::Mask Budgets::mask_of(const Payer& payer) const {
  const auto of = [&](const MaskOf& known, std::vector<std::string> PayerScope::*member, NameId name) {
    const auto found = known.find(name);
    return found != known.end() ? found->second : fitting(in_force_, member, name);
  };
  Mask mask = of(in_force_.keys, &PayerScope::keys, payer.key);
  const Mask teams = of(in_force_.teams, &PayerScope::teams, payer.team);
  const Mask models = of(in_force_.models, &PayerScope::models, payer.model);
  const Mask routes = of(in_force_.routes, &PayerScope::routes, payer.route);
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] &= teams[i] & models[i] & routes[i];
  return mask;
}

template <class Visit>
void Budgets::for_each_fitting(const Payer& payer, Visit visit) const {
  const Mask mask = mask_of(payer);
  for (std::size_t word = 0; word < mask.size(); ++word) {
    for (std::uint64_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      visit(*in_force_.accounts[word * 64 + static_cast<std::size_t>(__builtin_ctzll(bits))]);
    }
  }
}

Budgets::Account* Budgets::kept_for(const Budget& rule) const noexcept {
  for (Account* const account : in_force_.accounts) {
    if (!account->rebuilding && counts_the_same(account->rule, rule)) return account;
  }
  return nullptr;
}

// From the moment a fresh account is in force every request that goes on is charged to it when it is done, or is listed
// as counted; whatever else there is lies in the ledger once that is flushed. So each request counts once.
Result<void> Budgets::adopt(const Config& config, const std::function<void()>& flush, const BudgetClock& now, const std::optional<LedgerPlace>& all_of) {
  std::vector<Account*> fresh;
  InForce before;
  {
    const std::lock_guard lock(mutex_);
    before = in_force_;
    InForce next;
    ++generation_;
    std::vector<RequestId> under_way;
    for (const OpenHold& hold : open_) under_way.push_back(hold.id);
    for (const Budget& rule : config.budgets) {
      Account* account = kept_for(rule);
      if (account == nullptr) {
        account = &all_.emplace_back(rule, now.wall_us, generation_);
        account->counted_ids = under_way;
        fresh.push_back(account);
      }
      share_or_not(*account, rule.shared);
      next.accounts.push_back(account);
    }
    tabulate(next, config);
    in_force_ = std::move(next);
    any_.store(!in_force_.accounts.empty(), std::memory_order_relaxed);
  }
  Result<void> read = success();
  if (!fresh.empty()) {
    flush();
    read = rebuild(config, fresh, now, all_of);
  }
  const std::lock_guard lock(mutex_);
  if (!read) {
    in_force_ = std::move(before);
    any_.store(!in_force_.accounts.empty(), std::memory_order_relaxed);
    return read;
  }
  for (std::size_t i = 0; i < config.budgets.size(); ++i) in_force_.accounts[i]->rule = config.budgets[i];
  return read;
}

Result<void> Budgets::rebuild(const Config& config, std::span<Account* const> fresh, const BudgetClock& now,
                              const std::optional<LedgerPlace>& all_of) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<Account*>> alike;  // by what must be read
  {
    const std::lock_guard lock(mutex_);
    for (Account* const account : fresh) {
      alike[{account->windows.window().begin_us, account->windows.grain_us()}].push_back(account);
    }
  }
  for (const auto& [what, accounts] : alike) {
    PastQuestion question{what.first, what.second, now.wall_us, all_of ? "" : config.ledger.path, {}};
    question.without = [this, &accounts = accounts] {
      const std::lock_guard lock(mutex_);
      std::vector<RequestId> ids;
      for (const Account* const account : accounts)
        ids.insert(ids.end(), account->counted_ids.begin(), account->counted_ids.end());
      return ids;
    };
    TOLLGATE_TRY(const std::vector<PastSpend> all, read_past_spend(all_of.value_or(config.ledger.place()), question));
    const std::lock_guard lock(mutex_);
    for (Account* const account : accounts) {
      const BudgetWindows::Slot slot = account->windows.slot_of(now.wall_us);
      for (const PastSpend& past : all) {
        if (!fits(account->rule.scope, past)) continue;
        UsdSum amount = past.usd;
        const Target* const target = config.find_target(past.target);
        if (target != nullptr && target->prices) {
          amount += assumed_input_charge(past.unpriced_bytes, *target);
        } else {
          amount +=
              UsdSum{static_cast<Int128>(account->rule.unpriced.value_or(Usd{}).count()) * past.unpriced_attempts};
        }
        account->windows.spend(slot, past.arrived_us, amount);
      }
      account->counted_ids = {};
      account->rebuilding = false;
    }
  }
  return success();
}

void Budgets::expire(MonoTime now) noexcept {
  while (!open_.empty() && open_.front().expires <= now) {
    auto& hold = static_cast<BudgetHold&>(open_.front());
    for (const BudgetHold::Entry& entry : hold.entries_) ++entry.account->expired;
    hold.release_all();
    open_.pop_front();
  }
}

std::vector<BudgetStatus> Budgets::status(const BudgetClock& now) {
  const std::lock_guard lock(mutex_);
  expire(now.mono);
  std::vector<BudgetStatus> all;
  for (Account* const account : in_force_.accounts) {
    account->windows.turn(now.wall_us);
    const BudgetWindows::Slot slot = account->windows.current();
    BudgetStatus status;
    status.rule = account->rule;
    status.window = account->windows.window();
    status.spent = account->spent_by_all(slot);
    status.held = account->held_by_all(slot);
    status.shared = account->shared_status(slot);
    status.refused = account->refused;
    status.warned = account->warned;
    status.diverted = account->diverted;
    status.trimmed = account->trimmed;
    status.expired = account->expired;
    status.unpriced = account->unpriced;
    status.overrun = account->overrun;
    all.push_back(std::move(status));
  }
  return all;
}

std::size_t Budgets::holds() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void Budgets::note_refused(NameId budget) noexcept {
  const std::lock_guard lock(mutex_);
  for (Account* const account : in_force_.accounts) {
    if (account->rule.name == budget) ++account->refused;
  }
}

void Budgets::charge_unheld(const Payer& payer, RequestId id, std::int64_t arrived_us, const AttemptCost& cost) {
  const std::lock_guard lock(mutex_);
  for_each_fitting(payer, [&](Account& account) {
    if (!account.draws_on(cost.target)) return;
    account.windows.spend(account.windows.slot_of(arrived_us), arrived_us, account.counted(cost));
    if (account.rebuilding) account.counted_ids.push_back(id);
  });
}

Admission BudgetHold::admit(const Payer& payer, RequestId request, std::int64_t arrived_us, std::span<StepNeed> steps,
                            const BudgetClock& now) {
  Admission admission;
  const std::lock_guard lock(budgets_.mutex_);
  if (held_) return admission;
  budgets_.expire(now.mono);
  payer_ = payer;
  id = request;
  arrived_us_ = arrived_us;
  generation_ = budgets_.generation_;
  entries_.clear();
  budgets_.for_each_fitting(payer, [&](Budgets::Account& account) {
    account.windows.turn(now.wall_us);
    entries_.push_back({&account, account.windows.slot_of(arrived_us), Usd{}, false, false});
  });
  for (StepNeed& step : steps) step.dropped_by = NameId::none;
  heed_soft_ones(steps);
  if (budgets_.store_ && lacks_lease(steps, admission)) {
    entries_.clear();
    return admission;
  }
  if (!drop_what_does_not_fit(steps)) {
    explain_refusal(steps, admission);
    entries_.clear();
    return admission;
  }
  take(steps, admission);
  expires = now.mono + Budgets::hold_expires;
  held_ = true;
  budgets_.open_.push_back(*this);
  return admission;
}

// A soft budget that would be passed by the dearest step warns, and if it is to choose cheaper leaves only the steps
// whose forecast is the lowest of the plan.
void BudgetHold::heed_soft_ones(std::span<StepNeed> steps) {
  for (Entry& entry : entries_) {
    Budgets::Account& account = *entry.account;
    if (account.is_hard()) continue;
    const UsdSum used = account.spent_by_all(entry.slot) + account.held_by_all(entry.slot);
    if (used + most_of(steps, account) <= UsdSum{account.rule.limit}) continue;
    entry.warns = true;
    if (account.rule.when_over != WhenOver::cheaper) continue;
    std::optional<Usd> lowest;
    for (const StepNeed& step : steps) {
      if (step.dropped_by == NameId::none && step.forecast_known)
        lowest = std::min(lowest.value_or(step.forecast), step.forecast);
    }
    if (!lowest) continue;  // nothing is known to be cheaper than anything
    for (StepNeed& step : steps) {
      if (step.dropped_by != NameId::none || (step.forecast_known && step.forecast <= *lowest)) continue;
      step.dropped_by = account.rule.name;
      entry.diverts = true;
    }
  }
}

/// True: something is left of the plan.
bool BudgetHold::drop_what_does_not_fit(std::span<StepNeed> steps) {
  bool left = false;
  for (StepNeed& step : steps) {
    if (step.dropped_by != NameId::none) continue;
    for (const Entry& entry : entries_) {
      Budgets::Account& account = *entry.account;
      if (!account.is_hard() || !account.draws_on(step.target)) continue;
      const std::optional<Usd> need = account.need(step);
      if (need && account.has_room(entry.slot, *need)) continue;
      step.dropped_by = account.rule.name;
      break;
    }
    left = left || step.dropped_by == NameId::none;
  }
  if (!left) return false;
  for (const Entry& entry : entries_) {
    const bool trimmed = std::any_of(steps.begin(), steps.end(),
                                     [&](const StepNeed& step) { return step.dropped_by == entry.account->rule.name; });
    if (trimmed && entry.account->is_hard()) ++entry.account->trimmed;
  }
  return true;
}

// Of the steps that a hard budget has dropped, the one that needs least is the one to speak of; one that has only to
// wait for others goes before it.
void BudgetHold::explain_refusal(std::span<const StepNeed> steps, Admission& admission) const {
  admission.outcome = Admission::Outcome::refused;
  const StepNeed* nearest = nullptr;
  const Entry* obstacle = nullptr;
  for (const StepNeed& step : steps) {
    const auto [in_the_way, can_wait] = obstacle_of(step);
    if (in_the_way == nullptr) continue;  // a soft one chose another
    const bool waits_already = admission.outcome == Admission::Outcome::wait;
    if (waits_already && !can_wait) continue;
    const bool nearer =
        nearest == nullptr || (step.worst_known && (!nearest->worst_known || step.worst < nearest->worst));
    if (!nearer && (waits_already || !can_wait)) continue;
    nearest = &step;
    obstacle = in_the_way;
    if (can_wait) admission.outcome = Admission::Outcome::wait;
  }
  if (obstacle == nullptr) return;
  admission.refusal = refusal_of(*obstacle, *nearest);
  const bool waits = admission.outcome == Admission::Outcome::wait;
  if (waits && obstacle->account->shared) obstacle->account->lacked(obstacle->slot, admission.refusal->needed);
}

BudgetRefusal BudgetHold::refusal_of(const Entry& entry, const StepNeed& step) const {
  const Budgets::Account& account = *entry.account;
  const std::optional<Usd> need = account.need(step);
  BudgetRefusal refusal;
  refusal.budget = account.rule.name;
  refusal.target = step.target;
  refusal.limit = account.rule.limit;
  refusal.needed = need.value_or(Usd{});
  refusal.needed_known = need.has_value();
  refusal.spent = account.spent_by_all(entry.slot);
  refusal.held = account.held_by_all(entry.slot);
  refusal.rolling = account.rule.period == BudgetPeriod::rolling;
  refusal.wait_max = account.rule.wait_max;
  const UsdSum must_go = refusal.spent + refusal.held + refusal.needed - UsdSum{account.rule.limit};
  const bool never = !need || *need > account.rule.limit;
  refusal.resets_us = never ? BudgetWindows::never : account.windows.frees(must_go);
  if (account.shared) account.tell_of_store(entry.slot, arrived_us_, never, refusal);
  return refusal;
}

/// The budget that has no room for a step, and whether waiting for the holds of others would help.
std::pair<const BudgetHold::Entry*, bool> BudgetHold::obstacle_of(const StepNeed& step) const {
  const Entry* crowded = nullptr;
  for (const Entry& entry : entries_) {
    const Budgets::Account& account = *entry.account;
    if (!account.is_hard() || !account.draws_on(step.target)) continue;
    const std::optional<Usd> need = account.need(step);
    if (!need) return {&entry, false};
    if (account.has_room(entry.slot, *need)) continue;
    if (account.is_spent_up(entry.slot, *need)) return {&entry, false};
    crowded = &entry;
  }
  return {crowded, crowded != nullptr};
}

/// The most that a step left may draw.
Usd BudgetHold::most_of(std::span<const StepNeed> steps, const Budgets::Account& account) {
  Usd most;
  for (const StepNeed& step : steps) {
    if (step.dropped_by != NameId::none || !account.draws_on(step.target)) continue;
    most = std::max(most, account.need(step).value_or(Usd{}));
  }
  return most;
}

void BudgetHold::take(std::span<const StepNeed> steps, Admission& admission) {
  for (Entry& entry : entries_) {
    Budgets::Account& account = *entry.account;
    entry.remaining = most_of(steps, account);
    account.windows.hold(entry.slot, entry.remaining);
    if (account.shared) account.note_hold(entry.slot);
    if (account.rebuilding) account.counted_ids.push_back(id);
    if (entry.diverts) ++account.diverted;
    if (!entry.warns) continue;
    ++account.warned;
    if (admission.warning != NameId::none) continue;
    admission.warning = account.rule.name;
    // A rolling window has no beginning: of its day.
    const BudgetWindows::Slot window =
        account.rule.period == BudgetPeriod::rolling ? arrived_us_ / 86'400'000'000 : entry.slot;
    admission.first_warning = account.warned_in != window;
    account.warned_in = window;
  }
}

std::optional<NameId> BudgetHold::cover(const StepNeed& step, const BudgetClock& now, const StepNeed* beside) {
  const std::lock_guard lock(budgets_.mutex_);
  if (!held_) return std::nullopt;
  const auto lacks = [&](const Entry& entry) -> Usd {
    if (!entry.account->draws_on(step.target)) return Usd{};
    Usd need = entry.account->need(step).value_or(Usd{});
    if (beside != nullptr && entry.account->draws_on(beside->target)) need += entry.account->need(*beside).value_or(Usd{});
    return need > entry.remaining ? need - entry.remaining : Usd{};
  };
  for (const Entry& entry : entries_) {
    Budgets::Account& account = *entry.account;
    if (lacks(entry) == Usd{}) continue;
    account.windows.turn(now.wall_us);
    if (account.is_hard() && !account.has_room(entry.slot, lacks(entry))) {
      ++account.trimmed;
      return account.rule.name;
    }
  }
  for (Entry& entry : entries_) {
    const Usd more = lacks(entry);
    entry.account->windows.hold(entry.slot, more);
    entry.remaining += more;
    if (entry.account->shared) entry.account->note_hold(entry.slot);
  }
  return std::nullopt;
}

void BudgetHold::charge(const AttemptCost& cost) {
  const std::lock_guard lock(budgets_.mutex_);
  if (!held_) return;
  charged_.push_back(cost);
  for (Entry& entry : entries_) {
    Budgets::Account& account = *entry.account;
    if (!account.draws_on(cost.target)) continue;
    const UsdSum amount = account.counted(cost);
    const UsdSum within = std::min(amount, UsdSum{entry.remaining});
    const Usd part{static_cast<std::int64_t>(within.picodollars())};
    account.windows.release(entry.slot, part);
    entry.remaining -= part;
    account.windows.spend(entry.slot, arrived_us_, amount);
    account.overrun += amount - within;
    if (!cost.known) ++account.unpriced;
  }
}

void BudgetHold::release_all() noexcept {
  for (Entry& entry : entries_) {
    entry.account->windows.release(entry.slot, entry.remaining);
    entry.remaining = Usd{};
  }
}

void BudgetHold::release() noexcept {
  if (!held_) return;
  const std::lock_guard lock(budgets_.mutex_);
  release_all();
}

void BudgetHold::settle() noexcept {
  if (!held_) return;
  const std::lock_guard lock(budgets_.mutex_);
  held_ = false;
  release_all();
  if (is_linked()) budgets_.open_.erase(budgets_.open_.iterator_to(*this));
  if (generation_ == budgets_.generation_ || charged_.empty()) return;
  budgets_.for_each_fitting(payer_, [&](Budgets::Account& account) {  // those that came into force meanwhile
    if (account.since <= generation_) return;
    for (const AttemptCost& cost : charged_) {
      if (!account.draws_on(cost.target)) continue;
      account.windows.spend(account.windows.slot_of(arrived_us_), arrived_us_, account.counted(cost));
    }
  });
}

}  // namespace tollgate
