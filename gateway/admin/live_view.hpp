#pragma once
// What the live page shows, kept up to date on the control thread: rates from counters read once a second, today's
// sums, the last decisions. Reads; changes nothing of the gateway.
//
//    live.tick(now);                                 // once a second
//    live.overview(), live.decisions()               // what GET /admin/v1/overview and /decisions say
//    LiveView::Watcher watcher(live);                // while an event stream is open: more decisions are sampled
//
// Today's requests are those that arrived since midnight UTC: what earlier runs wrote to the ledger, read once after
// the start on a thread of its own, and what this run has committed. So the sums are the ledger's. Hardware is added to
// the second.

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gateway/decision_feed.hpp"
#include "metrics/costs_query.hpp"
#include "metrics/day_sums.hpp"
#include "metrics/metrics.hpp"

namespace tollgate {

class Gateway;

/// What earlier runs of the gateway left of today.
struct EarlierToday {
  DaySums sums;
  std::map<std::string, UsdSum> pool_bills;  ///< since midnight, up to the moment of …
  std::map<std::string, UsdSum> counted;     ///< … this: what the pools said of this run then
  std::string error;                         ///< not empty: the ledger could not be read
};

/// The cumulative counts that rates are differences of.
struct LiveSample {
  MonoTime at;
  std::uint64_t requests = 0;  ///< settled
  UsdSum spend;                ///< charged
  UsdSum bill;                 ///< charges that are no share of a pool, and all that pools cost
  struct OfTarget {
    std::uint64_t attempts = 0, failed = 0;
    UsdSum spend;
  };
  std::map<NameId, OfTarget> targets;
  std::map<NameId, UsdSum> pool_bills;                ///< without what served others
  std::map<std::pair<NameId, NameId>, UsdSum> worth;  ///< CommittedSums::worth
};

class LiveView {
 public:
  static constexpr std::chrono::seconds interval{1};
  static constexpr std::chrono::seconds rate_span{60};
  static constexpr std::chrono::minutes history_span{5};
  static constexpr std::chrono::minutes scrape_forgotten{5};
  static constexpr std::size_t decisions_max = 200;
  // Decisions sampled of each reactor: a second, and at most at once after a quiet time.
  static constexpr int sampled = 1, sampled_watched = 8, sampled_at_once = 32;

  explicit LiveView(Gateway& gateway);
  ~LiveView();
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;

  void tick(MonoTime now);
  /// The newest first.
  [[nodiscard]] const std::deque<DecisionPtr>& decisions();
  [[nodiscard]] DecisionPtr decision(std::string_view id);
  /// Those taken up since this many were; for event streams.
  [[nodiscard]] std::vector<DecisionPtr> decisions_after(std::uint64_t count);
  [[nodiscard]] std::uint64_t decisions_seen();

  /// The next two are one line of JSON.
  [[nodiscard]] std::string overview();
  /// The same as of the last tick, made once for all who watch.
  [[nodiscard]] const std::string& overview_of_tick();
  [[nodiscard]] MonoTime next_tick() const noexcept {
    return samples_.back().at + interval + std::chrono::milliseconds{20};
  }
  [[nodiscard]] static std::string brief(const DecisionSample& decision);

  /// What brief() says, and its attempts and the whole explanation.
  [[nodiscard]] static std::string whole(const DecisionSample& decision);

  /// A Prometheus has asked for /metrics.
  void scraped(MonoTime now) noexcept { scraped_at_ = now; }

  /// May outlive the view: it dies with the stream that it stands for.
  class Watcher {
   public:
    explicit Watcher(LiveView& live) : watchers_(live.watchers_) { ++*watchers_; }
    ~Watcher() { --*watchers_; }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

   private:
    const std::shared_ptr<unsigned> watchers_;
  };

  // What overview() is made of; gateway/admin/overview.cpp.
  struct Rates {
    double seconds = 0;  ///< 0: too early to say
    UsdSum spend, bill;  ///< in that time
    std::uint64_t requests = 0;
    std::map<NameId, LiveSample::OfTarget> targets;
  };
  struct Today {
    bool complete = false;  ///< what earlier runs left is in it
    std::string error;      ///< why it never will be
    DaySums sums;
    UsdSum hardware;  ///< bills of all pools
    std::map<std::string, UsdSum> pools;
  };
  struct BreakEven {
    std::optional<double> ratio;  ///< the busy ratio at which the bill equals what the baseline would have taken
    UsdSum worth;                 ///< what the pool's requests of the window would have cost at the baseline
    UsdSum bill;                  ///< of the pool in the window
    double seconds = 0;           ///< the window
  };
  [[nodiscard]] Rates rates(std::chrono::seconds span) const;
  [[nodiscard]] Today today() const;
  [[nodiscard]] BreakEven break_even(NameId pool, NameId baseline, double busy_ratio) const;
  [[nodiscard]] const std::deque<LiveSample>& samples() const noexcept { return samples_; }
  [[nodiscard]] bool scraped_lately() const noexcept;
  [[nodiscard]] std::int64_t started_us() const noexcept { return started_us_; }

 private:
  void take_decisions();
  void read_earlier();
  [[nodiscard]] LiveSample sample(MonoTime now) const;
  void roll_day(std::int64_t day);

  Gateway& gateway_;
  const std::int64_t started_us_;
  std::deque<LiveSample> samples_;
  std::deque<DecisionPtr> decisions_;
  std::uint64_t decisions_seen_ = 0;
  std::string overview_;  // of the last tick, "" until somebody asks
  const std::shared_ptr<unsigned> watchers_ = std::make_shared<unsigned>(0);
  std::optional<MonoTime> scraped_at_;
  std::int64_t day_ = 0;
  std::map<std::string, UsdSum> at_midnight_;  ///< what the pools said when day_ began, if that was in this run

  mutable std::mutex mutex_;             // guards earlier_
  std::optional<EarlierToday> earlier_;  // absent: not read yet
  std::thread reader_;
};

}  // namespace tollgate
