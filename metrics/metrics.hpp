#pragma once
// The folder's public header: Books (the only writer of money), Pools, the ledger, the exporter.
// Knows: money, usage, pools, records, Prometheus. Knows nothing of: HTTP, routing, sockets.
//
//    Accounts accounts(config);                       // one per process: ledger thread, pools, names
//    Books& books = accounts.books(reactor);          // one per reactor, used only on that reactor's thread
//    OpenRequest* open = books.open(opened);          // nullptr: every slot is taken, wait and ask again
//    books.begin_attempt(*open, target, backend, now);
//    books.progress(*open, usage, UsageSource::continuous);
//    const Charge& charge = books.end_attempt(*open, end, now);
//    books.settle(*open, closing);                    // never waits, never fails; `open` is dead afterwards
//
// Law: for every pool, attributed + idle + cold start + rounding = billed, to the picodollar; a request opened is in the ledger
// once, whatever happens to the process.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "metrics/charge.hpp"
#include "metrics/records.hpp"
#include "metrics/usage.hpp"

namespace prometheus { struct MetricFamily; }

namespace tollgate {

using MonoTime = std::chrono::steady_clock::time_point;

struct RequestOpened {
  RequestId id;
  std::int64_t arrived_us;
  NameId model, team, key;
  Surface surface;
  bool stream;
  std::int32_t input_bytes;
};

struct AttemptEnd {
  RowResult result;
  int http_status = 0;
  Usage usage;
  UsageSource usage_source = UsageSource::none;
  std::int64_t first_token_us = 0;
};

struct RequestClosing {
  RowResult result;
  int http_status = 0;
  std::chrono::nanoseconds overhead{0};      ///< what the gateway added, upstream time left out
  std::chrono::nanoseconds first_token{-1};  ///< arrival to first byte of the answer to the client; negative: none
  std::chrono::nanoseconds duration{0};
};

/// A request between open() and settle(); lives in a ledger slot. Only Books makes and ends one.
struct OpenRequest {
  RequestRow row;
  std::array<AttemptRow, attempts_per_request_max> attempts;
  [[nodiscard]] AttemptRow& current() noexcept { return attempts[row.attempts - 1U]; }
  [[nodiscard]] Usd total() const noexcept;   ///< over all attempts so far
};

/// One reactor's books. Not thread-safe: one reactor, one Books. No call blocks, allocates on the heap in the steady state, or fails.
class Books {
 public:
  virtual ~Books() = default;
  /// Takes a ledger slot and writes the open row to it. nullptr: none is free (a limit: LedgerConfig::open_requests_max).
  [[nodiscard]] virtual OpenRequest* open(const RequestOpened& opened) noexcept = 0;
  /// False: the ledger cannot be written (disk full …): nothing may be served unrecorded.
  [[nodiscard]] virtual bool can_record() const noexcept = 0;
  /// What was decided; before the first attempt.
  virtual void decided(OpenRequest& request, NameId route, float complexity, Tier tier) noexcept = 0;
  /// Starts attempt row.attempts + 1 (at most attempts_per_request_max) and the pool's clock for it.
  virtual void begin_attempt(OpenRequest& request, const Target& target, const Backend& backend, MonoTime now) noexcept = 0;
  /// The running count of the current attempt, kept where a crash cannot lose it.
  virtual void progress(OpenRequest& request, const Usage& usage, UsageSource source) noexcept = 0;
  /// Ends the current attempt, stops the pool's clock, prices it. A second end of the same attempt is ignored.
  virtual const Charge& end_attempt(OpenRequest& request, const AttemptEnd& end, MonoTime now) noexcept = 0;
  /// Ends the request and hands its slot to the ledger thread. An attempt still running is ended as Fault::internal.
  virtual void settle(OpenRequest& request, const RequestClosing& closing) noexcept = 0;
  /// Requests that never got a slot (bad key, bad body …): counted, not recorded.
  virtual void refused(RowResult result) noexcept = 0;

  /// Learned on this reactor from exact usages; used for forecasts and for estimates of aborted answers.
  struct Learned {
    double input_bytes_per_token = 4.0;       ///< of the request body's text
    double output_bytes_per_token = 4.0;      ///< of the answer's text
    double output_tokens_mean = 300;
    std::chrono::microseconds first_token_mean{0};  ///< 0: not known yet
    std::uint64_t samples = 0;
  };
  [[nodiscard]] virtual Learned learned(NameId target) const noexcept = 0;
  virtual void learn(NameId target, std::int64_t input_text_bytes, std::int64_t output_text_bytes, const Usage& exact) noexcept = 0;
};

/// A pool's state now, for pages, forecasts and tests.
struct PoolStatus {
  NameId pool;
  UsdSum billed, attributed, idle, cold_start, rounding;   ///< attributed: settled charges + what runs have accrued so far
  GpuTime busy_gpu_time, idle_gpu_time;
  std::int64_t in_flight = 0;
};

struct LedgerStatus {
  bool writable = true;
  std::string error;                       ///< why not
  std::uint64_t rows_committed = 0;
  std::uint64_t requests_waiting = 0;      ///< settled, not yet committed
  std::chrono::microseconds last_commit{0};
};

/// All books of the process. Constructed before the reactors, destroyed after them (the destructor commits everything).
class Accounts {
 public:
  /// Opens the ledger (recovering what an earlier run left open) and seeds Names. Fails with a clear Error if the ledger cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<Accounts>> start(const LedgerConfig& ledger, unsigned reactors);
  virtual ~Accounts() = default;

  [[nodiscard]] virtual Books& books(unsigned reactor) noexcept = 0;
  /// Makes a snapshot's names and pools known; before any reactor uses the snapshot. Any thread but one at a time.
  virtual Result<void> adopt(const ConfigPtr& config) = 0;
  /// Commits everything settled so far; returns when it is durable. Any thread.
  virtual void flush() = 0;
  [[nodiscard]] virtual std::vector<PoolStatus> pools() const = 0;
  [[nodiscard]] virtual LedgerStatus ledger() const = 0;

  /// More families to export, from folders that metrics/ does not know. Called on the thread that renders.
  using Collect = std::function<void(std::vector<prometheus::MetricFamily>&)>;
  virtual void add_collector(Collect collect) = 0;
  /// The exposition in Prometheus' text format. Any thread; takes milliseconds, so not a reactor's.
  [[nodiscard]] virtual std::string render_metrics() const = 0;
};

}  // namespace tollgate
