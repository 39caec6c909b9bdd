"""Statements of many rows, past SQLAlchemy's way through each: it makes a dictionary and a list of every parameter."""

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.expression import ClauseElement


class Prepared:
    """An INSERT or UPDATE whose `bindparam`s are filled from rows, in the order of their names, or alike for all rows."""

    def __init__(self, statement: ClauseElement, *names: str, common: Sequence[str] = ()) -> None:
        self._statement = statement
        self._names, self._common = names, common
        self._made: WeakKeyDictionary[Dialect, _Made] = WeakKeyDictionary()

    def execute(self, connection: Connection, rows: Iterable[Sequence[Any]], **common: Any) -> int:
        """Execute it once for each row, with what is common to all. Returns how many rows of the table it changed."""
        made = self._made.get(connection.dialect)
        if made is None:
            made = self._made[connection.dialect] = _Made(self._statement, self._names, self._common, connection.dialect)
        return connection.exec_driver_sql(made.text, made.parameters(rows, common)).rowcount


class _Made:
    """A statement as one dialect's driver takes it."""

    def __init__(self, statement: ClauseElement, names: Sequence[str], common: Sequence[str], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        constant = compiled.construct_params(dict.fromkeys([*names, *common]))
        if unknown := {*names, *common} - constant.keys():
            raise ValueError(f"no such parameters: {sorted(unknown)}")
        self._keys: list[str] | None = None if compiled.positional else list(constant)
        binds = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
        self._process = {name: kind.bind_processor(dialect) or _as_it_is for name, kind in binds.items()}
        self._constant = self._processed({name: constant[name] for name in constant.keys() - {*names, *common}})
        self._alike = [name for name in constant if name not in names]
        in_order = compiled.positiontup if compiled.positional else list(constant)
        self._places = [[*names, *self._alike].index(name) for name in in_order]  # in a row with what is alike behind it
        self._makes = [  # what makes a row's value the driver's, and whether it does so of None
            (place, self._process[name], self._process[name](None) is not None)
            for place, name in enumerate(in_order)
            if name in names and self._process[name] is not _as_it_is
        ]

    def _processed(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: self._process[name](value) for name, value in values.items()}

    def parameters(self, rows: Iterable[Sequence[Any]], common: dict[str, Any]) -> list[Any]:
        """Those of the rows, for the driver."""
        alike = self._constant | self._processed(common)
        behind = tuple(alike[name] for name in self._alike)
        made = (self._made((*row, *behind)) for row in rows)
        return [*map(tuple, made)] if self._keys is None else [dict(zip(self._keys, row, strict=True)) for row in made]

    def _made(self, row: Sequence[Any]) -> list[Any]:
        values = [row[place] for place in self._places]
        for place, make, even_of_none in self._makes:
            if even_of_none or values[place] is not None:
                values[place] = make(values[place])
        return values


def _as_it_is(value: Any) -> Any:
    return value
