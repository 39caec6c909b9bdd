"""Why a job is where it is: everything that it waits for, in words, and until when where that is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from jobs import limits, liveness, queries
from jobs.model import Hold, Job, Queue
from jobs.reach import EVERYTHING, Reach
from jobs.states import State
from runtime import clock

COUNTED = 10_000  # jobs ahead that are counted

Kind = Literal["time", "retry", "told", "paused", "held", "limited", "backlog", "no_worker", "hint", "running", "final"]


@dataclass(frozen=True)
class Cause:
    """One thing that a job waits for."""

    kind: Kind
    detail: str
    until: datetime | None = None  # when it ends, if that is known
    ahead: int | None = None  # jobs that go first; COUNTED: at least so many


def of(session: Session, tenant: str, job_id: UUID, reach: Reach = EVERYTHING) -> list[Cause]:
    """Why the job is where it is; the first cause is that which ends last, as far as one can tell.

    Raises:
        JobNotFound: there is none, or it is another tenant's.
    """
    job = queries.get(session, tenant, job_id, reach)
    match job.state:
        case State.RUNNING:
            gives_way = " It was asked to give way." if job.cancel_requested else ""
            return [Cause("running", f"Attempt {job.attempt} runs on worker {job.worker}.{gives_way}")]
        case State.SCHEDULED | State.QUEUED:
            return list(_waits(session, job, clock.now()))
    return [Cause("final", f"It is {job.state}{f' ({job.reason})' if job.reason else ''}: it waits for nothing.")]


def _waits(session: Session, job: Job, now: datetime) -> Iterator[Cause]:
    lane = session.get(Queue, job.queue)
    if lane is not None and lane.paused_at is not None:
        yield Cause("paused", f"The queue {job.queue!r} was paused at {lane.paused_at.isoformat()}; someone must resume it.")
    if not any(job.queue in worker.queues for worker in liveness.live(session)):
        yield Cause("no_worker", f"No live worker serves the queue {job.queue!r}.")
    if job.state is State.QUEUED:
        yield Cause("hint", "It is next: the first free worker of its queue takes it.", ahead=_hinted_before(session, job))
    elif job.parked_at is not None:
        yield _held(session, job)
    elif job.run_at > now:
        yield _time(job)
    else:
        if lane is not None and limits.is_limited(lane):
            yield _limited(session, lane, now)
        ahead = _due_before(session, job, now)
        yield Cause("backlog", f"It is due. {_many(ahead)} of its queue go first.", ahead=ahead)


def _limited(session: Session, lane: Queue, now: datetime) -> Cause:
    said = []
    if lane.max_running is not None:
        said.append(f"{lane.max_running} at once, and {limits.busy(session, lane.name, COUNTED)} run or are about to")
    if lane.rate is not None:
        said.append(f"{lane.rate:g} a second")
    detail = f"The queue {lane.name!r} lets so many of its jobs go: {'; '.join(said)}."
    return Cause("limited", detail, limits.next_start(lane, now))


def _held(session: Session, job: Job) -> Cause:
    hold = session.scalars(select(Hold).where(Hold.account == job.account)).one_or_none()
    its = (Job.parked_at.is_not(None), Job.account == job.account, Job.queue == job.queue)
    ahead = _counted(session, select(Job.id).where(*its, Job.priority >= job.priority, Job.run_at < job.run_at))
    if hold is None:
        return Cause("held", f"The account {job.account!r} was held until a moment ago; its jobs are let go.", ahead=ahead)
    return Cause("held", f"The account {job.account!r} is held: {hold.why}.", hold.until, ahead)


def _time(job: Job) -> Cause:
    if job.waits_for:
        return Cause("told", f"It was put off: {job.waits_for}.", job.run_at)
    if job.attempt > job.budget_from:
        return Cause("retry", f"Attempt {job.attempt} failed; the next is due then.", job.run_at)
    return Cause("time", "It is not to run before its time.", job.run_at)


def _hinted_before(session: Session, job: Job) -> int:
    before = select(Job.id).where(Job.state == State.QUEUED, Job.queue == job.queue, Job.hinted_at < job.hinted_at)
    return _counted(session, before)


def _due_before(session: Session, job: Job, now: datetime) -> int:
    ahead = 0
    for priority in range(job.priority, 4):
        until = Job.run_at < job.run_at if priority == job.priority else Job.run_at <= now
        due = (Job.state == State.SCHEDULED, Job.queue == job.queue, Job.priority == priority)
        ahead += _counted(session, select(Job.id).where(*due, Job.parked_at.is_(None), until))
    return min(ahead, COUNTED)


def _counted(session: Session, ids: Select[UUID]) -> int:
    return queries.how_many(session, ids.limit(COUNTED))


def _many(ahead: int) -> str:
    return f"At least {ahead} jobs" if ahead >= COUNTED else f"{ahead} jobs"
