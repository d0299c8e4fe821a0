"""The dashboards about money: Spend and Pools."""

from boards_budgets import budgets, shared
from boards_cache import cache
from boards_advice import advice
from boards_autopilot import autopilot
from boards_engine import load, truth
from panels import (BLUE, GREEN, GREY, ORANGE, RED, YELLOW, bars, board, dashed, gap_colors, graph, increase, or_zero, rate, series,
                    stat, table, thresholds)

CHOSEN = 'target=~"$target",team=~"$team"'
UNUSED = 'state=~"idle|cold_start|minimum|down"'
NOT_GPU, AT_BASELINE, IN_ROUTE, IN_POOL = 'kind!="gpu"', 'baseline="$baseline"', 'route=~"$route"', 'pool=~"$pool"'
BUSY, ATTRIBUTED, BUT_ROUNDING, POOL_UNUSED = (f"{IN_POOL},{state}" for state in ('state="busy"', 'state="attributed"', 'state!="rounding"', UNUSED))
OF_POOLS = 'kind="gpu",target=~"($pool)/.*"'
LOSS = thresholds(RED, (0, GREEN))
SPEND, TOKENS, BASELINE = "tollgate_spend_usd_total", "tollgate_tokens_total", "tollgate_baseline_spend_usd_total"
BILLED, COST = "tollgate_pool_billed_usd_total", "tollgate_pool_cost_usd_total"
# Seconds that are left of this month, in UTC, as the ledger counts.
LEFT_OF_MONTH = "(days_in_month() * 86400 - (day_of_month() - 1) * 86400 - hour() * 3600 - minute() * 60)"

# What is really paid: tokens and fees of managed targets, and the whole bill of the pools, used or not.
BILL_RATE = f"({rate(SPEND, NOT_GPU)} + ({or_zero(rate(BILLED))}))"
BILL_RANGE = f"({increase(SPEND, NOT_GPU)} + ({or_zero(increase(BILLED))}))"


def per_thousand_requests(window, by):
    return (f"1e3 * sum by ({by}) (rate({series(SPEND, CHOSEN)}[{window}]))"
            f" / (sum by ({by}) (rate({series('tollgate_requests_total', CHOSEN)}[{window}])) > 0)")


def per_million_tokens(window, by):
    return (f"1e6 * sum by ({by}) (rate({series(SPEND, CHOSEN)}[{window}]))"
            f" / (sum by ({by}) (rate({series(TOKENS, CHOSEN)}[{window}])) > 0)")


def table_by(label):
    return table(
        f"All {label}s, in a table", f"The chosen time range by {label}. Spend is what settled requests were charged, GPU shares included and idle hardware"
        " not; tollgate costs says the same of the ledger.",
        [("Spend", increase(SPEND, CHOSEN, label), "currencyUSD"),
         ("Requests", increase("tollgate_requests_total", CHOSEN, label), "short"),
         ("Tokens", increase(TOKENS, CHOSEN, label), "short"),
         ("$ per 1k requests", per_thousand_requests("$__range", label), "currencyUSD"),
         ("$ per M tokens", per_million_tokens("$__range", label), "currencyUSD")], label, width=12)


def spend():
    now = [
        stat("Spend rate", "What requests are charged now, per hour: tokens, fees, and their share of GPU time.",
             f"3600 * {rate(SPEND, CHOSEN)}", "currencyUSD", spark=True),
        stat("Today", "Charged since midnight UTC. Counters that restart are added up; what was counted in the seconds between the last "
             "scrape and a stop is missing here. The ledger has it: tollgate costs --since today.",
             increase(SPEND, CHOSEN), "currencyUSD", since="now/d"),
        stat("Month to date", "Charged since the first of the month, UTC.", increase(SPEND, CHOSEN), "currencyUSD", since="now/M"),
        stat("Forecast to month end", "Month to date, and for the seconds that are left the mean rate of the last seven days (of as much of "
             "them as there is).", f"{increase(SPEND, CHOSEN)} + scalar({LEFT_OF_MONTH}) * sum(rate({series(SPEND, CHOSEN)}[7d]))",
             "currencyUSD", since="now/M"),
        stat("Paid for and unused", "Hardware that was billed in the chosen range while it was idle or starting. No request is charged for it.",
             or_zero(increase(COST, UNUSED)), "currencyUSD", limits=thresholds(GREEN, (0.01, ORANGE))),
        stat("Unpriced attempts", "Attempts in the chosen range whose cost is not known, because there is no price for the model or no usage "
             "for work that was done. They are missing from every sum here.", increase("tollgate_unpriced_requests_total", 'target=~"$target"'),
             "short", limits=thresholds(GREEN, (0.5, RED)), decimals=0),
    ]
    savings = [
        stat("Saved against $baseline", "What the baseline would have cost, less the whole bill (idle hardware included), in the chosen "
             "range, all teams. Red: a loss. Configure baselines to see it.",
             f"sum(increase({series(BASELINE, AT_BASELINE)}[$__range])) - {BILL_RANGE}", "currencyUSD", limits=LOSS, width=6,
             empty="no baselines configured"),
        stat("… in percent", "The same as a share of what the baseline would have cost.",
             f"1 - {BILL_RANGE} / (sum(increase({series(BASELINE, AT_BASELINE)}[$__range])) > 0)", "percentunit", limits=LOSS, width=6,
             empty="no baselines configured"),
        stat("Requests left out of it", "Requests whose cost at the baseline is not known. Neither what they cost nor what they saved is in the "
             "baseline's sum, so savings are too low by what they would have cost there.",
             f"sum(increase({series('tollgate_baseline_unknown_requests_total', AT_BASELINE)}[$__range]))", "short", width=6,
             limits=thresholds(GREEN, (0.5, YELLOW)), decimals=0, empty="no baselines configured"),
        stat("Bill", "Managed tokens and fees, and all hours of all pools, used or not, in the chosen range. All teams.", BILL_RANGE, "currencyUSD", width=6),
        graph("Bill and baselines", "Per hour: what is paid, idle hardware included, against what the same requests would have cost elsewhere.",
              [(f"3600 * {BILL_RATE}", "bill"), (f"3600 * {rate(BASELINE, '', 'baseline')}", "{{baseline}}")], "currencyUSD",
              overrides=[gap_colors("bill", BLUE)]),
        graph("Saving per hour", "Each baseline less the bill, idle hardware included. Below zero: the baseline would have been cheaper.",
              [(f"3600 * ({rate(BASELINE, '', 'baseline')} - scalar({BILL_RATE}))", "against {{baseline}}")], "currencyUSD", low=None,
              limits=thresholds(RED, (0, "transparent")), lines=True),
    ]
    where = [
        graph("What is paid for", "Per hour, stacked: charges by kind, and hardware that nobody used.",
              [(f"3600 * {rate(SPEND, CHOSEN, 'kind')}", "{{kind}}"), (f"3600 * {or_zero(rate(COST, UNUSED))}", "unused hardware")],
              "currencyUSD", stacked=True, overrides=[gap_colors("unused hardware", RED), gap_colors("gpu", GREEN)]),
        graph("By target", "Charged per hour.", [(f"3600 * {rate(SPEND, CHOSEN, 'target')}", "{{target}}")], "currencyUSD", stacked=True),
        graph("By team", "Charged per hour.", [(f"3600 * {rate(SPEND, CHOSEN, 'team')}", "{{team}}")], "currencyUSD", stacked=True, width=8),
        graph("By route", "Charged per hour. Direct: the client named the target.",
              [(f"3600 * {rate('tollgate_route_spend_usd_total', IN_ROUTE, 'route')}", "{{route}}")], "currencyUSD", stacked=True, width=8),
        graph("By tier", "Charged per hour, by how complex the request was.",
              [(f"3600 * {rate('tollgate_route_spend_usd_total', IN_ROUTE, 'tier')}", "{{tier}}")], "currencyUSD", stacked=True, width=8),
        table_by("team"), table_by("target"),
    ]
    unit = [
        graph("$ per 1,000 requests", "Charges over requests, by target; failed requests count.",
              [(per_thousand_requests("$__rate_interval", "target"), "{{target}}")], "currencyUSD"),
        graph("$ per million tokens", "Charges over all tokens, input and output, by target.",
              [(per_million_tokens("$__rate_interval", "target"), "{{target}}")], "currencyUSD"),
        bars("Tokens by class", "In the chosen range. The classes do not overlap; output includes reasoning.",
             increase(TOKENS, CHOSEN, "type"), "short", "{{type}}"),
        bars("Spend by route", "In the chosen range.", increase("tollgate_route_spend_usd_total", 'route=~"$route"', "route"), "currencyUSD", "{{route}}"),
        bars("Reasoning tokens", "The part of the output that was spent on reasoning, in the chosen range.",
             increase("tollgate_reasoning_tokens_total", CHOSEN, "target"), "short", "{{target}}"),
    ]
    return board("spend", "What it costs, who it is for, and what it would have cost elsewhere. Sums are of counters; the ledger has the "
                 "last word: tollgate costs.", ["team", "route", "target", "baseline"],
                 [("Now", now), ("Budgets and limits", budgets()), ("Shared by several gateways", shared()), ("Savings", savings), ("Response cache", cache()), ("What for", where), ("Per request and token", unit)])


def of_pool(expression):
    """Series by target, summed by the pool that hosts them: the name before the slash."""
    return f'sum by (pool) (label_replace({expression}, "pool", "$1", "target", "([^/]+)/.*"))'


def pool_tokens(window):
    return of_pool(f"rate({series(TOKENS)}[{window}])")


def billed(window):
    return f"sum by (pool) (rate({series(BILLED, IN_POOL)}[{window}]))"


def busy(window):
    time = "tollgate_pool_gpu_seconds_total"
    return (f"sum by (pool) (rate({series(time, BUSY)}[{window}]))"
            f" / (sum by (pool) (rate({series(time, IN_POOL)}[{window}])) > 0)")


def baseline_per_token(window):
    """USD per token at the baseline, for the mix of requests that there was."""
    return (f"scalar(sum(rate({series(BASELINE, AT_BASELINE)}[{window}])) / (sum(rate({series(TOKENS)}[{window}])) > 0))")


def break_even(window):
    """The busy ratio at which the pool's tokens would have cost as much at the baseline as the pool's bill."""
    return f"{busy(window)} * {billed(window)} / ({pool_tokens(window)} * {baseline_per_token(window)} > 0)"


def pools():
    break_even_says = ("The busy ratio at which the pool's bill equals what its tokens would have cost at the baseline, at the batching and "
                       "the mix of requests there was: busy ratio x bill / (tokens x the baseline's price per token). Above 100 %: it "
                       "cannot pay at this batching, however busy.")
    now = [
        stat("Hardware", "What the pools cost per hour, whether or not they work.", f"3600 * {rate(BILLED, IN_POOL)}", "currencyUSD",
             empty="no pools configured"),
        stat("Billed", "In the chosen range.", increase(BILLED, 'pool=~"$pool"'), "currencyUSD", empty="no pools configured"),
        stat("Attributed", "The part that requests were charged for, in the chosen range.", increase(COST, 'pool=~"$pool",state="attributed"'), "currencyUSD",
             empty="no pools configured"),
        stat("Unused", "Idle and starting, in the chosen range.", increase(COST, f'pool=~"$pool",{UNUSED}'), "currencyUSD", limits=thresholds(GREEN, (0.01, ORANGE)),
             empty="no pools configured"),
        stat("Unused share", "Idle and starting over billed, in the chosen range.",
             f"{increase(COST, POOL_UNUSED)} / ({increase(BILLED, IN_POOL)} > 0)", "percentunit",
             limits=thresholds(GREEN, (0.5, YELLOW), (0.8, RED)), empty="no pools configured"),
        stat("Gain against $baseline", "What the pools' tokens would have cost at the baseline, less the pools' whole bill, in the chosen "
             "range. Red: renting tokens would have been cheaper than renting GPUs.",
             f"sum({pool_tokens('$__range')} and on (pool) {billed('$__range')}) * {baseline_per_token('$__range')} * $__range_s - {increase(BILLED, IN_POOL)}",
             "currencyUSD", limits=LOSS, empty="no baselines configured"),
    ]
    use = [
        bars("Busy ratio", "Share of the last five minutes with a request in flight.", series("tollgate_pool_busy_ratio", 'pool=~"$pool"'), "percentunit", "{{pool}}",
             high=1, limits=thresholds(RED, (0.1, YELLOW), (0.3, GREEN)), width=6),
        bars("Break-even against $baseline", break_even_says, break_even("$__range"), "percentunit", "{{pool}}", high=1, width=6,
             limits=thresholds(GREEN, (0.5, YELLOW), (1, RED))),
        graph("Busy ratio and break-even", break_even_says + " Below its dashed line a pool costs more than it saves.",
              [(busy("$__rate_interval"), "{{pool}} busy"), (break_even("1h"), "{{pool}} break-even")], "percentunit", high=1,
              overrides=[dashed(".* break-even", RED)]),
        graph("Cost per hour, by whose it is", "Stacked: attributed to requests, idle, foreign (only work that did not pass here), cold start. It adds up to "
              "the pools' price.",
              [(f"3600 * {rate(COST, BUT_ROUNDING, 'state')}", "{{state}}")], "currencyUSD", stacked=True,
              overrides=[gap_colors("attributed", GREEN), gap_colors("idle", RED), gap_colors("foreign", YELLOW), gap_colors("cold_start", ORANGE)]),
        graph("GPUs", "GPU seconds per second, busy (a request in flight), idle, and foreign (only work that did not pass here).",
              [(rate("tollgate_pool_gpu_seconds_total", 'pool=~"$pool"', "state"), "{{state}}")], "short", stacked=True,
              overrides=[gap_colors("busy", GREEN), gap_colors("idle", GREY), gap_colors("foreign", YELLOW)]),
        graph("In flight", "Attempts in flight on each pool; past concurrency_max a pool counts as saturated.",
              [(f"sum by (pool) ({series('tollgate_pool_in_flight', IN_POOL)})", "{{pool}}")], "short"),
        graph("Tokens per second", "Input and output, by pool.", [(f"{pool_tokens('$__rate_interval')} and on (pool) {billed('$__rate_interval')}", "{{pool}}")], "short"),
    ]
    price = [
        graph("$ per million tokens", "Busy basis: what was attributed to requests over tokens. Fully loaded: the whole bill over tokens; "
              "it rises when a pool stands idle. The dashed line is the baseline's price for the same mix.",
              [(f"1e6 * sum by (pool) (rate({series(COST, ATTRIBUTED)}[$__rate_interval])) / ({pool_tokens('$__rate_interval')} > 0)", "{{pool}} busy"),
               (f"1e6 * {billed('$__rate_interval')} / ({pool_tokens('$__rate_interval')} > 0)", "{{pool}} fully loaded"),
               (f"1e6 * {baseline_per_token('$__rate_interval')} + 0 * vector(1)", "$baseline")], "currencyUSD",
              overrides=[dashed("^[^ ]+$", ORANGE)]),
        graph("By model of the pools", "What each hosted model's requests were charged, per hour.",
              [(f"3600 * {rate(SPEND, OF_POOLS, 'target')}", "{{target}}")], "currencyUSD", stacked=True),
    ]
    return board("pools", "Hardware that is paid for by time: who used it, what stood idle, and whether it pays.", ["pool", "baseline"],
                 [("Now", now), ("Use", use), ("Price of a token", price), ("Autopilot", autopilot()), ("What the engines say", load()),
                  ("Whether it agrees", truth()), ("Where it would cost least", advice())])
