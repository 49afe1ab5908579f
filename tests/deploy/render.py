"""Draw the results of every panel's query into one picture: `PYTHONPATH=tests python tests/deploy/render.py`.

A day of the demo passes three times as fast as there, over a real broker and the real process, watched by a real
Prometheus; what it answers is drawn as plain line charts by Chromium (Debian's package chromium). This is a rendering
of the queries and not Grafana. It takes 15 minutes, and no test runs it.
"""

from __future__ import annotations

import html
import math
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from deploy.dashboard import CONTENT, DASHBOARD, PANELS, substituted, thresholds
from deploy.watched_day import Watched, watched_day
from kafka_jars import JarNode

PICTURE = DASHBOARD.with_suffix(".png")
CELL, ROW = 50, 22  # pixels of a column and a row of Grafana's grid
POINTS = 150  # of a line
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
HEAD = (
    "Every panel's query, answered by a real Prometheus that watched the real process on a day of the demo.",
    "A rendering of the queries as plain lines, and not Grafana.",
)


class Line(NamedTuple):
    """A series: how it is called, and its points in seconds since the beginning."""

    name: str
    points: list[tuple[float, float]]


def _lines(panel: dict[str, Any], day: Watched) -> list[Line]:
    lines, step = [], (day.over - day.began) / POINTS
    for target in panel["targets"]:
        for series in day.prometheus.series(substituted(target["expr"], "30s"), day.began, day.over, step):
            name = target["legendFormat"]
            for label, value in series["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value.partition(".public.")[2].partition(".")[0] or value)
            points = [(at - day.began, float(value)) for at, value in series["values"]]
            lines.append(Line(name, [point for point in points if math.isfinite(point[1])]))
    return sorted(line for line in lines if line.points)


def _told(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.0%}"
    if unit == "bytes":
        return f"{value / 1e6:.0f} MB"
    suffix = {"s": " s", "reqps": " req/s", "cps": "/s"}.get(unit, "")
    return f"{value:,.0f}{suffix}" if value >= 10 or value == int(value) else f"{value:.2g}{suffix}"


def _box(panel: dict[str, Any], lines: list[Line], length: float) -> str:
    place = panel["gridPos"]
    x, y, width, height = place["x"] * CELL, place["y"] * ROW + 50, place["w"] * CELL, place["h"] * ROW
    return (
        f'<g transform="translate({x},{y})"><rect x="2" y="2" width="{width - 4}" height="{height - 4}" class="box"/>'
        f'<text x="10" y="18" class="title">{html.escape(panel["title"])}</text>'
        f"{_chart(panel, lines, length, width, height)}</g>"
    )


def _chart(panel: dict[str, Any], lines: list[Line], length: float, width: int, height: int) -> str:
    unit, limits = panel["fieldConfig"]["defaults"]["unit"], thresholds(panel)
    per_row = max(1, (width - 10) // 140)
    legend_rows = min(5 if height > 150 else 3, math.ceil(len(lines) / per_row))
    left, top, right, bottom = 10.0, 36.0, width - 10.0, height - 8.0 - 12 * legend_rows
    highest = max((value for line in lines for _, value in line.points), default=0.0)
    shown = [limit for limit in limits if limit <= 2 * highest]
    scale = max(highest, *shown, 1e-9) if shown else highest or 1.0

    def place(at: float, value: float) -> str:
        return f"{left + (right - left) * at / length:.0f},{bottom - (bottom - top) * max(value, 0) / scale:.1f}"

    parts = [f'<text x="{right}" y="32" class="scale" text-anchor="end">up to {_told(highest, unit)}</text>']
    if lines and len(lines) == 1:
        parts.append(f'<text x="10" y="32" class="scale">last {_told(lines[0].points[-1][1], unit)}</text>')
    parts.append(f'<path d="M{left},{bottom}H{right}" class="axis"/>')
    parts += [f'<path d="M{place(0, limit)}H{right}" class="limit"/>' for limit in shown]
    for index, line in enumerate(lines):
        colour, path, before = COLOURS[index % len(COLOURS)], "", -math.inf
        for at, value in line.points:
            path += f"{'L' if at - before < 1.5 * length / POINTS else 'M'}{place(at, value)}"  # a gap is no line
            before = at
        parts.append(f'<path d="{path}h1" stroke="{colour}" class="line"/>')
        if index < per_row * legend_rows:
            at_x, at_y = 8 + index % per_row * 140, bottom + 12 + 12 * (index // per_row)
            parts.append(
                f'<text x="{at_x}" y="{at_y}" fill="{colour}" class="legend">{html.escape(line.name[:26])}</text>'
            )
    return "".join(parts)


def _page(day: Watched) -> tuple[str, int]:
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in PANELS) * ROW + 60
    rows = [panel for panel in CONTENT["panels"] if panel["type"] == "row"]
    drawn = [
        f'<text x="10" y="{row["gridPos"]["y"] * ROW + 68}" class="row">{html.escape(row["title"])}</text>'
        for row in rows
    ]
    drawn += [_box(panel, _lines(panel, day), day.over - day.began) for panel in PANELS]
    style = (
        "body{margin:0}text{font:11px 'DejaVu Sans',sans-serif}.title{font-weight:bold}.scale,.legend{font-size:9.5px}"
        ".row{font-size:15px;font-weight:bold}.box{fill:none;stroke:#ccc}.line{fill:none;stroke-width:1.3}"
        ".axis{stroke:#999}.limit{stroke:red;stroke-dasharray:4 3;fill:none}"
    )
    head = "".join(
        f'<text x="10" y="{20 + 17 * n}" class="row">{html.escape(line)}</text>' for n, line in enumerate(HEAD)
    )
    figure = f'<svg width="{24 * CELL}" height="{bottom}">{head}{"".join(drawn)}</svg>'
    return f'<!doctype html><meta charset="utf-8"><style>{style}</style>{figure}', bottom


def main(speed: float = 3) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(JarNode()) as node:
        limits = (round(100 * speed), round(5000 * speed))
        with watched_day(node.broker, Path(folder), speed=speed, size=0.5, interval="1s", limits=limits) as day:
            content, height = _page(day)
        page = Path(folder) / "page.html"
        page.write_text(content)
        window = (
            f"--window-size={24 * CELL},{height}",
            f"--screenshot={PICTURE}",
            "--hide-scrollbars",
            "--disable-lcd-text",
        )
        subprocess.run(["chromium", "--headless", "--no-sandbox", *window, page.as_uri()], check=True)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
