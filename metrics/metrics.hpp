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
// Law: for every pool, attributed + idle + cold start + minimum + down + rounding = billed, to the picodollar; a request opened is in the ledger
// once, whatever happens to the process.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "metrics/charge.hpp"
#include "metrics/outcomes.hpp"
#include "metrics/records.hpp"
#include "metrics/usage.hpp"

namespace prometheus { struct MetricFamily; }

namespace tollgate {

struct CommittedSums;
struct ShardTotals;
using MonoTime = std::chrono::steady_clock::time_point;

struct RequestOpened {
  RequestId id;
  std::int64_t arrived_us;
  NameId model, team, key;
  Surface surface;
  bool stream;
  std::int32_t input_bytes;
  Purpose purpose = Purpose::client;
};

struct AttemptEnd {
  std::uint8_t number = 0;               ///< which attempt; 0: the last that was begun
  RowResult result;
  int http_status = 0;
  Usage usage;
  UsageSource usage_source = UsageSource::none;
  std::int64_t first_token_us = 0;
  /// As the answer named it, "" if it did not: then the prices of the tier that was asked for stand. What counts is the tier that
  /// served, whatever was asked for.
  std::string_view service_tier;
  const TokenPrices* prices = nullptr;   ///< the target's: needed where service_tier is not ""
  std::optional<Usd> by_units;           ///< of what is passed through: what it costs by other units than tokens; nullopt: not known
  std::optional<Usd> reported;             ///< what the provider says it cost, where that is believed: then it is the charge
  std::optional<GpuTime> billed;           ///< of a reported pool: the time the provider bills for the call; nullopt: it did not say
};

struct RequestClosing {
  RowResult result;
  int http_status = 0;
  std::chrono::nanoseconds overhead{0};      ///< what the gateway added, upstream time left out
  std::chrono::nanoseconds first_token{-1};  ///< arrival to first byte of the answer to the client; negative: none
  std::chrono::nanoseconds duration{0};
  /// An answer of the response cache. No attempt was made, nothing is charged.
  struct Cached {
    NameId from{};                           ///< the target that gave it, to another request; none: it is not one
    RequestId origin{};                      ///< that request
    std::optional<Usd> saved;                ///< what its attempt was charged; absent: not known
    bool masked = false;                     ///< the target was sent masked text
  } cached;
  NameId answered_by{};                      ///< whose answer the client got, if not that of the last attempt
};

/// One reactor's books. Not thread-safe: one reactor, one Books. No call blocks, allocates on the heap in the steady state, or fails.
class Books {
 public:
  virtual ~Books() = default;
  /// Takes a ledger slot and writes the open row to it. nullptr: none is free (a limit: LedgerConfig::open_requests_max).
  [[nodiscard]] virtual OpenRequest* open(const RequestOpened& opened) noexcept = 0;
  /// Why open() returned nullptr. True: every slot is taken; wait, one comes back with the next commit. False: the ledger cannot be
  /// written (LedgerStatus says why); refuse with Fault::ledger_full, for nothing may be served unrecorded.
  [[nodiscard]] virtual bool can_record() const noexcept = 0;
  /// What was decided; before the first attempt.
  virtual void decided(OpenRequest& request, NameId route, float complexity, Tier tier) noexcept = 0;
  /// Which constraints cover it, and the Config::rules they are of; before the first attempt.
  virtual void covered(OpenRequest& request, NameId rules, std::uint64_t covered) noexcept = 0;
  /// The next attempt is sent masked text.
  virtual void will_mask(OpenRequest& request) noexcept = 0;
  /// Starts attempt row.attempts + 1 (at most attempts_per_request_max) and the pool's clock for it.
  /// Its prices are those of now, in the service tier that the request asks for ("": the standard one).
  virtual void begin_attempt(OpenRequest& request, const Target& target, const Backend& backend, MonoTime now,
                             std::string_view service_tier = {}) noexcept = 0;
  /// Starts another attempt beside the one under way: two are then open, until the first of them is ended. False: there is no slot to keep
  /// it in, or no row, or nothing to be beside; then nothing has begun.
  [[nodiscard]] virtual bool begin_hedge(OpenRequest& request, const Target& target, const Backend& backend, MonoTime now,
                                         std::string_view service_tier = {}) noexcept = 0;
  /// The running count of an attempt (`number`; 0: the last begun), kept where a crash cannot lose it. It replaces the last one.
  virtual void progress(OpenRequest& request, const Usage& usage, UsageSource source, std::uint8_t number = 0) noexcept = 0;
  /// The attempt's first token has come: its prompt is computed. Once; later ones are ignored.
  virtual void first_token(OpenRequest& request, MonoTime now, std::uint8_t number = 0) noexcept = 0;
  /// Ends an attempt (end.number), stops the pool's clock, prices it. A second end of the same attempt is ignored. An end that knows no
  /// usage (UsageSource::none) keeps what progress() said last. What each case costs: metrics/pricing.hpp.
  virtual const Charge& end_attempt(OpenRequest& request, const AttemptEnd& end, MonoTime now) noexcept = 0;
  /// Ends the request and hands its slot to the ledger thread. Attempts still running are ended as Fault::internal.
  virtual void settle(OpenRequest& request, const RequestClosing& closing) noexcept = 0;
  /// Requests that never got a slot (bad key, bad body …): counted, not recorded.
  virtual void refused(RowResult result) noexcept = 0;

  /// Records what became known of an answer, durably; `done` (may be empty) is called on the ledger thread. False: too many wait
  /// already (outcomes_waiting_max), and `done` is not called. Takes a lock: for what happens rarely.
  [[nodiscard]] virtual bool record(Outcome outcome, OutcomeDone done) = 0;
  static constexpr std::size_t outcomes_waiting_max = 4096;

  /// Learned on this reactor from exact usages; used for forecasts and for estimates of aborted answers.
  struct Learned {
    double input_bytes_per_token = 4.0;       ///< of the request body's text
    double output_bytes_per_token = 4.0;      ///< of the answer's text
    double output_tokens_mean = 300;
    std::chrono::microseconds first_token_mean{0};  ///< 0: not known yet
    std::uint64_t samples = 0;
    std::chrono::microseconds output_token_mean{0};  ///< of streams, per output token after the first; 0: not known yet
    std::chrono::microseconds duration_mean{0};      ///< of whole attempts; 0: not known yet
    MonoTime timed_at{};                             ///< when the last of these times was learned
    double seconds_per_output_token = 0.05;   ///< wall time of answers over their tokens: what a GPU share is bounded by
  };
  [[nodiscard]] virtual Learned learned(NameId target) const noexcept = 0;
  virtual void learn(NameId target, std::int64_t input_text_bytes, std::int64_t output_text_bytes, const Usage& exact) noexcept = 0;
};

/// A pool's state now, for pages, forecasts and tests.
struct PoolStatus {
  NameId pool;
  UsdSum billed, attributed, idle, cold_start, rounding;   ///< attributed: settled charges + what runs have accrued so far
  UsdSum foreign;                          ///< while only work ran that did not pass here; not in idle
  UsdSum minimum, down;                    ///< minimums and increments of serverless workers; time no gateway ran
  GpuTime busy_gpu_time, idle_gpu_time, foreign_gpu_time, cold_start_gpu_time, minimum_gpu_time, down_gpu_time;
  std::int64_t in_flight = 0;
  std::int64_t workers_up = 0;             ///< of a serverless pool, booting ones included
  std::int64_t workers_booting = 0;        ///< of those
  double busy_ratio = 0;                   ///< share of the last five minutes with work in flight (BusyWindow)
};

struct LedgerStatus {
  bool writable = true;                    ///< requests can be recorded: they are committed, or wait while a database is away
  bool failing = false;                    ///< the last commit failed
  std::string error;                       ///< why
  std::uint64_t rows_committed = 0;        ///< of requests and of attempts
  std::uint64_t requests_committed = 0;
  std::uint64_t requests_waiting = 0;      ///< settled, not yet committed
  std::chrono::microseconds last_commit{0};   ///< how long it took
  std::uint64_t commits = 0;
  std::uint64_t commit_failures = 0;
  std::uint64_t folded = 0;                ///< old requests that became part of daily sums
  std::uint64_t fold_failures = 0;         ///< batches of them that could not be folded, and stayed as they were
  std::uint64_t duplicates = 0;            ///< rows that were in the ledger already; not 0 only after a commit that failed half-way
};

/// Outcomes recorded since the process began; a rating that replaces a different one counts again.
struct OutcomeTotal {
  std::string target;
  OutcomeSource source;
  OutcomeVerdict verdict;
  std::uint64_t count = 0;
};

/// What the requests of a team would have cost at a baseline, since the process began.
struct BaselineTotal {
  NameId baseline, team;
  UsdSum usd;
  std::uint64_t unknown = 0;               ///< requests whose cost there is not known
};

/// What the ledger found of an earlier run that did not end in order.
struct Recovery {
  std::uint64_t settled = 0;               ///< requests that were settled but not committed: now in the ledger as they were
  std::uint64_t open = 0;                  ///< requests that were under way: settled from what was known, marked `recovered`
  std::uint64_t damaged = 0;               ///< slots that cannot be trusted and were not imported
  std::vector<std::string> set_aside;      ///< files kept because of them
};

/// Where the books take the time from when no call brings it along; a test passes its own.
using MonoClock = std::function<MonoTime()>;
/// A database that holds the ledger does not answer a start. Waits a moment; false: it gives up.
using OnLedgerAway = std::function<bool(const Error& why)>;

/// All books of the process. Constructed before the reactors, destroyed after them. The destructor commits everything; if the
/// ledger cannot be written then, the rows stay in the slot files and the next start takes them in.
class Accounts {
 public:
  /// Opens the ledger and takes in what an earlier run left. Fails with a clear Error if the ledger cannot be used, another process
  /// uses it, or `reactors` is not 1 … reactors_max.
  [[nodiscard]] static Result<std::unique_ptr<Accounts>> start(const LedgerConfig& ledger, unsigned reactors,
                                                               MonoClock clock = &std::chrono::steady_clock::now,
                                                               const OnLedgerAway& on_away = {});
  virtual ~Accounts() = default;

  [[nodiscard]] virtual Books& books(unsigned reactor) noexcept = 0;
  /// Makes a snapshot's names and pools known; before any reactor uses the snapshot. Any thread but one at a time.
  virtual Result<void> adopt(const ConfigPtr& config) = 0;
  /// Commits everything settled so far; returns when it is durable, or when the ledger turned out not to be writable (ledger() says
  /// so; the rows stay in their slots). Any thread but a reactor's.
  virtual void flush() = 0;
  [[nodiscard]] virtual std::vector<PoolStatus> pools() const = 0;
  /// Whether the pool's engine is doing work that did not pass here; holds until it is said otherwise. Idle time from now on is
  /// `foreign` while it is. Any thread.
  virtual void set_foreign(NameId pool, bool runs) = 0;
  [[nodiscard]] virtual LedgerStatus ledger() const = 0;
  /// All reactors' counters added up (metrics/shard.hpp). Any thread; not a reactor's.
  [[nodiscard]] virtual ShardTotals totals() const = 0;
  /// What this process has committed, by day (metrics/day_sums.hpp). Any thread.
  [[nodiscard]] virtual CommittedSums committed() const = 0;
  /// What start() found; for the log.
  [[nodiscard]] virtual const Recovery& recovery() const noexcept = 0;

  /// More families to export, from folders that metrics/ does not know. Called on the thread that renders.
  using Collect = std::function<void(std::vector<prometheus::MetricFamily>&)>;
  virtual void add_collector(Collect collect) = 0;
  /// The exposition in Prometheus' text format. Any thread; takes milliseconds, so not a reactor's.
  [[nodiscard]] virtual std::string render_metrics() const = 0;
};

}  // namespace tollgate
