#pragma once
// Passive outlier ejection: targets that fail much more often than those beside them on the same routes get nothing for a while. A breaker
// sees failures in a row; this sees a share of failures, as of an engine of which one worker is broken.
//
//    Outliers outliers;
//    outliers.look(serving, now);          // each `window`, on the control thread
//
// Law: of no route more than ejected_share_max of its targets are ejected at once, and never one without a peer that is not.

#include <chrono>
#include <map>
#include <span>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

struct Serving;

/// What a target did in the window that has just ended.
struct TargetWindow {
  std::uint32_t attempts = 0, failures = 0;
  bool ejected = false;                  ///< now
};

/// Indices of targets to be ejected, the worst first. Pure.
[[nodiscard]] std::vector<std::size_t> outliers_of(std::span<const TargetWindow> targets, std::span<const Route> routes, const OutlierRules& rules);

class Outliers {
 public:
  /// Takes the window's counts, ejects, and says so in the log.
  void look(const Serving& serving, std::chrono::steady_clock::time_point now);

 private:
  struct Past {
    std::uint32_t ejections = 0;         // in a row: the n-th lasts n times as long
    std::chrono::steady_clock::time_point until{};
  };
  std::map<NameId, Past> past_;
};

}  // namespace tollgate
