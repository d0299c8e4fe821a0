// Rate limits that several gateways share: what the thread of metrics/shared/sharing.hpp calls, and what a bucket with a lease
// answers.

#include <algorithm>

#include "metrics/rate_limits.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t minute_us = 60'000'000;

std::string_view name_of(RateLimit::Each each) noexcept {
  static constexpr std::array<std::string_view, 5> names{"key", "team", "model", "route", "all"};
  return names[static_cast<std::size_t>(each)];
}

std::int64_t even_part(std::int64_t of, unsigned gateways) noexcept { return std::max<std::int64_t>(of / gateways, 1); }

}  // namespace

std::int64_t RateLimits::Bucket::limit_of(LimitKind kind) const noexcept {
  switch (kind) {
    case LimitKind::requests:
      return requests.per_minute;
    case LimitKind::tokens:
      return tokens.per_minute;
    case LimitKind::concurrent:
      return concurrent_max;
  }
  return 0;
}

void RateLimits::share_with(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

// A permit that was taken before gives its place back to whatever the bucket is then; so a bucket stays shared once it was.
void RateLimits::share_or_not(Bucket& bucket, const Rule& rule, const BucketName& name) const {
  if (!wake_ || !rule.limit.shared || bucket.shared) return;
  bucket.shared = std::make_unique<SharedBucket>();
  bucket.shared->key = "limit:" + std::string(text(rule.limit.name)) + ":" + std::string(name_of(rule.limit.each)) + ":" +
                       std::string(text(std::get<2>(name)));
  for (SharedBucket::Kind& part : bucket.shared->kinds) {
    if (store_lost_) begin_alone(bucket, part.kind, bucket.limit_of(part.kind));
  }
  if (bucket.concurrent > 0) take_shared(bucket, LimitKind::concurrent, bucket.concurrent);
}

/// While the store is away: this gateway's even part, and so much of it to begin with.
void RateLimits::begin_alone(Bucket& bucket, LimitKind kind, std::int64_t with) const noexcept {
  const std::int64_t limit = bucket.limit_of(kind);
  Level& alone = bucket.shared->kinds[static_cast<std::size_t>(kind)].alone;
  alone = Level{};
  if (limit == 0) return;
  alone.per_minute = even_part(limit, gateways_);
  alone.level = std::min(with, alone.per_minute) * Level::unit;
}

void RateLimits::take_shared(Bucket& bucket, LimitKind kind, std::int64_t things) const noexcept {
  const std::int64_t limit = bucket.limit_of(kind);
  if (limit == 0) return;
  SharedBucket::Kind& part = bucket.shared->kinds[static_cast<std::size_t>(kind)];
  part.share.take(things);
  const std::int64_t full = part.alone.per_minute * Level::unit;
  part.alone.level = std::min(full, part.alone.level - things * Level::unit);
  if (part.share.low()) wake_();
}

bool RateLimits::may_take_alone(const Bucket& bucket, const SharedBucket::Kind& kind, std::int64_t things) const noexcept {
  if (kind.kind == LimitKind::concurrent) return kind.share.used() + things <= even_part(bucket.concurrent_max, gateways_);
  return kind.alone.level >= things * Level::unit;
}

std::optional<RateRefusal> RateLimits::refusal_of_shared(Bucket& bucket, std::int64_t tokens, MonoTime now) {
  Counts& counts = counts_[bucket.limit];
  for (SharedBucket::Kind& part : bucket.shared->kinds) {
    const std::int64_t limit = bucket.limit_of(part.kind);
    if (limit == 0) continue;
    const std::int64_t things = part.kind == LimitKind::tokens ? tokens : 1;
    part.share.expire(now, rate_lease / 2);
    RateShare::Answer answer = part.share.may_take(things, limit, now);
    if (answer == RateShare::Answer::yes) continue;
    if (store_lost_ && may_take_alone(bucket, part, things)) continue;
    RateRefusal refusal{counts.limit, part.kind, limit, things, {}, false};
    refusal.for_lease = answer == RateShare::Answer::ask && !store_lost_;
    if (refusal.for_lease) {
      refusal.retry_after = std::chrono::seconds{1};
      part.share.lacked(things);
      wake_();
      return refusal;
    }
    ++counts.refused[static_cast<std::size_t>(part.kind)];
    if (things > limit) return refusal;  // never
    const std::int64_t missing = std::max<std::int64_t>(things - part.share.remaining(limit, now), 1);
    refusal.retry_after = std::chrono::microseconds{part.kind == LimitKind::concurrent ? 1'000'000 : (missing * minute_us + limit - 1) / limit};
    return refusal;
  }
  return std::nullopt;
}

RateState RateLimits::state_of(const Bucket& bucket, LimitKind kind, MonoTime now) const noexcept {
  if (!bucket.shared) return kind == LimitKind::requests ? bucket.requests.state() : bucket.tokens.state();
  const std::int64_t limit = bucket.limit_of(kind);
  if (limit == 0) return {};
  const SharedBucket::Kind& part = bucket.shared->kinds[static_cast<std::size_t>(kind)];
  if (store_lost_) {
    RateState alone = part.alone.state();
    if (alone.limit > 0) return alone;
  }
  const std::int64_t remaining = part.share.remaining(limit, now);
  return {limit, remaining, std::chrono::microseconds{(limit - remaining) * minute_us / limit}};
}

std::vector<RateReport> RateLimits::reports(MonoTime now) {
  const std::lock_guard lock(mutex_);
  reported_.clear();
  std::vector<RateReport> out;
  if (!wake_) return out;
  for (auto& [name, bucket] : buckets_) {
    if (!bucket.shared) continue;
    for (SharedBucket::Kind& part : bucket.shared->kinds) {
      const std::int64_t limit = bucket.limit_of(part.kind);
      if (limit == 0) continue;
      part.share.expire(now, rate_lease / 2);
      if (!part.share.due(now)) continue;
      RateReport& report = out.emplace_back();
      report.key = bucket.shared->key + ":" + std::string(tollgate::name_of(part.kind));
      part.share.report(limit, leases_, now, report);
      reported_.emplace_back(&bucket, part.kind);
    }
  }
  return out;
}

bool RateLimits::take_answers(const std::vector<RateReply>& replies, MonoTime asked_at) {
  const std::lock_guard lock(mutex_);
  bool lacks = false;
  for (std::size_t i = 0; i < replies.size() && i < reported_.size(); ++i) {
    RateShare& share = reported_[i].first->shared->kinds[static_cast<std::size_t>(reported_[i].second)].share;
    share.answer(replies[i], asked_at);
    gateways_ = std::max(gateways_, share.gateways());
    lacks = lacks || share.was_denied();
  }
  reported_.clear();
  return lacks;
}

// While the store is away each gateway has its even part, which begins with what it has leased: so that all of them together let
// no more through than before, as far as each knows how many there are.
void RateLimits::set_store_lost(bool lost, MonoTime now) noexcept {
  const std::lock_guard lock(mutex_);
  if (lost == store_lost_) return;
  store_lost_ = lost;
  for (auto& [name, bucket] : buckets_) {
    if (!bucket.shared) continue;
    bucket.fill(now);
    for (SharedBucket::Kind& part : bucket.shared->kinds) {
      part.alone = Level{};
      if (lost) begin_alone(bucket, part.kind, part.share.leased());
    }
  }
}

void RateLimits::stop_leasing() noexcept {
  const std::lock_guard lock(mutex_);
  leases_ = false;
}

}  // namespace tollgate
