"""What is only read: one job and its parts, counts. Every query runs on an index."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from jobs.errors import JobNotFound
from jobs.model import Attempt, Job, LogLine
from jobs.reach import EVERYTHING, Reach
from jobs.states import State


def get(session: Session, tenant: str, job_id: UUID, reach: Reach = EVERYTHING) -> Job:
    """One job.

    Raises:
        JobNotFound: there is none, or it is another tenant's, or out of reach.
    """
    job = session.scalars(select(Job).where(Job.tenant == tenant, Job.id == job_id)).one_or_none()
    if job is None or not reach.covers(job.task, job.queue):
        raise JobNotFound(job_id)
    return job


def several(session: Session, job_ids: Collection[UUID]) -> dict[UUID, Job]:
    """Those of the jobs that are there, by their ids."""
    return {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(job_ids)))} if job_ids else {}


def final(session: Session, job_ids: Iterable[UUID]) -> Sequence[Job]:
    """Those of the jobs that have become final."""
    return session.scalars(select(Job).where(Job.id.in_(job_ids), Job.finished_at.is_not(None))).all()


def attempts(session: Session, job_id: UUID) -> Sequence[Attempt]:
    """A job's tries, oldest first."""
    return session.scalars(select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.epoch)).all()


def log_lines(session: Session, job_id: UUID, limit: int = 200) -> Sequence[LogLine]:
    """The last lines that a job's attempts wrote, oldest first."""
    newest = (
        select(LogLine).where(LogLine.job_id == job_id, LogLine.level != "progress").order_by(LogLine.id.desc()).limit(limit)
    )
    return session.scalars(newest).all()[::-1]


def how_many(session: Session, rows: Select[*tuple[Any, ...]]) -> int:
    """How many rows a query finds. Its own limit bounds what the count costs."""
    return session.scalars(select(func.count()).select_from(rows.subquery())).one()


def dead_counts(session: Session) -> dict[str, int]:
    """Failed jobs by queue."""
    rows = session.execute(select(Job.queue, func.count()).where(Job.state == State.FAILED).group_by(Job.queue))
    return {queue: count for queue, count in rows}  # noqa: C416 - a Row is a tuple, but not to mypy
