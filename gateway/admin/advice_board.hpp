#pragma once
// What `tollgate advise` says of the last thirty days, kept for the live page and as metrics; and the same with other assumptions for
// who asks. Each is worked out by a process of its own (tool_run.hpp): a month of a ledger is seconds of reading.
//
// The kept one is renewed in the background, at most every `interval` and so that it takes at most a twentieth of the time.
// Threads: the control thread; collect() may be called on any.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backends/task.hpp"
#include "gateway/admin/pages.hpp"

namespace prometheus { struct MetricFamily; }

namespace tollgate {

class AdviceBoard {
 public:
  static constexpr std::chrono::minutes interval{10};
  static constexpr std::chrono::seconds first_after{60};    ///< of the start: there is little to say before

  explicit AdviceBoard(Gateway& gateway);
  ~AdviceBoard();
  /// Renews what is kept, for ever.
  Task<void> keep();
  /// GET /admin/v1/advice. Without parameters: what is kept, worked out now if there is none. With parameters, those of the
  /// command line (`tokens_per_day=30M`): worked out now, one at a time.
  Task<AdminReply> answer(const AdminRequest& request);
  void collect(std::vector<prometheus::MetricFamily>& families) const;

 private:
  struct Tier {
    std::string workload, tier;
    double usd_per_month;
  };
  struct Kept {
    AdminReply reply;
    std::uint64_t generation = 0;                ///< of the configuration
    std::chrono::steady_clock::time_point at;
    std::int64_t at_us = 0;
    std::chrono::steady_clock::duration took{};
  };
  Task<void> renew();
  Task<AdminReply> work_out(std::vector<std::string> arguments);
  [[nodiscard]] bool is_fresh() const;
  void note_metrics(const std::string& body, std::int64_t at_us);

  Gateway& gateway_;
  Timer renewed_;                                ///< ends when renew() does
  bool renewing_ = false, asked_ = false;
  std::optional<Kept> kept_;

  mutable std::mutex mutex_;                     // guards what follows
  std::vector<Tier> tiers_;
  std::vector<std::pair<std::string, std::string>> advised_;
  std::vector<std::pair<std::string, double>> savings_;
  double at_seconds_ = 0;
};

}  // namespace tollgate
