"""Rows of the dashboard Pools about what the engines themselves say."""

from panels import GREEN, ORANGE, RED, YELLOW, dashed, graph, quantile, rate, series, stat, thresholds

IN_POOL = 'pool=~"$pool"'
# Engines are backends; those of the pools bear the pools' names.
OF_POOLS, TIMED = 'backend=~"$pool"', 'target=~"($pool)/.*"'
TIMES = ((0.5, "median"), (0.95, "p95"))


def by_engine(name):
    return f"max by (backend) ({series(name, OF_POOLS)})"


def load():
    return [
        graph("Load ratio", "Tokens per second over tokens per second when full. A pool can be busy all the time and nearly empty.",
              [(f"max by (pool) ({series('tollgate_pool_load_ratio', IN_POOL)})", "{{pool}}")], "percentunit",
              limits=thresholds("transparent", (1, RED)), lines=True),
        graph("Tokens per second, by the pool's own window", "Over the last 30 s, foreign tokens included where the engine counts them; dashed: when "
              "full, configured, learned while requests waited, or the most that was seen.",
              [(f"max by (pool) ({series('tollgate_pool_tokens_per_second', IN_POOL)})", "{{pool}}"),
               (f"max by (pool, source) ({series('tollgate_pool_saturation_tokens_per_second', IN_POOL)})", "{{pool}} full ({{source}})")], "short",
              overrides=[dashed(".* full .*", ORANGE)]),
        graph("$ per million tokens, three bases", "Over five minutes. Loaded: the bill less foreign time over tokens; busy: what was attributed over "
              "tokens; marginal: one more token, 0 while there is room.",
              [(f"max by (pool, basis) ({series('tollgate_pool_usd_per_million_tokens', IN_POOL)})", "{{pool}} {{basis}}")], "currencyUSD"),
        graph("At work, against the break-even", "Solid: share of the time the pool is at work. Dashed: from where it costs less than the cheapest managed "
              "target of the same model, or than the cheapest host of the price book (list). Above 100 %: never.",
              [(f"max by (pool) ({series('tollgate_pool_busy_ratio', IN_POOL)})", "{{pool}} at work"),
               (f"max by (pool, against) ({series('tollgate_pool_break_even_ratio', IN_POOL)})", "{{pool}} break-even, {{against}}")], "percentunit",
              overrides=[dashed(".* break-even, .*", ORANGE)]),
        graph("Saved an hour", "What the pool saves at its present rate against the cheapest managed target of the same model and the cheapest host of the price book; below "
              "0 it costs more.",
              [(f"max by (pool, against) ({series('tollgate_pool_saving_usd_per_hour', IN_POOL)})", "{{pool}} against {{against}}")], "currencyUSD", low=None),
        graph("The same tokens managed", "What a million of the pool's tokens, in its own mix of prompt and answer, costs there; to be compared with the loaded price.",
              [(f"max by (pool, against) ({series('tollgate_pool_managed_usd_per_million_tokens', IN_POOL)})", "{{pool}} at {{against}}")], "currencyUSD"),
        graph("In the engine", "Requests that run and wait in the engine, whoever sent them, and those that did not pass here.",
              [(by_engine("tollgate_engine_running"), "{{backend}} running"), (by_engine("tollgate_engine_waiting"), "{{backend}} waiting"),
               (f"max by (pool) ({series('tollgate_pool_foreign_requests', IN_POOL)})", "{{pool}} foreign")], "short"),
        graph("KV cache in use", "Near 100 % requests wait, or are thrown out and computed anew.",
              [(by_engine("tollgate_engine_kv_cache_usage_ratio"), "{{backend}}")], "percentunit", high=1, limits=thresholds("transparent", (0.9, RED)), lines=True),
        graph("Tokens by the engine's own count", "Per second. Foreign ones belong to requests that did not pass here.",
              [(rate("tollgate_engine_tokens_total", OF_POOLS, "backend, type"), "{{backend}} {{type}}"),
               (rate("tollgate_foreign_tokens_total", OF_POOLS, "backend, type"), "{{backend}} {{type}} foreign")], "short",
              overrides=[dashed(".* foreign", ORANGE)]),
    ]


def truth():
    failed = f"{rate('tollgate_engine_scrape_failures_total', OF_POOLS)} / ({rate('tollgate_engine_scrapes_total', OF_POOLS)} > 0)"
    return [
        stat("Token drift", "The largest difference between the engine's count of tokens and ours, as a share of the engine's. Above 0 it served more "
             "than passed here, below 0 less.", f"max(abs({series('tollgate_engine_token_drift_ratio', OF_POOLS)}))", "percentunit", width=6,
             limits=thresholds(GREEN, (0.01, YELLOW), (0.05, RED)), decimals=2, empty="no engine is read"),
        stat("Engines not read", "Share of the times that an engine's metrics were asked for and could not be read.", failed, "percentunit", width=6,
             limits=thresholds(GREEN, (0.01, YELLOW), (0.5, RED)), decimals=1, empty="no engine is read"),
        stat("Oldest look", "Time since the engine that was read least lately was read.", f"max({series('tollgate_engine_scrape_age_seconds', OF_POOLS)})", "s",
             width=6, limits=thresholds(GREEN, (10, YELLOW), (60, RED)), decimals=1, empty="no engine is read"),
        stat("Engine restarts", "Times in the chosen range that an engine's counters began anew.",
             f"sum(increase({series('tollgate_engine_restarts_total', OF_POOLS)}[$__range]))", "short", width=6, limits=thresholds(GREEN, (0.5, YELLOW)),
             decimals=0, empty="no engine is read"),
        graph("Unexplained tokens", "The engine's count less ours and less foreign ones. The last tokens of requests that were cut off make it grow a little; "
              "below 0, more is counted here than the engine served.",
              [(f"max by (backend, type) ({series('tollgate_engine_unexplained_tokens', OF_POOLS)})", "{{backend}} {{type}}")], "short", low=None, width=8),
        graph("Time in the engine", "By the engine's own clock, for backends with engine.per_request_metrics: first token after leaving the queue, and first "
              "token to last.",
              [(quantile(q, "tollgate_engine_ttft_seconds", TIMED, "target"), "{{target}} first token " + name) for q, name in TIMES] +
              [(quantile(q, "tollgate_engine_generation_seconds", TIMED, "target"), "{{target}} generation " + name) for q, name in TIMES], "s", width=8),
        graph("Wait in the engine", "What requests waited in the engine's own queue, by its own clock.",
              [(quantile(q, "tollgate_engine_queue_seconds", TIMED, "target"), "{{target}} " + name) for q, name in TIMES], "s", width=8),
    ]
