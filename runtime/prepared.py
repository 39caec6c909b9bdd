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
        return connection.exec_driver_sql(made.text, made.parameters(rows)).rowcount


class _Made:
    """A statement as one dialect's driver takes it."""

    def __init__(self, statement: ClauseElement, names: Sequence[str], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        constant = compiled.construct_params(dict.fromkeys(names))
        if unknown := {*names} - constant.keys():
            raise ValueError(f"no such parameters: {sorted(unknown)}")
        self._keys: list[str] | None = None if compiled.positional else list(constant)
        binds = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
        process = {name: kind.bind_processor(dialect) or _as_it_is for name, kind in binds.items()}
        alike = [name for name in constant if name not in names]
        self._behind = tuple(process[name](constant[name]) for name in alike)
        in_order = compiled.positiontup if compiled.positional else list(constant)
        self._places = [[*names, *alike].index(name) for name in in_order]  # in a row with what is alike behind it
        self._makes = [  # what makes a row's value the driver's, and whether it does so of None
            (place, process[name], process[name](None) is not None)
            for place, name in enumerate(in_order)
            if name in names and process[name] is not _as_it_is
        ]

    def parameters(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        """Those of the rows, for the driver."""
        made = (self._made((*row, *self._behind)) for row in rows)
        return [*map(tuple, made)] if self._keys is None else [dict(zip(self._keys, row, strict=True)) for row in made]

    def _made(self, row: Sequence[Any]) -> list[Any]:
        values = [row[place] for place in self._places]
        for place, make, even_of_none in self._makes:
            if even_of_none or values[place] is not None:
                values[place] = make(values[place])
        return values


def _as_it_is(value: Any) -> Any:
    return value
