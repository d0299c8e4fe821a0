// `tollgate prove`: every attempt that a constraint covered, and where it went.
#include "metrics/prove.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/config.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/text_table.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string counted(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Prints attempts as they are found: a proof may have millions of lines.
class Printer {
 public:
  Printer(const ProveOptions& options, const ProofQuestion& question) : options_(options) {
    if (options.json) {
      std::printf("{\"constraint\":%s,\"since\":%s,\"until\":%s,\"attempts\":[", dumped(question.constraint).c_str(),
                  dumped(time_text(question.since_us)).c_str(), dumped(time_text(question.until_us)).c_str());
    } else if (options.csv) {
      std::printf("%s\n", csv_line({"request", "started", "attempt", "target", "stood", "wanted", "result", "recovered",
                                    "cached", "verdict"})
                              .c_str());
    }
  }

  void attempt(const ProvedAttempt& each) {
    const std::string started = time_text(each.started_us);
    if (options_.json) {
      const Json json{{"request", each.request}, {"started", started},          {"attempt", each.number},
                      {"target", each.target},   {"stood", each.stood},         {"wanted", each.wanted},
                      {"result", each.result},   {"recovered", each.recovered}, {"cached", each.cached},
                      {"verdict", name_of(each.verdict)}};
      std::printf("%s\n%s", any_ ? "," : "", dumped(json).c_str());
    } else if (options_.csv) {
      std::printf("%s\n",
                  csv_line({each.request, started, std::to_string(each.number), each.target, each.stood, each.wanted,
                            each.result, each.recovered ? "yes" : "no", each.cached ? "yes" : "no", std::string(name_of(each.verdict))})
                      .c_str());
    } else {
      if (!any_) {
        std::printf("%-20s  %-17s  %3s  %-28s  %-28s  %-26s  %s\n", "started", "request", "try", "target",
                    "stood (trust, labels)", "result", "verdict");
      }
      std::printf("%-20s  %-17s  %3d  %-28s  %-28s  %-26s  %s\n", started.c_str(), each.request.c_str(), each.number,
                  each.target.c_str(), each.stood.empty() ? "-" : each.stood.c_str(),
                  (each.result + (each.recovered ? " (recovered)" : each.cached ? " (from the cache)" : "")).c_str(),
                  std::string(name_of(each.verdict)).c_str());
    }
    any_ = true;
  }

  void close(const Proof& proof, const ProofQuestion& question) {
    if (options_.json) {
      const Json json{{"inside", proof.inside},
                      {"masked", proof.masked},
                      {"outside", proof.outside},
                      {"requests_covered", proof.requests},
                      {"requests_refused_before_any_attempt", proof.refused},
                      {"requests_recovered", proof.recovered},
                      {"answers_from_cache", proof.cached},
                      {"requests_not_covered", proof.not_covered},
                      {"requests_not_recorded", proof.not_recorded_requests},
                      {"attempts_not_recorded", proof.not_recorded_attempts},
                      {"attempts_in_daily_sums", proof.folded_attempts},
                      {"held", proof.outside == 0}};
      std::printf("%s],\"summary\":%s}\n", any_ ? "\n" : "", dumped(json).c_str());
      return;
    }
    std::FILE* const to = options_.csv ? stderr : stdout;  // CSV is for programs
    if (any_ && !options_.csv) std::printf("\n");
    if (proof.not_recorded_requests > 0) {
      std::fprintf(to,
                   "not recorded: %s of %s from %s to %s, before the constraint was there or before it was recorded\n",
                   counted(proof.not_recorded_attempts, "attempt").c_str(),
                   counted(proof.not_recorded_requests, "request").c_str(),
                   time_text(proof.not_recorded_first_us).c_str(), time_text(proof.not_recorded_last_us).c_str());
    }
    if (proof.folded_attempts > 0) {
      std::fprintf(to, "not recorded: %s of days that are kept as daily sums only (ledger.keep_days)\n",
                   counted(proof.folded_attempts, "attempt").c_str());
    }
    const std::int64_t attempts = proof.inside + proof.masked + proof.outside - proof.cached;
    std::string line = fmt::format("{}: {} covered by {}: {} inside", proof.outside == 0 ? "held" : "NOT HELD",
                                   counted(attempts, "attempt") + (proof.cached > 0 ? " and " + counted(proof.cached, "answer") + " from the cache" : ""),
                                   question.constraint, proof.inside);
    if (proof.masked > 0) line += fmt::format(", {} masked", proof.masked);
    line += fmt::format(", {} outside; {} covered", proof.outside, counted(proof.requests, "request"));
    if (proof.refused > 0) line += fmt::format(", {} refused before any attempt", proof.refused);
    if (proof.recovered > 0) line += fmt::format(", {} recovered after a crash", proof.recovered);
    std::fprintf(to, "%s, %s to %s\n", line.c_str(), time_text(question.since_us).c_str(),
                 time_text(question.until_us).c_str());
  }

 private:
  const ProveOptions& options_;
  bool any_ = false;
};

/// The constraints that the configuration names, if there is one to read.
void add_configured(const std::string& path, std::set<std::string>& known) {
  const Result<std::string> text_of_file = read_config_text(path);
  if (!text_of_file) return;
  const Result<ConfigPtr> config = load_text(text_of_file.value(), path, process_environment());
  if (!config) return;
  for (const Constraint& constraint : config.value()->constraints) known.emplace(text(constraint.name));
}

bool read_period(const ProveOptions& options, ProofQuestion& question) {
  const std::int64_t now = now_micros();
  for (const auto& [name, given, time] : {std::tuple("--since", &options.since, &question.since_us),
                                          std::tuple("--until", &options.until, &question.until_us)}) {
    const Result<std::int64_t> read = parse_time(*given, now);
    if (!read) {
      print_error(fmt::format("{}: {}", name, read.error().message));
      return false;
    }
    *time = read.value();
  }
  if (question.until_us > question.since_us) return true;
  print_error(fmt::format("--until {} does not lie after --since {}", time_text(question.until_us),
                          time_text(question.since_us)));
  return false;
}

}  // namespace

int prove(const ProveOptions& options) {
  ProofQuestion question;
  question.constraint = options.constraint;
  question.not_recorded_too = options.all;
  if (!read_period(options, question)) return usage;
  LedgerPlace place;
  if (const int code = find_ledger(options.ledger, options.config, place); code != ok) return code;
  std::optional<Printer> printer;
  const auto print = [&](const ProvedAttempt& attempt) {
    if (!printer) printer.emplace(options, question);
    printer->attempt(attempt);
  };
  Result<Proof> proof = tollgate::prove(place, question, print);
  if (!proof) {
    print_error(proof.error().message);
    return io_failure;
  }
  std::set<std::string>& known = proof.value().known;
  if (!known.contains(options.constraint)) {
    add_configured(options.config, known);
    if (!known.contains(options.constraint)) {
      std::string names;
      for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
      print_error(
          fmt::format("neither the ledger (since {}) nor the configuration knows a constraint '{}'; they know {}",
                      time_text(question.since_us), options.constraint, names.empty() ? "none" : names));
      return usage;
    }
  }
  if (!printer) printer.emplace(options, question);
  printer->close(proof.value(), question);
  return proof.value().outside == 0 ? ok : finding;
}

}  // namespace tollgate::cli
