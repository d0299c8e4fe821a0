"""The rules for Prometheus: promtool takes them, each alert fires when it should and not otherwise, each has a runbook."""

import json
import re
import subprocess

import alert_cases
import pytest
import yaml
from queries import ROOT, exported_names, names_in, recorded_in, rules
from test_dashboards import COMING

ALERTS, RECORDS = rules("alert"), rules("record")
RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()


def promtool(*arguments, cwd=None):
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd)


def test_promtool_takes_configuration_and_rules():
    checked = promtool("check", "config", ROOT / "metrics/prometheus/prometheus.yaml")
    assert checked.returncode == 0, checked.stderr
    for path in (ROOT / "metrics/prometheus/rules").glob("*.yaml"):
        checked = promtool("check", "rules", "--lint=all", "--lint-fatal", path)
        assert checked.returncode == 0, f"{path.name}: {checked.stdout}{checked.stderr}"


def test_rules_name_only_metrics_that_are_exported_or_recorded():
    recorded = {name for name, _ in RECORDS}
    for name, rule in ALERTS + RECORDS:
        assert not names_in(rule["expr"]) - exported_names() - COMING, name
        assert recorded_in(rule["expr"]) <= recorded, name
    used = set().union(*(recorded_in(rule["expr"]) for _, rule in ALERTS + RECORDS))
    unused = recorded - used - {"job_pool:tollgate_busy:ratio_rate1d"}     # for people: the busy ratio over a day
    assert not unused, f"recorded and asked for by nobody: {unused}"


def test_every_alert_says_how_bad_it_is_what_it_is_and_what_to_do():
    assert len({name for name, _ in ALERTS}) == len(ALERTS)
    headings = re.findall(r"^## (\w+)$", RUNBOOKS, re.M)
    assert headings == [name for name, _ in ALERTS], "docs/runbooks.md has a section for each alert, in their order"
    for name, rule in ALERTS:
        assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"}), name
        assert set(rule["annotations"]) == {"summary", "description", "runbook"} and rule["annotations"]["runbook"] == f"docs/runbooks.md#{name.lower()}"
        section = RUNBOOKS.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]
        assert section.strip().startswith(f"*{rule['labels']['severity'].capitalize()}.*"), f"{name}: the runbook says the severity"
        assert len(section) > 60, name


def test_failed_requests_are_those_that_the_program_calls_ours_or_an_upstreams():
    table = re.findall(r"Row\{Fault::(\w+),\s*\{\"(\w+)\",\s*Whose::(\w+)", (ROOT / "config/fault.cpp").read_text())
    assert len(table) > 20
    patterns = set(re.findall(r'(?:outcome|reason)=~\\?"(no_target_up[^"\\]*)', json.dumps([rule["expr"] for _, rule in RECORDS])))
    patterns |= {re.search(r'FAILED = "([^"]*)"', (ROOT / "metrics/grafana/boards_traffic.py").read_text())[1]}
    assert len(patterns) == 1, f"boards and rules differ: {patterns}"
    # A gateway that is told to stop refuses on purpose; two happen before there is a client; the last two are of an attempt, never of a request.
    not_failures = {"draining", "bad_config", "io_failed", "escalated", "hedge_lost"}
    for _, name, whose in table:
        assert bool(re.fullmatch(patterns.copy().pop(), name)) == (whose in ("ours", "upstream") and name not in not_failures), name


def test_there_is_a_case_for_every_alert():
    assert {name for name, _ in ALERTS} == set(alert_cases.CASES)


@pytest.mark.parametrize("step", ["1m", "4m"])
def test_each_alert_fires_when_it_should_and_not_otherwise(step, tmp_path):
    tests = []
    for name, (case_step, at, fires, silent) in alert_cases.CASES.items():
        if case_step == step:
            for series, expected in ((fires, 1), (silent, 0)):
                tests.append({
                    "name": f"{name} {'fires' if expected else 'is silent'}", "interval": step,
                    "input_series": [{"series": selector, "values": values} for selector, values in series.items()],
                    "promql_expr_test": [{
                        "expr": f'sum(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)', "eval_time": at,
                        "exp_samples": [{"labels": "{}", "value": expected}]}]})
    file = tmp_path / "alerts.test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ROOT / "metrics/prometheus/rules/*.yaml")], "evaluation_interval": step, "tests": tests}, sort_keys=False))
    tried = promtool("test", "rules", file)
    assert tried.returncode == 0, tried.stdout[-3000:] + tried.stderr[-3000:]
