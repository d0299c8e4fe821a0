"""The dashboards as files: generated, well formed, complete, and about metrics that exist."""

import re
import sys

import pytest
from queries import DASHBOARDS, ROOT, every_target, exported_names, names_in, panels

sys.path.insert(0, str(ROOT / "metrics/grafana"))
import build  # noqa: E402

BOARD_KEYS = {"uid", "title", "description", "tags", "schemaVersion", "version", "editable", "graphTooltip", "timezone", "refresh", "time", "timepicker",
              "fiscalYearStartMonth", "weekStart", "liveNow", "preload", "links", "annotations", "templating", "panels"}
PANEL_KEYS = {"id", "type", "title", "description", "datasource", "gridPos", "targets", "fieldConfig", "options", "transformations", "timeFrom"}
DEFAULT_KEYS = {"unit", "color", "custom", "mappings", "thresholds", "decimals", "min", "max", "noValue"}
# What each kind of panel may have among its options, of Grafana's own schemas (packages/grafana-schema, public/app/plugins/panel/*/panelcfg.cue).
OPTIONS = {
    "stat": {"reduceOptions", "colorMode", "graphMode", "justifyMode", "orientation", "textMode", "wideLayout", "showPercentChange", "percentChangeColorMode"},
    "timeseries": {"legend", "tooltip"},
    "bargauge": {"reduceOptions", "orientation", "displayMode", "valueMode", "showUnfilled", "namePlacement", "sizing", "minVizHeight", "minVizWidth", "maxVizHeight"},
    "state-timeline": {"mergeValues", "showValue", "alignValue", "rowHeight", "legend", "tooltip"},
    "heatmap": {"calculate", "cellGap", "color", "exemplars", "filterValues", "legend", "rowsFrame", "tooltip", "yAxis"},
    "table": {"showHeader", "cellHeight", "footer"},
}
UNITS = {"currencyUSD", "bytes", "percentunit", "short", "none", "s", "reqps", "rps", "ops", "dateTimeFromNow"}
# Metrics that are about to be exported: queries may name them already, and find data as soon as docs/metrics.md has them.
COMING = set()

boards = pytest.mark.parametrize("name", DASHBOARDS)


@boards
def test_a_dashboard_is_what_build_py_writes(name):
    assert (ROOT / f"metrics/grafana/dashboards/{name}.json").read_text() == build.boards()[f"{name}.json"], "run python3 metrics/grafana/build.py"


def test_every_board_of_build_py_is_there():
    assert {f"{name}.json" for name in DASHBOARDS} == set(build.boards())


def test_ids_and_titles_are_unique():
    for what in ("uid", "title"):
        assert len({board[what] for board in DASHBOARDS.values()}) == len(DASHBOARDS)
    for name, board in DASHBOARDS.items():
        for what in ("id", "title"):
            seen = [panel[what] for panel in board["panels"]]
            assert len(set(seen)) == len(seen), f"{name}: {what} twice: {sorted(x for x in seen if seen.count(x) > 1)}"


@boards
def test_a_dashboard_has_only_keys_that_grafana_knows(name):
    board = DASHBOARDS[name]
    assert set(board) == BOARD_KEYS
    for panel in panels(board):
        where = f"{name} / {panel['title']}"
        assert set(panel) <= PANEL_KEYS and set(panel) >= PANEL_KEYS - {"timeFrom"}, where
        assert set(panel["fieldConfig"]) == {"defaults", "overrides"} and set(panel["fieldConfig"]["defaults"]) <= DEFAULT_KEYS, where
        assert set(panel["options"]) <= OPTIONS[panel["type"]], where
        assert all(set(override) == {"matcher", "properties"} for override in panel["fieldConfig"]["overrides"]), where


@boards
def test_every_panel_says_what_it_shows_and_in_which_unit(name):
    for panel in panels(DASHBOARDS[name]):
        assert len(panel["title"]) > 3 and len(panel["description"]) > 15, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"], panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references), panel["title"]
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None and [s["value"] for s in steps[1:]] == sorted(s["value"] for s in steps[1:]), panel["title"]
        if panel["type"] in ("stat", "bargauge"):
            assert panel["fieldConfig"]["defaults"]["noValue"], f"{panel['title']}: what is shown while there is no data?"


@boards
def test_panels_do_not_overlap_and_fit_the_grid(name):
    taken = {}
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] and place["x"] + place["w"] <= 24 and place["w"] > 0 and place["h"] > 0, panel["title"]
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            assert taken.setdefault(cell, panel["title"]) == panel["title"], f"{panel['title']} lies on {taken[cell]}"


@boards
def test_no_data_source_is_hard_coded(name):
    board = DASHBOARDS[name]
    variable, *others = board["templating"]["list"]
    assert variable["name"] == "datasource" and variable["type"] == "datasource" and variable["query"] == "prometheus"

    def sources(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from [inner] if key == "datasource" else sources(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from sources(inner)

    found = list(sources(board))
    assert len(found) > 20 and all(source == {"type": "prometheus", "uid": "${datasource}"} for source in found)


@boards
def test_every_variable_that_is_used_is_declared_and_every_declared_one_is_used(name):
    board = DASHBOARDS[name]
    declared = {variable["name"] for variable in board["templating"]["list"]}
    text = str([panel for panel in board["panels"]]) + str([variable["query"] for variable in board["templating"]["list"]]) + str(board["annotations"])
    used = {plain or braced for plain, braced in re.findall(r"\$(?:(\w+)|\{(\w+)\})", text)} - {"__rate_interval", "__range", "__range_s", "1"}
    assert used == declared
    assert all(variable["description"] and variable["label"] for variable in board["templating"]["list"])


@boards
def test_every_query_is_about_the_chosen_gateways(name):
    for board, panel, target in every_target():
        if board == name:
            for metric, labels in re.findall(r"(tollgate_\w+)\b(\{[^}]*)?", re.sub(r'"[^"]*"', lambda m: m[0] if "$" in m[0] else '""', target["expr"])):
                assert 'job=~"$job",instance=~"$instance"' in labels, f"{panel['title']}: {metric}{labels}"


@boards
def test_counters_are_asked_for_their_increase_only(name):
    """But where two counters are compared, whose difference must be 0."""
    for board, panel, target in every_target():
        if board != name or "Must be 0" in panel["description"] or "must be 0" in panel["description"] or panel["title"] in ("Pools reconcile", "On own hardware"):
            continue
        for match in re.finditer(r"tollgate_\w+_total\{[^}]*\}(\[)?", target["expr"]):
            assert match[1], f"{panel['title']}: {match[0]}"


@boards
def test_boards_link_to_each_other_and_keep_time_and_variables(name):
    links = DASHBOARDS[name]["links"]
    assert {link["url"].split("/")[2] for link in links} == {board["uid"] for other, board in DASHBOARDS.items() if other != name}
    assert all(link["keepTime"] and link["includeVars"] for link in links)


def test_no_query_names_a_metric_that_the_gateway_does_not_export():
    known = exported_names() | COMING
    for name, panel, target in every_target():
        unknown = names_in(target["expr"]) - known
        assert not unknown, f"{name} / {panel['title']}: {unknown}"
    for name, board in DASHBOARDS.items():
        for variable in board["templating"]["list"][1:]:
            assert not names_in(variable["definition"]) - known, f"{name}: variable {variable['name']}"


def test_every_metric_of_the_gateway_is_on_a_board_or_is_known_not_to_be():
    shown = set().union(*(names_in(target["expr"]) for _, _, target in every_target()))
    missing = {name for name in exported_names() - shown if not re.search(r"_(sum|count)$", name)}
    assert not missing, f"no panel shows {missing}"
