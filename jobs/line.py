"""The order in which jobs go: by priority, then by the time they were due, then by acceptance."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, bindparam, select
from sqlalchemy.orm import Session

from jobs.model import Job
from jobs.states import State

PRIORITIES = (3, 2, 1, 0)


def waiting(*line: ColumnElement[bool]) -> Select[UUID]:
    """The question for a line of waiting jobs, made once for `first` to ask."""
    its = Job.state == State.SCHEDULED, *line, Job.priority == bindparam("priority")
    return select(Job.id).where(*its).order_by(Job.run_at, Job.id).limit(bindparam("most", type_=Integer))


def first(
    session: Session, line: Select[UUID], limit: int, priorities: Sequence[int] = PRIORITIES, **asked: Any
) -> list[UUID]:
    """The first jobs of a line; `asked` are what it leaves open.

    One index range a priority: the work is O(found), however long the line.
    """
    found: list[UUID] = []
    for priority in priorities:
        if len(found) < limit:
            most = limit - len(found)
            found += session.connection().scalars(line, {**asked, "priority": priority, "most": most})
    return found
