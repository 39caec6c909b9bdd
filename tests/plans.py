"""How a database means to answer: every statement that is sent while one looks, and its plan."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

OF_WHAT_IS_OPEN = {
    *("jobs_due", "jobs_due_at", "jobs_parked", "jobs_hinted", "jobs_running", "jobs_expiring", "jobs_by_caller"),
    "bulk_actions_due",
}
"""Indexes of some of what is not final: they may be read whole, for they do not grow with the history."""


class Sent(NamedTuple):
    """A statement, as it went to the database."""

    statement: str
    parameters: Any


@contextmanager
def watched(engine: sa.Engine) -> Iterator[list[Sent]]:
    """The statements sent while it lasts."""
    sent: list[Sent] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, many: bool) -> None:
        sent.append(Sent(statement, parameters[0] if many else parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def scanned(engine: sa.Engine, sent: Sent) -> set[str]:
    """The tables that would be read from one end to the other, on an index or not, and "a sort" if rows would be sorted.

    What the statement itself has already limited (SQLAlchemy names it anon_1) may be read whole, and sorted.

    PostgreSQL is told to do neither if there is any other way: a test's tables are so small that it would.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sent.statement}", sent.parameters).all()
            steps = [row[3] for row in rows]
            whole = [
                match
                for step in steps
                if (match := re.match(r"SCAN (?!anon_|CONSTANT ROW)(\w+)(?: USING.* INDEX (\w+))?", step))
            ]
            tables = {match[1] for match in whole if match[2] not in OF_WHAT_IS_OPEN}
            bounded = any(step.startswith("SCAN anon_") for step in steps)
            sorts = not bounded and any("TEMP B-TREE FOR ORDER BY" in step for step in steps)
            return tables | ({"a sort"} if sorts else set())
        for what in ("seqscan", "sort", "bitmapscan"):
            connection.exec_driver_sql(f"SET LOCAL enable_{what} = off")
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sent.statement}", sent.parameters).scalar_one()
        return set(_seen(plan if isinstance(plan, list) else json.loads(plan)))


def _seen(plan: Any) -> Iterator[str]:
    if isinstance(plan, list):
        for part in plan:
            yield from _seen(part)
    elif isinstance(plan, dict):
        scans = plan.get("Node Type") in {"Seq Scan", "Index Scan", "Index Only Scan"}
        if scans and "Index Cond" not in plan and plan.get("Index Name") not in OF_WHAT_IS_OPEN:
            yield plan["Relation Name"]
        if plan.get("Node Type") == "Sort":
            yield "a sort"
        for part in plan.values():
            yield from _seen(part)
