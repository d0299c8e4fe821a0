#pragma once
// Budgets: reserve, then settle. A request takes a hold for the most it may cost before anything is sent; what it
// really cost becomes spent, and the rest of the hold comes free.
//
//    BudgetHold hold(budgets);                                   // one per request; its end gives back what is held
//    Admission admission = hold.admit(payer, id, arrived_us, steps, now);
//    if (const auto refused = hold.cover(step, now)) …  // before an attempt: is there still enough held for it?
//    hold.charge(cost);                                          // at the end of every attempt
//    hold.settle();                                              // after Books::settle
//
// Law: for every hard budget and every window, spent + held <= limit at every instant, as long as no attempt costs more
// than was held for it (what is beyond is counted: overrun) and nobody lowers the limit.
// A hold that nobody settles within `hold_expires` comes free by itself.
// A budget that is shared with other gateways is used only up to what this one has leased of it (share_with(), and
// metrics/shared/share.hpp for the law); metrics/budget_sharing.cpp is what the thread that talks to the store calls.
// One lock around all budgets, held for a few comparisons: so a request holds of all its budgets or of none, on
// whatever reactor. Amounts are exact integers.
// Threads: any. Names of a request are matched by table; only adopt() and names it never saw compare text.

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>

#include "config/config.hpp"
#include "metrics/budget_history.hpp"
#include "metrics/budget_window.hpp"
#include "metrics/metrics.hpp"
#include "metrics/payer.hpp"
#include "metrics/shared/account_shares.hpp"

namespace tollgate {

/// A step of a plan as budgets see it.
struct StepNeed {
  NameId target;
  Usd worst;                ///< the most that one attempt may cost
  bool worst_known = true;  ///< false: a hard budget allows it only for the price of its own that it sets for such
  Usd forecast;
  bool forecast_known = true;
  NameId dropped_by{};  ///< out: the budget that took the step from the plan
};

/// What an attempt has cost.
struct AttemptCost {
  NameId target;
  UsdSum usd;                      ///< what is known
  bool known = true;               ///< false: that is not all
  std::int64_t request_bytes = 0;  ///< the next two are for what is not known
  const Target* priced = nullptr;  ///< the target if it has prices
};

struct BudgetClock {
  std::int64_t wall_us = 0;
  MonoTime mono{};
  [[nodiscard]] static BudgetClock now() noexcept;
};

/// Why a budget said no.
struct BudgetRefusal {
  NameId budget, target;  ///< the cheapest target it would not allow
  Usd limit, needed;
  bool needed_known = true;
  UsdSum spent, held;
  std::int64_t resets_us = 0;  ///< when enough will have come free; BudgetWindows::never: not by time alone
  bool rolling = false;
  milliseconds wait_max{0};
  // Of a shared budget:
  bool for_lease = false;     ///< nothing says that it is used up; this gateway has only to lease more
  bool unreachable = false;   ///< and cannot, for the store is away
  bool shared = false;
  milliseconds grant_wait{0};
  MonoTime asked_at{};        ///< when the store was asked what it last said of the budget
};

struct Admission {
  enum class Outcome : std::uint8_t { held, wait, refused } outcome = Outcome::held;
  std::optional<BudgetRefusal> refusal;  ///< of wait and refused
  NameId warning{};                      ///< a soft budget that is used up
  bool first_warning = false;            ///< nobody was told of it in this window
};

/// A budget now, for metrics and listings.
struct BudgetStatus {
  Budget rule;
  TimeWindow window;  ///< a rolling one has no end (BudgetWindows::never)
  UsdSum spent, held;
  std::uint64_t refused = 0, warned = 0, diverted = 0, trimmed = 0, expired = 0, unpriced = 0;
  UsdSum overrun;
  /// Of a shared budget; spent and held above are those of all gateways then.
  struct Shared {
    UsdSum own_spent, own_held;
    UsdSum leased;           ///< this gateway may use so much more without asking
    unsigned gateways = 1;   ///< that have used the window
    bool known = false;      ///< the store has answered for it
    bool granting = false;   ///< it is reachable, and not waiting for other gateways' reports
  };
  std::optional<Shared> shared{};
  [[nodiscard]] UsdSum left() const noexcept {
    const UsdSum used = spent + held;
    return used >= UsdSum{rule.limit} ? UsdSum{} : UsdSum{rule.limit} - used;
  }
};

[[nodiscard]] bool fits(const PayerScope& scope, const PastSpend& past);

/// What the list of open holds knows of one.
struct OpenHold : boost::intrusive::list_base_hook<> {
  RequestId id{};
  MonoTime expires{};
};
class BudgetHold;

class Budgets {
 public:
  static constexpr std::chrono::minutes hold_expires{120};

  /// Puts a snapshot's budgets into force. One that was there keeps what it spent and holds, unless its scope or window
  /// has changed: that and a new one read what was spent from the ledger, after `flush` made it complete. While they
  /// do, requests on them wait. On an error everything stays as it was. One caller at a time.
  /// Of a ledger that several gateways write, a gateway begins with what it has spent itself: others count theirs themselves, and
  /// where budgets are shared the store adds them up. `all_of`: with all that is in this ledger instead.
  [[nodiscard]] Result<void> adopt(const Config& config, const std::function<void()>& flush, const BudgetClock& now,
                                   const std::optional<LedgerPlace>& all_of = std::nullopt);
  /// False: there are none, and nothing needs to be asked.
  [[nodiscard]] bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::vector<BudgetStatus> status(const BudgetClock& now);
  /// A request was refused in the end, for want of this budget.
  void note_refused(NameId budget) noexcept;
  /// Counts a request that ended without a hold, for there was no budget when it began. Before Books::settle.
  void charge_unheld(const Payer& payer, RequestId id, std::int64_t arrived_us, const AttemptCost& cost);
  /// Holds that are not settled.
  [[nodiscard]] std::size_t holds() const;

  // -- metrics/budget_sharing.cpp --
  /// From the next adopt() on, budgets whose rule says so are shared. `wake`: a lease runs short; called with the lock held.
  void share_with(const SharedConfig& config, std::function<void()> wake);
  [[nodiscard]] bool shares() const noexcept { return store_ != nullptr; }
  /// What is to be said to the store now; the answers to it go to take_answers(). One thread.
  [[nodiscard]] std::vector<ShareReport> reports(const BudgetClock& now);
  /// `asked_at`: when the reports were made. True: a request still lacks what it needs.
  bool take_answers(const std::vector<ShareReply>& replies, MonoTime asked_at);
  /// The store cannot be reached, or can again.
  void set_store_lost(bool lost) noexcept;
  /// Everything that is not used is given back with the next reports, and nothing is leased any more.
  void stop_leasing() noexcept;

 private:
  friend class BudgetHold;
  using Mask = std::array<std::uint64_t, budgets_max / 64>;
  struct Account {
    Account(const Budget& from, std::int64_t now_us, std::uint64_t since_generation)
        : rule(from), windows(from, now_us), since(since_generation) {}
    [[nodiscard]] bool is_hard() const noexcept { return rule.when_over == WhenOver::refuse; }
    [[nodiscard]] bool draws_on(NameId target) const noexcept;
    [[nodiscard]] UsdSum used(BudgetWindows::Slot slot) const noexcept {
      return windows.spent(slot) + windows.held(slot);
    }
    /// What an attempt at the step may draw; absent: nobody knows.
    [[nodiscard]] std::optional<Usd> need(const StepNeed& step) const noexcept {
      return step.worst_known ? step.worst : rule.unpriced;
    }
    /// What an attempt counts for here.
    [[nodiscard]] UsdSum counted(const AttemptCost& cost) const noexcept;
    [[nodiscard]] bool has_room(BudgetWindows::Slot slot, Usd for_amount) const noexcept {
      if (shared) return has_leased(slot, for_amount);
      return !rebuilding && used(slot) + for_amount <= UsdSum{rule.limit};
    }
    // Of a shared one: metrics/budget_sharing.cpp
    [[nodiscard]] bool has_leased(BudgetWindows::Slot slot, Usd for_amount) const noexcept;
    /// It has no room, and nothing says that a lease would not give it.
    [[nodiscard]] bool may_lease(BudgetWindows::Slot slot, Usd for_amount) const noexcept;
    /// Too much is spent, by whomever: waiting will not help.
    [[nodiscard]] bool is_spent_up(BudgetWindows::Slot slot, Usd for_amount) const noexcept;
    [[nodiscard]] UsdSum spent_by_all(BudgetWindows::Slot slot) const noexcept;
    [[nodiscard]] UsdSum held_by_all(BudgetWindows::Slot slot) const noexcept;
    [[nodiscard]] std::optional<BudgetStatus::Shared> shared_status(BudgetWindows::Slot slot) const;
    void tell_of_store(BudgetWindows::Slot slot, std::int64_t arrived_us, bool never, BudgetRefusal& refusal) const;
    void lacked(BudgetWindows::Slot slot, Usd amount);
    void note_hold(BudgetWindows::Slot slot);

    Budget rule;
    BudgetWindows windows;
    std::uint64_t since;                 ///< generation in which it came into force
    bool rebuilding = true;              ///< what was spent is still being read
    std::vector<RequestId> counted_ids;  ///< while rebuilding: requests that are or will be charged here
    std::uint64_t refused = 0, warned = 0, diverted = 0, trimmed = 0, expired = 0, unpriced = 0;
    UsdSum overrun;
    std::optional<BudgetWindows::Slot> warned_in;  ///< the window in which somebody was told
    std::uint64_t round = 0;                ///< of the last reports that it was in force for
    std::unique_ptr<AccountShares> shared;  ///< absent: it is this gateway's own
  };
  using MaskOf = boost::unordered_flat_map<NameId, Mask>;
  /// The budgets in force and which of them a name draws on.
  struct InForce {
    std::vector<Account*> accounts;
    MaskOf keys, teams, models, routes;
  };

  [[nodiscard]] static Mask fitting(const InForce& in_force, std::vector<std::string> PayerScope::*member, NameId name);
  [[nodiscard]] Mask mask_of(const Payer& payer) const;
  template <class Visit>
  void for_each_fitting(const Payer& payer, Visit visit) const;
  static void tabulate(InForce& in_force, const Config& config);
  [[nodiscard]] Account* kept_for(const Budget& rule) const noexcept;
  [[nodiscard]] Result<void> rebuild(const Config& config, std::span<Account* const> fresh, const BudgetClock& now, const std::optional<LedgerPlace>& all_of);
  void expire(MonoTime now) noexcept;
  void share_or_not(Account& account, bool shared) const;
  void report_on(Account& account, bool in_force, const BudgetClock& now, std::vector<ShareReport>& out);

  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;  // guards all below
  std::deque<Account> all_;   // never destroyed: a hold of an older snapshot may point to one
  InForce in_force_;
  std::uint64_t generation_ = 0;  // rises when budgets come into force
  boost::intrusive::list<OpenHold, boost::intrusive::constant_time_size<true>> open_;  // the oldest first
  std::unique_ptr<StoreState> store_;  // absent: nothing is shared
  std::uint64_t round_ = 0;  // of reports
  std::vector<std::pair<Account*, BudgetWindows::Slot>> reported_;  // by the reports that are under way
};

class BudgetHold : private OpenHold {
 public:
  explicit BudgetHold(Budgets& budgets) : budgets_(budgets) {}
  ~BudgetHold() { settle(); }
  BudgetHold(const BudgetHold&) = delete;
  BudgetHold& operator=(const BudgetHold&) = delete;

  /// Holds the most that any step left may cost, of every budget that the request draws on; steps that do not fit are
  /// marked. May be asked again until it holds. Outcome wait: other requests hold what this one needs.
  [[nodiscard]] Admission admit(const Payer& payer, RequestId request, std::int64_t arrived_us,
                                std::span<StepNeed> steps, const BudgetClock& now);
  /// Makes sure that so much is held for an attempt at this target, beyond what the request has spent; the budget that
  /// has not enough left, if one has not. `beside`: what an attempt already under way needs as well.
  [[nodiscard]] std::optional<NameId> cover(const StepNeed& step, const BudgetClock& now, const StepNeed* beside = nullptr);
  /// An attempt's cost becomes spent.
  void charge(const AttemptCost& cost);
  /// Gives back the rest as soon as no other attempt will come, so that nobody waits for the end of the request.
  void release() noexcept;
  /// The same, and the end of the request. After Books::settle, so that what is read back from the ledger lacks nothing
  /// and doubles nothing. May be called again.
  void settle() noexcept;
  [[nodiscard]] bool is_held() const noexcept { return held_; }
  /// A lease must be waited for before an attempt at this target can be covered.
  [[nodiscard]] bool must_lease(const StepNeed& step, const BudgetClock& now);

 private:
  friend class Budgets;
  struct Entry {
    Budgets::Account* account;
    BudgetWindows::Slot slot;
    Usd remaining;
    bool warns = false, diverts = false;
  };
  void heed_soft_ones(std::span<StepNeed> steps);
  [[nodiscard]] bool drop_what_does_not_fit(std::span<StepNeed> steps);
  [[nodiscard]] bool lacks_lease(std::span<const StepNeed> steps, Admission& admission);
  [[nodiscard]] BudgetRefusal refusal_of(const Entry& entry, const StepNeed& step) const;
  void explain_refusal(std::span<const StepNeed> steps, Admission& admission) const;
  [[nodiscard]] std::pair<const Entry*, bool> obstacle_of(const StepNeed& step) const;
  [[nodiscard]] static Usd most_of(std::span<const StepNeed> steps, const Budgets::Account& account);
  void take(std::span<const StepNeed> steps, Admission& admission);
  void release_all() noexcept;

  Budgets& budgets_;
  Payer payer_;
  std::int64_t arrived_us_ = 0;
  std::uint64_t generation_ = 0;
  bool held_ = false;
  boost::container::small_vector<Entry, 5> entries_;
  boost::container::small_vector<AttemptCost, 2> charged_;
};

}  // namespace tollgate
