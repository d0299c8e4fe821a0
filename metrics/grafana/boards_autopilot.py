"""The row of the dashboard Pools about what the autopilot holds of serverless pools."""

from panels import GREEN, ORANGE, YELLOW, dashed, graph, listed, or_zero, rate, series, stat, thresholds

IN_POOL = 'pool=~"$pool"'


def of(name):
    return f"max by (pool) ({series(name, IN_POOL)})"


def autopilot():
    return [
        stat("Open", "Serverless pools that the autopilot sends requests to before it pays by the token. See docs/autopilot.md.",
             f"sum({series('tollgate_autopilot_open', IN_POOL)})", "short", width=6, decimals=0, empty="no route has autopilot"),
        stat("Opened or closed", "Times in the chosen range that the autopilot opened or closed a pool. Many: its margin or its rest between two changes is too small.",
             or_zero(f"sum(increase({series('tollgate_autopilot_switches_total', IN_POOL)}[$__range]))"), "short", width=6, decimals=0,
             limits=thresholds(GREEN, (50, YELLOW))),
        stat("Worth", "What the first worker's requests would cost elsewhere over what the worker costs; 1 is the break-even.",
             f"max({series('tollgate_autopilot_worth_ratio', IN_POOL)})", "short", width=6, decimals=2, limits=thresholds(YELLOW, (1, GREEN)), empty="nothing known yet"),
        stat("An answer takes", "Of the slowest such pool, once a worker is up, as measured.", f"max({series('tollgate_autopilot_service_seconds', IN_POOL)})", "s", width=6,
             decimals=1, empty="not measured yet"),
        graph("Arrivals against the break-even", "Requests per second that would go to the pool if it were open, and, dashed, from how many on one worker pays. What something "
              "paid for has room for is not among them.",
              [(of("tollgate_autopilot_requests_per_second"), "{{pool}}"), (of("tollgate_autopilot_break_even_requests_per_second"), "{{pool}} break-even")], "reqps",
              overrides=[dashed(".* break-even", ORANGE)]),
        graph("Workers that pay", "Workers of the pool that earn what they cost. 0: closed.", [(of("tollgate_autopilot_workers"), "{{pool}}")], "short"),
        graph("Where requests go", "Per second, of routes with autopilot, by where the autopilot put the first target: paid for, an open pool, priced by the token; full and closed "
              "pools only where nothing else was left.",
              listed(rate("tollgate_autopilot_decisions_total", "", "target, standing"), "{{target}} {{standing}}"), "reqps", stacked=True),
        graph("A request elsewhere", "What a request that would go to the pool costs at the cheapest other target, in the mean.",
              [(of("tollgate_autopilot_elsewhere_usd_per_request"), "{{pool}}")], "currencyUSD"),
    ]
