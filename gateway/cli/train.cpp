// `tollgate train`: outcomes in the ledger → a correction of the complexity score.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "config/config.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/text_table.hpp"
#include "gateway/cli/time_spec.hpp"
#include "metrics/outcomes_query.hpp"
#include "router/correction_fit.hpp"
#include "router/scoring.hpp"

namespace tollgate::cli {
namespace {

using Json = nlohmann::ordered_json;

/// What came of the ledger's rows.
struct Sorted {
  std::vector<LabelledRow> rows;
  std::size_t judged = 0, of_strong = 0, of_unknown = 0, of_other_model = 0, says_nothing = 0;
  std::map<std::string_view, std::size_t> used;  ///< by source
};

/// Targets whose answers show what a weaker target can do: those below the most capable one that serves chat.
std::map<std::string, bool> weak_targets(const Config& config) {
  double most = 0;
  for (const Target& target : config.targets) most = std::max(most, target.capability);
  std::map<std::string, bool> weak;
  for (const Target& target : config.targets) weak[std::string(text(target.id))] = target.capability < most;
  return weak;
}

/// A rating says more than a judge's score, and that more than a look at the form.
std::optional<bool> needs_strong(const JudgedRequest& row, bool ok_counts, std::string_view& source) {
  source = name_of(OutcomeSource::feedback);
  if (row.feedback) return *row.feedback == OutcomeVerdict::bad;
  source = name_of(OutcomeSource::judge);
  if (row.judge) return *row.judge == OutcomeVerdict::bad;
  source = name_of(OutcomeSource::format);
  if (!row.format) return std::nullopt;
  if (*row.format != OutcomeVerdict::ok) return true;
  return ok_counts ? std::optional(false) : std::nullopt;
}

Sorted sort_out(const std::vector<JudgedRequest>& judged, const Config& config, std::uint32_t base_model, bool ok_counts) {
  Sorted sorted;
  sorted.judged = judged.size();
  const std::map<std::string, bool> weak = weak_targets(config);
  for (const JudgedRequest& row : judged) {
    const auto target = weak.find(row.target);
    if (target == weak.end()) {
      ++sorted.of_unknown;
      continue;
    }
    if (!target->second) {
      ++sorted.of_strong;
      continue;
    }
    std::string_view source;
    const std::optional<bool> label = needs_strong(row, ok_counts, source);
    if (!label) {
      ++sorted.says_nothing;
      continue;
    }
    const std::optional<StoredFeatures> features = stored_features(row.features);
    if (!features || features->base_model != base_model) {
      ++sorted.of_other_model;
      continue;
    }
    ++sorted.used[source];
    sorted.rows.push_back({static_cast<std::int64_t>(row.id), features->base_score, features->dense, *label});
  }
  return sorted;
}

std::string left_out_text(const Sorted& sorted) {
  return fmt::format(
      "{} requests have outcomes; left out: {} of the most capable target, {} of targets that are no longer "
      "configured, {} whose form was right and nobody rated, {} that another base model scored",
      sorted.judged, sorted.of_strong, sorted.of_unknown, sorted.says_nothing, sorted.of_other_model);
}

Json json_of(const Figures& figures) {
  Json tiers = Json::object();
  for (std::size_t tier = 0; tier < tier_count; ++tier) {
    tiers[std::string(name_of(static_cast<Tier>(tier)))] = {{"good_enough", figures.tiers[tier][0]},
                                                            {"needs_strong", figures.tiers[tier][1]}};
  }
  return {{"log_loss", figures.log_loss}, {"brier", figures.brier}, {"auc", figures.auc}, {"tiers", tiers}};
}

void print_report(const FitReport& report, const Sorted& sorted) {
  const auto used = [&sorted](std::string_view source) {
    const auto found = sorted.used.find(source);
    return found == sorted.used.end() ? std::size_t{0} : found->second;
  };
  std::printf("%zu rows, of which %zu needed a more capable target (ratings %zu, judged %zu, format checks %zu)\n",
              report.rows, report.needing_strong, used("feedback"), used("judge"), used("format"));
  std::printf("%s\n\n", left_out_text(sorted).c_str());
  TextTable table;
  table.column("on rows held out", false);
  table.column("before", true);
  table.column("after", true);
  const auto add = [&table](const char* name, double before, double after) {
    table.row({name, fmt::format("{:.4f}", before), fmt::format("{:.4f}", after)});
  };
  add("log loss (less is better)", report.before.log_loss, report.after.log_loss);
  add("Brier score (less is better)", report.before.brier, report.after.brier);
  add("AUC (more is better)", report.before.auc, report.after.auc);
  table.rule();
  for (std::size_t tier = 0; tier < tier_count; ++tier) {
    const auto cell = [tier](const Figures& figures) {
      return fmt::format("{} / {}", figures.tiers[tier][0], figures.tiers[tier][1]);
    };
    table.row({fmt::format("{}: good enough / not", name_of(static_cast<Tier>(tier))), cell(report.before),
               cell(report.after)});
  }
  table.print();
  std::printf("\ngain in log loss per row: %.4f, standard error %.4f\n", report.gain, report.gain_error);
}

/// Whether there is enough to fit to; said why not.
bool is_enough(const Sorted& sorted) {
  const auto needing = static_cast<std::size_t>(
      std::count_if(sorted.rows.begin(), sorted.rows.end(), [](const LabelledRow& row) { return row.needs_strong; }));
  const std::size_t good = sorted.rows.size() - needing;
  if (sorted.rows.size() >= fit_rows_min && std::min(needing, good) >= fit_label_rows_min) return true;
  print_error(
      fmt::format("too little is known to learn from: {} rows of less capable targets, {} good enough and {} not; "
                  "at least {} rows with {} of each are needed. {}",
                  sorted.rows.size(), good, needing, fit_rows_min, fit_label_rows_min, left_out_text(sorted)));
  return false;
}

int roll_back(const std::string& path) {
  const Result<RolledBack> done = roll_back_correction(path);
  if (!done) {
    print_error(done.error().message);
    return io_failure;
  }
  switch (done.value()) {
    case RolledBack::to_previous:
      std::printf("%s is again what it was before the last install; SIGHUP makes a running gateway read it\n",
                  path.c_str());
      return ok;
    case RolledBack::to_base_model:
      std::printf("%s is removed: scores are the base model's own; SIGHUP makes a running gateway see it\n",
                  path.c_str());
      return ok;
    case RolledBack::nothing_installed:
      break;
  }
  print_error("there is no correction at " + path);
  return finding;
}

int install(const FitReport& report, const std::string& path, std::uint32_t base_model) {
  const CorrectionOrigin origin{base_model, time_text(now_micros()), report.rows, report.before.log_loss, report.after.log_loss};
  const Result<void> done = install_correction(path, correction_text(report.correction, origin));
  if (done) return ok;
  print_error(done.error().message);
  return io_failure;
}

int fit_and_install(const TrainOptions& options, const Config& config, const std::string& path, std::uint32_t base_model,
                    const Sorted& sorted) {
  const Result<CorrectionPtr> current = load_correction(path, base_model);
  if (!current && current.error().fault == Fault::io_failed) {
    print_error(current.error().message);
    return io_failure;
  }
  // What belongs to another base model is not in force, so it is not what to compare with.
  const Correction* const in_force = current ? current.value().get() : nullptr;
  const FitReport report = fit_correction(sorted.rows, in_force, config.tiers);
  const bool better = report.is_better(options.gain_min), installs = better && !options.dry_run;
  if (installs) {
    if (const int code = install(report, path, base_model); code != ok) return code;
  }
  if (options.json) {
    const Json all{{"rows", report.rows},
                   {"needing_strong", report.needing_strong},
                   {"judged", sorted.judged},
                   {"compared_with", in_force != nullptr ? "installed correction" : "base model"},
                   {"before", json_of(report.before)},
                   {"after", json_of(report.after)},
                   {"gain", report.gain},
                   {"gain_standard_error", report.gain_error},
                   {"better", better},
                   {"lacks", better ? Json() : Json(std::string(report.not_better_by(options.gain_min)))},
                   {"installed", installs ? Json(path) : Json()}};
    std::printf("%s\n", all.dump(2).c_str());
    return better ? ok : finding;
  }
  print_report(report, sorted);
  if (!better) {
    std::printf("not installed: %s\n", std::string(report.not_better_by(options.gain_min)).c_str());
    return finding;
  }
  if (installs) {
    std::printf("installed as %s; SIGHUP makes a running gateway read it, `tollgate train --rollback` undoes it\n",
                path.c_str());
  } else {
    std::printf("better; not installed (--dry-run)\n");
  }
  return ok;
}

}  // namespace

int train(const TrainOptions& options) {
  const Result<std::int64_t> since = parse_time(options.since, now_micros());
  if (!since) {
    print_error("--since: " + since.error().message);
    return usage;
  }
  const Result<ConfigPtr> config = load_file(options.config, process_environment());
  if (!config) {
    print_error(config.error().message);
    return exit_code_of(config.error());
  }
  const std::string path = options.to.empty() ? config.value()->complexity.correction : options.to;
  if (path.empty()) {
    print_error("nowhere to install: set complexity.correction in " + options.config + ", or give --to");
    return usage;
  }
  if (options.roll_back) return roll_back(path);
  // Rows count that the model of this configuration scored: what is learned belongs to it alone.
  const Result<ModelPtr> model = model_of(*config.value());
  if (!model) {
    print_error(model.error().message);
    return exit_code_of(model.error());
  }
  const std::uint32_t base_model = model.value()->id();
  LedgerPlace ledger;
  if (const int code = find_ledger(options.ledger, options.config, ledger); code != ok) return code;
  const auto judged = judged_requests(ledger, since.value(), fit_rows_max);
  if (!judged) {
    print_error(judged.error().message);
    return exit_code_of(judged.error());
  }
  const Sorted sorted = sort_out(judged.value(), *config.value(), base_model, options.ok_counts);
  if (!is_enough(sorted)) return finding;
  return fit_and_install(options, *config.value(), path, base_model, sorted);
}

}  // namespace tollgate::cli
