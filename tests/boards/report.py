"""build/boards.html: every panel with what its queries gave, drawn plainly, for eyes where there is no Grafana."""

import html
import math
import pathlib

from queries import DASHBOARDS, ROOT

COLOURS = ["#4c9be8", "#5cb85c", "#f0ad4e", "#d9534f", "#9b6bdf", "#38b2ac", "#e377c2", "#8c8c8c", "#bcbd22", "#17becf"]
STYLE = """body{font:13px system-ui,sans-serif;margin:16px;background:#f4f5f5;color:#222}.board{display:grid;grid-template-columns:repeat(24,1fr);gap:6px}
.panel{background:#fff;border:1px solid #ddd;padding:6px;overflow:hidden}.panel h3{font-size:12px;margin:0 0 4px}.big{font-size:22px}.note{color:#777;font-size:11px}
.row{grid-column:1/-1;font-weight:600;margin-top:10px}code{font-size:10px;color:#555;word-break:break-all}svg{width:100%;height:110px}td{padding:1px 8px 1px 0}
@media(prefers-color-scheme:dark){body{background:#111217;color:#ddd}.panel{background:#181b1f;border-color:#333}code{color:#999}}"""


def unescaped(text):
    return html.unescape(text)


def number(value, unit):
    if not math.isfinite(value):
        return "n/a"
    if unit == "currencyUSD":
        return f"${value:,.6f}" if abs(value) < 1 else f"${value:,.2f}"
    if unit == "percentunit":
        return f"{100 * value:.1f} %"
    if unit == "s":
        return f"{1000 * value:.2f} ms" if abs(value) < 1 else f"{value:,.1f} s"
    return f"{value:,.4g}"


def legend(target, labels):
    text = target["legendFormat"]
    if text == "__auto":
        return ", ".join(labels.values()) or "value"
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def chart(rows):
    finite = [value for _, values in rows for value in values if math.isfinite(value)]
    if not finite:
        return ""
    low, high = min(0, *finite), max(finite) or 1
    lines = []
    for i, (_, values) in enumerate(rows[:30]):
        points = " ".join(f"{300 * n / max(len(values) - 1, 1):.1f},{100 - 95 * (value - low) / (high - low or 1):.1f}"
                          for n, value in enumerate(values) if math.isfinite(value))
        lines.append(f'<polyline fill="none" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="1.5" points="{points}"/>')
    return f'<svg viewBox="0 0 300 104" preserveAspectRatio="none">{"".join(lines)}</svg>'


def taken_apart(target, rows):
    """The buckets of a histogram count what the ones before them count too; Grafana shows the differences."""
    if target.get("format") != "heatmap":
        return rows
    rows = sorted(rows, key=lambda row: float(row[0]["le"]))
    below = [[0] * len(rows[0][1])] + [values for _, values in rows]
    return [(labels, [a - b for a, b in zip(values, before)]) for (labels, values), before in zip(rows, below) if any(a > b for a, b in zip(values, before))]


def shown(stack, panel, asked):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    rows = [(legend(target, labels), values) for target in panel["targets"] for labels, values in taken_apart(target, asked(stack, target))]
    text = f"<h3>{html.escape(panel['title'])}</h3>"
    if panel["type"] == "stat" and len(rows) == 1:
        text += f'<div class="big">{number(rows[0][1][-1], unit)}</div>'
    else:
        if panel["type"] in ("timeseries", "state-timeline"):
            text += chart(rows)
        cells = "".join(f'<tr><td style="color:{COLOURS[i % len(COLOURS)]}">■</td><td>{html.escape(name)}</td><td>{number(values[-1], unit)}</td></tr>'
                        for i, (name, values) in enumerate(rows[:30]))
        text += f"<table>{cells}</table>"
    return text + f'<div class="note">{html.escape(panel["description"])}</div>'


def write(stack, asked, ready_to_run):
    text = f'<!doctype html><meta charset="utf-8"><title>Tollgate boards</title><style>{STYLE}</style><p>Each query of the dashboards, with what Prometheus answered after {stack.seconds} s of scripted load. Grafana draws them otherwise.</p>'
    for board in DASHBOARDS.values():
        text += f'<h2>{html.escape(board["title"])}</h2><div class="board">'
        for panel in board["panels"]:
            if panel["type"] == "row":
                text += f'<div class="row">{html.escape(panel["title"])}</div>'
                continue
            queries = "".join(f"<code>{html.escape(ready_to_run(target['expr'], stack.seconds))}</code><br>" for target in panel["targets"])
            text += (f'<div class="panel" style="grid-column:span {panel["gridPos"]["w"]}">{shown(stack, panel, asked)}'
                     f"<details><summary class=note>queries</summary>{queries}</details></div>")
        text += "</div>"
    path = pathlib.Path(ROOT / "build/boards.html")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path
