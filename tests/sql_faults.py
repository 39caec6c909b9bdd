"""A database that fails now and then: each SQL statement, and each commit, by a chance."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

SAID = "injected:"
_EXEMPT = ("PRAGMA", "ROLLBACK", "SAVEPOINT", "RELEASE")  # not the ledger's work, or the way out of a failure


class Injection:
    """The chance by which a statement or a commit fails, and how often it has. Its seed makes it repeatable."""

    def __init__(self, chance: float, *, doubtful: bool, seed: int | None = None) -> None:
        self.chance, self.doubtful, self.faults, self.statements = chance, doubtful, 0, 0
        self._random = random.Random(seed)

    def strike(self) -> bool:
        """Whether this is one that fails."""
        self.statements += self.chance > 0
        struck = self._random.random() < self.chance
        self.faults += struck
        return struck

    def execute(self, _: Any, statement: str, _parameters: Any, context: Any) -> None:
        """Fail as the driver does when the server is gone, or let the statement through."""
        if context is not None and not statement.lstrip().startswith(_EXEMPT) and self.strike():
            raise context.dialect.loaded_dbapi.OperationalError(f"{SAID} the statement failed")

    def execute_bare(self, cursor: Any, statement: str, context: Any) -> None:
        """The same, of a statement without parameters."""
        self.execute(cursor, statement, (), context)

    def commit(self, connection: sa.Connection) -> None:
        """Fail instead of committing: nothing is stored or, if that is to be in doubt, sometimes all is."""
        if connection.get_execution_options().get("read_only") or not self.strike():
            return
        if self.doubtful and self._random.random() < 0.5:
            connection.connection.commit()
        raise sa.exc.OperationalError("COMMIT", {}, Exception(f"{SAID} no answer to COMMIT"))


def inject(chance: float, engine: Any = sa.Engine, *, doubtful: bool = True, seed: int | None = None) -> Injection:
    """From now on SQL fails by this chance on the engine; by default on every engine of this process."""
    injection = Injection(chance, doubtful=doubtful, seed=seed)
    for event, act in _events(injection):
        sa.event.listen(engine, event, act)
    return injection


def end(injection: Injection, engine: Any = sa.Engine) -> None:
    """SQL works again."""
    for event, act in _events(injection):
        sa.event.remove(engine, event, act)


@contextmanager
def none_works(engine: sa.Engine) -> Iterator[Injection]:
    """No SQL works on the engine, until this ends or its chance is set to none."""
    injection = inject(1, engine, doubtful=False)
    try:
        yield injection
    finally:
        end(injection, engine)


def _events(injection: Injection) -> list[tuple[str, Any]]:
    statements = [("do_execute", injection.execute), ("do_executemany", injection.execute)]
    return [*statements, ("do_execute_no_params", injection.execute_bare), ("commit", injection.commit)]
