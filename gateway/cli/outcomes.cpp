// `tollgate outcomes`: what became known of the answers, read from the ledger.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/text_table.hpp"
#include "gateway/cli/time_spec.hpp"
#include "metrics/outcomes_query.hpp"

namespace tollgate::cli {
namespace {

using Json = nlohmann::ordered_json;

/// False: said why.
bool read_period(const OutcomesOptions& options, OutcomePeriod& period) {
  const std::int64_t now = now_micros();
  const Result<std::int64_t> since = parse_time(options.since, now), until = parse_time(options.until, now);
  for (const auto& [name, time] : {std::pair("--since", &since), std::pair("--until", &until)}) {
    if (*time) continue;
    print_error(fmt::format("{}: {}", name, time->error().message));
    return false;
  }
  period = {since.value(), until.value()};
  if (period.since_us < period.until_us) return true;
  print_error(
      fmt::format("--until {} does not lie after --since {}", time_text(period.until_us), time_text(period.since_us)));
  return false;
}

std::string score_text(const std::optional<std::int64_t>& ppm) {
  constexpr unsigned decimals = 6;
  return ppm ? decimal_text(*ppm, decimals) : "";
}

Json number_or_null(const std::string& text) { return text.empty() ? Json() : Json(std::stod(text)); }

void print_sums(const std::vector<OutcomeSum>& sums, bool json) {
  if (json) {
    Json all = Json::array();
    for (const OutcomeSum& sum : sums) {
      all.push_back({{"target", sum.target},
                     {"source", sum.source},
                     {"verdict", sum.verdict},
                     {"count", sum.count},
                     {"score_mean", number_or_null(score_text(sum.score_ppm_mean))}});
    }
    std::printf("%s\n", Json{{"outcomes", all}}.dump(2).c_str());
    return;
  }
  TextTable table;
  for (const char* heading : {"target", "source", "verdict"}) table.column(heading, false);
  table.column("count", true);
  table.column("mean score", true);
  for (const OutcomeSum& sum : sums) {
    table.row({sum.target, sum.source, sum.verdict, std::to_string(sum.count), score_text(sum.score_ppm_mean)});
  }
  table.print();
}

void print_list(const std::vector<ListedOutcome>& rows, bool json) {
  if (json) {
    Json all = Json::array();
    for (const ListedOutcome& row : rows) {
      all.push_back({{"request", row.request},
                     {"arrived", row.arrived},
                     {"target", row.target},
                     {"team", row.team},
                     {"tier", row.tier},
                     {"source", row.source},
                     {"verdict", row.verdict},
                     {"score", number_or_null(row.score)},
                     {"at", row.at},
                     {"comment", row.comment.empty() ? Json() : Json(row.comment)}});
    }
    std::printf("%s\n", Json{{"outcomes", all}}.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  TextTable table;
  for (const char* heading : {"request", "arrived", "target", "team", "tier", "source", "verdict"}) {
    table.column(heading, false);
  }
  table.column("score", true);
  for (const ListedOutcome& row : rows) {
    table.row({row.request, row.arrived, row.target, row.team, row.tier, row.source, row.verdict, row.score});
  }
  table.print();
}

}  // namespace

int outcomes(const OutcomesOptions& options) {
  OutcomePeriod period;
  if (!read_period(options, period)) return usage;
  LedgerPlace place;
  if (const int code = find_ledger(options.ledger, options.config, place); code != ok) return code;
  if (options.list) {
    const auto rows = list_outcomes(place, period, options.rows_max);
    if (!rows) {
      print_error(rows.error().message);
      return io_failure;
    }
    print_list(rows.value(), options.json);
    if (rows.value().size() == options.rows_max) {
      std::fprintf(stderr, "note: there may be more; --rows-max shows more than %u\n", options.rows_max);
    }
    return ok;
  }
  const auto sums = outcome_sums(place, period);
  if (!sums) {
    print_error(sums.error().message);
    return io_failure;
  }
  print_sums(sums.value(), options.json);
  return ok;
}

}  // namespace tollgate::cli
