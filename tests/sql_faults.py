"""A database that fails now and then: each SQL statement, and each commit, by a chance."""

import random
from typing import Any

import sqlalchemy as sa

EXEMPT = ("PRAGMA", "ROLLBACK", "SAVEPOINT", "RELEASE")


class Injection:
    """The chance by which a statement fails, and how many have."""

    def __init__(self, chance: float) -> None:
        self.chance, self.faults, self.statements = chance, 0, 0
        self.seed = random.randrange(10**9)
        self._random = random.Random(self.seed)

    def strike(self) -> bool:
        """Whether this statement is one that fails."""
        self.statements += 1
        struck = self._random.random() < self.chance
        self.faults += struck
        return struck

    def execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> None:
        """Instead of executing: fail as the driver does when the server is gone. None: let the statement through."""
        if context is not None and not statement.lstrip().startswith(EXEMPT) and self.strike():
            raise context.dialect.loaded_dbapi.OperationalError("injected: the statement failed")

    def commit(self, connection: sa.Connection) -> None:
        """Fail instead of committing: nothing is stored, or all is, and the caller cannot know."""
        if not connection.get_execution_options().get("read_only") and self.strike():
            if self._random.random() < 0.5:
                connection.connection.commit()
            error = connection.dialect.loaded_dbapi.OperationalError("injected: no answer to COMMIT")  # type: ignore[union-attr]
            raise sa.exc.OperationalError("COMMIT", {}, error)


def inject(chance: float, engine: Any = sa.Engine) -> Injection:
    """From now on, SQL fails by this chance on the engine; by default on every engine of this process."""
    injection = Injection(chance)
    sa.event.listen(engine, "do_execute", injection.execute)
    sa.event.listen(
        engine, "do_execute_no_params", lambda cursor, statement, context: injection.execute(cursor, statement, (), context)
    )
    sa.event.listen(engine, "commit", injection.commit)
    return injection
