"""The queries of the dashboards and rules, and the names of metrics in them."""

import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "metrics/grafana/dashboards").glob("*.json"))}
RULES = sorted((ROOT / "metrics/prometheus/rules").glob("*.yaml"))


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def every_target():
    for name, board in DASHBOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield name, panel, target


def ready_to_run(query, seconds, baseline="all-managed", window=4):
    """As Grafana sends it: variables replaced, `All` as .*"""
    query = query.replace("$__rate_interval", f"{window}s").replace("$__range_s", str(seconds)).replace("$__range", f"{seconds}s")
    query = query.replace("$baseline", baseline)
    query = re.sub(r"\$(job|instance|team|route|target|pool)\b", ".*", query)
    assert "$" not in query.replace('"$1"', ""), f"a variable that is not replaced: {query}"
    return query


def exported_names():
    """Names of docs/metrics.md, with what a histogram's are called on the wire."""
    names = set()
    for name, kind in re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs/metrics.md").read_text(), re.M):
        names |= {name + suffix for suffix in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def names_in(query):
    return set(re.findall(r"(?<![\w:])tollgate_\w+", re.sub(r'"[^"]*"', '""', query)))


def recorded_in(query):
    return set(re.findall(r"\b\w+:tollgate_\w+:\w+", query))


def rules(kind):
    """[(name, rule)] of all `record` or `alert` rules"""
    return [(rule[kind], rule) for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"] if kind in rule]
