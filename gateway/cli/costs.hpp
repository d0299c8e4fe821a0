#pragma once
// What `tollgate costs` and `tollgate reconcile` share, and the ways costs are printed.

#include <cstdint>
#include <string>

#include "gateway/cli/commands.hpp"
#include "metrics/costs_query.hpp"

namespace tollgate::cli {

struct Period {
  std::int64_t since_us = 0, until_us = 0;
};

/// Where the ledger is: `ledger` if given, else what the configuration says. An exit code other than ok: said why.
[[nodiscard]] int find_ledger(const std::string& ledger, const std::string& config, LedgerPlace& place);
[[nodiscard]] std::int64_t now_micros();

void print_table(const CostsReport& report, const CostsQuestion& question, bool baselines);
void print_json(const CostsReport& report, const CostsQuestion& question, bool baselines);
void print_csv(const CostsReport& report, const CostsQuestion& question, bool baselines);
/// The bill of the hardware instead; an exit code. (costs_pools.cpp)
[[nodiscard]] int pool_costs(const CostsOptions& options, const Period& period);
/// How FOCUS wants the costs grouped.
[[nodiscard]] std::vector<Dimension> focus_dimensions();
/// One row per day, target, team, key and kind of charge, in the columns of FOCUS 1.2. Unpriced attempts have no cost
/// that could stand there and are left out.
void print_focus(const CostsReport& report);

}  // namespace tollgate::cli
