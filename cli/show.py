"""Printing for people: tables that keep ids whole, times as distances, states in colour; and JSON for machines."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "running": "cyan",
    "queued": "blue",
    "scheduled": "yellow",
    "retry": "yellow",
    "lost": "red",
    "paused": "yellow",
    "open": "green",
    "well": "green",
    "missing": "red",
    "circuit": "red",
    "asked": "yellow",
    "rate": "yellow",
    "ramp": "cyan",
}


def console() -> Console:
    """Standard output; into a pipe or a file it is wide enough for every column."""
    out = Console(highlight=False, markup=False, emoji=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, emoji=False, width=200)


def as_json(answer: Any) -> None:
    """The answer as it came, readable and parseable."""
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def line(text: str) -> None:
    """One line, as it is."""
    console().print(text, soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Rows under their columns. The first column is what one copies: it is never cut."""
    rows = list(rows)
    if not rows:
        line(empty)
        return
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        grid.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(_plain(cell)) for cell in row))
    console().print(grid)


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one a line; what is empty is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", [], {}):
            grid.add_row(name, value if isinstance(value, Text) else _plain(value))
    console().print(grid)


def state(word: str | None) -> Text:
    """A state or an outcome in its colour."""
    return Text(word or "–", style=COLOURS.get(word or "", ""))


def when(instant: str | None, now: datetime | None = None) -> str:
    """A time as its distance from now: "12 s ago", "in 5 min"."""
    if not instant:
        return "–"
    away = (datetime.fromisoformat(instant) - (now or datetime.now(UTC))).total_seconds()
    if abs(away) < 1:
        return "now"
    return f"in {span(away)}" if away > 0 else f"{span(-away)} ago"


def span(seconds: float) -> str:
    """A length of time in its two figures: "0.04 s", "1.2 s", "14 s", "5 min", "3 h", "12 d"."""
    if seconds < 10:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def between(start: str | None, end: str | None, now: datetime | None = None) -> float:
    """Seconds from start to end; to now if it has not ended."""
    if not start:
        return 0.0
    last = datetime.fromisoformat(end) if end else now or datetime.now(UTC)
    return max(0.0, (last - datetime.fromisoformat(start)).total_seconds())


def _plain(cell: Any) -> str:
    if cell is None:
        return "–"
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
