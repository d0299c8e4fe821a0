#pragma once
// The series of budgets and rate limits.

#include <vector>

#include "gateway/guards.hpp"

namespace tollgate {

/// Only what is configured has series: without budgets and limits there are none. Any thread.
void collect_budgets(Guards& guards, std::vector<prometheus::MetricFamily>& families);

}  // namespace tollgate
