"""What the tables' columns and indexes are made of."""

from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import Index, text

from jobs.states import State

DEFAULT_TENANT = "default"


def words(kind: type[StrEnum], length: int = 16) -> sa.Enum:
    """A closed set of words as text with a CHECK: readable in SQL, and extended by a plain migration."""
    return sa.Enum(
        kind,
        native_enum=False,
        length=length,
        create_constraint=True,
        name=kind.__name__.lower(),
        values_callable=lambda e: [str(m) for m in e],
    )


def listed(states: frozenset[State]) -> str:
    """Some states, as SQL writes them behind IN."""
    return ", ".join(f"'{state}'" for state in sorted(states))


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
