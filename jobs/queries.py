"""What is only read: one job, pages of jobs, counts. Every query runs on an index."""

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.errors import Invalid, JobNotFound
from jobs.model import Attempt, Job, LogLine, Queue
from jobs.states import OPEN, State


@dataclass(frozen=True)
class Filter:
    """Which jobs a list shows. None means any."""

    state: State | None = None
    task: str | None = None
    queue: str | None = None
    schedule_id: UUID | None = None


@dataclass(frozen=True)
class Page:
    """Newest first; `next_cursor` is None on the last page."""

    jobs: Sequence[Job]
    next_cursor: str | None


def get(session: Session, tenant: str, job_id: UUID) -> Job:
    """One job.

    Raises:
        JobNotFound: there is none, or it is another tenant's.
    """
    job = session.scalars(select(Job).where(Job.tenant == tenant, Job.id == job_id)).one_or_none()
    if job is None:
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
    newest = select(LogLine).where(LogLine.job_id == job_id).order_by(LogLine.id.desc()).limit(limit)
    return session.scalars(newest).all()[::-1]


def page(session: Session, tenant: str, wanted: Filter, limit: int, cursor: str | None) -> Page:
    """A page of jobs, newest first.

    Raises:
        Invalid: the cursor is not one of ours, or belongs to another filter.
    """
    query = select(Job).where(Job.tenant == tenant)
    for column, value in (
        (Job.state, wanted.state),
        (Job.task, wanted.task),
        (Job.queue, wanted.queue),
        (Job.schedule_id, wanted.schedule_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if cursor is not None:
        query = query.where(Job.id < _read_cursor(cursor, wanted))
    jobs = session.scalars(query.order_by(Job.id.desc()).limit(limit + 1)).all()
    more = len(jobs) > limit
    return Page(jobs[:limit], _write_cursor(jobs[limit - 1].id, wanted) if more else None)


def open_counts(session: Session) -> dict[str, dict[State, int]]:
    """Open jobs by queue and state."""
    rows = session.execute(
        select(Job.queue, Job.state, func.count()).where(Job.state.in_(OPEN)).group_by(Job.queue, Job.state)
    )
    counts: dict[str, dict[State, int]] = {}
    for queue, state, count in rows:
        counts.setdefault(queue, {})[state] = count
    return counts


def dead_counts(session: Session) -> dict[str, int]:
    """Failed jobs by queue."""
    rows = session.execute(select(Job.queue, func.count()).where(Job.state == State.FAILED).group_by(Job.queue))
    return {queue: count for queue, count in rows}  # noqa: C416 - a Row is a tuple, but not to mypy


def queues(session: Session) -> Sequence[Queue]:
    """The stored queues (those ever paused)."""
    return session.scalars(select(Queue)).all()


def _fingerprint(wanted: Filter) -> str:
    return hashlib.sha256(json.dumps(asdict(wanted), default=str, sort_keys=True).encode()).hexdigest()[:12]


def _write_cursor(last: UUID, wanted: Filter) -> str:
    return base64.urlsafe_b64encode(f"{last.hex}{_fingerprint(wanted)}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str, wanted: Filter) -> UUID:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        last, fingerprint = UUID(text[:32]), text[32:]
    except (ValueError, UnicodeDecodeError):
        raise Invalid.at("/cursor", "This is not a cursor that we gave out.") from None
    if fingerprint != _fingerprint(wanted):
        raise Invalid.at("/cursor", "This cursor belongs to a list with another filter. Start again without it.")
    return last
