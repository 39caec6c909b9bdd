"""A list of ids as one parameter: an `IN` with one for each is written anew by SQLAlchemy each time it is executed."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class Ids(TypeDecorator[Iterable[UUID]]):
    """Ids, as the database's own kind of list."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.ARRAY(sa.Uuid()) if dialect.name == "postgresql" else sa.String())

    def process_bind_param(self, value: Iterable[UUID] | None, dialect: sa.Dialect) -> Any:
        ids = list(value or ())
        if dialect.name == "postgresql":
            return ids
        return '["' + '","'.join([each.hex for each in ids]) + '"]' if ids else "[]"


class _Each(FunctionElement[UUID]):
    """The elements of a list, as rows."""

    name = "each"
    type = sa.Uuid()
    inherit_cache = True


def listed(name: str) -> sa.Select[UUID]:
    """The ids that a parameter holds, for `in_`."""
    return sa.select(_Each(sa.bindparam(name, type_=Ids())).column_valued("value"))


@compiles(_Each)
def _of_json(element: _Each, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Each, "postgresql")
def _of_array(element: _Each, compiler: Any, **options: Any) -> str:
    return f"unnest({compiler.process(element.clauses, **options)})"
