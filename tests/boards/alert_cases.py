"""For each alert: series with which it fires, and series, as close as may be, with which it does not.

alert: (step, when to look, {series: values that fire}, {series: values that do not}); values as promtool writes them: 0+5x9 is 0, 5 … 45.
"""


def of(name, values, **labels):
    inner = ",".join(f'{key}="{value}"' for key, value in {"job": "tollgate", "instance": "a:9090", **labels}.items())
    return {f"{name}{{{inner}}}": values}


def failing(requests, failures, samples):
    """requests and failures per step"""
    return {**of("tollgate_request_duration_seconds_count", f"0+{requests}x{samples}"),
            **of("tollgate_requests_total", f"0+{requests - failures}x{samples}", outcome="ok", route="auto"),
            **of("tollgate_requests_total", f"0+{failures}x{samples}", outcome="upstream_timeout", route="auto")}


def client_errors(requests, errors, samples):
    """Only clients did wrong: no objective is hurt."""
    return {**of("tollgate_request_duration_seconds_count", f"0+{requests}x{samples}"),
            **of("tollgate_requests_total", f"0+{errors}x{samples}", outcome="bad_request", route="auto"),
            **of("tollgate_refused_total", f"0+{errors}x{samples}", reason="unauthenticated")}


def slow(answers, late, samples):
    return {**of("tollgate_ttft_seconds_bucket", f"0+{answers - late}x{samples}", le="2.5", target="gpu/llama"),
            **of("tollgate_ttft_seconds_count", f"0+{answers}x{samples}", target="gpu/llama")}


def overhead(fast, slower, samples):
    return {**of("tollgate_overhead_seconds_bucket", f"0+{fast}x{samples}", le="0.005"), **of("tollgate_overhead_seconds_bucket", f"0+{fast}x{samples}", le="0.02"),
            **of("tollgate_overhead_seconds_bucket", f"0+{fast + slower}x{samples}", le="0.05"),
            **of("tollgate_overhead_seconds_bucket", f"0+{fast + slower}x{samples}", le="+Inf")}


def breaker(on_a, on_b):
    return {**of("tollgate_breaker_state", on_a, target="gpu/llama"), **of("tollgate_breaker_state", on_b, target="gpu/llama", instance="b:9090")}


def waiting(count, commits):
    return {**of("tollgate_ledger_requests_waiting", count), **of("tollgate_ledger_commits_total", commits)}


def usage(exact, estimated, samples):
    return {**of("tollgate_usage_source_total", f"0+{exact}x{samples}", source="exact"), **of("tollgate_usage_source_total", f"0+{estimated}x{samples}", source="estimated")}


def parts(billed, idle, attributed):
    return {**of("tollgate_pool_billed_usd_total", billed, pool="gpu"), **of("tollgate_pool_cost_usd_total", idle, pool="gpu", state="idle"),
            **of("tollgate_pool_cost_usd_total", attributed, pool="gpu", state="attributed")}


def drifting(unexplained):
    return {**of("tollgate_engine_unexplained_tokens", unexplained, backend="gpu", type="generation"),
            **of("tollgate_engine_tokens_total", "20000x60", backend="gpu", type="generation")}


def scrapes(failed):
    """Of 30 a minute."""
    return {**of("tollgate_engine_scrapes_total", "0+30x50", backend="gpu"), **of("tollgate_engine_scrape_failures_total", failed, backend="gpu")}


def economics(tokens, baseline, samples, billed=1.0, managed=0.0, tokens_of="gpu/llama", billed_from=0):
    """Per step: USD billed for the pool, USD at the managed target, tokens of one target, USD at the baseline."""
    gap = f"_x{billed_from} " if billed_from else ""
    return {**of("tollgate_pool_billed_usd_total", f"{gap}0+{billed}x{samples}", pool="gpu"),
            **of("tollgate_spend_usd_total", f"0+{managed}x{samples}", kind="output", target="managed/large"),
            **of("tollgate_tokens_total", f"0+{tokens}x{samples}", type="output", target=tokens_of),
            **of("tollgate_tokens_total", f"0+0x{samples}", type="output", target="gpu/llama" if tokens_of != "gpu/llama" else "managed/large"),
            **of("tollgate_baseline_spend_usd_total", f"0+{baseline}x{samples}", baseline="all-managed")}


UP = {'up{job="tollgate",instance="a:9090"}': "1x450"}
CASES = {
    "TollgateDown": ("1m", "10m", {'up{job="tollgate",instance="a:9090"}': "1x5 0x20"}, {'up{job="tollgate",instance="a:9090"}': "1x5 0 1x20"}),
    "TollgateReloadFailed": ("1m", "20m", of("tollgate_config_last_reload_successful", "1x5 0x20"), of("tollgate_config_last_reload_successful", "1x5 0x3 1x20")),
    "TollgateNoTargetUp": ("1m", "20m", of("tollgate_requests_total", "0+1x30", outcome="no_target_up", route="auto"),
                           {**of("tollgate_requests_total", "7x30", outcome="no_target_up", route="auto"),
                            **of("tollgate_requests_total", "0+9x30", outcome="constraint_unsatisfied", route="auto")}),
    # Left out on both gateways, though single tries half open it; on one of them it works.
    "TollgateBreakerOpen": ("1m", "20m", breaker("0x5 2x4 1 2x15", "2x30"), breaker("0x5 2x4 1 2x15", "0x30")),
    "TollgateTargetUnreachable": ("1m", "20m", of("tollgate_target_reachable", "1x5 0x20", target="gpu/llama"),
                                  {**of("tollgate_target_reachable", "1x5 0x20", target="gpu/llama"), **of("tollgate_target_reachable", "1x30", target="gpu/llama", instance="b:9090")}),
    "TollgateOverheadHigh": ("1m", "40m", overhead(97, 3, 60), overhead(995, 5, 60)),
    "TollgateErrorBudgetFast": ("1m", "75m", failing(100, 20, 80), client_errors(100, 90, 80)),
    "TollgateErrorBudgetSlow": ("4m", "8h", failing(100, 8, 125), failing(100, 5, 125)),
    "TollgateErrorBudgetTrickle": ("4m", "8h", failing(1000, 15, 125), failing(1000, 8, 125)),
    "TollgateTtftBudgetFast": ("1m", "75m", slow(100, 80, 80), slow(100, 60, 80)),
    "TollgateTtftBudgetSlow": ("4m", "8h", slow(100, 35, 125), slow(100, 25, 125)),
    "TollgateTtftBudgetTrickle": ("4m", "8h", slow(1000, 60, 125), slow(1000, 40, 125)),
    "TollgateSharedStoreAway": ("1m", "10m", of("tollgate_shared_up", "1x5 0x20"), of("tollgate_shared_up", "1x5 0 1x20")),
    "TollgateSharedNameTaken": ("1m", "10m", of("tollgate_shared_fenced", "0x5 1x20"), of("tollgate_shared_fenced", "0x30")),
    "TollgateLedgerNotWritable": ("1m", "10m", of("tollgate_ledger_writable", "1x5 0x20"), of("tollgate_ledger_writable", "1x30")),
    # Commits stand still; many wait but not too many, and commits go on.
    "TollgateLedgerBehind": ("1m", "25m", waiting("3x30", "50x30"), waiting("4000x30", "0+5x30")),
    "TollgateLedgerCommitsFail": ("1m", "25m", of("tollgate_ledger_commit_failures_total", "0+1x30"), of("tollgate_ledger_commit_failures_total", "5x30")),
    "TollgateLedgerFoldFails": ("1m", "25m", of("tollgate_ledger_fold_failures_total", "0x10 1x20"), of("tollgate_ledger_fold_failures_total", "1x30")),
    "TollgateRequestsDamaged": ("1m", "5m", of("tollgate_ledger_recovered_requests", "2x10", state="damaged"),
                                {**of("tollgate_ledger_recovered_requests", "0x10", state="damaged"), **of("tollgate_ledger_recovered_requests", "9x10", state="open")}),
    "TollgateBooksDisagree": ("1m", "25m", parts("0+1x30", "0+0.5x30", "0+0.4x30"), parts("0+1x30", "0+0.5x30", "0+0.5x30")),
    "TollgateTokenDrift": ("1m", "50m", drifting("600x60"), drifting("190x60")),
    "TollgateEngineNotRead": ("1m", "40m", scrapes("0+30x50"), scrapes("0+15x50")),
    "TollgateUnpricedTraffic": ("1m", "20m", of("tollgate_unpriced_requests_total", "0x10 1x10", target="managed/large"),
                                of("tollgate_unpriced_requests_total", "4x20", target="managed/large")),
    "TollgatePricesStale": ("1m", "70m", of("tollgate_price_book_stale", "1x80"), of("tollgate_price_book_stale", "1x30 0x50")),
    "TollgateUsageEstimated": ("1m", "100m", usage(90, 10, 120), usage(97, 3, 120)),
    "TollgatePoolUnused": ("4m", "8h", parts("0+1x125", "0+0.9x125", "0+0.1x125"), parts("0+1x125", "0+0.7x125", "0+0.3x125")),
    # The pool's own tokens would have cost half its bill. A pool is given its first day: it was rented twelve hours ago.
    "TollgatePoolBelowBreakEven": ("4m", "26h", economics(1000, 0.5, 400), economics(1000, 0.5, 220, billed_from=180)),
    # Half a dollar for what costs one; and as much for what costs less, though all of it is hardware.
    "TollgateSavingsNegative": ("4m", "8h", economics(1000, 0.5, 125), economics(1000, 1.2, 125)),
    # 0.1 USD a step is 1.5 an hour; then 30, or 3.
    "TollgateSpendUnusual": ("4m", "27h", of("tollgate_spend_usd_total", "0+0.1x375 39.5+2x40", kind="output", target="managed/large", team="red"),
                             of("tollgate_spend_usd_total", "0+0.1x375 37.7+0.2x40", kind="output", target="managed/large", team="red")),
}
# Nothing else is scraped in these cases, which alone is reason for TollgateDown.
for _name, (_step, _at, _fires, _silent) in CASES.items():
    if _name != "TollgateDown":
        for _series in (_fires, _silent):
            _series.update(UP)
