#pragma once
// Which requests of a ledger that several gateways write are one gateway's: those with ids that it was given
// (metrics/ledger_schema_postgres.cpp, table gateway_ids).
//
//    TOLLGATE_TRY(const std::string own, own_requests(*source, config.ledger.path));
//    source->query("SELECT … FROM request r WHERE r.arrived_us>=?1" + own);

#include <string>

#include "metrics/ledger_source.hpp"

namespace tollgate {

/// A condition on a request `r`, from " AND " on. "": all are, for the ledger is SQLite or `files` is "".
/// `files`: what the paths of the gateway's own files begin with (LedgerConfig::path).
[[nodiscard]] Result<std::string> own_requests(LedgerSource& ledger, const std::string& files);

}  // namespace tollgate
