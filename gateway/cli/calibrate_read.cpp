// Where the requests of `tollgate calibrate` come from, and what they cost on either side.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "advice/recorded_scores.hpp"
#include "gateway/cli/calibrate.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/time_spec.hpp"
#include "gateway/parse_chat.hpp"
#include "metrics/charge.hpp"
#include "router/scoring.hpp"
#include "router/forecast.hpp"
#include "router/router.hpp"

namespace tollgate::cli {
namespace {

using namespace advice;  // NOLINT(google-build-using-namespace): this file is all about it

constexpr double whole_ppm = 1e6;

/// Of several targets a side takes the cheapest; absent: of none is it known.
template <class CostAt>
std::optional<Usd> cheapest(const std::vector<const Target*>& targets, const CostAt& cost_at) {
  std::optional<Usd> least;
  for (const Target* target : targets) {
    const std::optional<Usd> cost = cost_at(*target);
    if (cost && (!least || *cost < *least)) least = cost;
  }
  return least;
}

/// Hardware that is billed all the time costs nothing more for one more request.
bool costs_nothing_more(const Backend& backend, CostBasis basis) {
  return basis == CostBasis::marginal &&
         (backend.pool->billing == Billing::dedicated || backend.pool->billing == Billing::owned);
}

/// The recorded tokens at a target's prices; of a pool, what its tokens were charged in the period.
class RecordedCosts {
 public:
  RecordedCosts(const Config& config, const RecordedScores& recorded, CostBasis basis)
      : config_(config), recorded_(recorded), basis_(basis) {}

  [[nodiscard]] std::optional<Usd> at(const Target& target, const Usage& usage) const {
    const Backend& backend = config_.backend_of(target);
    Usd sum;
    if (target.prices) {
      const TokenRates rates(*target.prices);
      if (!rates.cover(usage)) return std::nullopt;
      sum += token_charge(usage, rates).total();
    } else if (!backend.pool) {
      return std::nullopt;
    }
    if (!backend.pool || costs_nothing_more(backend, basis_)) return sum;
    const auto pool = recorded_.pools.find(std::string(text(target.id)));
    if (pool == recorded_.pools.end() || pool->second.tokens <= 0) return std::nullopt;
    const Int128 tokens = usage.total_input().count() + usage.total_output().count();
    return sum + Usd{static_cast<std::int64_t>(
                     divide_half_even(pool->second.usd.picodollars() * tokens, pool->second.tokens))};
  }

 private:
  const Config& config_;
  const RecordedScores& recorded_;
  CostBasis basis_;
};

bool is_among(const std::vector<const Target*>& targets, const std::string& id) {
  return std::any_of(targets.begin(), targets.end(), [&](const Target* target) { return text(target->id) == id; });
}

int read_period(const CalibrateOptions& options, ScoresQuestion& question) {
  const std::int64_t now = now_micros();
  const Result<std::int64_t> since = parse_time(options.since, now), until = parse_time(options.until, now);
  if (since && until && until.value() > since.value()) {
    question.since_us = since.value();
    question.until_us = until.value();
    return ok;
  }
  print_error(!since   ? "--since: " + since.error().message
              : !until ? "--until: " + until.error().message
                       : "--until does not lie after --since");
  return usage;
}

void note_left_out(const RecordedScores& recorded, CalibrationInput& out) {
  const auto note = [&](std::int64_t count, std::string_view why) {
    if (count > 0) out.notes.push_back(fmt::format("{} request{} left out: {}", count, count == 1 ? "" : "s", why));
  };
  note(recorded.constrained, "a constraint covered them, so the score did not decide alone");
  note(recorded.without_usage, "failed, or their tokens are not known");
  note(recorded.other_routes, "other routes, or a target asked for by name");
  if (!recorded.has_outcomes) out.notes.emplace_back("this ledger keeps no outcomes of answers: quality is not known");
}

/// A member of a line that says how good an answer was: a number in [0,1] or a boolean. False: it is something else.
bool read_quality(const nlohmann::json& line, const char* name, std::optional<double>& out) {
  const auto found = line.find(name);
  if (found == line.end() || found->is_null()) return true;
  if (found->is_boolean()) {
    out = found->get<bool>() ? 1.0 : 0.0;
    return true;
  }
  if (!found->is_number() || found->get<double>() < 0 || found->get<double>() > 1) return false;
  out = found->get<double>();
  return true;
}

/// Reads, scores and prices one request body after the other.
class BodyReader {
 public:
  BodyReader(const Config& config, Scoring scoring, const ScoreUse& use, CalibrationInput& out)
      : config_(config),
        scoring_(std::move(scoring)),
        use_(use),
        out_(out),
        parser_(config.server.nesting_max) {}

  /// Empty: fine; else what is wrong with the line.
  std::string read(const std::string& text_of_line) {
    nlohmann::json line = nlohmann::json::parse(text_of_line, nullptr, false);
    if (!line.is_object()) return "is no JSON object";
    ScoredRequest request;
    if (!read_quality(line, "weak_ok", request.weak_quality) ||
        !read_quality(line, "strong_ok", request.strong_quality)) {
      return "weak_ok and strong_ok are numbers from 0 to 1, or true and false";
    }
    if (!line.contains("model")) line["model"] = "auto";
    std::string body = line.dump();
    body.reserve(body.size() + ChatParser::padding);
    ChatView chat;
    ClientBody map;
    if (const Result<void> parsed = parser_.parse(body, Surface::chat, chat, map); !parsed)
      return parsed.error().message;
    const float score = classify(chat, config_.tiers, scoring_).complexity.score;
    request.score_ppm = static_cast<std::int32_t>(static_cast<double>(score) * whole_ppm + 0.5);
    const auto forecast = [&](const Target& target) -> std::optional<Usd> {
      const Backend& backend = config_.backend_of(target);
      if (backend.pool && !costs_nothing_more(backend, use_.basis)) return std::nullopt;  // only a ledger knows
      const Forecast found = forecast_of(chat, target, backend, TargetState{}, use_.basis, false);
      return found.known ? std::optional(found.charge) : std::nullopt;
    };
    request.weak = cheapest(use_.weak, forecast);
    request.strong = cheapest(use_.strong, forecast);
    paired_ += request.weak_quality && request.strong_quality ? 1 : 0;
    judged_ += request.weak_quality || request.strong_quality ? 1 : 0;
    out_.requests.push_back(request);
    return "";
  }

  void close() {
    const auto all = static_cast<std::int64_t>(out_.requests.size());
    if (all > 0 && paired_ == all) {
      out_.quality = QualitySource::paired;
    } else if (judged_ > 0) {
      out_.quality = QualitySource::rated;
      out_.notes.push_back(fmt::format(
          "outcomes of both sides are given in {} of {} lines: quality is estimated by tenths of the traffic", paired_,
          all));
    } else {
      out_.notes.emplace_back("no line says weak_ok and strong_ok: quality is not known");
    }
  }

 private:
  const Config& config_;
  const Scoring scoring_;
  const ScoreUse& use_;
  CalibrationInput& out_;
  ChatParser parser_;
  std::int64_t paired_ = 0, judged_ = 0;
};

}  // namespace

int read_recorded(const CalibrateOptions& options, const Config& config, const ScoreUse& use, CalibrationInput& out) {
  ScoresQuestion question;
  if (const int code = read_period(options, question); code != ok) return code;
  question.routes = use.routes;
  question.ledger = options.ledger.empty() ? config.ledger.place() : LedgerPlace(options.ledger);
  const Result<RecordedScores> read = recorded_scores(question);
  if (!read) {
    print_error(read.error().message);
    return exit_code_of(read.error());
  }
  const RecordedScores& recorded = read.value();
  out.source =
      fmt::format("ledger {}, {} to {}", question.ledger.shown(), time_text(question.since_us), time_text(question.until_us));
  out.costs =
      use.basis == CostBasis::marginal
          ? "the recorded tokens at the configured prices; hardware that is paid for anyway adds nothing"
          : "the recorded tokens at the configured prices; own hardware as its tokens were charged in the period";
  note_left_out(recorded, out);
  const RecordedCosts costs(config, recorded, use.basis);
  out.went_to_strong = 0;
  bool judged = false;
  for (const RecordedScore& each : recorded.requests) {
    const auto at = [&](const Target& target) { return costs.at(target, each.usage); };
    ScoredRequest request{each.score_ppm, cheapest(use.weak, at), cheapest(use.strong, at), std::nullopt, std::nullopt};
    const bool strong = is_among(use.strong, each.target), weak = is_among(use.weak, each.target);
    if (strong) ++out.went_to_strong;
    if (strong) request.strong_quality = each.quality;
    if (weak) request.weak_quality = each.quality;
    judged = judged || ((strong || weak) && each.quality);
    out.requests.push_back(request);
  }
  if (judged) {
    out.quality = QualitySource::rated;
  } else if (recorded.has_outcomes) {
    out.notes.emplace_back("no answer of these requests was rated: quality is not known");
  }
  return ok;
}

int read_bodies(const CalibrateOptions& options, const Config& config, const ScoreUse& use, CalibrationInput& out) {
  std::ifstream file;
  const bool standard = options.jsonl == "-";
  if (!standard) {
    file.open(options.jsonl, std::ios::binary);
    if (!file) {
      print_error("cannot read '" + options.jsonl + "'");
      return io_failure;
    }
  }
  out.source = standard ? "standard input" : options.jsonl;
  out.costs =
      fmt::format("forecast at the configured prices, with {:.0f} tokens of answer where max_tokens does not say less",
                  TargetState{}.output_tokens_mean);
  const Result<Scoring> scoring = scoring_of(config);
  if (!scoring) {
    print_error(scoring.error().message);
    return exit_code_of(scoring.error());
  }
  BodyReader reader(config, scoring.value(), use, out);
  std::size_t number = 0, failed = 0;
  for (std::string line; std::getline(standard ? std::cin : file, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string wrong = reader.read(line);
    if (wrong.empty()) continue;
    ++failed;
    std::fprintf(stderr, "%s: line %zu: %s\n", out.source.c_str(), number, wrong.c_str());
  }
  reader.close();
  return failed == 0 ? ok : finding;
}

}  // namespace tollgate::cli
