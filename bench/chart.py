"""A plot of what a run has found: an SVG that is read on light and on dark pages.

python -m bench.chart docs/pictures/performance.svg    # anew, from bench/out/latest*.json
"""

import json
import sys
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import NamedTuple

from bench.report import BOUND, OUT, Summary

SHOWN = {  # the work, as it is measured: as it is headed
    "enqueue, 1 connection (1/s)": "Accept by HTTP, 1 connection",
    "enqueue, 32 connections (1/s)": "Accept by HTTP, 32 connections",
    "enqueue, 256 connections (1/s)": "Accept by HTTP, 256 connections",
    "bulk enqueue (1/s)": "Accept in bulk",
    "drain, no-op (1/s)": "Run jobs that do nothing",
    "drain, 50 ms of waiting, 100 at once (1/s)": "Run jobs of 50 ms, 100 at once",
    "drain, 50 ms of waiting, 1,000 at once (1/s)": "Run jobs of 50 ms, 1,000 at once",
    "enqueue to start at 50/s, median (ms)": "Request to start, 50 a second",
    "enqueue to start at 500/s, median (ms)": "Request to start, 500 a second",
}
COLUMN, GAP, NAMES, BARS, ROW, HEAD = 410, 40, 150, 160, 20, 46  # pixels; names, bars and ratios stand in a column
STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a }
.head { font-size: 13px; font-weight: 600; fill: #1f2328 } text.ours { font-weight: 600; fill: #1f2328 }
.end { text-anchor: end } .bar { fill: #d0d7de } .bound { fill: none; stroke: #afb8c1; stroke-dasharray: 3 2 }
.SQLite, text.won { fill: #0f766e } .PostgreSQL { fill: #62aca5 }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 } .head, text.ours { fill: #f0f6fc } .bar { fill: #3d444d } .bound { stroke: #656c76 }
.SQLite, text.won { fill: #2dd4bf } .PostgreSQL { fill: #1f8a7e } }
"""


class Bar(NamedTuple):
    """A side's figure of a work."""

    name: str
    style: str
    figure: float
    ratio: float | None = None  # how many times ours is better


def draw(found: dict[str, Summary]) -> str:
    """The SVG: for each work ours by ledger, then the others, the best first; a bar is as long as its figure is."""
    panels = {work: bars for work in SHOWN if (bars := _bars(found, work))}
    heights = {work: HEAD + len(bars) * ROW for work, bars in panels.items()}
    parts, tops, half = list[str](), [0, 0], sum(heights.values()) / 2
    for work, bars in panels.items():
        column = int(tops[0] + heights[work] / 2 > half)
        parts += _panel(work, bars, column * (COLUMN + GAP), tops[column])
        tops[column] += heights[work]
    width, height = 2 * COLUMN + GAP, max(tops) + 30
    note = f"× how many times better Treadle on {next(iter(found))} is"
    parts.append(f'<text class="end" x="{width}" y="{height - 4}">{note}</text>')
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Treadle beside other queues">'
    return "\n".join([opening, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _bars(found: dict[str, Summary], work: str) -> list[Bar]:
    rows = {ledger: each[work] for ledger, each in found.items() if each.get(work, {}).get("ours") is not None}
    ours = [Bar(f"Treadle, {ledger}", f"{ledger} ours", row["ours"]) for ledger, row in rows.items()]
    if not ours:
        return []
    row = next(iter(rows.values()))
    more = row["better"] == "more"
    times = {side: ratio if more else 1 / ratio for side, ratio in row["ratios"].items()}
    those = [Bar(side, "bound" if side == BOUND else "bar", row["peers"][side], times[side]) for side in times]
    return ours + sorted(those, key=lambda bar: bar.figure, reverse=more)


def _panel(work: str, bars: list[Bar], left: float, top: float) -> Iterable[str]:
    longest = max(bar.figure for bar in bars)
    unit = "jobs a second" if work.endswith("(1/s)") else "ms, shorter is better"
    yield f'<text class="head" x="{left}" y="{top + 24}">{SHOWN[work]}</text>'
    yield f'<text class="end" x="{left + COLUMN}" y="{top + 24}">{unit}</text>'
    for number, bar in enumerate(bars):
        yield from _line(bar, left, top + HEAD - 12 + number * ROW, bar.figure / longest * BARS)


def _line(bar: Bar, left: float, top: float, length: float) -> Iterable[str]:
    ours, base, start = "ours" if "ours" in bar.style else "", top + 14, left + NAMES
    yield f'<text class="end {ours}" x="{start - 8}" y="{base}">{escape(bar.name)}</text>'
    yield f'<rect class="{bar.style}" x="{start}" y="{top + 3}" width="{max(length, 1):.1f}" height="{ROW - 6}" rx="2"/>'
    yield f'<text class="{ours}" x="{start + length + 6:.1f}" y="{base}">{_short(bar.figure)}</text>'
    if bar.ratio is not None:
        won = "won" if bar.ratio >= 1 and bar.style != "bound" else ""
        yield f'<text class="end {won}" x="{left + COLUMN}" y="{base}">{bar.ratio:.2g}×</text>'


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2g}"


def write(path: Path, found: dict[str, Summary]) -> None:
    """Draw into a file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(draw(found))


if __name__ == "__main__":
    files = {name: OUT.with_stem(stem) for name, stem in (("SQLite", "latest"), ("PostgreSQL", "latest-postgresql"))}
    write(Path(sys.argv[1]), {name: json.loads(file.read_text())["work"] for name, file in files.items() if file.exists()})
