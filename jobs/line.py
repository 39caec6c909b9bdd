"""The order in which jobs go: by priority, then by the time they were due, then by acceptance."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from jobs.model import Job
from jobs.states import State

PRIORITIES = (3, 2, 1, 0)


def first(session: Session, limit: int, *line: ColumnElement[bool], priorities: Sequence[int] = PRIORITIES) -> list[UUID]:
    """The first waiting jobs of a line. One index range a priority: the work is O(found), however long the line."""
    found: list[UUID] = []
    for priority in priorities:
        if len(found) < limit:
            query = select(Job.id).where(Job.state == State.SCHEDULED, *line, Job.priority == priority)
            found.extend(session.scalars(query.order_by(Job.run_at, Job.id).limit(limit - len(found))))
    return found
