#pragma once
// A SQLite ledger into PostgreSQL, exactly and as often as one likes: what is there already is left as it is, so a copy
// that was interrupted is simply begun again.
//
//    Result<LedgerCopy> copied = copy_ledger("tollgate.db", "postgresql://…", [](const std::string& table, std::int64_t rows) { … });
//
// No gateway may write the one that is copied meanwhile. Sums that many rows have gone into (days, pools' hours) cannot be
// told from others of the same name: where the target has another value, the copy is refused.

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "config/ledger_place.hpp"
#include "config/result.hpp"

namespace tollgate {

struct LedgerCopy {
  struct Table {
    std::int64_t read = 0, written = 0;  ///< the difference was there already
  };
  std::map<std::string, Table> tables;
};

/// Called now and then with how many rows of a table are done.
using OnCopied = std::function<void(const std::string& table, std::int64_t rows)>;
[[nodiscard]] Result<LedgerCopy> copy_ledger(const LedgerPlace& from, const LedgerPlace& to, const OnCopied& on_copied);

}  // namespace tollgate
