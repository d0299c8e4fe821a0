"""The row of the dashboard Spend about the response cache."""

from panels import GREEN, RED, YELLOW, dashed, graph, listed, or_zero, rate, series, stat, thresholds

ASKED, SAVED, UNKNOWN = "tollgate_cache_requests_total", "tollgate_cache_saved_usd_total", "tollgate_cache_unknown_savings_total"
CHOSEN = 'target=~"$target",team=~"$team"'
IN_ROUTE, HITS = 'route=~"$route"', 'route=~"$route",result="hit"'
NO_CACHE = "no route has a response cache"


def cache():
    return [
        stat("Saved by the cache", "What the attempts were charged whose answers were given again from memory, in the chosen range. Not part of any other sum here; GPU "
             "shares are counted, which is not cash.", or_zero(f"sum(increase({series(SAVED, CHOSEN)}[$__range]))"), "currencyUSD", width=6),
        stat("Hits", "Requests answered from memory, as a share of those on routes with a cache, in the chosen range.",
             f"sum(increase({series(ASKED, HITS)}[$__range])) / (sum(increase({series(ASKED, IN_ROUTE)}[$__range])) > 0)", "percentunit", width=6, empty=NO_CACHE),
        stat("Hits of unknown worth", "Answers from memory whose first attempt has no known charge, in the chosen range. Not in what was saved.",
             or_zero(f"sum(increase({series(UNKNOWN, CHOSEN)}[$__range]))"), "short", width=6, decimals=0, limits=thresholds(GREEN, (0.5, YELLOW))),
        stat("Answers in memory", "How many answers are kept now.", f"sum({series('tollgate_cache_entries')})", "short", width=6, decimals=0),
        graph("Requests on routes with a cache", "Per second: hit (answered from memory), miss, bypass (not looked for).",
              listed(rate(ASKED, IN_ROUTE, "route, result"), "{{route}} {{result}}"), "reqps", stacked=True),
        graph("Saved per hour", "By the target whose answers were given again.", listed(f"3600 * {rate(SAVED, CHOSEN, 'target')}", "{{target}}"), "currencyUSD", stacked=True),
        graph("Memory of the cache", "Dashed: the most that it may hold.",
              [(f"sum({series('tollgate_cache_bytes')})", "held"), (f"sum({series('tollgate_cache_bytes_max')})", "limit")], "bytes", overrides=[dashed("limit", RED)]),
        graph("Kept and given up", "Answers per second that were kept, and that made room for others.",
              [(rate("tollgate_cache_stored_total"), "kept"), (rate("tollgate_cache_evictions_total"), "made room")], "short"),
    ]
