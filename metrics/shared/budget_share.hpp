#pragma once
// This gateway's part of one window of a shared budget: what it may use without asking, when it asks for more, and what it gives
// back. No I/O, no clock of its own; metrics/shared/share.hpp holds the law it keeps.
//
// The lease is sized by use: it doubles while requests run short, halves while much of it lies idle, is at most a small part of
// what is left, and goes back as a whole when another gateway lacks what it needs.

#include <algorithm>

#include "metrics/metrics.hpp"
#include "metrics/shared/share.hpp"

namespace tollgate {

class BudgetShare {
 public:
  /// `used`: what is spent and held.
  [[nodiscard]] bool covers(UsdSum used_then) const noexcept { return used_then <= have_; }
  [[nodiscard]] UsdSum have() const noexcept { return have_; }
  /// What all others had in their hands when the store last spoke; nothing before it has.
  [[nodiscard]] UsdSum others_granted() const noexcept { return view_.others_granted; }
  [[nodiscard]] UsdSum others_spent() const noexcept { return view_.others_spent; }
  [[nodiscard]] UsdSum others_held() const noexcept { return view_.others_held; }
  [[nodiscard]] unsigned gateways() const noexcept { return view_.gateways; }
  [[nodiscard]] bool known() const noexcept { return known_; }
  /// The store grants nothing yet, for others have still to report.
  [[nodiscard]] bool in_grace() const noexcept { return view_.status == ShareReply::Status::grace; }
  /// When the last report went out that was answered.
  [[nodiscard]] MonoTime asked_at() const noexcept { return asked_at_; }

  /// A request could not be held for want of a lease.
  void lacked(UsdSum need) noexcept {
    if (!wanted_least_ || need < *wanted_least_) wanted_least_ = need;
    wanted_most_ = std::max(wanted_most_, need);
  }
  /// After every hold. True: it is time to ask for more.
  [[nodiscard]] bool note_used(UsdSum used) noexcept {
    peak_ = std::max(peak_, used);
    low_ = low_ || (lease_ > UsdSum{} && have_ - used < quarter(lease_));
    return low_;
  }
  [[nodiscard]] bool wants() const noexcept { return wanted_least_.has_value(); }
  /// The last answer gave less than was needed.
  [[nodiscard]] bool was_denied() const noexcept { return denied_; }
  [[nodiscard]] bool urgent() const noexcept { return wants() || low_; }
  [[nodiscard]] bool changed(UsdSum spent, UsdSum held) const noexcept {
    return !known_ || unanswered_ || spent != told_spent_ || held != told_held_ || have_ != spent + held || in_grace();
  }

  /// Fills the amounts in. `grows`: it may ask for more than it uses.
  void report(UsdSum spent, UsdSum held, UsdSum limit, bool grows, ShareReport& out) noexcept;
  /// The answer to the last report.
  void take(const ShareReply& reply, MonoTime asked_at) noexcept;

 private:
  [[nodiscard]] static UsdSum quarter(UsdSum sum) noexcept { return UsdSum{sum.picodollars() / 4}; }
  void size_lease(UsdSum used, UsdSum limit) noexcept;

  UsdSum have_, lease_, peak_;
  std::optional<UsdSum> wanted_least_;
  UsdSum wanted_most_;
  bool low_ = false, known_ = false, denied_ = false, unanswered_ = false;
  UsdSum needed_;  // of the last report, all in all; 0: nobody waited
  UsdSum told_spent_, told_held_;
  ShareReply view_;
  std::string lines_;  ///< of the others, from the last answer that was complete
  MonoTime asked_at_{};
};

}  // namespace tollgate
