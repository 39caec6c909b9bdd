"""What the tables' columns and indexes are made of."""

from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Index, text

from jobs.states import State

DEFAULT_TENANT = "default"


class _Spelt(sa.Enum):
    """Words that statements spell out where they compare a column with one. A parameter hides from a plan that is made once
    which partial index serves it; SQLite, which does look at the parameter, makes the plan anew for each execution.
    """

    class Comparator(sa.Enum.Comparator):
        """Of a column of such words."""

        def operate(self, op: Any, *others: Any, **options: Any) -> Any:
            return super().operate(op, *map(self._spelt, others), **options)

        def _spelt(self, other: Any) -> Any:
            if isinstance(other, StrEnum):
                return sa.literal_column(_quoted(other), self.type)
            several = isinstance(other, AbstractSet | list | tuple)
            return [self._spelt(word) for word in sorted(other)] if several else other

    comparator_factory = Comparator


def words(kind: type[StrEnum], length: int = 16) -> sa.Enum:
    """A closed set of words as text with a CHECK: readable in SQL, and extended by a plain migration."""
    return _Spelt(
        kind,
        native_enum=False,
        length=length,
        create_constraint=True,
        name=kind.__name__.lower(),
        values_callable=lambda e: [str(m) for m in e],
    )


def spelt(states: frozenset[State]) -> str:
    """Some states, as SQL writes them behind IN."""
    return ", ".join(map(_quoted, sorted(states)))


def _quoted(word: str) -> str:
    return f"'{word}'"


def partial(name: str, where: str, *columns: str) -> Index:
    """An index over the rows that a hot query asks for, and no others."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Words(sa.types.TypeDecorator[str]):
    """What a task said: kept without NUL and half surrogate pairs, which a database's text cannot hold."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, _: sa.Dialect) -> str | None:
        return None if value is None else value.replace("\x00", "").encode(errors="replace").decode()


class Lines(Words):
    """The same, of any length."""

    impl = sa.Text
    cache_ok = True
