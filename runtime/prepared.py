"""Statements past SQLAlchemy's way through each value and row: it makes dictionaries, lists and objects of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection, Dialect, Insert, bindparam
from sqlalchemy.sql.expression import ClauseElement

from runtime.database import INSERT, Base

MOST = 256  # rows of one INSERT, a power of two

_all: "WeakSet[Prepared]" = WeakSet()


class Prepared:
    """A statement whose `bindparam`s are filled from rows, in the order of their names.

    One that the databases do not write alike is told as a function of the dialect.
    """

    def __init__(self, statement: ClauseElement | Callable[[Dialect], ClauseElement], *names: str) -> None:
        self.statement = statement
        self._names = names
        self._made: WeakKeyDictionary[Dialect, _Made] = WeakKeyDictionary()
        _all.add(self)

    def execute(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> int:
        """Execute it once for each row. Returns how many rows of the table it changed."""
        made = self.made(connection.dialect)
        return sum(connection.exec_driver_sql(*execution).rowcount for execution in made.executions(rows))

    def returned(self, connection: Connection, *values: Any) -> "Returned":
        """Execute it once. What it returns is still to be read."""
        made = self.made(connection.dialect)
        (parameters,) = made.parameters([values])
        result = connection.exec_driver_sql(made.text, parameters)
        made.describe(result.cursor.description, connection.dialect)
        return Returned(result.all(), made)

    def made(self, dialect: Dialect) -> "_Made":
        """It as a database's driver takes it, made once."""
        made = self._made.get(dialect)
        if made is None:
            statement = self.statement(dialect) if callable(self.statement) else self.statement
            made = self._made[dialect] = _Made(statement, self._names, dialect)
        return made


def make_all(dialect: Dialect) -> None:
    """Make all statements for a database, some 20 ms: so that the first job of a process need not wait for that."""
    for statement in [*_all]:
        statement.made(dialect)


def inserting(model: type[Base], *names: str, once: bool = False) -> Prepared:
    """An INSERT of rows that have values of these names; with `once`, of those that are not there yet."""

    def statement(dialect: Dialect) -> Any:
        into = INSERT[dialect.name](model).values({name: bindparam(name) for name in names})
        return into.on_conflict_do_nothing() if once else into

    return Prepared(statement, *names)


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
        process = {name: make for name, kind in binds.items() if (make := kind.bind_processor(dialect)) is not None}
        alike = [name for name in constant if name not in names]
        self._behind = [process[name](constant[name]) if name in process else constant[name] for name in alike]
        in_order = compiled.positiontup if compiled.positional else list(constant)
        self._places = [[*names, *alike].index(name) for name in in_order]  # in a row with what is alike behind it
        self._makes = [(place, process[name]) for place, name in enumerate(in_order) if name in names and name in process]
        self._types = [column.type.dialect_impl(dialect) for column in getattr(statement, "exported_columns", ())]
        self._reads: list[tuple[int, Any]] | None = None
        head, values, rest = self.text.partition(" VALUES ")
        row, end, tail = rest.partition(")")
        self._of_many = {1: self.text}  # how it is written for so many rows at once, if it can be
        if isinstance(statement, Insert) and dialect.name == "sqlite" and row.count("(") == 1:
            sizes = (1 << n for n in range(1, MOST.bit_length()))
            self._of_many |= {size: head + values + ", ".join([row + end] * size) + tail for size in sizes}

    def executions(self, rows: Iterable[Sequence[Any]]) -> Iterator[tuple[str, Any]]:
        """Texts and parameters that together execute it for all rows.

        The driver gives the interpreter's lock away for each row that it executes a statement for, and waits to have it
        back while it holds the ledger's. Of many rows in one statement each takes half as long besides. The sizes are few,
        since the driver keeps what SQLite makes of each.
        """
        left = self.parameters(rows)
        if len(self._of_many) == 1:
            yield self.text, left
            return
        while left:
            size = min(MOST, 1 << len(left).bit_length() - 1)
            yield self._of_many[size], tuple(chain.from_iterable(left[:size]))
            left = left[size:]

    def parameters(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        """Those of the rows, for the driver."""
        given = [*zip(*rows, strict=True)]
        if not given:
            return []
        alike = ((value,) * len(given[0]) for value in self._behind)
        columns: list[Iterable[Any]] = [*given, *alike]
        columns = [columns[place] for place in self._places]
        for place, make in self._makes:
            columns[place] = _made(columns[place], make)
        made = zip(*columns, strict=True)
        return [*made] if self._keys is None else [dict(zip(self._keys, row, strict=True)) for row in made]

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


def _made(values: Iterable[Any], make: Callable[[Any], Any]) -> Iterator[Any]:
    """What each value is for the driver. Rows have much in common: what is the same object as in the row before, is made."""
    last, made = object(), None
    for value in values:
        if value is not last:
            last, made = value, make(value)
        yield made
