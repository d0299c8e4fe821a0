#include "metrics/rate_limits.hpp"

#include <algorithm>

#include "config/decimal.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t minute_us = 60'000'000;

// Payers are made of configured names, so there are few; keys times models times routes may still be many.
constexpr std::size_t payers_known_max = 65'536;

NameId subject_of(const RateLimit& rule, const Payer& payer) noexcept {
  switch (rule.each) {
    case RateLimit::Each::key:
      return payer.key;
    case RateLimit::Each::team:
      return payer.team;
    case RateLimit::Each::model:
      return payer.model;
    case RateLimit::Each::route:
      return payer.route;
    case RateLimit::Each::all:
      return NameId::none;
  }
  return NameId::none;
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }

}  // namespace

std::string_view name_of(LimitKind kind) noexcept {
  static constexpr std::array<std::string_view, limit_kind_count> names{"requests", "tokens", "concurrent"};
  return names[static_cast<std::size_t>(kind)];
}

void RateLimits::Level::fill(std::int64_t passed_us) noexcept {
  const std::int64_t full = per_minute * unit;
  // From below nothing it may take more than a minute; in steps of one, so that no product overflows.
  while (passed_us > 0 && level < full) {
    const std::int64_t step = std::min(passed_us, minute_us);
    level = std::min(full, level + step * per_minute);
    passed_us -= step;
  }
}

RateState RateLimits::Level::state() const noexcept {
  if (per_minute == 0) return {};
  const std::int64_t missing = per_minute * unit - level;
  return {per_minute, std::max<std::int64_t>(level, 0) / unit,
          std::chrono::microseconds{divide_up(missing, per_minute)}};
}

void RateLimits::Bucket::fill(MonoTime now) noexcept {
  const std::int64_t passed = std::chrono::duration_cast<std::chrono::microseconds>(now - filled_at).count();
  if (passed <= 0) return;  // another reactor read the clock later and was here first
  filled_at += std::chrono::microseconds{passed};
  requests.fill(passed);
  tokens.fill(passed);
  if (!shared) return;
  for (SharedBucket::Kind& kind : shared->kinds) kind.alone.fill(passed);
}

std::size_t RateLimits::counts_of(NameId limit) {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i].limit == limit) return i;
  }
  counts_.push_back({limit, {}, 0});
  return counts_.size() - 1;
}

void RateLimits::Bucket::obey(const RateLimit& rule) noexcept {
  const auto set = [](Level& level, std::int64_t per_minute) {
    const bool was_free = level.per_minute == 0;
    level.per_minute = per_minute;
    level.level = was_free ? per_minute * Level::unit : std::min(level.level, per_minute * Level::unit);
  };
  set(requests, rule.requests_per_minute);
  set(tokens, rule.tokens_per_minute);
  concurrent_max = rule.concurrent;
}

RateLimits::Bucket& RateLimits::bucket_of(const Rule& rule, const Payer& payer, MonoTime now) {
  const BucketName name{rule.counts, rule.limit.each, subject_of(rule.limit, payer)};
  const auto [place, is_new] = buckets_.try_emplace(name);
  Bucket& bucket = place->second;
  if (!is_new) return bucket;
  bucket.limit = rule.counts;
  bucket.filled_at = now;
  bucket.obey(rule.limit);
  share_or_not(bucket, rule, name);
  return bucket;
}

const RateLimits::Buckets& RateLimits::buckets_of(const Payer& payer, MonoTime now) {
  const auto known = of_payer_.find(payer);
  if (known != of_payer_.end()) return known->second;
  if (of_payer_.size() >= payers_known_max) of_payer_.clear();
  Buckets& buckets = of_payer_[payer];
  for (const Rule& rule : rules_) {
    if (fits(rule.limit.scope, payer)) buckets.push_back(&bucket_of(rule, payer, now));
  }
  return buckets;
}

void RateLimits::adopt(const Config& config, MonoTime now) {
  const std::lock_guard lock(mutex_);
  of_payer_.clear();
  rules_.clear();
  for (const RateLimit& limit : config.limits) {
    const Rule& rule = rules_.emplace_back(Rule{limit, counts_of(limit.name)});
    for (auto& [name, bucket] : buckets_) {
      if (std::get<0>(name) != rule.counts || std::get<1>(name) != limit.each) continue;
      bucket.fill(now);
      bucket.obey(limit);
      share_or_not(bucket, rule, name);
    }
  }
  any_.store(!config.limits.empty(), std::memory_order_relaxed);
}

RateStates RateLimits::states_of(const Payer& payer, MonoTime now) {
  const std::lock_guard lock(mutex_);
  RateStates states;
  const auto take_tighter = [](RateState& so_far, const RateState& other) {
    if (other.limit > 0 && (so_far.limit == 0 || other.remaining < so_far.remaining)) so_far = other;
  };
  for (Bucket* const bucket : buckets_of(payer, now)) {
    bucket->fill(now);
    take_tighter(states.requests, state_of(*bucket, LimitKind::requests, now));
    take_tighter(states.tokens, state_of(*bucket, LimitKind::tokens, now));
  }
  return states;
}

std::vector<RateLimitStatus> RateLimits::status() const {
  const std::lock_guard lock(mutex_);
  std::vector<RateLimitStatus> all;
  for (const Rule& rule : rules_) {
    const Counts& counts = counts_[rule.counts];
    RateLimitStatus status{counts.limit, counts.refused, counts.admitted, 0};
    for (const auto& [name, bucket] : buckets_) {
      if (bucket.limit == rule.counts) status.concurrent += bucket.concurrent;
    }
    all.push_back(status);
  }
  return all;
}

std::optional<RateRefusal> RatePermit::admit(const Payer& payer, std::int64_t tokens, MonoTime now) {
  using Level = RateLimits::Level;
  const std::lock_guard lock(limits_.mutex_);
  const RateLimits::Buckets& buckets = limits_.buckets_of(payer, now);
  tokens = std::clamp<std::int64_t>(tokens, 0, 1'000'000'000);
  for (RateLimits::Bucket* const bucket : buckets) {
    bucket->fill(now);
    RateLimits::Counts& counts = limits_.counts_[bucket->limit];
    const auto refuse = [&](LimitKind kind, std::int64_t allowed, std::int64_t asked,
                            std::optional<std::int64_t> after_us) {
      ++counts.refused[static_cast<std::size_t>(kind)];
      RateRefusal refusal{counts.limit, kind, allowed, asked, {}};
      if (after_us) refusal.retry_after = std::chrono::microseconds{*after_us};
      return refusal;
    };
    const auto wait_for = [](const Level& level, std::int64_t things) -> std::optional<std::int64_t> {
      if (things > level.per_minute) return std::nullopt;
      return divide_up(things * Level::unit - level.level, level.per_minute);
    };
    if (bucket->shared) {
      std::optional<RateRefusal> refused = limits_.refusal_of_shared(*bucket, tokens, now);
      if (refused) return refused;
      continue;
    }
    if (bucket->concurrent_max > 0 && bucket->concurrent >= bucket->concurrent_max) {
      return refuse(LimitKind::concurrent, bucket->concurrent_max, bucket->concurrent + 1, 1'000'000);
    }
    if (bucket->requests.per_minute > 0 && bucket->requests.level < Level::unit) {
      return refuse(LimitKind::requests, bucket->requests.per_minute, 1, wait_for(bucket->requests, 1));
    }
    if (bucket->tokens.per_minute > 0 && bucket->tokens.level < tokens * Level::unit) {
      return refuse(LimitKind::tokens, bucket->tokens.per_minute, tokens, wait_for(bucket->tokens, tokens));
    }
  }
  buckets_ = buckets;
  reserved_ = tokens;
  for (RateLimits::Bucket* const bucket : buckets_) {
    ++bucket->concurrent;
    ++limits_.counts_[bucket->limit].admitted;
    if (bucket->shared) {
      limits_.take_shared(*bucket, LimitKind::requests, 1);
      limits_.take_shared(*bucket, LimitKind::tokens, tokens);
      limits_.take_shared(*bucket, LimitKind::concurrent, 1);
    }
    if (bucket->requests.per_minute > 0) bucket->requests.level -= Level::unit;
    if (bucket->tokens.per_minute > 0) bucket->tokens.level -= tokens * Level::unit;
  }
  return std::nullopt;
}

void RatePermit::settle(std::int64_t tokens, MonoTime now) noexcept {
  if (buckets_.empty()) return;
  const std::lock_guard lock(limits_.mutex_);
  const std::int64_t back = reserved_ - std::clamp<std::int64_t>(tokens, 0, 1'000'000'000);
  for (RateLimits::Bucket* const bucket : buckets_) {
    --bucket->concurrent;
    if (bucket->shared) {
      limits_.take_shared(*bucket, LimitKind::tokens, -back);
      limits_.take_shared(*bucket, LimitKind::concurrent, -1);
    }
    if (now != MonoTime{}) bucket->fill(now);
    RateLimits::Level& level = bucket->tokens;
    if (level.per_minute > 0)
      level.level = std::min(level.per_minute * RateLimits::Level::unit, level.level + back * RateLimits::Level::unit);
  }
  buckets_.clear();
}

std::string duration_text(std::chrono::microseconds duration) {
  const std::int64_t millis = divide_up(std::max<std::int64_t>(duration.count(), 0), 1000);
  if (millis < 1000) return std::to_string(millis) + "ms";
  if (millis < 60'000) return decimal_text(millis, 3) + "s";
  const std::int64_t seconds = divide_up(millis, 1000);
  return std::to_string(seconds / 60) + "m" + std::to_string(seconds % 60) + "s";
}

}  // namespace tollgate
