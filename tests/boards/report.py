"""build/boards.html: every panel with what its queries gave, drawn plainly, for eyes where there is no Grafana."""

import html
import math
import pathlib
import time

from queries import DASHBOARDS, ROOT, ready_to_run

COLOURS = ["#4c9be8", "#5cb85c", "#f0ad4e", "#d9534f", "#9b6bdf", "#38b2ac", "#e377c2", "#8c8c8c", "#bcbd22", "#17becf"]
STYLE = """body{font:13px system-ui,sans-serif;margin:16px;background:#f4f5f5;color:#222}.board{display:grid;grid-template-columns:repeat(24,minmax(0,1fr));gap:6px}
.panel{background:#fff;border:1px solid #ddd;padding:6px;overflow:hidden}.panel h3{font-size:12px;margin:0 0 4px}.big{font-size:22px}.note{color:#777;font-size:10px}
.row{grid-column:1/-1;font-weight:600;margin-top:10px}code{font-size:10px;color:#555;word-break:break-all}svg{width:100%;display:block}svg text{font-size:11px;fill:#777}
.grid{stroke:#ddd;stroke-width:1}.legend{font-size:11px;line-height:1.5}th,td{padding:1px 14px 1px 0}td:not(:first-child),th{text-align:right;font-variant-numeric:tabular-nums}
@media(prefers-color-scheme:dark){body{background:#111217;color:#ddd}.panel{background:#181b1f;border-color:#333}code{color:#999}.grid{stroke:#333}}"""


def unescaped(text):
    return html.unescape(text)


def number(value, unit):
    if not math.isfinite(value):
        return "n/a"
    if unit == "currencyUSD":
        sign = "-" if value < 0 else ""
        return sign + (f"${abs(value):,.2f}" if abs(value) >= 1 or value == 0 else f"${abs(value):.4g}" if abs(value) >= 1e-4 else f"${abs(value):.6f}")
    if unit == "percentunit":
        return f"{100 * value:.1f} %"
    if unit == "s":
        return f"{1000 * value:.2f} ms" if abs(value) < 1 else f"{value:,.1f} s" if abs(value) < 86400 else f"{value / 86400:,.1f} days"
    if unit.startswith("dateTime"):
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(value / 1000))
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def legend(target, labels):
    text = target["legendFormat"]
    if text == "__auto":
        return ", ".join(labels.values()) or "value"
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def top_of(values):
    """A round number not far above the largest: 1, 2 or 5 times a power of ten."""
    high = max(values, default=0)
    if high <= 0:
        return 1
    step = 10 ** math.floor(math.log10(high))
    return next(step * factor for factor in (1, 2, 2.5, 5, 10) if step * factor >= high)


def lines_of(rows, stacked):
    """[(upper values, lower values)]: areas that stand on each other, or lines."""
    below = [0.0] * len(rows[0][1])
    for _, values in rows:
        if stacked:
            upper = [base + (value if math.isfinite(value) else 0) for base, value in zip(below, values)]
            yield upper, below
            below = upper
        else:
            yield values, None


def chart(rows, unit, stacked, width):
    rows = rows[:30]
    drawn = list(lines_of(rows, stacked)) if rows else []
    finite = [value for upper, _ in drawn for value in upper if math.isfinite(value)]
    if not finite:
        return ""
    low, high = min(0, *finite), top_of(finite)
    height, left = 150, 64

    def point(n, value):
        return f"{left + (width - left) * n / max(len(rows[0][1]) - 1, 1):.1f},{6 + (height - 12) * (high - value) / (high - low):.1f}"

    shapes = []
    for share in (0, 0.5, 1):
        y = 6 + (height - 12) * share
        value = high - (high - low) * share
        shapes.append(f'<line x1="{left}" x2="{width}" y1="{y}" y2="{y}" class="grid"/><text x="{left - 6}" y="{y + 4}" text-anchor="end">{number(value, unit)}</text>')
    for i, (upper, lower) in enumerate(drawn):
        colour, points, pen_down = COLOURS[i % len(COLOURS)], [], False
        for n, value in enumerate(upper):
            if math.isfinite(value):
                points.append(("L" if pen_down else "M") + point(n, value))
            pen_down = math.isfinite(value)
        if lower is not None:
            area = " ".join(point(n, value) for n, value in enumerate(upper)) + " " + " ".join(point(n, lower[n]) for n in reversed(range(len(lower))))
            shapes.append(f'<polygon fill="{colour}" fill-opacity=".35" points="{area}"/>')
        shapes.append(f'<path fill="none" stroke="{colour}" stroke-width="1.5" d="{" ".join(points)}"/>')
    return f'<svg viewBox="0 0 {width} {height}">{"".join(shapes)}</svg>'


def last(values):
    return next((value for value in reversed(values) if math.isfinite(value)), math.nan)


def taken_apart(target, rows):
    """The buckets of a histogram count what the ones before them count too; Grafana shows the differences."""
    if target.get("format") != "heatmap":
        return rows
    rows = sorted(rows, key=lambda row: float(row[0]["le"]))
    below = [[0] * len(rows[0][1])] + [values for _, values in rows]
    return [(labels, [a - b for a, b in zip(values, before)]) for (labels, values), before in zip(rows, below) if any(a > b for a, b in zip(values, before))]


def table_of(panel, asked):
    """A table's queries merged by their labels, as Grafana's `merge` does: one column for each."""
    renamed = next((step["options"]["renameByName"] for step in panel.get("transformations", []) if step["id"] == "organize"), {})
    units = {override["matcher"]["options"]: property["value"] for override in panel["fieldConfig"]["overrides"] for property in override["properties"] if property["id"] == "unit"}
    heads = [renamed.get(f"Value #{target['refId']}", target["refId"]) for target in panel["targets"]]
    rows = {}
    for column, target in enumerate(panel["targets"]):
        for labels, values in asked(target):
            rows.setdefault(tuple(labels.values()), {})[column] = last(values)
    body = sorted(rows.items(), key=lambda row: -row[1].get(0, 0))
    text = "<tr><th></th>" + "".join(f"<th>{html.escape(head)}</th>" for head in heads) + "</tr>"
    for labels, cells in body:
        shown_cells = "".join(f"<td>{number(cells[i], units.get(head, 'none')) if i in cells else ''}</td>" for i, head in enumerate(heads))
        text += f"<tr><td>{html.escape(', '.join(labels))}</td>{shown_cells}</tr>"
    return f"<table>{text}</table>"


def shown(panel, asked):
    defaults = panel["fieldConfig"]["defaults"]
    unit = defaults["unit"]
    text = f"<h3>{html.escape(panel['title'])}</h3>"
    if panel["type"] == "table":
        return text + table_of(panel, asked)
    stacked = panel["type"] == "heatmap" or defaults.get("custom", {}).get("stacking", {}).get("mode", "none") != "none"
    rows = [(legend(target, labels), values) for target in panel["targets"] for labels, values in taken_apart(target, asked(target))]
    if not rows:
        return text + f'<div class="legend">{html.escape(defaults.get("noValue", "no data"))}</div>'
    if panel["type"] == "stat" and len(rows) == 1:
        return text + f'<div class="big">{number(last(rows[0][1]), unit)}</div>'
    if panel["type"] in ("timeseries", "state-timeline", "heatmap"):
        names = "".join(f'<span style="color:{COLOURS[i % len(COLOURS)]}">■</span> {html.escape(name)} <b>{number(last(values), unit)}</b>&ensp;' for i, (name, values) in enumerate(rows[:30]))
        return text + chart(rows, unit, stacked, 50 * panel["gridPos"]["w"]) + f'<div class="legend">{names}</div>'
    cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{number(last(values), unit)}</td></tr>" for name, values in rows[:30])
    return text + f"<table>{cells}</table>"


def write(stack, window=4):
    def asked(target):
        return stack.asked(target, window)

    text = f'<!doctype html><meta charset="utf-8"><title>Tollgate boards</title><style>{STYLE}</style><p>Each query of the dashboards, with what Prometheus answered over {stack.seconds} s of scripted load. Drawn plainly, for where there is no Grafana.</p>'
    for name, board in DASHBOARDS.items():
        text += f'<section id="{name}"><h2>{html.escape(board["title"])}</h2><div class="board">'
        for panel in board["panels"]:
            if panel["type"] == "row":
                text += f'<div class="row">{html.escape(panel["title"])}</div>'
                continue
            queries = "".join(f"<code>{html.escape(ready_to_run(target['expr'], stack.seconds, window=window))}</code><br>" for target in panel["targets"])
            text += (f'<div class="panel" style="grid-column:span {panel["gridPos"]["w"]}" title="{html.escape(panel["description"])}">{shown(panel, asked)}'
                     f"<details><summary class=note>queries</summary>{queries}</details></div>")
        text += "</div></section>"
    path = pathlib.Path(ROOT / "build/boards.html")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path
