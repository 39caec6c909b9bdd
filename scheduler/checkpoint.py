"""SQLite's log goes back into its tables from here, not from the hands of whoever happens to commit."""

from runtime import sqlite
from runtime.database import engine

FEW = 200  # new pages
SELDOM = 5.0  # seconds between looks while they are few


class WriteBack:
    """The chore: at its period while much is written."""

    def __init__(self) -> None:
        self._pages = 0  # of the log, the last time

    def go(self) -> float | None:
        """Once. Returns a long time if there was little to do."""
        if engine().dialect.name != "sqlite":
            return SELDOM
        before, self._pages = self._pages, sqlite.write_back(engine())
        new = self._pages - before if self._pages >= before else self._pages  # it began anew
        return SELDOM if new < FEW else None
