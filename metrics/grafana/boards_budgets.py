"""Rows of the dashboards Spend and Routing about budgets, limits, and routes that send requests on."""

from panels import GREEN, ORANGE, RED, YELLOW, dashed, graph, listed, or_zero, rate, series, stat, thresholds


def of(name, by="budget"):
    return f"max by ({by}) ({series(name)})"


def budgets():
    return [
        stat("Fullest budget", "Spent and reserved, as a share of the limit, of the budget that is nearest to it.",
             f"max(1 - {of('tollgate_budget_remaining_usd')} / {of('tollgate_budget_limit_usd')})", "percentunit", width=4,
             limits=thresholds(GREEN, (0.8, ORANGE), (1, RED)), empty="no budgets configured"),
        stat("Refused for want of money", "Requests and further attempts that hard budgets refused, in the chosen range.",
             or_zero(f"sum(increase({series('tollgate_budget_refused_total')}[$__range]))"), "short", width=4, decimals=0, limits=thresholds(GREEN, (0.5, RED))),
        stat("Past a soft budget", "Requests that went on although they may pass a soft budget, in the chosen range.",
             or_zero(f"sum(increase({series('tollgate_budget_warned_total')}[$__range]))"), "short", width=4, decimals=0, limits=thresholds(GREEN, (0.5, YELLOW))),
        stat("Beyond what was reserved", "What attempts cost more than the most that was reckoned with. Not 0: targets want an output_tokens_max.",
             or_zero(f"sum(increase({series('tollgate_budget_overrun_usd_total')}[$__range]))"), "currencyUSD", width=4, limits=thresholds(GREEN, (0.01, YELLOW))),
        stat("Attempts of unknown cost", "Attempts for which an assumed amount counts against a budget, in the chosen range.",
             or_zero(f"sum(increase({series('tollgate_budget_unpriced_attempts_total')}[$__range]))"), "short", width=4, decimals=0, limits=thresholds(GREEN, (0.5, YELLOW))),
        stat("Holds that nobody gave back", "Holds that came free after two hours because their request did not end. Should be 0.",
             or_zero(f"sum(increase({series('tollgate_budget_expired_holds_total')}[$__range]))"), "short", width=4, decimals=0, limits=thresholds(GREEN, (0.5, RED))),
        graph("Spent of each budget", "In the window that runs: spent, and spent with what requests under way have reserved. Dashed: the limit.",
              [(of("tollgate_budget_spent_usd"), "{{budget}} spent"),
               (f"{of('tollgate_budget_spent_usd')} + {of('tollgate_budget_reserved_usd')}", "{{budget}} with reserves"),
               (of("tollgate_budget_limit_usd"), "{{budget}} limit")], "currencyUSD", overrides=[dashed(".* limit", RED)]),
        graph("What budgets and limits did", "Per second: refused; past a soft budget; left only the cheapest targets; lost a target and went on; refused by a limit.",
              listed(rate("tollgate_budget_refused_total", "", "budget"), "{{budget}} refused") + [
                  (rate("tollgate_budget_warned_total", "", "budget"), "{{budget}} warned"),
                  (rate("tollgate_budget_diverted_total", "", "budget"), "{{budget}} to cheaper ones"),
                  (rate("tollgate_budget_trimmed_total", "", "budget"), "{{budget}} went elsewhere"),
                  (rate("tollgate_rate_limited_total", "", "limit, kind"), "{{limit}} {{kind}}")], "reqps"),
    ]


def sent_on():
    return [
        graph("Spill-over", "Requests per second that went elsewhere because the target they would have gone to was full.",
              listed(rate("tollgate_spillovers_total", 'route=~"$route"', "from, to"), "{{from}} → {{to}}"), "reqps", stacked=True),
        graph("Escalations", "Answers per second on cascade routes that failed their check and were asked for again, by what was wrong with them.",
              listed(rate("tollgate_escalations_total", 'route=~"$route"', "route, reason"), "{{route}} {{reason}}"), "reqps", stacked=True),
        graph("Asked again", "Attempts per second made again at the same target, by what had failed; key: with another key of its backend.",
              listed(rate("tollgate_retries_total", 'target=~"$target"', "target, reason"), "{{target}} {{reason}}"), "reqps", stacked=True),
        graph("Too long or filtered", "Requests per second that a target refused for what they hold and that went to another one.",
              listed(rate("tollgate_content_fallbacks_total", 'target=~"$target"', "target, reason"), "{{target}} {{reason}}"), "reqps", stacked=True),
    ]
