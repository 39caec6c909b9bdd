"""A list as one parameter of a statement.

SQLAlchemy writes an `IN` with a parameter for each value anew each time it is executed. On SQLite, a statement that is
executed for each row gives the interpreter's lock away as often, and waits for it as often while it holds the ledger's.
"""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

Item = UUID | str | tuple[UUID, int]


class _List(TypeDecorator[Iterable[Item] | str]):
    """Ids, or pairs that begin with one, as JSON."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: Iterable[Item] | str | None, _: sa.Dialect) -> str:
        return value if isinstance(value, str) else written(value or ())


def written(values: Iterable[Item]) -> str:
    """A list as its parameter. For several statements it is written once. An id may be as a driver returned it."""
    return json.dumps([_plain(each) for each in values])


def _plain(item: Item) -> str | tuple[str, int]:
    if isinstance(item, UUID):
        return item.hex
    return item if isinstance(item, str) else (item[0].hex, item[1])


class _Each(FunctionElement[Any]):
    """The elements of a list, as rows."""

    name = "each"
    type = sa.JSON()
    inherit_cache = True


class _EachText(_Each):
    """The same, of texts."""

    type = sa.String()  # type: ignore[assignment]
    inherit_cache = True


@compiles(_Each)
def _sqlite(element: _Each, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Each, "postgresql")
def _postgresql(element: _Each, compiler: Any, **options: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **options)} AS jsonb))"


@compiles(_EachText, "postgresql")
def _postgresql_texts(element: _Each, compiler: Any, **options: Any) -> str:
    return f"jsonb_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS jsonb))"


def listed(name: str) -> sa.Select[UUID]:
    """The ids that a parameter holds, for `in_`."""
    value = _EachText(sa.bindparam(name, type_=_List())).column_valued("value")
    return sa.select(sa.cast(value, sa.Uuid()))


def paired(name: str) -> sa.Select[UUID, int]:
    """The pairs of an id and a number that a parameter holds, for `in_`."""
    value = _Each(sa.bindparam(name, type_=_List())).column_valued("value")
    return sa.select(sa.cast(value[0].as_string(), sa.Uuid()), value[1].as_integer())
