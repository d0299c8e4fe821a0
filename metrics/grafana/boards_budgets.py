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


def shared():
    """Of budgets that hold over several gateways; empty where none is shared."""
    return [
        stat("Gateways that reach the store", "Gateways to which the store of shared budgets and limits answers.", f"sum({series('tollgate_shared_up')})", "short", decimals=0,
             empty="nothing is shared"),
        stat("Gateways that do not", "They spend what they still hold, and then what `on_loss` says.", f"sum(1 - {series('tollgate_shared_up')})", "short", decimals=0,
             limits=thresholds(GREEN, (0.5, RED)), empty="nothing is shared"),
        stat("Names taken", "Gateways under whose name another process reports: nothing is granted to them.", f"sum({series('tollgate_shared_fenced')})", "short", decimals=0,
             limits=thresholds(GREEN, (0.5, RED)), empty="nothing is shared"),
        stat("Stores begun anew", "Times the store had lost what it knew, and every gateway said again what it had spent, in the chosen range.",
             or_zero(f"sum(increase({series('tollgate_shared_losses_total')}[$__range]))"), "short", decimals=0, limits=thresholds(GREEN, (0.5, YELLOW))),
        graph("Spent and held by each gateway", "Of each shared budget: spent through the gateway in the window that runs, and what it may use without asking.",
              [(of("tollgate_budget_own_spent_usd", "instance, budget"), "{{instance}} {{budget}} spent"), (of("tollgate_budget_leased_usd", "instance, budget"), "{{instance}} {{budget}} held")],
              "currencyUSD"),
        graph("Exchanges with the store", "Per second: all, and those that were not answered.",
              [(rate("tollgate_shared_exchanges_total"), "all"), (rate("tollgate_shared_exchange_failures_total"), "not answered")], "ops", width=6),
        graph("What an exchange takes", "In the mean, of those that were answered.",
              [(f"{rate('tollgate_shared_exchange_seconds_total')} / ({rate('tollgate_shared_exchanges_total')} - {rate('tollgate_shared_exchange_failures_total')} > 0)", "mean")], "s", width=6),
    ]


def sent_on():
    return [
        graph("Spill-over", "Requests per second that went elsewhere because the target they would have gone to was full.",
              listed(rate("tollgate_spillovers_total", 'route=~"$route"', "from, to"), "{{from}} → {{to}}"), "reqps", stacked=True),
        graph("Escalations", "Answers per second on cascade routes that failed their check and were asked for again, by what was wrong with them.",
              listed(rate("tollgate_escalations_total", 'route=~"$route"', "route, reason"), "{{route}} {{reason}}"), "reqps", stacked=True),
        graph("Asked again", "Attempts per second made again at the same target, by what had failed; key: with another key of its backend.",
              listed(rate("tollgate_retries_total", 'target=~"$target"', "target, reason"), "{{target}} {{reason}}"), "reqps", stacked=True),
        graph("Hedges", "Second attempts per second beside a slow first one, by what became of them, and those left out.",
              listed(rate("tollgate_hedges_total", 'route=~"$route"', "route, result"), "{{route}} {{result}}") + [(rate("tollgate_hedges_left_out_total", 'route=~"$route"', "route, reason"), "{{route}} left out: {{reason}}")], "reqps"),
        graph("When a hedge would begin", "The 95th percentile of what targets take to the first token (stream) or the whole answer (whole), as routes with `hedge` know it.",
              [(of("tollgate_first_answer_seconds", "target, answers"), "{{target}} {{answers}}")], "s"),
        graph("Too long or filtered", "Requests per second that a target refused for what they hold and that went to another one.",
              listed(rate("tollgate_content_fallbacks_total", 'target=~"$target"', "target, reason"), "{{target}} {{reason}}"), "reqps", stacked=True),
    ]
