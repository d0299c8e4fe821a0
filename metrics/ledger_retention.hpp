#pragma once
// Old requests become sums per day, in whichever database the ledger is.
//
// A batch of requests is added to the sums and deleted in one transaction, so that at every moment a request counts
// once. Sums are kept as two halves, high × 2^32 + low, which cannot overflow.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"
#include "metrics/sql_dialect.hpp"

namespace tollgate {

/// What folding needs of a database, on a connection with a transaction open.
class FoldPort {
 public:
  virtual ~FoldPort() = default;
  [[nodiscard]] virtual const SqlDialect& dialect() const noexcept = 0;
  [[nodiscard]] virtual Result<void> run_fold(const std::string& sql) = 0;
  [[nodiscard]] virtual Result<std::int64_t> fold_number(const std::string& sql) = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> fold_texts(const std::string& sql) = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> attempt_columns() = 0;
  [[nodiscard]] virtual Result<std::int64_t> fold_name(std::string_view text) = 0;
};

/// Makes the table of requests that are being folded; before the transaction.
[[nodiscard]] Result<void> prepare_fold(FoldPort& port);
/// Adds at most so many requests that arrived before `cutoff_us` to the sums and deletes them. 0: there were none.
[[nodiscard]] Result<std::size_t> fold_requests(FoldPort& port, std::int64_t cutoff_us, std::size_t requests_max);

}  // namespace tollgate
