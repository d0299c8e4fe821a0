#include "metrics/shared/rate_share.hpp"

namespace tollgate {

std::int64_t RateShare::free_at(std::int64_t per_minute, MonoTime now) const noexcept {
  if (asked_at_ == MonoTime{}) return per_minute;
  if (places_) return now - asked_at_ < std::chrono::milliseconds{100} ? free_ : per_minute;  // one may have ended since
  constexpr std::int64_t minute_ms = 60'000;
  const std::int64_t passed = std::clamp<std::int64_t>((now - asked_at_) / std::chrono::milliseconds{1}, 0, minute_ms);
  return std::min(per_minute, free_ + passed * per_minute / minute_ms);
}

RateShare::Answer RateShare::may_take(std::int64_t things, std::int64_t per_minute, MonoTime now) const noexcept {
  if (used_ + things <= have_) return Answer::yes;
  return remaining(per_minute, now) >= things ? Answer::ask : Answer::no;
}

void RateShare::report(std::int64_t per_minute, bool grows, MonoTime now, RateReport& out) noexcept {
  if (wanted_least_) {
    lease_ = std::max(lease_ * 2, wanted_most_ * 4);
  } else if (low()) {
    lease_ *= 2;
  } else if (used_ == told_used_) {
    lease_ /= 2;
  }
  // Of what is left at most a part, so that the others find something too; a lease that lies idle is one that somebody lacks.
  const std::int64_t known_free = asked_at_ == MonoTime{} ? per_minute : free_ + std::max<std::int64_t>(have_ - used_, 0);
  lease_ = std::min({lease_, known_free / (2 * static_cast<std::int64_t>(gateways_)), per_minute / 4});
  if (!grows) lease_ = 0;
  const std::int64_t wish = used_ + std::max(lease_, grows ? wanted_most_ : 0);
  have_ = std::min(have_, std::max(wish, used_));
  out.used = used_;
  out.have = have_;
  out.wish = wish;
  out.need = grows ? wanted_least_.value_or(0) : 0;
  out.per_minute = per_minute;
  out.places = places_;
  needed_ = out.need > 0 ? used_ + out.need : 0;
  wanted_least_.reset();
  wanted_most_ = 0;
  told_used_ = used_;
  told_at_ = now;
  unanswered_ = true;
}

void RateShare::answer(const RateReply& reply, MonoTime asked_at) noexcept {
  if (reply.status == ShareReply::Status::stale || reply.status == ShareReply::Status::fenced) return;
  unanswered_ = false;
  have_ = std::max(have_, reply.granted);
  denied_ = needed_ > 0 && reply.granted < needed_;
  free_ = reply.free;
  gateways_ = std::max(reply.gateways, 1U);
  asked_at_ = asked_at;
}

}  // namespace tollgate
