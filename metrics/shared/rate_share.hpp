#pragma once
// This gateway's part of one shared rate limit's bucket: what it may take out without asking. As budget_share.hpp, for things
// that are counted and come back with time.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "metrics/metrics.hpp"
#include "metrics/shared/share.hpp"

namespace tollgate {

class RateShare {
 public:
  enum class Answer : std::uint8_t {
    yes,
    ask,  ///< the store may have enough; the request waits for it
    no
  };
  /// `places`: they come back when a request ends, not with time.
  explicit RateShare(bool places = false) noexcept : places_(places) {}
  [[nodiscard]] Answer may_take(std::int64_t things, std::int64_t per_minute, MonoTime now) const noexcept;
  /// What is left for everybody, as far as this gateway knows.
  [[nodiscard]] std::int64_t remaining(std::int64_t per_minute, MonoTime now) const noexcept {
    return std::max<std::int64_t>(have_ - used_, 0) + free_at(per_minute, now);
  }
  [[nodiscard]] std::int64_t used() const noexcept { return used_; }
  [[nodiscard]] std::int64_t leased() const noexcept { return std::max<std::int64_t>(have_ - used_, 0); }
  [[nodiscard]] unsigned gateways() const noexcept { return gateways_; }
  [[nodiscard]] MonoTime asked_at() const noexcept { return asked_at_; }

  /// Takes things out, or puts back what was too much: what was promised was less or more in the end.
  void take(std::int64_t things) noexcept { used_ += things; }
  void lacked(std::int64_t things) noexcept {
    wanted_least_ = std::min(wanted_least_.value_or(things), things);
    wanted_most_ = std::max(wanted_most_, things);
  }
  [[nodiscard]] bool low() const noexcept { return lease_ > 0 && have_ - used_ < lease_ / 4; }
  [[nodiscard]] bool wants() const noexcept { return wanted_least_.has_value(); }
  [[nodiscard]] bool due(MonoTime now) const noexcept {
    const bool must_renew = places_ && used_ > 0 && now - told_at_ > std::chrono::seconds{1};
    return wanted_least_ || low() || unanswered_ || used_ != told_used_ || have_ > used_ || must_renew;
  }
  [[nodiscard]] bool was_denied() const noexcept { return denied_; }
  /// A lease that was not renewed is no longer believed.
  void expire(MonoTime now, std::chrono::milliseconds after) noexcept {
    if (asked_at_ == MonoTime{} || now - asked_at_ < after) return;
    have_ = std::min(have_, used_);
    free_ = 0;
  }

  void report(std::int64_t per_minute, bool grows, MonoTime now, RateReport& out) noexcept;
  void answer(const RateReply& reply, MonoTime asked_at) noexcept;

 private:
  [[nodiscard]] std::int64_t free_at(std::int64_t per_minute, MonoTime now) const noexcept;

  std::int64_t used_ = 0, have_ = 0, lease_ = 0;
  std::int64_t told_used_ = 0, needed_ = 0;
  std::int64_t wanted_most_ = 0;
  std::optional<std::int64_t> wanted_least_;
  std::int64_t free_ = 0;  ///< in the store, at asked_at_
  unsigned gateways_ = 1;
  bool places_, denied_ = false, unanswered_ = false;
  MonoTime told_at_{};
  MonoTime asked_at_{};    ///< {}: never answered
};

}  // namespace tollgate
