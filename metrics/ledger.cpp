#include "metrics/ledger.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "metrics/ledger_postgres.hpp"
#include "metrics/ledger_sqlite.hpp"

namespace tollgate {

Result<void> Ledger::expect(std::span<const RequestId>) { return success(); }
Result<PoolClocks> Ledger::lease_pools(const std::vector<PoolLease>&) { return PoolClocks{}; }

Result<std::unique_ptr<Ledger>> open_ledger(const LedgerConfig& config, const OnLedgerAway& on_away) {
  if (config.postgres.empty()) {
    TOLLGATE_TRY(std::unique_ptr<Ledger> ledger, SqliteLedger::open(config.path));
    return ledger;
  }
  TOLLGATE_TRY(std::unique_ptr<Ledger> ledger, PostgresLedger::open(config.place(), config.path, on_away));
  return ledger;
}

LedgerLock::~LedgerLock() {
  if (file_ >= 0) ::close(file_);
}

// A file of its own: closing any descriptor of a SQLite file itself would drop SQLite's locks on it.
Result<void> LedgerLock::take(const std::string& path) {
  const std::string lock_path = path + ".lock";
  file_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) {
    return fail(Fault::io_failed, "cannot open " + lock_path +
                                       ", which guards the ledger: " + std::generic_category().message(errno) +
                                       "; its folder must exist and be writable");
  }
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t got = ::pread(file_, holder, sizeof holder - 1, 0);
    const std::string pid = got > 0 ? " (process " + std::string(holder) + ")" : "";
    return fail(Fault::io_failed, "the ledger " + path + " is in use by another tollgate" + pid +
                                       "; stop it, or give this one a ledger of its own");
  }
  const std::string pid = std::to_string(::getpid());
  const bool noted = ::ftruncate(file_, 0) == 0 && ::pwrite(file_, pid.data(), pid.size(), 0) > 0;
  (void)noted;  // only for the message above
  return success();
}

}  // namespace tollgate
