"""The row of the dashboard Pools about where the traffic would cost least."""

from panels import bars, graph, series, stat


def advice():
    return [
        graph("The same requests on every tier, a month", "What the requests that a target answered in the last 30 days would cost a month on the cheapest offer of each tier "
              "(`tollgate advise`): managed, serverless, dedicated (rented), owned. Operations are counted.",
              [(f"max by (workload, tier) ({series('tollgate_advice_usd_per_month')})", "{{workload}} {{tier}}")], "currencyUSD"),
        bars("Advice", "The tier that is recommended for the traffic of each target.", f"max by (workload, advice) ({series('tollgate_advice_info')})", "short", "{{workload}}: {{advice}}", width=6),
        bars("Saved a month by it", "Against the cheapest managed host of the same model; below 0 it costs more, as where data may not leave.",
             f"max by (workload) ({series('tollgate_advice_saving_usd_per_month')})", "currencyUSD", "{{workload}}", width=6, low=None),
        stat("Worked out", "When the advice was last worked out, from the ledger.", f"1e3 * max({series('tollgate_advice_timestamp_seconds')})", "dateTimeFromNow", width=6),
    ]
