"""Rows of the dashboard Routing about constraints, and about what becomes known of answers."""

from panels import GREEN, YELLOW, graph, increase, listed, or_zero, rate, series, stat, thresholds

OUTCOMES, JUDGED, GOOD = "tollgate_outcomes_total", 'source="judge"', 'source="judge",verdict="good"'


def constraints():
    return [
        graph("Attempts by constraint", "Attempts per second of requests that each constraint covered. All went where it allows; tollgate prove lists them.",
              listed(rate("tollgate_constraint_attempts_total", "", "constraint"), "{{constraint}}"), "reqps"),
        graph("Refused by constraint", "Requests per second that the constraint covered and that were refused, for constraints reject them or left no target.",
              listed(rate("tollgate_constraint_refused_requests_total", "", "constraint"), "{{constraint}}"), "reqps", stacked=True),
    ]


def learned():
    return [
        stat("Judged good enough", "Of the answers that a judge compared with those of a stronger target, in the chosen range.",
             f"{increase(OUTCOMES, GOOD)} / ({increase(OUTCOMES, JUDGED)} > 0)",
             "percentunit", width=4, empty="nothing judged"),
        stat("Spent on evaluations", "What repeated answers and judges were charged, in the chosen range.",
             or_zero(increase("tollgate_route_spend_usd_total", 'route=~".shadow.|.judge."')), "currencyUSD", width=4),
        stat("Evaluations waiting", "Answers that wait to be repeated and judged; above shadow.waiting_max they are left out.",
             f'sum({series("tollgate_shadow_evaluations_waiting")})', "short", width=4, decimals=0),
        stat("Form not checked", "Answers that were to be checked for their form and were not, for too many waited, in the chosen range.",
             or_zero(increase("tollgate_format_checks_left_out_total")), "short", width=4, decimals=0, limits=thresholds(GREEN, (0.5, YELLOW))),
        stat("Score corrected", "1 while complexity scores are corrected by what tollgate train installed.",
             f'max({series("tollgate_complexity_corrected")})', "short", width=4, decimals=0),
        graph("Verdicts", "Per second: ratings by clients, format checks and judges' scores of answers.",
              listed(rate(OUTCOMES, 'target=~"$target"', "source, verdict"), "{{source}} {{verdict}}"), "reqps", stacked=True),
        graph("Evaluations", "Answers per second that were drawn to be repeated and judged, by what became of it.",
              listed(rate("tollgate_shadow_evaluations_total", "", "result"), "{{result}}"), "reqps", stacked=True),
    ]
