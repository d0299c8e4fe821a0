// Command line → command.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>

#include "backends/simulator/command.hpp"
#include "backends/simulator/options.hpp"
#include "gateway/cli/commands.hpp"
#include "gateway/cli/completion.hpp"
#include "gateway/cli/help.hpp"
#include "gateway/cli/manual.hpp"

namespace tollgate::cli {

int print_version(bool json) {
  std::printf(json ? "{\n  \"name\": \"tollgate\",\n  \"version\": \"%s\"\n}\n" : "tollgate %s\n", TOLLGATE_VERSION);
  return ok;
}

namespace {

constexpr const char* config_default = "tollgate.yaml";

void add_config(CLI::App& command, std::string& to) {
  to = config_default;
  command.add_option("-c,--config", to, "The configuration file")->envname("TOLLGATE_CONFIG")->capture_default_str();
}

void add_prices(CLI::App& app, PricesOptions& options, int& code) {
  CLI::App* all = app.add_subcommand("prices", "The price book: what models cost at their providers");
  all->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, int (*command)(const PricesOptions&)) {
    CLI::App* added = all->add_subcommand(name, what);
    added->add_flag("--json", options.json, "Print as JSON");
    added->callback([&options, &code, command] { code = command(options); });
    return added;
  };
  const auto add_book = [&](CLI::App* to) { to->add_option("--prices", options.prices, "A price book instead of the built-in one"); };
  CLI::App* import = add("import", "Make a price book of genai-prices' data.json or LiteLLM's model_prices_and_context_window.json", &prices_import);
  import->add_option("file", options.file, "The list; may be gzipped")->required();
  import->add_option("--to", options.to, "The price book to be written; refused lists leave it as it is")->capture_default_str();
  import->add_option("--as-of", options.as_of, "The day the figures held, such as 2026-08-21; today if not given");
  import->add_flag("--force", options.force, "Take it though prices moved by more than ten times or most models are gone");
  import->add_flag("--dry-run", options.dry_run, "Only say what would come of it");
  CLI::App* list = add("list", "All models and their token prices", &prices_list);
  list->add_option("--provider", options.provider, "Only this provider's");
  add_book(list);
  CLI::App* show = add("show", "Every price of one model", &prices_show);
  show->add_option("provider", options.provider, "Such as openai")->required();
  show->add_option("model", options.model, "Such as gpt-4o")->required();
  add_book(show);
  CLI::App* diff = add("diff", "What another list or book says otherwise; exit code 1 if anything", &prices_diff);
  diff->add_option("file", options.file, "genai-prices, LiteLLM, or a price book; may be gzipped")->required();
  add_book(diff);
}

void add_ledger(CLI::App& command, std::string& config, std::string& ledger) {
  add_config(command, config);
  command.add_option("--ledger", ledger, "The ledger's path or postgresql:// URL, instead of asking the configuration for it");
}

void add_costs(CLI::App& app, CostsOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("costs", "What was spent, from the ledger; also while the gateway runs");
  add_ledger(*command, options.config, options.ledger);
  command->add_option("--by", options.by, "Split by team, model, route, target, key, day, hour, tier, outcome; several with commas. With --pools: by pool, day, hour")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--since", options.since, "From when: 7d, 24h, 30m, 2w, today, yesterday, month, 2026-11-01, 2026-11-01T12:30 (UTC)")
      ->capture_default_str();
  command->add_option("--until", options.until, "Up to when, exclusive; the same forms")->capture_default_str();
  command->add_flag("--baselines", options.baselines, "Compare with what the baselines would have cost");
  CLI::Option* json = command->add_flag("--json", options.json, "Print as JSON");
  CLI::Option* csv = command->add_flag("--csv", options.csv, "Print as CSV")->excludes(json);
  command->add_flag("--focus", options.focus, "Print as CSV in the columns of FOCUS 1.2, by day, target, team, key and kind")
      ->excludes(json)
      ->excludes(csv)
      ->excludes("--by")
      ->excludes("--baselines");
  command->add_flag("--pools", options.pools, "The bill of the hardware by whose it is, instead of what requests cost")
      ->excludes("--focus")
      ->excludes("--baselines");
  command->callback([command, &options, &code] {
    if (options.pools && command->count("--by") == 0) options.by = {"pool"};
    code = costs(options);
  });
}

void add_prove(CLI::App& app, ProveOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("prove", "List every attempt that a constraint covered and where it went; exit 1 if one went outside");
  add_config(*command, options.config);
  command->add_option("--ledger", options.ledger, "The ledger's path or postgresql:// URL, instead of the one the configuration names");
  command->add_option("--constraint", options.constraint, "The constraint's name")->required();
  command->add_option("--since", options.since, "Requests that arrived at or after: 90d, 24h, 2026-11-01")->capture_default_str();
  command->add_option("--until", options.until, "Requests that arrived before")->capture_default_str();
  command->add_flag("--all", options.all, "List attempts of which nothing was recorded as well, such as those before the constraint was there");
  CLI::Option* json = command->add_flag("--json", options.json, "Print as JSON");
  command->add_flag("--csv", options.csv, "Print as CSV; the closing line goes to standard error")->excludes(json);
  command->callback([&options, &code] { code = prove(options); });
}

void add_advise(CLI::App& app, AdviseOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("advise", "What the same requests would cost managed, serverless, on rented and on bought GPUs; and where one beats another");
  add_ledger(*command, options.config, options.ledger);
  command->add_option("--since", options.since, "Traffic of the ledger from when on; forms as of costs")->capture_default_str();
  command->add_option("--until", options.until, "Up to when, exclusive")->capture_default_str();
  command->add_option("--target", options.target, "Only this target's traffic (default: each target by itself)");
  command->add_option("--model", options.model, "The model the tokens go through, such as llama-3.3-70b (default: what the target's upstream is)");
  command->add_option("--tokens-per-day", options.tokens_per_day, "Assume this traffic instead of reading a ledger: 30M, 500k")->excludes("--target")->excludes("--ledger");
  command->add_option("--requests-per-day", options.requests_per_day, "Requests of the assumed traffic (default: of 1,000 tokens each)")->needs("--tokens-per-day");
  command->add_option("--input-share", options.input_share, "Share of the assumed tokens that are input")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  command->add_option("--busy-hours", options.busy_hours, "Hours of the day into which all of the assumed traffic falls")->check(CLI::Range(0.1, 24.0))->capture_default_str();
  command->add_option("--gpu", options.gpu, "The GPUs that hold the model once, such as h100x2 (default: the pool's of the configuration, else h100)");
  command->add_option("--usd-per-gpu-hour", options.usd_per_gpu_hour, "Your rent (default: list prices, cheapest to dearest)");
  command->add_option("--usd-per-serverless-gpu-hour", options.usd_per_serverless_gpu_hour, "Your serverless price (default: list prices)");
  command->add_option("--purchase-usd-per-gpu", options.purchase_usd_per_gpu, "What a GPU with its share of the machine costs to buy (default: 35000 for an H100)");
  command->add_option("--life-years", options.life_years, "Over how many years a purchase is written off")->check(CLI::Range(0.5, 10.0))->capture_default_str();
  command->add_option("--kw-per-gpu", options.kw_per_gpu, "What a bought GPU with its share of the machine draws")->check(CLI::Range(0.0, 100.0))->capture_default_str();
  command->add_option("--pue", options.pue, "Power of the whole room over that of the machines")->check(CLI::Range(1.0, 10.0))->capture_default_str();
  command->add_option("--usd-per-kwh", options.usd_per_kwh, "Price of a kWh")->check(CLI::Range(0.0, 100.0))->capture_default_str();
  command->add_option("--colocation-usd-per-kw-month", options.colocation_usd_per_kw_month, "Room for a kW, by the month")->check(CLI::Range(0.0, 100'000.0))->capture_default_str();
  command->add_option("--cold-start-seconds", options.cold_start_seconds, "How long a serverless worker boots")->check(CLI::Range(0.0, 3600.0))->capture_default_str();
  command->add_option("--idle-timeout-seconds", options.idle_timeout_seconds, "How long it waits for more before it stops")->check(CLI::Range(0.0, 86400.0))->capture_default_str();
  command->add_option("--prefill-tokens-per-second", options.prefill_per_second, "Prompt tokens a replica reads per second when it is full (default: assumed for an H100)");
  command->add_option("--decode-tokens-per-second", options.decode_per_second, "Answer tokens it writes per second, all requests together");
  command->add_option("--decode-alone-tokens-per-second", options.decode_alone_per_second, "Answer tokens per second of one request");
  command->add_option("--engineering-hours", options.engineering_hours, "Hours a month it takes to run GPUs (default: 10 to 20)");
  command->add_option("--usd-per-engineering-hour", options.usd_per_engineering_hour, "What such an hour costs (default: 75 to 150)");
  command->add_option("--observability-usd-per-month", options.observability_usd_per_month, "Metrics, alerts, autoscaling (default: 200 to 500)");
  command->add_option("--ops-usd-per-month", options.ops_usd_per_month, "All operations together, instead of hours and observability (default: the pool's of the configuration)");
  command->add_flag("--no-team", options.no_team, "Nobody is there to run GPUs");
  command->add_flag("--needs-own-weights", options.needs_own_weights, "No managed model does the task");
  command->add_option("--html", options.html, "Write a report to this file as well: one self-contained page with charts, for a screen or paper");
  command->add_flag("--json", options.json, "Print as JSON");
  command->callback([&options, &code, command] {
    // A ledger that is named stands alone, unless a configuration is named beside it.
    if (!options.ledger.empty() && command->count("--config") == 0) options.config.clear();
    code = advise(options);
  });
}

void add_simulate(CLI::App& app, SimulateOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("simulate", "Replay the ledger's traffic through a changed configuration: who would go elsewhere, what it would cost, what it would risk");
  add_ledger(*command, options.config, options.ledger);
  command->add_option("--against", options.against, "The configuration in force, simulated as well; without it the comparison is with what the ledger says");
  command->add_option("--since", options.since, "Traffic from when on; forms as of costs")->capture_default_str();
  command->add_option("--until", options.until, "Up to when, exclusive")->capture_default_str();
  command->add_option("--scale", options.scale, "So many times the traffic, such as 3 or 3x")
      ->transform([](std::string text) { return !text.empty() && (text.back() == 'x' || text.back() == 'X') ? text.substr(0, text.size() - 1) : text; })
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  command->add_option("--add-pool", options.add_pools, "With one replica more of this pool, or NAME=N more; compared with the configuration as it is")->allow_extra_args(false);
  command->add_option("--sweep", options.sweep, "Cost and risk over a setting's values: complexity.threshold=0.3..0.9, capability.TARGET=…, tiers.medium=…; :25 behind it for so many steps")
      ->excludes("--against");
  command->add_option("--seed", options.seed, "Of everything that is drawn: the same seed, the same report")->capture_default_str();
  command->add_option("--requests-max", options.requests_max, "Only the last so many requests of the period; those before are counted as left out (default: all)")->check(CLI::PositiveNumber);
  command->add_flag("--json", options.json, "Print as JSON");
  command->add_flag("--progress", options.progress, "Say how far it is on standard error, as JSON lines");
  command->callback([&options, &code] { code = simulate_traffic(options); });
}

void add_calibrate(CLI::App& app, CalibrateOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("calibrate", "From which complexity score on requests should go to the strong side: the curve, and the lines for the configuration");
  add_ledger(*command, options.config, options.ledger);
  CLI::Option* share = command->add_option("--strong-share", options.strong_share, "The share of the requests that should go to the strong side, such as 0.2")->check(CLI::Range(0.0, 1.0));
  command->add_option("--quality", options.quality, "The part of the strong side's quality to be kept at least cost, such as 0.95")->check(CLI::Range(0.0, 1.0))->excludes(share);
  command->add_option("--since", options.since, "Traffic of the ledger from when on; forms as of costs")->capture_default_str();
  command->add_option("--until", options.until, "Up to when, exclusive")->capture_default_str();
  command->add_option("--jsonl", options.jsonl, "Request bodies as JSON lines instead of the ledger; - for standard input. weak_ok and strong_ok in a line (0 to 1) say how good either side's answer was")
      ->excludes("--ledger");
  command->add_option("--route", options.route, "The route whose boundary is meant, where there are several");
  command->add_option("--tier", options.tier, "The tier that is to begin at the boundary where capabilities decide: medium, complex, reasoning")
      ->check(CLI::IsMember({"medium", "complex", "reasoning"}))
      ->capture_default_str();
  CLI::Option* json = command->add_flag("--json", options.json, "Print as JSON");
  CLI::Option* yaml = command->add_flag("--yaml", options.yaml, "Print only the lines for the configuration")->excludes(json);
  CLI::Option* write = command->add_flag("--write", options.write, "Change these values in the configuration file; everything else in it stays");
  command->callback([=, &options, &code] {
    if ((yaml->count() > 0 || write->count() > 0) && options.strong_share < 0 && options.quality < 0) {
      print_error("--yaml and --write need to know what is wanted: --strong-share or --quality");
      code = usage;
      return;
    }
    code = calibrate(options);
  });
}

void add_reconcile(CLI::App& app, ReconcileOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("reconcile", "Compare a provider's usage or cost export with the ledger, and explain each difference");
  command->add_option("--invoice", options.invoices, "A CSV export of OpenAI or Anthropic; usage and costs together tell tokens from prices")
      ->required();
  add_ledger(*command, options.config, options.ledger);
  command->add_option("--backend", options.backends, "A backend the invoice is about; default: those at the provider's address");
  command->add_option("--tolerance-usd", options.tolerance_usd, "Difference per day and model that is no finding")->capture_default_str();
  command->add_flag("--json", options.json, "Print as JSON");
  command->callback([&options, &code] { code = reconcile(options); });
}

void add_outcomes(CLI::App& app, OutcomesOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("outcomes", "What became known of the answers: ratings and format checks");
  add_ledger(*command, options.config, options.ledger);
  command->add_option("--since", options.since, "Requests from when: 7d, 24h, 2026-11-01 … (UTC)")->capture_default_str();
  command->add_option("--until", options.until, "Up to when, exclusive; the same forms")->capture_default_str();
  command->add_flag("--list", options.list, "One by one, the newest first, instead of sums");
  command->add_option("--rows-max", options.rows_max, "At most so many in a list")->check(CLI::Range(1U, 1'000'000U))->capture_default_str();
  command->add_flag("--json", options.json, "Print as JSON");
  command->callback([&options, &code] { code = outcomes(options); });
}

void add_ledger_copy(CLI::App& app, LedgerCopyOptions& options, int& code) {
  CLI::App* ledger = app.add_subcommand("ledger", "Move a ledger");
  ledger->require_subcommand(1);
  CLI::App* command = ledger->add_subcommand("copy", "Copy a SQLite ledger into PostgreSQL, exactly; what is there already is left, so it can be begun again. Stop its gateway first");
  command->add_option("--from", options.from, "The SQLite ledger's path")->required();
  command->add_option("--to", options.to, "postgresql://USER@HOST/DATABASE")->required();
  command->add_flag("--json", options.json, "Print as JSON");
  command->callback([&options, &code] { code = copy_ledger(options); });
}

void add_budgets(CLI::App& app, BudgetsOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("budgets", "What is spent and left of every budget; exit code 1 if one is used up");
  add_ledger(*command, options.config, options.ledger);
  command->add_option("--url", options.url, "Ask the running gateway at this admin port, such as http://127.0.0.1:9090, which also knows what is reserved")->excludes("--ledger");
  command->add_flag("--json", options.json, "Print as JSON");
  command->add_option("--free", options.free,
                      "A gateway that does not run and will not come back: what it had leased of shared budgets and not spent goes to the others")
      ->type_name("GATEWAY");
  command->callback([&options, &code] { code = budgets(options); });
}

void add_healthcheck(CLI::App& app, HealthcheckOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("healthcheck", "Ask the running gateway whether it can serve; exit code 0 if so");
  add_config(*command, options.config);
  command->add_option("--url", options.url, "Its admin port, such as http://127.0.0.1:9090, instead of asking the configuration");
  command->add_option("--timeout-seconds", options.timeout_seconds, "How long to wait for the answer")
      ->check(CLI::Range(0.01, 300.0))
      ->capture_default_str();
  command->add_flag("--live", options.live, "Ask only whether the process is alive (/healthz), not whether it can serve (/readyz)");
  CLI::Option* quiet = command->add_flag("-q,--quiet", options.quiet, "Say nothing if all is well");
  command->add_flag("--json", options.json, "Print what was answered as JSON")->excludes(quiet);
  command->callback([&options, &code] { code = healthcheck(options); });
}

void add_train(CLI::App& app, TrainOptions& options, int& code) {
  CLI::App* command = app.add_subcommand("train", "Fit the complexity score to what became known of answers; installs only what is better");
  add_ledger(*command, options.config, options.ledger);
  command->add_option("--since", options.since, "Requests from when: 30d, 24h, 2026-11-01 … (UTC)")->capture_default_str();
  command->add_option("--to", options.to, "The file to install, instead of complexity.correction");
  command->add_option("--gain-min", options.gain_min, "Least gain on rows held out, in log loss per row")->check(CLI::Range(0.0, 10.0))->capture_default_str();
  command->add_flag("--ok-counts", options.ok_counts, "Take an answer that passed its format check, and was not rated, as good enough");
  CLI::Option* dry = command->add_flag("--dry-run", options.dry_run, "Only show; install nothing");
  command->add_flag("--rollback", options.roll_back, "Put back what was installed before the last install")->excludes(dry);
  command->add_flag("--json", options.json, "Print as JSON");
  command->callback([&options, &code] { code = train(options); });
}

void add_pools(CLI::App& app, PoolsOptions& options, WarmOptions& warm, int& code) {
  CLI::App* command = app.add_subcommand("pools", "Ask the running gateway what its pools cost, how full they are, and what their engines say");
  add_config(*command, options.config);
  command->add_option("--url", options.url, "Its admin port, such as http://127.0.0.1:9090, instead of asking the configuration");
  command->add_option("--timeout-seconds", options.timeout_seconds, "How long to wait for the answer")
      ->check(CLI::Range(0.01, 300.0))
      ->capture_default_str();
  command->add_flag("--json", options.json, "Print all that is known, as JSON");
  CLI::App* wake = command->add_subcommand("warm", "Wake a pool that scales to zero, before it is needed; exit code 1 if it cannot be brought up");
  add_config(*wake, warm.config);
  wake->add_option("--url", warm.url, "The admin port, such as http://127.0.0.1:9090, instead of asking the configuration");
  wake->add_option("backend", warm.backend, "The backend whose pool it is")->required();
  wake->add_option("--model", warm.model, "The model to be asked; the backend's first if not given");
  CLI::Option* wait = wake->add_flag("--wait", warm.wait, "Until it is up");
  wake->add_option("--timeout-seconds", warm.timeout_seconds, "How long to wait")->check(CLI::Range(0.01, 86'400.0))->capture_default_str()->needs(wait);
  wake->add_flag("--json", warm.json, "Print as JSON");
  command->callback([=, &options, &warm, &code] { code = wake->parsed() ? warm_pool(warm) : pools(options); });
}

/// What is made of the commands themselves, when all of them are there.
void add_documents(CLI::App& app, std::string& shell, int& code) {
  CLI::App* completion = app.add_subcommand("completion", "Print the completion script of a shell");
  completion->add_option("shell", shell, "bash, zsh or fish")->required();
  completion->callback([&app, &shell, &code] {
    const std::optional<std::string> script = completion_script(read_command(app, "tollgate"), shell);
    if (!script) {
      print_error("completion knows bash, zsh and fish, not '" + shell + "'");
      code = usage;
      return;
    }
    std::fputs(script->c_str(), stdout);
  });
  app.add_subcommand("man", "Print the manual page, tollgate(1)")->callback([&app] {
    std::fputs(manual_page(read_command(app, "tollgate"), TOLLGATE_VERSION).c_str(), stdout);
  });
}

int run(int argc, char** argv) {
  CLI::App app{"Tollgate: a hybrid LLM routing gateway with live cost accounting"};
  use_help_text(app);
  app.require_subcommand(1);
  app.set_version_flag("--version", "tollgate " TOLLGATE_VERSION);
  int code = ok;

  ServeOptions serve_options;
  CLI::App* serve_command = app.add_subcommand("serve", "Run the gateway until SIGTERM; SIGHUP reads the configuration again");
  add_config(*serve_command, serve_options.config);
  serve_command->callback([&] { code = serve(serve_options); });

  CheckOptions check_options;
  CLI::App* check_command = app.add_subcommand("check", "Check a configuration: every error with file, line and column");
  check_options.config = config_default;
  check_command->add_option("-c,--config,config", check_options.config, "The configuration file")->envname("TOLLGATE_CONFIG")->capture_default_str();
  check_command->add_flag("--json", check_options.json, "Report as JSON");
  check_command->add_flag("--strict", check_options.strict, "Count remarks as findings");
  check_command->add_flag("--schema", check_options.schema, "Print the JSON Schema of the configuration, for editors");
  check_command->callback([&] { code = check(check_options); });

  HealthcheckOptions healthcheck_options;
  add_healthcheck(app, healthcheck_options, code);

  PoolsOptions pools_options;
  WarmOptions warm_options;
  add_pools(app, pools_options, warm_options, code);

  NewKeyOptions key_options;
  CLI::App* keys_command = app.add_subcommand("keys", "API keys of the gateway's clients");
  keys_command->require_subcommand(1);
  CLI::App* new_command = keys_command->add_subcommand("new", "Make a key; print it once, and the line for the configuration");
  new_command->add_option("--name", key_options.name, "Name of the key, shown in logs and the ledger")->required();
  CLI::Option* team = new_command->add_option("--team", key_options.team, "Team that its costs are counted for");
  new_command->add_flag("--admin", key_options.admin, "A key for the admin port instead (admin.keys)")->excludes(team);
  new_command->add_flag("--json", key_options.json, "Print as JSON");
  new_command->callback([&] {
    if (key_options.team.empty() && !key_options.admin) {
      print_error("keys new takes --team NAME, or --admin for a key of the admin port");
      code = usage;
      return;
    }
    code = new_key(key_options);
  });

  ExplainOptions explain_options;
  CLI::App* explain_command = app.add_subcommand("explain", "Show where a request would go and why, without sending it");
  add_config(*explain_command, explain_options.config);
  explain_command->add_option("prompt", explain_options.prompt, "A prompt, as one user message");
  explain_command->add_option("-f,--file", explain_options.file, "A request body instead; - for standard input");
  explain_command->add_option("--model", explain_options.model, "The model the prompt is sent to")->capture_default_str();
  explain_command->add_option("--team", explain_options.team, "As if a key of this team had sent it");
  explain_command->add_option("-H,--header", explain_options.headers, "A header the client would send, as 'name: value'")->allow_extra_args(false);
  explain_command->add_option("--at", explain_options.at, "When the request arrives, for conditions on time: a moment in UTC such as 2026-11-21T22:30")
      ->capture_default_str();
  explain_command->add_option("--state", explain_options.states,
                              "The state a target is in, such as 'gpu/llama: in_flight=12, waiting=3' or 'gpu/llama: down'; others are up and idle, serverless pools have no worker up")->allow_extra_args(false);
  explain_command->add_option("--draw", explain_options.draw, "Of weighted routes: another number, another draw")->capture_default_str();
  explain_command->add_flag("--json", explain_options.json, "Print as JSON");
  explain_command->callback([&] {
    if (explain_options.prompt.empty() == explain_options.file.empty()) {
      print_error("explain takes a prompt or --file, one of the two");
      code = usage;
      return;
    }
    code = explain(explain_options);
  });

  ClassifyOptions classify_options;
  CLI::App* classify_command = app.add_subcommand("classify", "Request bodies as JSON lines in, complexity scores out");
  bool jsonl = false;
  classify_command->add_flag("--jsonl", jsonl, "JSON lines on standard input and output")->required();
  classify_command->add_option("-c,--config", classify_options.config, "Take the tier bounds from this configuration");
  classify_command->add_flag("--terms", classify_options.terms, "Add the value of each of the model's terms");
  classify_command->callback([&] { code = classify(classify_options); });

  PriceOptions price_options;
  CLI::App* price_command = app.add_subcommand("price", "Usages of providers as JSON lines in, what they cost out");
  price_command->add_flag("--jsonl", jsonl, "JSON lines on standard input and output")->required();
  price_command->add_option("--prices", price_options.prices, "A price book of `tollgate prices import` instead of the built-in one");
  price_command->callback([&] { code = price(price_options); });

  PricesOptions prices_options;
  add_prices(app, prices_options, code);

  CostsOptions costs_options;
  add_costs(app, costs_options, code);
  ProveOptions prove_options;
  add_prove(app, prove_options, code);
  BudgetsOptions budgets_options;
  add_budgets(app, budgets_options, code);
  AdviseOptions advise_options;
  add_advise(app, advise_options, code);
  SimulateOptions simulate_options;
  add_simulate(app, simulate_options, code);
  CalibrateOptions calibrate_options;
  add_calibrate(app, calibrate_options, code);
  ReconcileOptions reconcile_options;
  add_reconcile(app, reconcile_options, code);
  OutcomesOptions outcomes_options;
  add_outcomes(app, outcomes_options, code);
  LedgerCopyOptions copy_options;
  add_ledger_copy(app, copy_options, code);
  TrainOptions train_options;
  add_train(app, train_options, code);

  simulator::CommandLineDraft draft;   // for the documents only: main() hands `sim` over before this parser sees it
  simulator::declare_command_line(*app.add_subcommand("sim", "Run a simulated engine on its own"), draft);
  bool version_json = false;
  CLI::App* version_command = app.add_subcommand("version", "Print the version");
  version_command->add_flag("--json", version_json, "Print as JSON");
  version_command->callback([&] { code = print_version(version_json); });
  std::string shell;
  add_documents(app, shell, code);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int shown = app.exit(error);
    return shown == 0 ? ok : usage;
  }
  return code;
}

}  // namespace
}  // namespace tollgate::cli

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "sim") == 0) return tollgate::simulator::run_simulator_command(argc - 1, argv + 1);
  return tollgate::cli::run(argc, argv);
}
