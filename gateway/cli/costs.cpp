// `tollgate costs`: what was spent, read from the ledger.
#include "gateway/cli/costs.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "config/config.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate::cli {
namespace {

std::string all_dimensions() {
  std::string names;
  for (std::size_t i = 0; i < dimension_count; ++i) {
    names.append(names.empty() ? "" : ", ").append(name_of(static_cast<Dimension>(i)));
  }
  return names;
}

/// False: said why.
bool read_question(const CostsOptions& options, CostsQuestion& question) {
  const std::int64_t now = now_micros();
  const Result<std::int64_t> since = parse_time(options.since, now);
  const Result<std::int64_t> until = parse_time(options.until, now);
  for (const auto& [name, time] : {std::pair("--since", &since), std::pair("--until", &until)}) {
    if (*time) continue;
    print_error(fmt::format("{}: {}", name, time->error().message));
    return false;
  }
  question.since_us = since.value();
  question.until_us = until.value();
  if (question.until_us <= question.since_us) {
    print_error(fmt::format("--until {} does not lie after --since {}", time_text(question.until_us),
                            time_text(question.since_us)));
    return false;
  }
  if (options.pools) return true;
  if (options.focus) {
    question.by = focus_dimensions();
    return true;
  }
  for (const std::string& name : options.by) {
    const auto dimension = dimension_named(name);
    if (!dimension) {
      print_error(fmt::format("--by knows no '{}'; it takes one or more of {}", name, all_dimensions()));
      return false;
    }
    question.by.push_back(*dimension);
  }
  return true;
}

void print_notes(const CostsReport& report, const CostsOptions& options) {
  for (const std::string& day : report.cut_days) {
    std::fprintf(stderr, "note: of %s only the sum of the day is kept; it is counted whole\n", day.c_str());
  }
  if (report.total.cached_unknown > 0) {
    std::fprintf(stderr, "note: what %lld answer%s from the response cache saved is not known; the sum is without it\n",
                 static_cast<long long>(report.total.cached_unknown), report.total.cached_unknown == 1 ? "" : "s");
  }
  if (report.total.unpriced == 0) return;
  std::fprintf(
      stderr,
      "note: the cost of %lld attempt%s is not known (no price for the model, or no usage for work that was "
      "done)%s\n",
      static_cast<long long>(report.total.unpriced), report.total.unpriced == 1 ? "" : "s",
      options.focus ? "; FOCUS has no way to say so, and no row stands for them" : "; the sums are without it");
}

}  // namespace

std::int64_t now_micros() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

int find_ledger(const std::string& ledger, const std::string& config, LedgerPlace& place) {
  if (!ledger.empty()) {
    place = ledger;
    return ok;
  }
  const Result<std::string> text = read_config_text(config);
  if (!text) {
    print_error(text.error().message + "; or name the ledger with --ledger");
    return io_failure;
  }
  const Result<ConfigPtr> loaded = load_text(text.value(), config, process_environment());
  if (!loaded) {
    print_error(loaded.error().message);
    return finding;
  }
  place = loaded.value()->ledger.place();
  return ok;
}

int costs(const CostsOptions& options) {
  CostsQuestion question;
  if (!read_question(options, question)) return usage;
  if (options.pools) return pool_costs(options, {question.since_us, question.until_us});
  LedgerPlace place;
  if (const int code = find_ledger(options.ledger, options.config, place); code != ok) return code;
  const Result<std::unique_ptr<LedgerReader>> ledger = LedgerReader::open(place);
  if (!ledger) {
    print_error(ledger.error().message);
    return io_failure;
  }
  const Result<CostsReport> report = ledger.value()->costs(question);
  if (!report) {
    print_error(report.error().message);
    return io_failure;
  }
  if (options.focus) {
    print_focus(report.value());
  } else if (options.json) {
    print_json(report.value(), question, options.baselines);
  } else if (options.csv) {
    print_csv(report.value(), question, options.baselines);
  } else {
    print_table(report.value(), question, options.baselines);
  }
  print_notes(report.value(), options);
  // A FOCUS file that lacks costs must not pass for the whole.
  return options.focus && report.value().total.unpriced > 0 ? finding : ok;
}

}  // namespace tollgate::cli
