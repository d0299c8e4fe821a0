#pragma once
// The thread that talks to the store of shared budgets and limits: reports what this gateway has spent and holds, brings leases,
// and says when the store is away. Requests never wait for it in a lock or a socket; they look again in a moment.
//
//    Sharing sharing(std::make_unique<RedisStore>(config), config, {budgets, limits}, "gw-1", on_change);
//    …
//    sharing.stop();          // gives every lease back; after the last request has ended
//
// Threads: one of its own; status() and wake() from any.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "metrics/budgets.hpp"
#include "metrics/rate_limits.hpp"
#include "metrics/shared/share.hpp"

namespace tollgate {

struct SharingStatus {
  std::string gateway;     ///< this one's name in the store
  bool reached = false;    ///< the last exchange was answered
  bool fenced = false;     ///< another process bears the name
  std::string error;       ///< why not
  std::string remark;      ///< what is wrong with the store although it answers
  std::int64_t since_us = 0;  ///< since when it is as it is, wall clock
  std::uint64_t exchanges = 0, failures = 0;
  std::uint64_t losses = 0;   ///< times the store was found to have begun anew
  double exchange_seconds = 0;  ///< of all answered exchanges together
};

class Sharing {
 public:
  struct Shared {
    Budgets& budgets;
    RateLimits& limits;
  };
  using OnChange = std::function<void(const SharingStatus&)>;

  /// Starts the thread. `budgets` and `limits` must have been told to share before.
  Sharing(std::unique_ptr<ShareStore> store, const SharedConfig& config, Shared shared, std::string gateway, OnChange on_change);
  ~Sharing() { stop(); }
  Sharing(const Sharing&) = delete;
  Sharing& operator=(const Sharing&) = delete;

  /// A lease runs short: the next exchange comes at once.
  void wake() noexcept;
  void stop();
  [[nodiscard]] SharingStatus status() const;

 private:
  void run();
  void wait_for_work();
  /// True: a request still lacks something.
  [[nodiscard]] bool exchange();
  void note(const Result<ShareAnswers>& answers, MonoTime asked_at);

  const std::unique_ptr<ShareStore> store_;
  const SharedConfig config_;
  const Shared shared_;
  const OnChange on_change_;
  ShareSender sender_;
  std::string epoch_;
  std::atomic<bool> woken_{false};
  unsigned failed_in_a_row_ = 0;
  bool denied_ = false;

  mutable std::mutex mutex_;  // guards the next three
  std::condition_variable work_;
  bool stopping_ = false;
  SharingStatus status_;
  std::thread thread_;
};

/// The name under which a gateway reports: it must stay the same over restarts, for what its ledger holds is what it reports. Made
/// once and kept beside the ledger, unless the configuration gives one.
[[nodiscard]] Result<std::string> sharing_name(const Config& config);

}  // namespace tollgate
