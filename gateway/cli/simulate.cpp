// `tollgate simulate`: recorded traffic through another configuration.
#include "gateway/cli/simulate.hpp"

#include <future>

#include "gateway/cli/costs.hpp"
#include "gateway/cli/time_spec.hpp"
#include "router/scoring.hpp"

namespace tollgate::cli {
namespace {

int load(const std::string& path, ConfigPtr& into) {
  Result<ConfigPtr> config = load_file(path, process_environment());
  if (!config) {
    print_error(config.error().message);
    return exit_code_of(config.error());
  }
  into = std::move(config.value());
  return ok;
}

int read(const SimulateOptions& options, ProgressBar& bar, simulate::Traffic& into) {
  simulate::TrafficQuestion question;
  const std::int64_t now = now_micros();
  const Result<std::int64_t> since = parse_time(options.since, now), until = parse_time(options.until, now);
  if (!since || !until || until.value() <= since.value()) {
    print_error(!since ? "--since: " + since.error().message : !until ? "--until: " + until.error().message : "--until does not lie after --since");
    return usage;
  }
  question.since_us = since.value();
  question.until_us = until.value();
  question.requests_max = options.requests_max;
  if (const int code = find_ledger(options.ledger, options.config, question.ledger); code != ok) return code;
  Result<simulate::Traffic> traffic = simulate::read_traffic(question, bar.of("reading"));
  if (!traffic) {
    print_error(traffic.error().message);
    return exit_code_of(traffic.error());
  }
  into = std::move(traffic.value());
  if (into.requests.empty()) {
    print_error("the ledger " + question.ledger.shown() + " holds no requests since " + time_text(question.since_us));
    return finding;
  }
  return ok;
}

}  // namespace

int simulate_traffic(const SimulateOptions& options) {
  ConfigPtr config, current;
  if (const int code = load(options.config, config); code != ok) return code;
  if (!options.against.empty()) {
    if (const int code = load(options.against, current); code != ok) return code;
  }
  const ConfigPtr as_written = config;
  for (const std::string& each : options.add_pools) {
    const Result<simulate::MorePool> more = simulate::parse_more_pool(each);
    Result<ConfigPtr> changed = more ? simulate::with(*config, more.value()) : Result<ConfigPtr>(more.error());
    if (!changed) {
      print_error(changed.error().message);
      return usage;
    }
    config = std::move(changed.value());
    if (options.against.empty()) current = as_written;
  }
  const Result<ModelPtr> model = model_of(*config);
  if (!model) {
    print_error(model.error().message);
    return exit_code_of(model.error());
  }
  ProgressBar bar(options.progress ? ProgressBar::For::programs : options.json ? ProgressBar::For::nobody : ProgressBar::For::people);
  simulate::Traffic traffic;
  if (const int code = read(options, bar, traffic); code != ok) return code;
  const simulate::Blocks blocks = simulate::blocks_of(traffic);
  const simulate::QualityBook quality(traffic);
  simulate::SpeedBook speeds = simulate::measure(traffic, *as_written);
  simulate::scale_pools(*as_written, *config, speeds);
  if (!options.sweep.empty()) return sweep_traffic(options, {config, traffic, speeds, quality, blocks}, bar);
  const simulate::Rules rules(config);
  const simulate::Scenario scenario{rules, traffic, speeds, quality, options.scale, options.seed, {}};
  std::optional<simulate::Fidelity> fidelity;
  // The two worlds share nothing that changes: each has a core of its own.
  std::future<simulate::World> other = std::async(std::launch::async, [&] {
    if (!current) return simulate::as_recorded(traffic, *config, quality, blocks);
    const simulate::Rules current_rules(current);
    const simulate::SpeedBook current_speeds = simulate::measure(traffic, *current);
    fidelity = simulate::fidelity(current_rules, traffic, blocks, options.seed);
    return simulate::run({current_rules, traffic, current_speeds, quality, options.scale, options.seed, {}}, blocks);
  });
  const simulate::World after = simulate::run(scenario, blocks, bar.of("simulating"));
  const simulate::World before = other.get();
  simulate::Comparison comparison = simulate::compare(before, after, scenario, options.seed);
  comparison.not_known.other_model = traffic.scored_by_others(model.value()->id());
  const SimulationPage page{options, traffic, *config, fidelity, before, after, comparison, speeds};
  bar.clear();
  if (options.json) {
    print_json(page);
  } else {
    print_text(page);
  }
  return ok;
}

}  // namespace tollgate::cli
