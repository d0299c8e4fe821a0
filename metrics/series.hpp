#pragma once
// Every series this folder exports: name, type, labels, help. One table, so that names, documentation and tests cannot
// drift apart. Labels only ever carry configured names and words of this program; a name that is not configured has
// become "other" before it gets here, and what does not apply is "none". Money and token counts are exact integers
// until they are rendered; only the rendered copy is a double.

#include <array>
#include <cstdint>
#include <string_view>

namespace tollgate {

enum class Series : std::uint8_t {
  build_info,
  requests,
  request_duration,
  overhead,
  first_token,
  per_token,
  complexity,
  attempts,
  refused,
  spend,
  route_spend,
  tokens,
  reasoning_tokens,
  usage_source,
  unpriced,
  reported_spend,
  reported_by_prices,
  baseline_spend,
  baseline_unknown,
  outcomes,
  pool_billed,
  pool_cost,
  pool_gpu_seconds,
  pool_busy_ratio,
  pool_in_flight,
  ledger_writable,
  ledger_reachable,
  ledger_rows,
  ledger_requests,
  ledger_waiting,
  ledger_commits,
  ledger_commit_failures,
  ledger_last_commit,
  ledger_duplicates,
  ledger_folded,
  ledger_fold_failures,
  ledger_recovered,
};

enum class SeriesType : std::uint8_t { counter, gauge, histogram };

struct SeriesFacts {
  Series series;
  std::string_view name;
  SeriesType type;
  std::string_view labels;  ///< comma-separated, in the order they are rendered
  std::string_view help;
};

inline constexpr std::array series_table{
    SeriesFacts{Series::build_info, "tollgate_build_info", SeriesType::gauge, "version",
                "Always 1; the labels say what runs."},
    SeriesFacts{Series::requests, "tollgate_requests_total", SeriesType::counter, "route,target,tier,team,outcome",
                "Requests settled. outcome is ok or the fault's name; target is whose answer the client got, or the "
                "last one asked."},
    SeriesFacts{Series::request_duration, "tollgate_request_duration_seconds", SeriesType::histogram, "",
                "From a request's arrival to its end, upstream time included."},
    SeriesFacts{Series::overhead, "tollgate_overhead_seconds", SeriesType::histogram, "",
                "What the gateway added to a request; time spent waiting for clients and upstreams is left out."},
    SeriesFacts{Series::first_token, "tollgate_ttft_seconds", SeriesType::histogram, "target",
                "From a request's arrival to the first byte of its answer to the client."},
    SeriesFacts{
        Series::per_token, "tollgate_time_per_output_token_seconds", SeriesType::histogram, "target",
        "Time from an attempt's first token to its end over the output tokens after the first; complete streams only."},
    SeriesFacts{Series::complexity, "tollgate_complexity_score", SeriesType::histogram, "",
                "Complexity in [0,1] of the requests that were routed."},
    SeriesFacts{Series::attempts, "tollgate_attempts_total", SeriesType::counter, "target,result",
                "Attempts at a target, by result: ok or the fault's name. Counted when their request is settled."},
    SeriesFacts{Series::refused, "tollgate_refused_total", SeriesType::counter, "reason",
                "Requests turned away before they were recorded, by fault."},
    SeriesFacts{Series::spend, "tollgate_spend_usd_total", SeriesType::counter, "target,team,kind",
                "Charges of settled requests in USD: tokens by class, fees per request, and the GPU share of pools."},
    SeriesFacts{Series::route_spend, "tollgate_route_spend_usd_total", SeriesType::counter, "route,tier",
                "The same charges by route and tier; the sums of both are equal."},
    SeriesFacts{Series::tokens, "tollgate_tokens_total", SeriesType::counter, "target,team,type",
                "Tokens of settled requests by class; the classes do not overlap. Output includes reasoning."},
    SeriesFacts{Series::reasoning_tokens, "tollgate_reasoning_tokens_total", SeriesType::counter, "target,team",
                "The part of the output tokens that was spent on reasoning."},
    SeriesFacts{Series::usage_source, "tollgate_usage_source_total", SeriesType::counter, "source",
                "Attempts by how their usage is known."},
    SeriesFacts{Series::unpriced, "tollgate_unpriced_requests_total", SeriesType::counter, "target",
                "Attempts whose cost is not known: no price for the model, or no usage for work that was done. Never "
                "counted as 0 USD."},
    SeriesFacts{Series::reported_spend, "tollgate_reported_spend_usd_total", SeriesType::counter, "target",
                "What providers said that answers cost, in USD, of attempts that the configured prices cover too. It is in "
                "the spend already."},
    SeriesFacts{Series::reported_by_prices, "tollgate_reported_spend_by_prices_usd_total", SeriesType::counter, "target",
                "What the same attempts would have cost by the configured prices. Apart from the above: the prices are stale, "
                "or the provider bills something else too."},
    SeriesFacts{Series::baseline_spend, "tollgate_baseline_spend_usd_total", SeriesType::counter, "baseline,team",
                "What the requests recorded since the process began would have cost at a baseline, in USD. Less spend, "
                "it is what was saved; that may be negative."},
    SeriesFacts{Series::baseline_unknown, "tollgate_baseline_unknown_requests_total", SeriesType::counter,
                "baseline,team",
                "Requests whose cost at a baseline is not known: no price there, or no usage. Not in the sum above."},
    SeriesFacts{Series::outcomes, "tollgate_outcomes_total", SeriesType::counter, "target,source,verdict",
                "What became known of answers: ratings (source feedback), judges' scores (judge) and format checks (format). A rating "
                "that replaces a different one counts again."},
    SeriesFacts{Series::pool_billed, "tollgate_pool_billed_usd_total", SeriesType::counter, "pool",
                "What the pool's hardware cost since the process began, with the time since an earlier run of the gateway."},
    SeriesFacts{Series::pool_cost, "tollgate_pool_cost_usd_total", SeriesType::counter, "pool,state",
                "The same by whose it is: attributed to requests (settled and under way), idle, foreign (only work ran that "
                "did not pass here), cold_start, minimum (minimums and increments of serverless workers), down (no gateway "
                "ran), and rounding, which is some picodollars and may fall. The states add up to billed."},
    SeriesFacts{Series::pool_gpu_seconds, "tollgate_pool_gpu_seconds_total", SeriesType::counter, "pool,state",
                "GPU seconds billed: busy (a request was in flight), idle, foreign (only work ran that did not pass here, "
                "as the engine's own metrics tell), cold_start, minimum, down."},
    SeriesFacts{Series::pool_busy_ratio, "tollgate_pool_busy_ratio", SeriesType::gauge, "pool",
                "Share of the last five minutes (to five and a half) with a request in flight."},
    SeriesFacts{Series::pool_in_flight, "tollgate_pool_in_flight", SeriesType::gauge, "pool",
                "Attempts in flight on the pool."},
    SeriesFacts{Series::ledger_writable, "tollgate_ledger_writable", SeriesType::gauge, "",
                "1: requests can be recorded. 0: they cannot, and new ones are refused."},
    SeriesFacts{Series::ledger_reachable, "tollgate_ledger_reachable", SeriesType::gauge, "",
                "0: the last commit failed and is tried again; what waits is in the gateway's files. 1: it worked."},
    SeriesFacts{Series::ledger_rows, "tollgate_ledger_rows_committed_total", SeriesType::counter, "",
                "Rows of requests and attempts made durable."},
    SeriesFacts{Series::ledger_requests, "tollgate_ledger_requests_committed_total", SeriesType::counter, "",
                "Requests made durable."},
    SeriesFacts{Series::ledger_waiting, "tollgate_ledger_requests_waiting", SeriesType::gauge, "",
                "Requests settled but not yet durable in the ledger; they are safe from a crash of the process."},
    SeriesFacts{Series::ledger_commits, "tollgate_ledger_commits_total", SeriesType::counter, "",
                "Group commits that worked."},
    SeriesFacts{Series::ledger_commit_failures, "tollgate_ledger_commit_failures_total", SeriesType::counter, "",
                "Group commits that failed and were or will be tried again."},
    SeriesFacts{Series::ledger_last_commit, "tollgate_ledger_last_commit_seconds", SeriesType::gauge, "",
                "How long the last group commit took."},
    SeriesFacts{Series::ledger_duplicates, "tollgate_ledger_duplicates_total", SeriesType::counter, "",
                "Requests that were in the ledger already and were not written again."},
    SeriesFacts{Series::ledger_folded, "tollgate_ledger_folded_requests_total", SeriesType::counter, "",
                "Requests past ledger.keep_days that became part of daily sums."},
    SeriesFacts{
        Series::ledger_fold_failures, "tollgate_ledger_fold_failures_total", SeriesType::counter, "",
        "Times that old requests could not be folded and stayed as they were: a full disk or a damaged ledger."},
    SeriesFacts{Series::ledger_recovered, "tollgate_ledger_recovered_requests", SeriesType::gauge, "state",
                "Requests of an earlier run found at start: settled, open (settled now from what was known), damaged "
                "(not imported)."},
};

[[nodiscard]] constexpr const SeriesFacts& facts_of(Series series) noexcept {
  return series_table[static_cast<std::size_t>(series)];
}

namespace series_check {
constexpr bool in_order() {
  for (std::size_t i = 0; i < series_table.size(); ++i) {
    if (series_table[i].series != static_cast<Series>(i)) return false;
  }
  return true;
}
static_assert(in_order(), "series_table stands in the order of Series");
}  // namespace series_check

}  // namespace tollgate
