"""A long history, made by the database itself: millions of final jobs, a second apart, in a minute or so."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Select, case, cast, func, literal

from jobs.labels import of_metadata, of_tag
from jobs.model import Attempt, Job, Label
from jobs.order import Order
from jobs.states import Ending, Reason, State
from runtime import clock
from runtime.database import EPOCH, MICROSECOND, Base, Instant

CHUNK = 250_000  # rows of a transaction
_TABLES = [kind.metadata.tables[kind.__tablename__] for kind in (Job, Attempt, Label)]
_SECOND = timedelta(seconds=1)


def fill(engine: Engine, rows: int) -> None:
    """Add so many jobs, each with its attempt, every fourth with two labels. Indexes are made when all rows are there."""
    indexes = [index for table in _TABLES for index in table.indexes]
    with engine.begin() as connection:
        for index in indexes:
            index.drop(connection)
    epoch = clock.now() - rows * _SECOND
    for start in range(0, rows, CHUNK):
        with engine.begin() as connection:
            for table, chosen in _history(connection, epoch, start, min(start + CHUNK, rows)):
                connection.execute(table.insert().from_select(chosen.selected_columns.keys(), chosen))
    for index in indexes:
        with engine.begin() as connection:
            index.create(connection)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")  # as PostgreSQL does by itself a minute later


def _history(connection: Connection, epoch: datetime, start: int, end: int) -> Iterator[tuple[sa.Table, Select[Any]]]:
    """The rows of the jobs from `start` to before `end`, by table."""
    numbers = sa.select(literal(start, sa.BigInteger).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < end - 1))
    n, failed = numbers.c.n, numbers.c.n % 20 == 0
    is_postgres = connection.dialect.name == "postgresql"
    job_id, at = _uuid7_and_instant(epoch, n, is_postgres)
    text = '{"text":"number ' + _words(n) + '"}'
    order = Order(task="", payload=None, queue="")
    yield _rows(numbers, Job, order.row(uuid4(), epoch) | {
        "id": job_id, "epoch": 1, "attempt": 1, "worker": None, "progress": None, "result": None,
        "task": "task." + _words(n % 50),
        "queue": case((n % 10 == 0, "cpu"), else_="default"),
        "payload": cast(text, sa.JSON) if is_postgres else text,
        "state": case((failed, str(State.FAILED)), else_=str(State.SUCCEEDED)),
        "reason": case((failed, str(Reason.EXHAUSTED))),
        "error": case((failed, literal({"class": "Timeout"}, sa.JSON))),
        "error_class": case((failed, "Timeout" + _words(n % 5))),
        **dict.fromkeys(("budget_at", "created_at", "run_at", "started_at", "finished_at", "hinted_at"), at),
    })  # fmt: skip
    yield _rows(numbers, Attempt, {
        "job_id": job_id, "epoch": 1, "number": 1, "worker": uuid4(), "started_at": at, "finished_at": at, "error": None,
        "outcome": case((failed, str(Ending.FAILED)), else_=str(Ending.SUCCEEDED)), "retry_at": None,
    })  # fmt: skip
    for label in (of_tag("tag") + _words(n % 1000), of_metadata("customer", "") + _words(n % 10_000)):
        table, chosen = _rows(numbers, Label, {"tenant": order.tenant, "label": label, "job_id": job_id})
        yield table, chosen.where(n % 4 == 0)


def _rows(numbers: sa.CTE, kind: type[Base], values: dict[str, Any]) -> tuple[sa.Table, Select[Any]]:
    """A row of these values, some of them of its number, for each number."""
    columns = sa.inspect(kind).columns
    typed = {columns[key]: value for key, value in values.items()}
    chosen = (
        value if isinstance(value, sa.ColumnElement) else literal(value, column.type) for column, value in typed.items()
    )
    labelled = (value.label(column.name) for value, column in zip(chosen, typed, strict=True))
    return kind.metadata.tables[kind.__tablename__], sa.select(*labelled).select_from(numbers)


def _uuid7_and_instant(epoch: datetime, n: Any, is_postgres: bool) -> tuple[Any, Any]:
    """The id and the time of the job with this number, as the database keeps them."""
    milliseconds = literal((epoch - EPOCH) // _SECOND * 1000, sa.BigInteger) + n * 1000
    if not is_postgres:
        microseconds = literal((epoch - EPOCH) // MICROSECOND, sa.BigInteger) + n * 1_000_000
        return func.printf("%012x70008000%012x", milliseconds, n), microseconds
    ends = [func.lpad(func.to_hex(end), 12, "0", type_=sa.String) for end in (milliseconds, n)]
    return cast(ends[0] + "70008000" + ends[1], sa.Uuid), literal(epoch, Instant) + n * sa.literal_column(
        "interval '1 second'"
    )


def _words(number: Any) -> Any:
    return cast(number, sa.String)
