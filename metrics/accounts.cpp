#include <prometheus/metric_family.h>

#include <algorithm>

#include "metrics/books.hpp"
#include "metrics/exporter.hpp"
#include "metrics/foreign_time.hpp"
#include "metrics/pool_recorder.hpp"
#include "metrics/recovery.hpp"

namespace tollgate {
namespace {

/// Hardware that is billed whether it works or not. Serverless workers are those that a gateway's own requests
/// need, and calls that report their price have it of their own.
std::vector<PoolLease> leases_of(const Config& config) {
  std::vector<PoolLease> leases;
  for (const Backend& backend : config.backends) {
    if (!backend.pool) continue;
    const Billing billing = backend.pool->billing;
    if (billing != Billing::dedicated && billing != Billing::owned) continue;
    const PoolLease lease{std::string(text(backend.pool->name)), backend.pool->billed_while_down,
                          backend.pool->gateways};
    if (std::find(leases.begin(), leases.end(), lease) == leases.end()) leases.push_back(lease);
  }
  return leases;
}

class AllBooks final : public Accounts {
 public:
  AllBooks(std::unique_ptr<Ledger> ledger, std::vector<std::unique_ptr<LedgerSlots>> slots,
           milliseconds commit_interval, Recovery recovery, MonoClock clock)
      : clock_(std::move(clock)),
        recovery_(std::move(recovery)),
        ledger_(std::move(ledger), std::move(slots), commit_interval) {}

  /// Pools go on where the ledger says they stood. Before the first adopt().
  void resume_pools(std::unique_ptr<PoolFile> file, PoolClocks clocks) {
    const auto wall_ns = [] {
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      return std::int64_t{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
    };
    pools_.resume(std::move(file), std::move(clocks), wall_ns);
    ledger_.set_recorder(&recorder_);
  }

  void add_reactor() {
    const auto reactor = static_cast<unsigned>(books_.size());
    books_.push_back(std::make_unique<ReactorBooks>(ledger_, reactor, pools_, clock_));
  }

  Books& books(unsigned reactor) noexcept override { return *books_[reactor]; }

  Result<void> adopt(const ConfigPtr& config) override {
    ledger_.set_baselines(std::make_shared<const BaselineSet>(baselines_of(*config)));
    TOLLGATE_TRY(ledger_.flush());  // makes the names and the baselines durable
    ledger_.set_keep_days(config->ledger.keep_days);
    TOLLGATE_TRY(const PoolClocks taken_over, ledger_.lease_pools(leases_of(*config)));
    pools_.take_over(taken_over);
    pools_.adopt(*config, clock_());
    flush();  // from here on the ledger knows that these pools are billed
    const std::lock_guard lock(mutex_);
    targets_.clear();
    for (const Target& target : config->targets) targets_.push_back(target.id);
    teams_.clear();
    for (const ApiKey& key : config->keys) teams_.push_back(key.team);
    if (teams_.empty()) teams_.push_back(NameId::none);  // nobody shows a key
    std::sort(teams_.begin(), teams_.end());
    teams_.erase(std::unique(teams_.begin(), teams_.end()), teams_.end());
    routes_.assign(1, Names::global().intern("direct"));
    for (const Route& route : config->routes) routes_.push_back(route.name);
    baseline_names_.clear();
    for (const Baseline& baseline : config->baselines) baseline_names_.push_back(baseline.name);
    return success();
  }

  void flush() override {
    const Result<void> outcome = ledger_.flush();
    (void)outcome;  // ledger() says it
  }

  std::vector<PoolStatus> pools() const override {
    std::vector<PoolStatus> all = pools_.status(clock_());
    for (PoolStatus& pool : all) foreign_.split(pool);
    return all;
  }

  void set_foreign(NameId pool, bool runs) override {
    for (const PoolStatus& status : pools_.status(clock_())) {
      if (status.pool == pool) foreign_.set(pool, runs, status);
    }
  }

  LedgerStatus ledger() const override {
    LedgerStatus status = ledger_.status();
    std::uint64_t settled = 0;
    for (const auto& books : books_) settled += books->shard().settled_count();
    status.requests_waiting = settled - std::min(settled, status.requests_committed);
    return status;
  }

  ShardTotals totals() const override {
    ShardTotals all;
    for (const auto& books : books_) books->shard().add_to(all);
    return all;
  }

  CommittedSums committed() const override { return ledger_.committed(); }

  const Recovery& recovery() const noexcept override { return recovery_; }

  void add_collector(Collect collect) override {
    const std::lock_guard lock(mutex_);
    collectors_.push_back(std::move(collect));
  }

  std::string render_metrics() const override {
    ExportedState state;
    state.totals = totals();
    state.pools = pools();
    state.ledger = ledger();
    state.baselines = ledger_.baseline_totals();
    state.outcomes = ledger_.outcome_totals();
    state.recovery = recovery_;
    const std::lock_guard lock(mutex_);
    state.targets = targets_;
    state.teams = teams_;
    state.baseline_names = baseline_names_;
    state.routes = routes_;
    std::vector<prometheus::MetricFamily> families = exporter_.families(state);
    for (const Collect& collect : collectors_) collect(families);
    return Exporter::text(families);
  }

 private:
  const MonoClock clock_;
  const Recovery recovery_;
  Pools pools_;
  ForeignTime foreign_;
  PoolRecorder recorder_{pools_, clock_};  // outlives the ledger thread, which asks it at the end
  LedgerThread ledger_;
  std::vector<std::unique_ptr<ReactorBooks>> books_;  // fixed after start()

  mutable std::mutex mutex_;  // guards what follows
  mutable Exporter exporter_;
  std::vector<NameId> targets_, teams_, baseline_names_, routes_;
  std::vector<Collect> collectors_;
};

/// Takes what an earlier run left into the ledger. Its names and slots are given up only when that is durable;
/// interrupted at any point, the next start does the same again and every row still goes in once.
Result<Recovery> recover(Ledger& ledger, const std::string& path) {
  TOLLGATE_TRY(std::vector<SlotFile> files, read_slot_files(path));
  TOLLGATE_TRY(ledger.speak_for_last_run());
  const std::vector<PoolLeft> pools = read_pool_file(path);
  const Leftovers leftovers = settle_leftovers(files, pools);
  TOLLGATE_TRY(const BaselineSet baselines, ledger.last_baselines());
  std::uint64_t known = 0;
  const auto insert_all = [&]() -> Result<void> {
    known = 0;
    TOLLGATE_TRY(ledger.begin());
    std::vector<RequestId> ids;
    for (const OpenRequest& row : leftovers.rows) ids.push_back(row.row.id);
    if (!ids.empty()) {
      TOLLGATE_TRY(ledger.expect(ids));
    }
    for (const OpenRequest& row : leftovers.rows) {
      TOLLGATE_TRY(const bool is_new, ledger.insert(row));
      if (!is_new) {  // committed, but its slot was not yet given back
        ++known;
        continue;
      }
      for (const BaselineRule& rule : baselines.rules) {
        const std::optional<BaselineCost> cost = baseline_cost(rule, row);
        if (!cost) continue;
        TOLLGATE_TRY(ledger.insert_baseline(row.row.id, rule.name, cost->usd));
      }
    }
    TOLLGATE_TRY(take_in_pools(ledger, pools, leftovers.pool_charges));
    return ledger.commit();
  };
  if (const Result<void> inserted = insert_all(); !inserted) {
    ledger.rollback();
    return inserted.error();
  }
  Recovery recovery;
  recovery.settled = leftovers.settled - std::min(known, leftovers.settled);
  recovery.open = leftovers.open;
  recovery.damaged = leftovers.damaged;
  TOLLGATE_TRY(recovery.set_aside, remove_slot_files(files));
  TOLLGATE_TRY(ledger.begin());
  TOLLGATE_TRY(ledger.speak_for_this_run());
  TOLLGATE_TRY(ledger.write_names());
  TOLLGATE_TRY(ledger.commit());
  return recovery;
}

}  // namespace

Result<std::unique_ptr<Accounts>> Accounts::start(const LedgerConfig& config, unsigned reactors, MonoClock clock, const OnLedgerAway& on_away) {
  if (reactors == 0 || reactors > reactors_max) {
    return fail(Fault::bad_config, "server.reactors must be from 1 to " + std::to_string(reactors_max) + ", not " +
                                       std::to_string(reactors));
  }
  if (config.open_requests_max == 0) return fail(Fault::bad_config, "ledger.open_requests_max must be at least 1");
  TOLLGATE_TRY(std::unique_ptr<Ledger> ledger, open_ledger(config, on_away));
  TOLLGATE_TRY(Recovery recovery, recover(*ledger, config.path));
  TOLLGATE_TRY(const RequestId highest, ledger->highest_request());
  raise_request_ids_above(highest);
  std::vector<std::unique_ptr<LedgerSlots>> slots;
  for (unsigned reactor = 0; reactor < reactors; ++reactor) {
    TOLLGATE_TRY(std::unique_ptr<LedgerSlots> one, LedgerSlots::create(config.path, reactor, config.open_requests_max));
    slots.push_back(std::move(one));
  }
  TOLLGATE_TRY(PoolClocks clocks, ledger->pool_clocks());
  TOLLGATE_TRY(std::unique_ptr<PoolFile> pool_file, PoolFile::create(config.path));
  auto accounts = std::make_unique<AllBooks>(std::move(ledger), std::move(slots), config.commit_interval,
                                             std::move(recovery), std::move(clock));
  for (unsigned reactor = 0; reactor < reactors; ++reactor) accounts->add_reactor();
  accounts->resume_pools(std::move(pool_file), std::move(clocks));
  return std::unique_ptr<Accounts>(std::move(accounts));
}

}  // namespace tollgate
