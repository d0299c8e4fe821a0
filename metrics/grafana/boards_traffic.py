"""The dashboards about traffic and trust: Routing, Service and Books."""

from boards_budgets import sent_on
from boards_learning import constraints, learned
from panels import (BLUE, GREEN, ORANGE, RED, YELLOW, bars, board, gap_colors, graph, heatmap, increase, listed, or_zero, quantile, rate, series, stat,
                    states, thresholds, value_map)

REQUESTS, ATTEMPTS, REFUSED = "tollgate_requests_total", "tollgate_attempts_total", "tollgate_refused_total"
ON_ROUTE = 'route=~"$route",team=~"$team"'
CHOSEN = 'route=~"$route",target=~"$target",team=~"$team"'
ON_TARGET = 'target=~"$target"'
# Outcomes for which the client can do nothing: ours or an upstream's (config/fault.cpp; a test holds the two together).
FAILED = "no_target_up|upstream_(unreachable|busy|credentials|status|timeout|garbage|broke_off)|ledger_full|internal"
FAILED_REQUESTS, FAILED_REFUSALS = f'outcome=~"{FAILED}"', f'reason=~"{FAILED}"'
BREAKERS = value_map(closed=(0, GREEN), half_open=(1, YELLOW), open=(2, RED))
REPAIRED, DAMAGED = 'state=~"settled|open"', 'state="damaged"'
AT_REST = value_map(no=(0, GREEN), yes=(1, YELLOW))
YES_NO = value_map(no=(0, RED), yes=(1, GREEN))


def share(numerator, denominator):
    return f"{numerator} / ({denominator} > 0)"


def routing():
    ok = f'{CHOSEN},outcome="ok"'
    upstream = f'{CHOSEN},target!="none"'
    now = [
        stat("Requests", "Settled in the chosen range. A series' first requests, before its first scrape, are not in it; the ledger has them.",
             increase(REQUESTS, CHOSEN), "short", decimals=0),
        stat("On own hardware", "Share of requests that a pool answered, in the chosen range.",
             share(f'sum(sum by (backend) (label_replace(increase({series(REQUESTS, ok)}[$__range]), "backend", "$1", "target", "([^/]+)/.*"))'
                   f' and on (backend) label_replace({series("tollgate_pool_billed_usd_total")}, "backend", "$1", "pool", "(.*)"))',
                   increase(REQUESTS, ok)), "percentunit", empty="no pools configured"),
        stat("Mean complexity", "Of the requests that a route took, in the chosen range; 0 simple, 1 hard.",
             share(increase("tollgate_complexity_score_sum"), increase("tollgate_complexity_score_count")), "percentunit"),
        stat("Attempts per request", "Attempts at targets over requests that reached one, in the chosen range. Above 1: retries and fallbacks.",
             share(increase(ATTEMPTS, ON_TARGET), increase(REQUESTS, upstream)), "short", decimals=3, limits=thresholds(GREEN, (1.05, YELLOW), (1.2, RED))),
        stat("Refused by policy", "Requests that a constraint, a budget or a missing capability left without a target, in the chosen range.",
             or_zero(increase(REQUESTS, f'{ON_ROUTE},outcome=~"constraint_unsatisfied|unsupported|over_budget"')), "short", decimals=0,
             limits=thresholds(GREEN, (0.5, YELLOW))),
        stat("No target up", "Requests that found every permitted target down, in the chosen range.",
             or_zero(increase(REQUESTS, f'{ON_ROUTE},outcome="no_target_up"')), "short", decimals=0, limits=thresholds(GREEN, (0.5, RED))),
    ]
    where = [
        graph("Share by target", "Of the requests per second: who answered, or was asked last.",
              [(rate(REQUESTS, CHOSEN, "target"), "{{target}}")], "reqps", stacked=True, percent=True),
        graph("Share by tier", "Of the requests per second: how complex they were, in the bounds of the configuration's tiers.",
              [(rate(REQUESTS, CHOSEN, "tier"), "{{tier}}")], "reqps", stacked=True, percent=True),
        graph("By route", "Requests per second by the rule that took them. Direct: the client named the target. None: no rule.",
              [(rate(REQUESTS, CHOSEN, "route"), "{{route}}")], "reqps", stacked=True),
        graph("Tier by target", "Requests per second: which target takes which tier.", [(rate(REQUESTS, CHOSEN, "tier, target"), "{{tier}} → {{target}}")], "reqps",
              stacked=True),
    ]
    complexity = [
        heatmap("Complexity of requests", "How many requests per second had which score. The tiers' bounds and the targets' capability are thresholds on it.",
                rate("tollgate_complexity_score_bucket", "", "le"), "percentunit"),
        graph("Complexity, quantiles", "Half, nine tenths, and 99 % of requests are at most this complex.",
              [(quantile(q, "tollgate_complexity_score"), name) for q, name in ((0.5, "median"), (0.9, "p90"), (0.99, "p99"))], "percentunit", high=1),
        bars("Requests by complexity", "In the chosen range: requests with at most this score and more than that of the bar before.",
             increase("tollgate_complexity_score_bucket", "", "le"), "short", "{{le}}", width=12, buckets=True, decimals=0),
        bars("Requests by tier", "In the chosen range.", increase(REQUESTS, CHOSEN, "tier"), "short", "{{tier}}", width=6),
        bars("Spend by tier", "In the chosen range: what the requests of each tier were charged.",
             increase("tollgate_route_spend_usd_total", 'route=~"$route"', "tier"), "currencyUSD", "{{tier}}", width=6),
    ]
    astray = [
        graph("Attempts by result", "Attempts per second. What is not ok was retried or fell back to the next target, if it could.",
              [(rate(ATTEMPTS, ON_TARGET, "target, result"), "{{target}} {{result}}")], "reqps", stacked=True),
        graph("Sent again by clients", "Requests per second that a client's SDK says are retries of its own. They are requests like any other, and are charged.",
              [(rate("tollgate_client_retries_total"), "retries of SDKs")], "reqps"),
        graph("Attempts per request over time", "Above 1: retries and fallbacks.",
              [(share(rate(ATTEMPTS, ON_TARGET), rate(REQUESTS, upstream)), "attempts per request")], "short"),
        graph("Requests without an answer, by outcome", "Requests per second that ended otherwise than ok.",
              listed(rate(REQUESTS, f'{CHOSEN},outcome!="ok"', "outcome"), "{{outcome}}"), "reqps", stacked=True),
        graph("Refused before they were recorded", "Per second, by reason: wrong keys, bodies that are no JSON, a full ledger …",
              listed(rate(REFUSED, "", "reason"), "{{reason}}"), "reqps", stacked=True),
    ]
    return board("routing", "Where requests go, how complex they are, and what goes astray. For one request: tollgate explain, or the headers "
                 "x-tollgate-target and x-tollgate-reason of its answer.", ["team", "route", "target"],
                 [("Now", now), ("Where", where), ("Complexity", complexity), ("Sent on", sent_on()), ("Constraints", constraints()), ("Learned", learned()), ("Astray", astray)], time="now-1h")


def service():
    failed = f"({or_zero(rate(REQUESTS, FAILED_REQUESTS))}) + ({or_zero(rate(REFUSED, FAILED_REFUSALS))})"
    all_requests = f"{rate('tollgate_request_duration_seconds_count')} + ({or_zero(rate(REFUSED))})"
    wait = [(q, name) for q, name in ((0.5, "median"), (0.95, "p95"), (0.99, "p99"))]
    now = [
        stat("Requests per second", "Settled, all routes.", rate("tollgate_request_duration_seconds_count"), "reqps", spark=True),
        stat("Failed", "Share of requests that ended by a fault of ours or of an upstream. What clients got wrong is not in it. The objective of "
             "the alerts is 1 %.", f"({failed}) / (({all_requests}) > 0)", "percentunit", limits=thresholds(GREEN, (0.005, YELLOW), (0.01, RED)),
             spark=True, decimals=2, empty="no requests"),
        stat("First byte, p95", "95 % of answers began within this time. The objective of the alerts is 2.5 s.",
             quantile(0.95, "tollgate_ttft_seconds", ON_TARGET), "s", limits=thresholds(GREEN, (1, YELLOW), (2.5, RED)), empty="no requests"),
        stat("Added overhead, p99", "What the gateway itself added to 99 % of requests at most.", quantile(0.99, "tollgate_overhead_seconds"), "s",
             limits=thresholds(GREEN, (0.005, YELLOW), (0.02, RED)), empty="no requests"),
        stat("In flight", "Requests being served now.", f"sum({series('tollgate_requests_in_flight')})", "short", spark=True),
        stat("Breakers open", "Targets that are left out now because they failed.", f"count({series('tollgate_breaker_state', ON_TARGET)} == 2) or vector(0)", "short",
             limits=thresholds(GREEN, (1, RED)), decimals=0),
    ]
    rates = [
        graph("Requests by outcome", "Settled requests per second: ok, or the fault they ended with.", [(rate(REQUESTS, CHOSEN, "outcome"), "{{outcome}}")], "reqps", stacked=True, overrides=[gap_colors("ok", GREEN)]),
        graph("Failed share", "Faults of ours or of an upstream, over all requests; dashed: the objective of 1 %.",
              [(f"({failed}) / (({all_requests}) > 0)", "failed")], "percentunit", limits=thresholds("transparent", (0.01, RED)), lines=True),
        graph("Failed attempts by target", "Per second, by result. A retry or fallback may still have saved the request.",
              listed(rate(ATTEMPTS, f'{ON_TARGET},result!~"ok|hedge_lost"', "target, result"), "{{target}} {{result}}"), "reqps", stacked=True),
        graph("Clients", "Connections that are open and requests being served.",
              [(f"sum({series('tollgate_connections')})", "connections"), (f"sum({series('tollgate_requests_in_flight')})", "requests")], "short"),
    ]
    times = [
        graph("Time to first byte", "From a request's arrival to the first byte of its answer; dashed: the objective of 2.5 s.",
              [(quantile(q, "tollgate_ttft_seconds", ON_TARGET), name) for q, name in wait], "s", limits=thresholds("transparent", (2.5, RED)), lines=True),
        graph("Time to first byte, p95 by target", "95 % of each target's answers began within this time.",
              [(quantile(0.95, "tollgate_ttft_seconds", ON_TARGET, "target"), "{{target}}")], "s"),
        graph("Time per output token", "After the first token, complete streams only: median and p95 by target.",
              [(quantile(q, "tollgate_time_per_output_token_seconds", ON_TARGET, "target"), "{{target}} " + name) for q, name in wait[:2]], "s"),
        graph("Request duration", "From arrival to end, upstream time included.", [(quantile(q, "tollgate_request_duration_seconds"), name) for q, name in wait], "s"),
        heatmap("Time to first byte, all", "How many answers per second began within which time.", rate("tollgate_ttft_seconds_bucket", ON_TARGET, "le"), "s"),
        graph("Added overhead", "What the gateway itself added; time spent waiting for clients and upstreams is left out.",
              [(quantile(q, "tollgate_overhead_seconds"), name) for q, name in wait], "s"),
    ]
    health = [
        states("Breakers", "A target that fails again and again is left out (open), then tried with single requests (half open).",
               f"max by (target) ({series('tollgate_breaker_state', ON_TARGET)})", "{{target}}", BREAKERS),
        states("Drained", "Targets whose backend an operator has drained: nothing new is sent there.",
               f"max by (target) ({series('tollgate_target_draining', ON_TARGET)})", "{{target}}", AT_REST),
        states("Ejected", "Targets that are left out for a while because they failed more often than their peers.",
               f"max by (target) ({series('tollgate_target_ejected', ON_TARGET)})", "{{target}}", AT_REST),
        graph("Limited by providers", "How long a provider's rate limit keeps requests from a target.",
              [(f"max by (target) ({series('tollgate_target_rate_limited_seconds', ON_TARGET)})", "{{target}}")], "s"),
        graph("Keys refused by providers", "Refusals per second of one of a backend's keys, by its place in the configuration.",
              listed(rate("tollgate_upstream_key_refusals_total", "", "backend, key"), "{{backend}} key {{key}}"), "reqps"),
        states("Reachable", "Whether health probes of the target succeed.", f"min by (target) ({series('tollgate_target_reachable', ON_TARGET)})", "{{target}}", YES_NO),
    ]
    return board("service", "Rates, errors and times, of the gateway and of each target.", ["team", "route", "target"],
                 [("Now", now), ("Rates", rates), ("Times", times), ("Health", health)], time="now-1h")


def books():
    drift = f'sum by (pool) ({series("tollgate_pool_billed_usd_total")}) - sum by (pool) ({series("tollgate_pool_cost_usd_total")})'
    by_route = f'sum({series("tollgate_route_spend_usd_total")}) - sum({series("tollgate_spend_usd_total")})'
    used = 'source!="none"'
    now = [
        stat("Ledger state", "Whether requests can be recorded. If not, new ones are refused: nothing is served unrecorded. While a database is away they wait in the gateway's own files.",
             f"min({series('tollgate_ledger_writable')} * (1 + {series('tollgate_ledger_reachable')}))", "none", limits=thresholds(RED, (1, YELLOW), (2, GREEN)),
             mappings=value_map(not_writable=(0, RED), database_away=(1, YELLOW), writable=(2, GREEN))),
        stat("Waiting for the ledger", "Requests that are settled and not yet durable. They are safe from a crash of the process.",
             f"sum({series('tollgate_ledger_requests_waiting')})", "short", limits=thresholds(GREEN, (1000, YELLOW), (10000, RED)), decimals=0),
        stat("Exact usage", "Share of the attempts with known usage whose tokens the upstream itself reported in full, in the chosen range.",
             share(increase("tollgate_usage_source_total", 'source="exact"'), increase("tollgate_usage_source_total", used)),
             "percentunit", limits=thresholds(RED, (0.9, YELLOW), (0.99, GREEN)), decimals=2, empty="no requests"),
        stat("Unpriced attempts", "Attempts in the chosen range whose cost is not known. They are missing from every sum of money.",
             increase("tollgate_unpriced_requests_total", ON_TARGET), "short", limits=thresholds(GREEN, (0.5, RED)), decimals=0),
        stat("Pools reconcile", "The largest gap between what a pool was billed and the sum of its parts. It is 0 but for the rounding of "
             "floating-point numbers in Prometheus; in the ledger it is 0.", f"max(abs({drift}))", "currencyUSD", limits=thresholds(GREEN, (1e-6, RED)),
             decimals=6, empty="no pools configured"),
        stat("Age of prices", "How old the figures of the price book are.", f"time() - min({series('tollgate_price_book_as_of_timestamp_seconds')})", "s",
             limits=thresholds(GREEN, (60 * 86400, YELLOW), (120 * 86400, RED)), empty="no price book"),
    ]
    usage = [
        graph("Usage by source", "Attempts per second. Exact: the upstream's own final count. Continuous: its last count before the stream was cut. "
              "Estimated: ours. None: no work was done, or what was done is not known.",
              [(rate("tollgate_usage_source_total", "", "source"), "{{source}}")], "reqps", stacked=True,
              overrides=[gap_colors("exact", GREEN), gap_colors("estimated", ORANGE), gap_colors("continuous", BLUE)]),
        graph("Unpriced by target", "Attempts per second whose cost is not known.", [(rate("tollgate_unpriced_requests_total", ON_TARGET, "target"), "{{target}}")],
              "reqps", stacked=True),
        graph("Unknown at baselines", "Requests per second that a baseline has no price for.",
              [(rate("tollgate_baseline_unknown_requests_total", "", "baseline"), "{{baseline}}")], "reqps", width=8),
        graph("Pools: billed less the sum of its parts", "Must be 0 but for the rounding of floating-point numbers.", [(drift, "{{pool}}")], "currencyUSD", low=None, width=8),
        graph("Spend by route less spend by target", "Two sums of the same charges; must be 0 but for the rounding of floating-point numbers.",
              [(by_route, "difference")], "currencyUSD", low=None, width=8),
        graph("Billed as reported, over the prices", "What providers said that answers cost (OpenRouter, xAI, `reported_costs`) over what the configured prices make of "
              "the same answers. Far from 100 %: the prices are stale, or something else is billed too. The charge is what they said.",
              [(share(rate("tollgate_reported_spend_usd_total", ON_TARGET, "target"), rate("tollgate_reported_spend_by_prices_usd_total", ON_TARGET, "target")), "{{target}}")],
              "percentunit", width=24, height=6),
    ]
    ledger = [
        graph("Rows and requests made durable", "Per second, in group commits.", [(rate("tollgate_ledger_rows_committed_total"), "rows"),
                                                                (rate("tollgate_ledger_requests_committed_total"), "requests")], "rps"),
        graph("Waiting", "Requests that are settled and not yet durable.", [(series("tollgate_ledger_requests_waiting"), "{{instance}}")], "short"),
        graph("Last commit", "How long the last group commit took: the disk.", [(series("tollgate_ledger_last_commit_seconds"), "{{instance}}")], "s"),
        graph("Commits", "Group commits per second, and those that failed and are tried again.",
              [(rate("tollgate_ledger_commits_total"), "worked"), (rate("tollgate_ledger_commit_failures_total"), "failed")], "ops", overrides=[gap_colors("failed", RED)]),
        stat("Recovered at start", "Requests of the run before that had not ended in order, settled now from what was known.",
             f"sum({series('tollgate_ledger_recovered_requests', REPAIRED)})", "short", width=6, decimals=0),
        stat("Damaged at start", "Requests of the run before that could not be read. Their charges are lost to the books: compare with the provider's bill.",
             f"sum({series('tollgate_ledger_recovered_requests', DAMAGED)})", "short", width=6, limits=thresholds(GREEN, (1, RED)), decimals=0),
        stat("Found twice", "Requests that were in the ledger already and were not written again, in the chosen range.",
             increase("tollgate_ledger_duplicates_total"), "short", width=6, decimals=0),
        stat("Folded into days", "Requests past ledger.keep_days that became part of daily sums, in the chosen range; and times it failed.",
             increase("tollgate_ledger_folded_requests_total"), "short", width=3, decimals=0),
        stat("Fold failures", "Times that old requests could not be folded, in the chosen range.", increase("tollgate_ledger_fold_failures_total"), "short", width=3,
             limits=thresholds(GREEN, (0.5, RED)), decimals=0),
    ]
    runs = [
        states("Configuration", "Whether the file was valid when last read. If not, the one before it is in force.",
               f"min by (instance) ({series('tollgate_config_last_reload_successful')})", "{{instance}}", value_map(invalid=(0, RED), valid=(1, GREEN)), width=8),
        states("Price book", "Stale: its figures are older than prices.stale_after_days.", f"max by (instance) ({series('tollgate_price_book_stale')})", "{{instance}}",
               value_map(fresh=(0, GREEN), stale=(1, ORANGE)), width=8),
        graph("Reloads", "Per second, by result.", [(rate("tollgate_config_reloads_total", "", "result"), "{{result}}")], "ops", width=8, height=6),
        stat("In force since", "When the configuration last took effect, of the gateway where that is longest ago.",
             f"1e3 * min({series('tollgate_config_last_reload_success_timestamp_seconds')})", "dateTimeFromNow", width=12),
        stat("Version", "What runs, and on how many gateways.", f"count by (version) ({series('tollgate_build_info')})", "short", width=12, legend="{{version}}",
             text="value_and_name"),
    ]
    return board("books", "Whether the figures can be trusted: how usage is known, what has no price, how far the ledger is behind, whether sums agree.", ["target"],
                 [("Now", now), ("Usage and sums", usage), ("Ledger", ledger), ("Configuration and prices", runs)])
