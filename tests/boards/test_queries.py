"""Every query of every dashboard, put to a Prometheus that scraped the gateway under load; and the figures are the ledger's."""

import math
import subprocess
import urllib.request
from decimal import Decimal

import pytest
import report
from queries import DASHBOARDS, RULES, every_target, exported_names, names_in, panels, ready_to_run, recorded_in, rules
from stack import Stack, costs

# A sample is taken twice a second for 15 s; increase() draws its first and last one on to the ends of the range.
TOLERANCE = 0.05


# The load has no store that gateways share and no route that hedges; what they export is tested in tests/e2e/test_shared_budgets.py and test_hedges.py.
NOT_IN_THE_LOAD = {name for name in exported_names() if name.startswith(("tollgate_shared_", "tollgate_hedges_"))} | {
    "tollgate_budget_leased_usd", "tollgate_budget_own_spent_usd", "tollgate_first_answer_seconds"}


@pytest.fixture(scope="module")
def stack():
    with Stack() as running:
        yield running


def value_of(stack, board, title, ref="A"):
    """The one number that a panel shows."""
    (panel,) = [panel for panel in panels(DASHBOARDS[board]) if panel["title"] == title]
    (target,) = [target for target in panel["targets"] if target["refId"] == ref]
    return stack.prometheus.scalar(ready_to_run(target["expr"], stack.seconds), stack.end)


def values_by(stack, board, title, label, ref="A"):
    (panel,) = [panel for panel in panels(DASHBOARDS[board]) if panel["title"] == title]
    (target,) = [target for target in panel["targets"] if target["refId"] == ref]
    return {labels[label]: value for labels, value in stack.prometheus.instant(ready_to_run(target["expr"], stack.seconds), stack.end)}


def grown(stack, of, field, key=None):
    """What the ledger gained by the load."""
    rows = {(row.get(of) or "none"): row for row in stack.before[of]}
    return {(row.get(of) or "none"): float(Decimal(row[field])) - float(Decimal(rows.get(row.get(of) or "none", {}).get(field, 0))) for row in stack.after[of]}


def gained(stack, field):
    return float(Decimal(stack.after["total"][field])) - float(Decimal(stack.before["total"][field]))


def test_the_load_was_of_every_kind(stack):
    for team in ("red", "blue"):
        assert grown(stack, "team", "requests")[team] > 10
    assert all(count > 0 for count in grown(stack, "target", "requests").values()), grown(stack, "target", "requests")
    assert len(stack.after["tier"]) >= 2


@pytest.mark.parametrize("name, title, ref", [(name, panel["title"], target["refId"]) for name, panel, target in every_target()])
def test_a_panel_has_data(stack, name, title, ref):
    (target,) = [target for board, panel, target in every_target() if (board, panel["title"], target["refId"]) == (name, title, ref)]
    if names_in(target["expr"]) - exported_names():
        pytest.skip("a metric that is about to be exported (COMING in test_dashboards.py)")
    rows = stack.asked(target)
    if names_in(target["expr"]) & NOT_IN_THE_LOAD:
        return                                                              # a query that Prometheus takes; there is nothing that it could show
    if target["legendFormat"] == "none":
        assert not rows, "the panel says that there is none, beside what there is"
        return
    assert rows, f"no data: {ready_to_run(target['expr'], stack.seconds)}"
    assert any(math.isfinite(value) for _, values in rows for value in values), f"only NaN: {ready_to_run(target['expr'], stack.seconds)}"
    for named in set(part.split("}}")[0] for part in target["legendFormat"].split("{{")[1:]):
        assert any(named in labels for labels, _ in rows), f"the legend's {named} is no label of {rows[0][0]}"


def test_no_two_series_of_a_panel_have_the_same_name(stack):
    for name, panel, target in every_target():
        if target["legendFormat"] == "__auto" or not panel["type"] == "timeseries":
            continue
        used = set(part.split("}}")[0] for part in target["legendFormat"].split("{{")[1:])
        seen = [tuple(labels.get(label) for label in sorted(used)) for labels, _ in stack.asked(target)]
        assert len(set(seen)) == len(seen), f"{name} / {panel['title']}: {seen}"


def test_every_exported_series_is_documented_and_the_live_ones_pass_promtool(stack):
    names = {name for name in stack.gateway.metrics()}
    assert names <= exported_names(), names - exported_names()
    text = stack.gateway.admin("/metrics")[1]
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_counters_are_the_ledger_to_the_last_digit(stack):
    total, ask = stack.after["total"], stack.prometheus.scalar
    assert ask("sum(tollgate_spend_usd_total)", stack.end) == pytest.approx(float(Decimal(total["usd_known"])), rel=1e-12)
    assert ask("sum(tollgate_route_spend_usd_total)", stack.end) == pytest.approx(float(Decimal(total["usd_known"])), rel=1e-12)
    assert ask("sum(tollgate_requests_total)", stack.end) == total["requests"]
    assert ask("sum(tollgate_tokens_total)", stack.end) == sum(total["tokens"][kind] for kind in ("input", "cached_input", "cache_write", "output"))
    assert ask("sum(tollgate_unpriced_requests_total)", stack.end) == total["unpriced_attempts"] > 0
    baseline = total["baselines"]["all-managed"]
    assert ask('sum(tollgate_baseline_spend_usd_total{baseline="all-managed"})', stack.end) == pytest.approx(float(Decimal(baseline["usd"])), rel=1e-12)
    for of, metric in (("team", "tollgate_spend_usd_total"), ("target", "tollgate_spend_usd_total"), ("route", "tollgate_route_spend_usd_total"),
                       ("tier", "tollgate_route_spend_usd_total")):
        seen = {labels[of]: value for labels, value in stack.prometheus.instant(f"sum by ({of}) ({metric})", stack.end)}
        for row in stack.after[of]:
            assert seen.get(row[of] or "none", 0) == pytest.approx(float(Decimal(row["usd_known"])), rel=1e-12, abs=1e-15), (of, row)


def test_panels_of_spend_agree_with_the_ledger(stack):
    spent = gained(stack, "usd_known")
    assert spent > 0
    for title in ("Today", "Month to date"):
        assert value_of(stack, "spend", title) == pytest.approx(spent, rel=TOLERANCE), title
    for title, of in (("By team", "team"), ("By target", "target")):
        (table,) = [panel["title"] for panel in panels(DASHBOARDS["spend"]) if panel["type"] == "table" and panel["title"].endswith(f"{of}s, in a table")]
        for field, ref in (("usd_known", "A"), ("requests", "B")):
            expected, seen = grown(stack, of, field), values_by(stack, "spend", table, of, ref)
            for name, value in expected.items():
                if name != "none":
                    assert seen[name] == pytest.approx(value, rel=TOLERANCE, abs=1e-12), (title, name)
    expected, seen = grown(stack, "route", "usd_known"), values_by(stack, "spend", "Spend by route", "route")
    assert all(seen[name] == pytest.approx(value, rel=TOLERANCE, abs=1e-12) for name, value in expected.items() if name != "none"), (seen, expected)
    expected, seen = grown(stack, "tier", "usd_known"), values_by(stack, "routing", "Spend by tier", "tier")
    assert all(seen[name] == pytest.approx(value, rel=TOLERANCE, abs=1e-12) for name, value in expected.items()), (seen, expected)
    tokens = {kind: stack.after["total"]["tokens"][kind] - stack.before["total"]["tokens"][kind] for kind in ("input", "output")}
    seen = values_by(stack, "spend", "Tokens by class", "type")
    assert all(seen[kind] == pytest.approx(count, rel=TOLERANCE) for kind, count in tokens.items())
    assert value_of(stack, "spend", "Unpriced attempts") == pytest.approx(gained(stack, "unpriced_attempts"), rel=TOLERANCE, abs=1)


def test_savings_are_the_baseline_less_the_bill_and_may_be_red(stack):
    before, after = (float(Decimal(books["total"]["baselines"]["all-managed"]["usd"])) for books in (stack.before, stack.after))
    managed = sum(value for name, value in grown(stack, "target", "usd_known").items() if not name.startswith("gpu/"))
    hardware = 2 * 2.49 / 3600 * stack.seconds
    assert value_of(stack, "spend", "Bill") == pytest.approx(managed + hardware, rel=TOLERANCE)
    saved = value_of(stack, "spend", "Saved against $baseline")
    assert saved == pytest.approx(after - before - managed - hardware, abs=TOLERANCE * (after - before + managed + hardware))
    assert value_of(stack, "spend", "… in percent") == pytest.approx(saved / (after - before), abs=2 * TOLERANCE * (managed + hardware) / (after - before))


def test_pools_add_up_on_the_board(stack):
    billed = value_of(stack, "pools", "Billed")
    assert billed == pytest.approx(2 * 2.49 / 3600 * stack.seconds, rel=TOLERANCE)
    assert value_of(stack, "pools", "Attributed") + value_of(stack, "pools", "Unused") == pytest.approx(billed, rel=1e-3)
    on_pool = sum(value for name, value in grown(stack, "target", "usd_known").items() if name.startswith(("gpu/", "serverless/")))
    assert value_of(stack, "pools", "Attributed") == pytest.approx(on_pool, rel=TOLERANCE)
    assert value_of(stack, "books", "Pools reconcile") < 1e-9
    # Below break-even is the same as a loss, by two ways of reckoning.
    busy = values_by(stack, "pools", "Busy ratio and break-even", "pool", "A")
    even = values_by(stack, "pools", "Break-even against $baseline", "pool")["gpu"]
    query = ready_to_run(next(t["expr"] for b, p, t in every_target() if p["title"] == "Gain against $baseline"), stack.seconds)
    gain = stack.prometheus.scalar(query.replace('pool=~".*"', 'pool="gpu"'), stack.end)
    shares = stack.prometheus.instant(ready_to_run(next(t["expr"] for b, p, t in every_target() if p["title"] == "Busy ratio and break-even" and t["refId"] == "A"),
                                                   stack.seconds, window=stack.seconds), stack.end)
    (share,) = [value for labels, value in shares if labels["pool"] == "gpu"]     # the serverless pool's bill is nothing beside it
    assert busy and (share < even) == (gain < 0)
    assert gain == pytest.approx(billed * (share / even - 1), rel=0.1, abs=0.02 * billed)


def test_routing_and_service_agree_with_the_ledger(stack):
    assert value_of(stack, "routing", "Requests") == pytest.approx(gained(stack, "requests"), rel=TOLERANCE)
    on_pool = grown(stack, "target", "requests")
    assert value_of(stack, "routing", "On own hardware") == pytest.approx(
        (on_pool["gpu/llama"] + on_pool["serverless/small"]) / (sum(on_pool.values()) - gained(stack, "unpriced_attempts")), rel=2 * TOLERANCE)
    assert value_of(stack, "books", "Ledger state") == 2 and value_of(stack, "books", "Waiting for the ledger") == 0
    assert value_of(stack, "books", "Recovered at start") == 0
    assert value_of(stack, "service", "Breakers open") in (0, 1)


def test_every_rule_that_is_shipped_evaluates_and_records(stack):
    groups = stack.prometheus.ask("rules")["groups"]
    evaluated = [rule for group in groups for rule in group["rules"]]
    assert len(evaluated) == len(rules("alert")) + len(rules("record"))
    for rule in evaluated:
        assert rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError')}"
    for name, rule in rules("record"):
        if not names_in(rule["expr"]) - exported_names():
            assert stack.prometheus.instant(name, stack.end), f"{name} recorded nothing"


def test_no_alert_but_those_that_are_true_fires(stack):
    firing = {rule["name"] for group in stack.prometheus.ask("rules")["groups"] for rule in group["rules"] if rule.get("state") == "firing"}
    assert firing <= {"TollgateUnpricedTraffic", "TollgateTargetUnreachable"}, firing
    assert "TollgateUnpricedTraffic" in firing
    (alert,) = [alert for alert in stack.prometheus.ask("alerts")["alerts"] if alert["labels"]["alertname"] == "TollgateUnpricedTraffic"]
    assert "managed/large" in alert["annotations"]["summary"]


def test_a_report_shows_every_panel_with_its_data(stack):
    path = report.write(stack)
    text = path.read_text()
    assert all(panel["title"] in report.unescaped(text) for board in DASHBOARDS.values() for panel in panels(board))
