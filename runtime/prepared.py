"""Statements past SQLAlchemy's way through each value and row: it makes dictionaries, lists and objects of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.expression import ClauseElement


class Prepared:
    """A statement whose `bindparam`s are filled from rows, in the order of their names."""

    def __init__(self, statement: ClauseElement, *names: str) -> None:
        self.statement = statement
        self._names = names
        self._made: WeakKeyDictionary[Dialect, _Made] = WeakKeyDictionary()

    def execute(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> int:
        """Execute it once for each row. Returns how many rows of the table it changed."""
        made = self._for(connection.dialect)
        return connection.exec_driver_sql(made.text, made.parameters(rows)).rowcount

    def returned(self, connection: Connection, *values: Any) -> "Returned":
        """Execute it once. What it returns is still to be read."""
        made = self._for(connection.dialect)
        (parameters,) = made.parameters([values])
        result = connection.exec_driver_sql(made.text, parameters)
        made.describe(result.cursor.description, connection.dialect)
        return Returned(result.all(), made)

    def _for(self, dialect: Dialect) -> "_Made":
        made = self._made.get(dialect)
        if made is None:
            made = self._made[dialect] = _Made(self.statement, self._names, dialect)
        return made


class Returned:
    """Rows as the driver gave them. To read them takes its time, for which a transaction need not be open."""

    def __init__(self, rows: Sequence[Sequence[Any]], made: "_Made") -> None:
        self.rows = rows
        self._made = made

    def __iter__(self) -> Iterator[list[Any]]:
        """The rows as the statement's types have them."""
        return map(self._made.read, self.rows)


class _Made:
    """A statement as one dialect's driver takes it."""

    def __init__(self, statement: ClauseElement, names: Sequence[str], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        constant = compiled.construct_params(dict.fromkeys(names))
        if unknown := {*names} - constant.keys():
            raise ValueError(f"no such parameters: {sorted(unknown)}")
        if "POSTCOMPILE" in self.text:
            raise ValueError("a list of parameters is written anew at each execution")
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
        self._types = [column.type.dialect_impl(dialect) for column in getattr(statement, "exported_columns", ())]
        self._reads: list[tuple[int, Any]] | None = None

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

    def describe(self, columns: Sequence[Any], dialect: Dialect) -> None:
        """Hear of which types of the driver the columns are that it returns; of SQLite's, of none."""
        if self._reads is None:
            pairs = zip(self._types, columns, strict=True)
            reads = [kind.result_processor(dialect, column[1]) for kind, column in pairs]
            self._reads = [(place, read) for place, read in enumerate(reads) if read is not None]

    def read(self, row: Sequence[Any]) -> list[Any]:
        """What the driver returned, as the types of its columns have it."""
        values = list(row)
        for place, read in self._reads or ():
            values[place] = read(values[place])
        return values


def _as_it_is(value: Any) -> Any:
    return value
