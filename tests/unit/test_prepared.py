"""Statements that are made once give the driver, and give back, what SQLAlchemy would."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from jobs.model import Event
from runtime import prepared
from runtime.database import Instant
from runtime.prepared import MOST, Prepared, inserting

THINGS = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("at", Instant),
    sa.Column("what", sa.JSON(none_as_null=True)),
)
NOON = datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
INSERT = Prepared(sa.insert(THINGS).values({name: sa.bindparam(name) for name in ("id", "at", "what")}), "what", "id", "at")


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        THINGS.create(connection)
        yield connection
    engine.dispose()


def test_rows_are_written_and_returned_as_their_types_have_them(connection: sa.Connection) -> None:
    rows = [({"a": [1]}, uuid4(), NOON), (None, uuid4(), None)]
    assert INSERT.execute(connection, rows) == 2
    later = sa.update(THINGS).where(THINGS.c.at <= sa.bindparam("now")).values(what={"b": 2})
    touch = Prepared(later.returning(THINGS.c.id, THINGS.c.at, THINGS.c.what), "now")
    returned = touch.returned(connection, NOON)
    assert [row[0] for row in returned.rows] == [rows[0][1].hex], "as the driver has it"
    assert [*returned] == [[rows[0][1], NOON, {"b": 2}]]
    assert [*touch.returned(connection, NOON)] == [*returned], "once more"
    kept = connection.execute(sa.select(THINGS).where(THINGS.c.id == rows[1][1])).one()
    assert tuple(kept) == (rows[1][1], None, None)


@pytest.mark.parametrize("count", [0, 1, 2, 7, MOST - 1, MOST, 2 * MOST + 3])
def test_so_many_rows_are_written_at_once(connection: sa.Connection, count: int) -> None:
    same = {"same": True}
    rows = [(same if number % 3 else None, uuid4(), NOON if number % 2 else None) for number in range(count)]
    assert INSERT.execute(connection, rows) == count
    kept = connection.execute(sa.select(THINGS.c.what, THINGS.c.id, THINGS.c.at).order_by(sa.text("rowid"))).all()
    assert [tuple(row) for row in kept] == rows


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.psycopg.dialect()], ids=lambda dialect: dialect.name)
def test_whatever_database_a_process_has_all_statements_can_be_made_for_it(dialect: sa.Dialect) -> None:
    inserted = inserting(Event, "id", "source", once=True)
    prepared.make_all(dialect)
    assert inserted.made(dialect).text.endswith(" ON CONFLICT DO NOTHING")


@pytest.mark.parametrize(
    ("statement", "names", "why"),
    [
        (sa.select(THINGS).where(THINGS.c.id == sa.bindparam("id")), ("id", "ids"), "no such parameters: ['ids']"),
        (sa.select(THINGS).where(THINGS.c.id.in_(sa.bindparam("ids", expanding=True))), ("ids",), "written anew"),
    ],
)
def test_what_cannot_be_made_once_is_refused(
    connection: sa.Connection, statement: sa.Select[UUID], names: tuple[str, ...], why: str
) -> None:
    with pytest.raises(ValueError, match=why.replace("[", r"\[").replace("]", r"\]")):
        Prepared(statement, *names).returned(connection, uuid4())
