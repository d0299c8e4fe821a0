#pragma once
// The commands of `tollgate`, each a function that returns its exit code: 0 fine, 1 a finding (invalid config …), 2 wrong usage,
// 3 cannot bind or read or write.

#include <string>
#include <vector>

#include "config/result.hpp"

namespace tollgate::cli {

inline constexpr int ok = 0, finding = 1, usage = 2, io_failure = 3;

struct ServeOptions {
  std::string config;
};
int serve(const ServeOptions& options);

struct CheckOptions {
  std::string config;
  bool json = false;
  bool strict = false;     ///< remarks count as findings
  bool schema = false;     ///< print the JSON Schema instead
};
int check(const CheckOptions& options);

struct HealthcheckOptions {
  std::string config;
  std::string url;               ///< the admin port's address; "" asks the configuration for it
  double timeout_seconds = 3;
  bool live = false;             ///< /healthz instead of /readyz
  bool quiet = false;            ///< say nothing if all is well
  bool json = false;
};
/// Whether the gateway that runs here can serve.
int healthcheck(const HealthcheckOptions& options);

struct PoolsOptions {
  std::string config;
  std::string url;               ///< the admin port's address; "" asks the configuration for it
  double timeout_seconds = 3;
  bool json = false;
};
/// What the running gateway knows of its hardware and engines now.
int pools(const PoolsOptions& options);

struct WarmOptions {
  std::string config, url;       ///< as of pools
  std::string backend, model;    ///< model "": the backend's first
  bool wait = false;             ///< until it is up, or cannot be brought up
  double timeout_seconds = 900;  ///< of the wait
  bool json = false;
};
/// Wakes a pool that scales to zero.
int warm_pool(const WarmOptions& options);

/// `tollgate version`.
int print_version(bool json);

struct NewKeyOptions {
  std::string name, team;
  bool admin = false;      ///< for admin.keys, which know no team
  bool json = false;
};
int new_key(const NewKeyOptions& options);

struct ExplainOptions {
  std::string config;
  std::string file;        ///< a request body; "-" for standard input; "" if a prompt is given
  std::string prompt;
  std::string model = "auto";
  std::string team;
  std::vector<std::string> headers;   ///< "name: value"
  std::string at = "now";             ///< when the request arrives
  std::vector<std::string> states;    ///< gateway/cli/explain_state.hpp
  std::uint64_t draw = 1;             ///< of weighted routes: another number, another draw
  bool json = false;
};
int explain(const ExplainOptions& options);

struct ClassifyOptions {
  std::string config;      ///< for the tier bounds; "" for the defaults
  bool terms = false;      ///< add what the model saw of each request
};
/// Request bodies as JSON lines in, {"id","score","tier","micros"} out.
int classify(const ClassifyOptions& options);

struct PriceOptions {
  std::string prices;      ///< a price book; "" is the built-in one
};
/// {"provider","model","api","usage","at"} as JSON lines in, charge lines out.
int price(const PriceOptions& options);

struct PricesOptions {
  std::string prices;      ///< as above
  std::string file;        ///< import, diff: a price list of others, or a book
  std::string to = "prices.json";     ///< import: the book to be written
  std::string as_of;       ///< import: when the list's figures held; "" is today
  std::string provider, model;
  bool force = false, dry_run = false, json = false;
};
int prices_import(const PricesOptions& options);
int prices_list(const PricesOptions& options);
int prices_show(const PricesOptions& options);
int prices_diff(const PricesOptions& options);

struct CostsOptions {
  std::string config, ledger;        ///< one of the two says where the ledger is; `ledger` wins
  std::vector<std::string> by{"target"};
  std::string since = "7d", until = "now";
  bool json = false, csv = false, focus = false;
  bool baselines = false;
  bool pools = false;                ///< the hardware's bill by the hour instead of the requests' costs
};
/// What was spent, read from the ledger.
int costs(const CostsOptions& options);

struct BudgetsOptions {
  std::string config, ledger;        ///< `ledger` wins over the configuration's
  std::string url;                   ///< of a running gateway's admin port; "": read the ledger
  std::string free;                  ///< a gateway that will not come back: what it had leased of shared budgets comes free
  bool json = false;
};
/// What is spent and left of every budget; a finding if one is used up.
int budgets(const BudgetsOptions& options);

struct AdviseOptions {
  std::string config, ledger;        ///< as above; unused where tokens_per_day is given
  std::string since = "30d", until = "now", target;
  std::string tokens_per_day, requests_per_day, model;
  double input_share = 0.75, busy_hours = 24;
  std::string gpu;                   ///< "": the pool's of the configuration, else h100
  std::string usd_per_gpu_hour, usd_per_serverless_gpu_hour, purchase_usd_per_gpu;
  std::string ops_usd_per_month, usd_per_engineering_hour, observability_usd_per_month;
  double kw_per_gpu = 1.275, pue = 1.4, usd_per_kwh = 0.10, colocation_usd_per_kw_month = 0;
  double life_years = 3, cold_start_seconds = 30, idle_timeout_seconds = 60;
  double prefill_per_second = 0, decode_per_second = 0, decode_alone_per_second = 0;   ///< of one replica; 0: assumed
  double engineering_hours = -1;     ///< a month; below 0: 10 to 20
  bool no_team = false, needs_own_weights = false, json = false;
  std::string html;                  ///< a report is written there as well
};
/// What the same requests cost managed, serverless, on rented and on bought GPUs.
int advise(const AdviseOptions& options);

struct SimulateOptions {
  std::string config, ledger;        ///< the rules to be tried; and as above
  std::string against;               ///< the rules in force; "": what the ledger says is compared with
  std::string since = "7d", until = "now";
  double scale = 1;                  ///< so many times the traffic
  std::uint64_t seed = 1;
  std::vector<std::string> add_pools;   ///< "home" or "home=2": so many replicas more
  std::string sweep;                    ///< "complexity.threshold=0.3..0.9": a curve instead of a comparison
  std::int64_t requests_max = 0;        ///< only the last so many; 0: all
  bool json = false, progress = false;
};
/// What the ledger's traffic would do under other rules.
int simulate_traffic(const SimulateOptions& options);

struct CalibrateOptions {
  std::string config, ledger;        ///< `ledger` wins over the configuration's
  std::string since = "30d", until = "now";
  std::string jsonl;                 ///< request bodies instead of the ledger; "-" for standard input
  std::string route;                 ///< "": the one place where the score decides
  std::string tier = "complex";      ///< whose lower bound in `tiers` follows the boundary
  double strong_share = -1, quality = -1;   ///< what is wanted; below 0: not given
  bool json = false, yaml = false, write = false;
};
/// From which complexity score on requests should go to the strong side.
int calibrate(const CalibrateOptions& options);

struct ReconcileOptions {
  std::string config, ledger;
  std::vector<std::string> invoices;      ///< a provider's exports
  std::vector<std::string> backends;      ///< whose targets the invoice is about; empty: found by the provider's address
  std::string tolerance_usd = "0.01";     ///< per day and model
  bool json = false;
};
/// A provider's exports against the ledger, difference by difference.
int reconcile(const ReconcileOptions& options);

struct OutcomesOptions {
  std::string config, ledger;
  std::string since = "7d", until = "now";
  bool list = false, json = false;
  unsigned rows_max = 100;                ///< of a list
};
/// What became known of the answers: ratings, format checks.
int outcomes(const OutcomesOptions& options);

struct TrainOptions {
  std::string config, ledger;             ///< the configuration is needed: it says which targets are weak, and where to install
  std::string to;                         ///< instead of complexity.correction
  std::string since = "30d";
  double gain_min = 0.005;                ///< in log loss per row
  bool ok_counts = false;                 ///< an answer whose form is right was good enough
  bool dry_run = false, roll_back = false, json = false;
};
/// Fits the complexity score to outcomes, shows before and after on rows held out, installs only what is better.
int train(const TrainOptions& options);

struct ProveOptions {
  std::string config, ledger;        ///< as above
  std::string constraint;
  std::string since = "90d", until = "now";
  bool all = false;                  ///< list the attempts that were not recorded as well
  bool json = false, csv = false;
};
/// Every attempt that a constraint covered and where it went, read from the ledger.
int prove(const ProveOptions& options);

struct LedgerCopyOptions {
  std::string from, to;              ///< a SQLite ledger, and a PostgreSQL URL
  bool json = false;
};
/// Copies a ledger into a database that several gateways share; may be begun again.
int copy_ledger(const LedgerCopyOptions& options);

/// An Error on standard error, the way all commands show one.
void print_error(const std::string& message);
/// The exit code of a command that `error` ended: a finding if the user's input is wrong, else io_failure.
[[nodiscard]] inline int exit_code_of(const Error& error) noexcept { return error.fault == Fault::io_failed || error.fault == Fault::internal ? io_failure : finding; }

}  // namespace tollgate::cli
