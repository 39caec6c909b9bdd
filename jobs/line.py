"""The order in which jobs go: by priority, then by the time they were due, then by acceptance."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, bindparam, select
from sqlalchemy.orm import Session

from jobs.model import Job
from jobs.states import State
from runtime.prepared import Prepared

PRIORITIES = (3, 2, 1, 0)


def waiting(*line: ColumnElement[bool], asked: Sequence[str]) -> Prepared:
    """The question for a line of waiting jobs, made once for `first` to ask; `asked` names what it leaves open."""
    its = Job.state == State.SCHEDULED, *line, Job.priority == bindparam("priority")
    ids = select(Job.id).where(*its).order_by(Job.run_at, Job.id).limit(bindparam("most", type_=Integer))
    return Prepared(ids, "priority", "most", *asked)


def first(session: Session, line: Prepared, limit: int, priorities: Sequence[int], *asked: Any) -> list[UUID]:
    """The first jobs of a line; `asked` is what it leaves open.

    One index range a priority: the work is O(found), however long the line.
    """
    found: list[UUID] = []
    for priority in priorities:
        if len(found) < limit:
            ids = line.returned(session.connection(), priority, limit - len(found), *asked)
            found += (job_id for (job_id,) in ids)
    return found
