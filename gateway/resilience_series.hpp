#pragma once
// What is known of targets and keys at a scrape: drained, ejected, limited by their provider; keys that are refused.

#include <string_view>
#include <vector>

#include "gateway/serving.hpp"

namespace prometheus {
struct MetricFamily;
}

namespace tollgate {

/// Why nothing is sent to a target now, or nothing unless there is no other; "up" if it may be.
[[nodiscard]] std::string_view state_name(const Serving& serving, std::size_t target, std::chrono::steady_clock::time_point now);
/// Whether requests can be sent there now at all: reachable, not drained, its breaker not open.
[[nodiscard]] bool is_usable(const TargetHealth& health, std::chrono::steady_clock::time_point now);

void collect_targets(const Serving& serving, std::vector<prometheus::MetricFamily>& families);

}  // namespace tollgate
