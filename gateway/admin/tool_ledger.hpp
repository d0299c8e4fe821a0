#pragma once
// Hands the ledger to a command that runs beside the gateway (gateway/admin/tool_run.hpp): its place as --ledger, and what a
// connection to PostgreSQL needs besides.
//
//    read_ledger(config.ledger, job);
//
// A password goes over as a file of libpq's form that only that process has open: neither its arguments nor its environment hold
// it, for a configuration that somebody typed may use every variable.

#include "config/config.hpp"
#include "gateway/admin/tool_run.hpp"

namespace tollgate {

/// After the job's other texts and its environment are set.
[[nodiscard]] Result<void> read_ledger(const LedgerConfig& ledger, ToolJob& job);

}  // namespace tollgate
