#pragma once
// Something that has to be in the ledger beside the requests, now and then: the ledger thread asks for it at least once
// a minute, when somebody flushes, and at the end.

#include "config/result.hpp"

namespace tollgate {

class Ledger;

class LedgerRecorder {
 public:
  virtual ~LedgerRecorder() = default;
  /// There is something to write at all.
  [[nodiscard]] virtual bool wanted() const = 0;
  /// Writes what there is; inside a transaction, which may be rolled back and asked for again.
  [[nodiscard]] virtual Result<void> write(Ledger& ledger) = 0;
  /// What the last write() wrote is durable.
  virtual void written() = 0;
};

}  // namespace tollgate
