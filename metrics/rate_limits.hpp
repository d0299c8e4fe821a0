#pragma once
// Rate limits: requests and tokens per minute, requests at once; of each key, team, model or route, or of all together.
//
//    RatePermit permit(limits);                                     // one per request; its end gives its place back
//    if (const auto refused = permit.admit(payer, tokens, now)) …     // 429
//    permit.settle(tokens_really, now);                             // the reserved tokens become the real ones
//
// Token buckets in exact integers: a bucket holds at most what a minute brings and fills evenly; a request takes from
// all of its buckets or from none. What a request takes of tokens is an estimate first, so a bucket may fall below
// nothing when the answer was longer; it then has to fill up again. One lock for all reactors, so that no limit is ever
// passed by two of them at once. Threads: any. Time: an argument.
// A limit that several gateways share is one bucket in their store, of which this one leases a part (share_with(),
// metrics/shared/rate.lua); while the store is away each gateway lets its even part through.

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

#include "config/config.hpp"
#include "metrics/metrics.hpp"
#include "metrics/payer.hpp"
#include "metrics/shared/rate_share.hpp"

namespace tollgate {

enum class LimitKind : std::uint8_t { requests, tokens, concurrent };
inline constexpr std::size_t limit_kind_count = 3;
[[nodiscard]] std::string_view name_of(LimitKind kind) noexcept;

struct RateRefusal {
  NameId limit;
  LimitKind kind = LimitKind::requests;
  std::int64_t allowed = 0, asked = 0;
  /// When it is worth trying again; absent: never, for it asks for more than the limit ever holds.
  std::optional<std::chrono::microseconds> retry_after{};
  bool for_lease = false;  ///< of a shared limit: the store may have enough; ask again in a moment
};

/// One pair of limit and rest for the headers: of several limits the one with the least left.
struct RateState {
  std::int64_t limit = 0;  ///< 0: there is no such limit
  std::int64_t remaining = 0;
  std::chrono::microseconds reset{0};  ///< until all of it is there again
};
struct RateStates {
  RateState requests, tokens;
};

struct RateLimitStatus {
  NameId limit;
  std::array<std::uint64_t, limit_kind_count> refused{};
  std::uint64_t admitted = 0;
  std::int64_t concurrent = 0;
};

class RateLimits {
 public:
  /// What keys and teams have used of limits that stay is kept.
  void adopt(const Config& config, MonoTime now);
  [[nodiscard]] bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
  [[nodiscard]] RateStates states_of(const Payer& payer, MonoTime now);
  [[nodiscard]] std::vector<RateLimitStatus> status() const;

  // -- metrics/rate_sharing.cpp; as those of Budgets --
  void share_with(std::function<void()> wake);
  [[nodiscard]] std::vector<RateReport> reports(MonoTime now);
  bool take_answers(const std::vector<RateReply>& replies, MonoTime asked_at);
  void set_store_lost(bool lost, MonoTime now) noexcept;
  void stop_leasing() noexcept;

 private:
  friend class RatePermit;
  /// Filled by `per_minute` units a microsecond up to a minute's worth; one thing costs `unit` of them.
  struct Level {
    static constexpr std::int64_t unit = 60'000'000;
    std::int64_t per_minute = 0;  ///< 0: not limited
    std::int64_t level = 0;
    void fill(std::int64_t passed_us) noexcept;
    [[nodiscard]] RateState state() const noexcept;
  };
  /// Of a bucket that several gateways share.
  struct SharedBucket {
    struct Kind {
      LimitKind kind;
      RateShare share;
      Level alone{};  ///< this gateway's even part, while the store is away
    };
    std::string key;
    std::array<Kind, limit_kind_count> kinds{Kind{LimitKind::requests, RateShare()}, Kind{LimitKind::tokens, RateShare()},
                                             Kind{LimitKind::concurrent, RateShare(true)}};
  };
  struct Bucket {
    std::size_t limit = 0;  ///< index into counts_
    Level requests, tokens;
    std::int64_t concurrent_max = 0, concurrent = 0;
    MonoTime filled_at{};
    std::unique_ptr<SharedBucket> shared;
    void fill(MonoTime now) noexcept;
    void obey(const RateLimit& rule) noexcept;
    [[nodiscard]] std::int64_t limit_of(LimitKind kind) const noexcept;
  };
  struct Counts {
    NameId limit;
    std::array<std::uint64_t, limit_kind_count> refused{};
    std::uint64_t admitted = 0;
  };
  struct Rule {
    RateLimit limit;
    std::size_t counts;
  };
  /// What a limit calls one and the same: its own counts' index, what each means, and which one.
  using BucketName = std::tuple<std::size_t, RateLimit::Each, NameId>;
  using Buckets = boost::container::small_vector<Bucket*, 4>;
  Bucket& bucket_of(const Rule& rule, const Payer& payer, MonoTime now);
  /// All that fit; with the lock held. Text is compared for a payer that was not here since the last adopt() only.
  const Buckets& buckets_of(const Payer& payer, MonoTime now);
  std::size_t counts_of(NameId limit);
  void share_or_not(Bucket& bucket, const Rule& rule, const BucketName& name) const;
  [[nodiscard]] std::optional<RateRefusal> refusal_of_shared(Bucket& bucket, std::int64_t tokens, MonoTime now);
  [[nodiscard]] bool may_take_alone(const Bucket& bucket, const SharedBucket::Kind& kind, std::int64_t things) const noexcept;
  void begin_alone(Bucket& bucket, LimitKind kind, std::int64_t with) const noexcept;
  void take_shared(Bucket& bucket, LimitKind kind, std::int64_t things) const noexcept;
  [[nodiscard]] RateState state_of(const Bucket& bucket, LimitKind kind, MonoTime now) const noexcept;

  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;              // guards all below
  std::map<BucketName, Bucket> buckets_;  // none is ever destroyed: a permit may point to it
  std::vector<Counts> counts_;
  std::vector<Rule> rules_;  // in force
  boost::unordered_flat_map<Payer, Buckets> of_payer_;
  std::function<void()> wake_;  // absent: nothing is shared
  bool store_lost_ = false, leases_ = true;
  unsigned gateways_ = 1;       // that share, as far as the store has said
  std::vector<std::pair<Bucket*, LimitKind>> reported_;  // by the reports that are under way
};

class RatePermit {
 public:
  explicit RatePermit(RateLimits& limits) : limits_(limits) {}
  ~RatePermit() { settle(0, MonoTime{}); }
  RatePermit(const RatePermit&) = delete;
  RatePermit& operator=(const RatePermit&) = delete;

  [[nodiscard]] std::optional<RateRefusal> admit(const Payer& payer, std::int64_t tokens, MonoTime now);
  /// Ends the request: its place is free, and what it took of tokens is put right. Once; more calls do nothing.
  void settle(std::int64_t tokens, MonoTime now) noexcept;

 private:
  RateLimits& limits_;
  RateLimits::Buckets buckets_;
  std::int64_t reserved_ = 0;  // tokens
};

/// As OpenAI writes durations in headers: "12ms", "7.66s", "6m0s".
[[nodiscard]] std::string duration_text(std::chrono::microseconds duration);

}  // namespace tollgate
