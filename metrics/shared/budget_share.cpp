#include "metrics/shared/budget_share.hpp"

namespace tollgate {

void BudgetShare::size_lease(UsdSum used, UsdSum limit) noexcept {
  if (wants()) {
    lease_ = std::max(UsdSum{lease_.picodollars() * 2}, UsdSum{wanted_most_.picodollars() * 4});
  } else if (low_) {
    lease_ = UsdSum{lease_.picodollars() * 2};
  } else if (have_ - std::max(peak_, used) > UsdSum{lease_.picodollars() / 2}) {
    lease_ = UsdSum{lease_.picodollars() / 2};
  }
  if (view_.scarce) lease_ = UsdSum{};
  const UsdSum taken = view_.others_granted + std::max(have_, used);
  const UsdSum left = taken < limit ? limit - taken : UsdSum{};
  if (known_) lease_ = std::min(lease_, UsdSum{left.picodollars() / (2 * static_cast<Int128>(view_.gateways))});
}

void BudgetShare::report(UsdSum spent, UsdSum held, UsdSum limit, bool grows, ShareReport& out) noexcept {
  const UsdSum used = spent + held;
  have_ = std::max(have_, used);  // an attempt cost more than was held for it: that counts, whatever the limit
  if (grows) {
    size_lease(used, limit);
  } else {
    lease_ = UsdSum{};
  }
  const UsdSum wish = used + std::max(lease_, grows ? wanted_most_ : UsdSum{});
  have_ = std::min(have_, wish);  // what is given back is not used from here on
  out.spent = spent;
  out.held = held;
  out.have = have_;
  out.wish = wish;
  out.need = grows ? wanted_least_.value_or(UsdSum{}) : UsdSum{};
  out.limit = limit;
  out.known = known_;
  if (in_grace()) out.remembered = lines_;
  needed_ = out.need > UsdSum{} ? used + out.need : UsdSum{};
  wanted_least_.reset();
  wanted_most_ = UsdSum{};
  low_ = false;
  peak_ = used;
  told_spent_ = spent;
  told_held_ = held;
  unanswered_ = true;
}

void BudgetShare::take(const ShareReply& reply, MonoTime asked_at) noexcept {
  if (reply.status == ShareReply::Status::stale || reply.status == ShareReply::Status::fenced) {
    unanswered_ = true;
    return;
  }
  unanswered_ = false;
  view_ = reply;
  known_ = true;
  asked_at_ = asked_at;
  have_ = std::max(have_, reply.granted);
  denied_ = have_ < needed_;
  if (reply.status == ShareReply::Status::ok) lines_ = reply.lines;
  view_.lines.clear();
}

}  // namespace tollgate
