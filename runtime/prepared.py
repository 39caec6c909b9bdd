"""Statements of many rows, past SQLAlchemy's way through each: it makes a dictionary and a list of every parameter."""

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.expression import ClauseElement


class Prepared:
    """An INSERT or UPDATE whose `bindparam`s are filled from rows, in the order of their names."""

    def __init__(self, statement: ClauseElement, *names: str) -> None:
        self._statement = statement
        self._names = names
        self._made: WeakKeyDictionary[Dialect, _Made] = WeakKeyDictionary()

    def execute(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> int:
        """Execute it once for each row. Returns how many rows of the table it changed."""
        made = self._made.get(connection.dialect)
        if made is None:
            made = self._made[connection.dialect] = _Made(self._statement, self._names, connection.dialect)
        return connection.exec_driver_sql(made.text, [made.parameters(row) for row in rows]).rowcount


class _Made:
    """A statement as one dialect's driver takes it."""

    def __init__(self, statement: ClauseElement, names: Sequence[str], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        places = {name: place for place, name in enumerate(names)}
        constant = compiled.construct_params(dict.fromkeys(names))
        if unknown := places.keys() - constant.keys():
            raise ValueError(f"no such parameters: {sorted(unknown)}")
        self._keys: list[str] | None = None if compiled.positional else list(constant)
        self._plan: list[tuple[int | None, Any]] = []  # where in a row the parameter is and what makes it the driver's
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        for name in compiled.positiontup if compiled.positional else constant:
            process = binds[name].type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is
            place = places.get(name)
            self._plan.append((place, process if place is not None else process(constant[name])))

    def parameters(self, row: Sequence[Any]) -> tuple[Any, ...] | dict[str, Any]:
        """A row's, for the driver."""
        values = [made if place is None else made(row[place]) for place, made in self._plan]
        return tuple(values) if self._keys is None else dict(zip(self._keys, values, strict=True))


def _as_it_is(value: Any) -> Any:
    return value
