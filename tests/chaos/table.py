"""The table of faults: what each chaos test measured, beside what plain Celery did under the same fault."""

from dataclasses import dataclass
from pathlib import Path

BEGIN = "<!-- measured by make chaos-full: begin -->"
END = "<!-- measured by make chaos-full: end -->"
HEADS = ("#", "fault", "ledger", "plain Celery", "Treadle", "recovered")


@dataclass(frozen=True)
class Row:
    """One fault. `number` is its place in the list of twenty; `seconds` is from the end of the fault until all was well."""

    number: int
    fault: str
    ledger: str
    celery: str
    ours: str
    seconds: float | None

    def cells(self) -> tuple[str, ...]:
        """Its words."""
        recovered = "–" if self.seconds is None else f"{self.seconds:.1f} s"
        return str(self.number), self.fault, self.ledger or "–", self.celery, self.ours, recovered


def drawn(rows: list[Row]) -> str:
    """The rows as a table to be read in a terminal."""
    lines = [
        HEADS,
        *(row.cells() for row in sorted(set(rows), key=lambda row: (row.number, row.fault, row.ledger, row.ours))),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(rows: list[Row]) -> str:
    """The rows as a table for the documentation."""
    lines = [
        HEADS,
        ("---",) * len(HEADS),
        *(row.cells() for row in sorted(set(rows), key=lambda row: (row.number, row.fault, row.ledger, row.ours))),
    ]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def write(page: Path, rows: list[Row]) -> None:
    """Put the table between the page's markers."""
    before, rest = page.read_text().split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{markdown(rows)}\n{END}{after}")
