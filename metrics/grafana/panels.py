"""The building blocks of the dashboards: variables, targets, panels, rows. boards_*.py say what is shown, build.py writes the JSON."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# What every query begins with: which gateways.
GATEWAYS = 'job=~"$job",instance=~"$instance"'
BOARDS = {"spend": "Spend", "pools": "Pools", "routing": "Routing", "service": "Service", "books": "Books"}
NONE = "none"
GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "#808080"


def series(name, labels="", gateways=GATEWAYS):
    """name{the chosen gateways, labels}"""
    return f"{name}{{{gateways}{',' + labels if labels else ''}}}"


def rate(name, labels="", by=""):
    return f"sum{f' by ({by})' if by else ''} (rate({series(name, labels)}[$__rate_interval]))"


def increase(name, labels="", by=""):
    return f"sum{f' by ({by})' if by else ''} (increase({series(name, labels)}[$__range]))"


def or_zero(expression):
    """Nothing has happened yet: that is 0 here, not an empty panel."""
    return f"({expression}) or vector(0)"


def listed(expression, legend):
    """A list of series that may be empty, which is good news: then it says so with a line at 0."""
    return [(expression, legend), (f"vector(0) unless on () ({expression})", NONE)]


def quantile(q, name, labels="", by=""):
    return f"histogram_quantile({q}, {rate(name + '_bucket', labels, 'le' + (', ' + by if by else ''))})"


def target(expression, legend="", instant=False, table=False, ref=0):
    made = {"datasource": DATASOURCE, "editorMode": "code", "expr": expression, "legendFormat": legend or "__auto",
            "instant": instant, "range": not instant, "refId": chr(ord("A") + ref)}
    if table:
        made["format"] = "table"
    return made


def targets(queries, **how):
    """One expression, or [(expression, legend), …]"""
    if isinstance(queries, str):
        queries = [(queries, "")]
    return [target(expression, legend, ref=i, **how) for i, (expression, legend) in enumerate(queries)]


def thresholds(*steps):
    """thresholds(green, (0.5, red)): green below 0.5, red from there"""
    made = [{"color": steps[0], "value": None}] + [{"color": color, "value": value} for value, color in steps[1:]]
    return {"mode": "absolute", "steps": made}


def panel(kind, title, description, width, height, queries, unit, *, decimals=None, limits=None, colors=None, low=None, high=None,
          custom=None, options=None, overrides=None, mappings=None, empty=None, color_mode="palette-classic", since=None, made=None,
          transformations=None):
    defaults = {"unit": unit, "color": {"mode": color_mode}, "custom": custom or {}, "mappings": mappings or [],
                "thresholds": limits or thresholds(GREEN)}
    if colors:
        defaults["color"] = colors
    for name, value in (("decimals", decimals), ("min", low), ("max", high), ("noValue", empty)):
        if value is not None:
            defaults[name] = value
    result = {"type": kind, "title": title, "description": description, "datasource": DATASOURCE, "gridPos": {"w": width, "h": height},
              "targets": made or targets(queries), "fieldConfig": {"defaults": defaults, "overrides": overrides or []},
              "options": options or {}, "transformations": transformations or []}
    if since:
        result["timeFrom"] = since
    return result


def stat(title, description, expression, unit, *, width=4, limits=None, since=None, decimals=None, empty="no data yet", spark=False,
         mappings=None, legend="", text="auto"):
    """One number. With `limits` it is coloured by them."""
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value" if limits else "none",
               "graphMode": "area" if spark else "none", "justifyMode": "auto", "orientation": "auto", "textMode": text,
               "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard"}
    made = targets([(expression, legend)], instant=not spark)
    return panel("stat", title, description, width, 4, None, unit, limits=limits, color_mode="thresholds", options=options, since=since,
                 decimals=decimals, empty=empty, made=made, mappings=mappings)


def graph(title, description, queries, unit, *, width=12, height=8, stacked=False, percent=False, low=0, limits=None, lines=False,
          overrides=None, high=None, decimals=None, right=False):
    """Lines over time; `stacked` areas that add up; `lines` draws the thresholds."""
    custom = {"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 30 if stacked else 8, "showPoints": "auto",
              "spanNulls": False, "axisSoftMin": 0, "stacking": {"mode": "percent" if percent else "normal" if stacked else "none", "group": "A"},
              "thresholdsStyle": {"mode": "dashed" if lines else "off"}}
    options = {"legend": {"displayMode": "table" if right else "list", "placement": "right" if right else "bottom", "showLegend": True,
                          "calcs": ["mean", "max"] if right else []},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, width, height, queries, unit, custom=custom, options=options, low=low, limits=limits,
                 overrides=overrides, high=high, decimals=decimals)


def bars(title, description, expression, unit, legend, *, width=8, height=8, limits=None, low=0, high=None, decimals=None, buckets=False):
    """One bar for each series. `buckets`: of a histogram, whose cumulative counts Grafana takes apart."""
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "orientation": "horizontal",
               "displayMode": "gradient", "valueMode": "color", "showUnfilled": True, "namePlacement": "auto", "sizing": "auto",
               "minVizHeight": 16, "minVizWidth": 8, "maxVizHeight": 300}
    made = targets([(expression, legend)], instant=True)
    if buckets:
        made[0]["format"] = "heatmap"
    return panel("bargauge", title, description, width, height, None, unit, options=options, made=made, low=low, high=high, limits=limits,
                 empty="no data yet", color_mode="thresholds" if limits else "palette-classic", decimals=decimals)


def states(title, description, expression, legend, mappings, *, width=12, height=6):
    options = {"mergeValues": True, "showValue": "auto", "alignValue": "center", "rowHeight": 0.9,
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}, "tooltip": {"mode": "single", "sort": "none"}}
    return panel("state-timeline", title, description, width, height, [(expression, legend)], "none", options=options, mappings=mappings,
                 custom={"fillOpacity": 80, "lineWidth": 0}, color_mode="thresholds")


def value_map(**named):
    """value_map(closed=(0, green)): the number 0 is shown as "closed", in green"""
    return [{"type": "value", "options": {str(value): {"text": name.replace("_", " "), "color": color, "index": i}
                                          for i, (name, (value, color)) in enumerate(named.items())}}]


def heatmap(title, description, expression, axis, *, width=12, height=8):
    """Requests per second by the bucket of a histogram; `axis` is the unit of its bounds."""
    options = {"calculate": False, "cellGap": 1, "color": {"mode": "scheme", "scheme": "Blues", "fill": "dark-blue", "scale": "exponential",
                                                           "exponent": 0.5, "steps": 32, "reverse": False},
               "exemplars": {"color": "orange"}, "filterValues": {"le": 1e-9}, "legend": {"show": True}, "rowsFrame": {"layout": "auto"},
               "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False}, "yAxis": {"axisPlacement": "left", "reverse": False, "unit": axis}}
    made = [{**target(expression, "{{le}}"), "format": "heatmap"}]
    return panel("heatmap", title, description, width, height, None, "reqps", options=options, made=made, custom={"scaleDistribution": {"type": "linear"}})


def table(title, description, columns, by, *, width=24, height=8):
    """columns: [(name, expression, unit), …]; one row for each value of the label `by`."""
    made = [target(expression, instant=True, table=True, ref=i) for i, (_, expression, _) in enumerate(columns)]
    names = {f"Value #{chr(ord('A') + i)}": name for i, (name, _, _) in enumerate(columns)}
    transformations = [{"id": "merge", "options": {}},
                       {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {by: by.capitalize(), **names}}},
                       {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": columns[0][0], "desc": True}]}}]
    overrides = [{"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]} for name, _, unit in columns]
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": True, "reducer": ["sum"], "countRows": False,
                                                                "fields": [names["Value #A"]]}}
    return panel("table", title, description, width, height, None, "none", options=options, made=made, overrides=overrides,
                 custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True}, transformations=transformations)


def gap_colors(name, color):
    """An override: the series of this name is always drawn in this colour."""
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}]}


def dashed(pattern, color):
    return {"matcher": {"id": "byRegexp", "options": pattern},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}},
                           {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}}, {"id": "custom.fillOpacity", "value": 0}]}


def variable(name, label, query, *, description, everything=True):
    made = {"name": name, "label": label, "description": description, "type": "query", "datasource": DATASOURCE, "definition": query,
            "query": {"query": query, "refId": f"variable-{name}"}, "refresh": 2, "sort": 1, "hide": 0, "regex": "", "options": [],
            "skipUrlSync": False, "multi": everything, "includeAll": everything}
    if everything:
        made.update(allValue=".*", current={"selected": True, "text": ["All"], "value": ["$__all"]})
    return made


def variables(*more):
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "regex": "", "refresh": 1, "hide": 0,
              "description": "The Prometheus that scrapes the gateways.", "multi": False, "includeAll": False, "options": [],
              "skipUrlSync": False, "current": {"selected": False, "text": "Prometheus", "value": "prometheus"}}
    known = {
        "job": variable("job", "Job", "label_values(tollgate_build_info, job)", description="The scrape job of the gateways."),
        "instance": variable("instance", "Gateway", 'label_values(tollgate_build_info{job=~"$job"}, instance)', description="One gateway, or all."),
        "team": variable("team", "Team", 'label_values(tollgate_spend_usd_total{job=~"$job"}, team)', description="Whose key was shown; none without keys."),
        "route": variable("route", "Route", 'label_values(tollgate_requests_total{job=~"$job"}, route)', description="The rule that matched; direct if a target was named."),
        "target": variable("target", "Target", 'label_values(tollgate_attempts_total{job=~"$job"}, target)', description="backend/model."),
        "pool": variable("pool", "Pool", 'label_values(tollgate_pool_billed_usd_total{job=~"$job"}, pool)', description="Hardware that is paid for by time."),
        "baseline": variable("baseline", "Baseline", 'label_values(tollgate_baseline_spend_usd_total{job=~"$job"}, baseline)', everything=False,
                             description="What savings and break-even are measured against: `baselines` in the configuration."),
    }
    return [source] + [known[name] for name in ("job", "instance", *more)]


def place(rows):
    """Rows of panels → panels with ids and places; every row starts with its heading."""
    panels, y = [], 0
    for heading, members in rows:
        panels.append({"type": "row", "title": heading, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}, "panels": []})
        y, x, tallest = y + 1, 0, 0
        for member in members:
            if x + member["gridPos"]["w"] > 24:
                x, y, tallest = 0, y + tallest, 0
            member["gridPos"].update(x=x, y=y)
            x, tallest = x + member["gridPos"]["w"], max(tallest, member["gridPos"]["h"])
            panels.append(member)
        y += tallest
    for number, each in enumerate(panels, 1):
        each["id"] = number
    return panels


def board(name, description, variables_of, rows, *, time="now-6h"):
    links = [{"type": "link", "title": title, "url": f"/d/tollgate-{other}/tollgate-{other}", "icon": "dashboard", "keepTime": True,
              "includeVars": True, "targetBlank": False, "asDropdown": False, "tags": [], "tooltip": ""} for other, title in BOARDS.items() if other != name]
    reloads = {"name": "Configuration reloads", "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": "blue",
               "expr": f"changes({series('tollgate_config_last_reload_success_timestamp_seconds')}[1m]) > 0", "step": "60s", "titleFormat": "configuration reloaded",
               "textFormat": "{{instance}}", "useValueForTime": False}
    return {"uid": f"tollgate-{name}", "title": f"Tollgate / {BOARDS[name]}", "description": description, "tags": ["tollgate"], "schemaVersion": 41,
            "version": 1, "editable": True, "graphTooltip": 1, "timezone": "utc", "refresh": "30s", "time": {"from": time, "to": "now"},
            "timepicker": {}, "fiscalYearStartMonth": 0, "weekStart": "", "liveNow": False, "preload": False, "links": links,
            "annotations": {"list": [reloads]}, "templating": {"list": variables(*variables_of)}, "panels": place(rows)}
