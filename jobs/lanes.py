"""How the queues stand. What is counted is counted up to MOST, so that a look costs the same however much waits."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select, union_all
from sqlalchemy.orm import Session

from jobs import flow, liveness, queries
from jobs.model import Job, Queue, Worker
from jobs.states import FINAL, State
from runtime import clock
from runtime.settings import settings

MOST = 100_000  # jobs of a queue in one state that are counted
MINUTE = timedelta(minutes=1)
SAMPLE = 2_000  # of the last finished jobs in each final state, from which the throughput is told


@dataclass(frozen=True)
class Lane:
    """How a queue stands."""

    name: str
    paused_at: datetime | None
    max_running: int | None  # jobs at once
    rate: float | None  # starts a second
    scheduled: int
    queued: int
    running: int
    oldest_ready: timedelta | None
    finished: float  # jobs a minute, by the last minute
    workers: int  # that are alive and serve it
    slots: int  # jobs that these run at once


def lanes(session: Session) -> list[Lane]:
    """All queues that there are or that hold a job."""
    known = {lane.name: lane for lane in session.scalars(select(Queue))}
    running = _running(session)
    names = dict.fromkeys((*settings().queues, *_holding(session), *running))
    speeds, workers = _speeds(session, clock.now()), liveness.live(session)
    return [_look(session, known.get(name) or Queue(name=name), running[name], speeds[name], workers) for name in names]


def lane(session: Session, name: str) -> Lane:
    """One queue."""
    session.flush()
    stored = session.get(Queue, name) or Queue(name=name)
    speeds, workers = _speeds(session, clock.now()), liveness.live(session)
    return _look(session, stored, _running(session)[name], speeds[name], workers)


def _look(session: Session, lane: Queue, running: int, speed: float, workers: Sequence[Worker]) -> Lane:
    now = clock.now()
    oldest = flow.oldest_ready(session, lane.name, now)
    serving = [worker for worker in workers if lane.name in worker.queues]
    return Lane(
        name=lane.name,
        paused_at=lane.paused_at,
        max_running=lane.max_running,
        rate=lane.rate,
        scheduled=sum(_count(session, Job.queue == lane.name, which) for which in (_WAITS, _PARKED)),
        queued=_count(session, Job.queue == lane.name, _HINTED),
        running=running,
        oldest_ready=now - oldest if oldest else None,
        finished=speed,
        workers=len(serving),
        slots=sum(worker.slots for worker in serving),
    )


_WAITS = (Job.state == State.SCHEDULED) & Job.parked_at.is_(None)
_PARKED = Job.parked_at.is_not(None)
_HINTED = Job.state == State.QUEUED


def _count(session: Session, *which: ColumnElement[bool]) -> int:
    return queries.how_many(session, select(1).select_from(Job).where(*which).limit(MOST))


def _running(session: Session) -> Counter[str]:
    """What runs is bounded by the workers' slots."""
    rows = session.execute(select(Job.queue, func.count()).where(Job.state == State.RUNNING).group_by(Job.queue))
    return Counter({queue: count for queue, count in rows})  # noqa: C416 - a Row is a tuple, but not to mypy


def _holding(session: Session) -> Iterator[str]:
    """The queues in which a job waits, from one to the next: their indexes begin with the queue."""
    for which in (_WAITS, _HINTED):
        name = session.scalars(select(func.min(Job.queue)).where(which)).one()
        while name is not None:
            yield name
            name = session.scalars(select(func.min(Job.queue)).where(which, Job.queue > name)).one()


def _speeds(session: Session, now: datetime) -> defaultdict[str, float]:
    """Jobs a minute that each queue finished within the last minute, told from the last SAMPLE in each final state."""
    speeds: defaultdict[str, float] = defaultdict(float)
    samples = union_all(*(select(_last(state, now).subquery()) for state in sorted(FINAL))).subquery()
    found = session.execute(
        select(samples.c.state, samples.c.queue, func.count(), func.min(samples.c.finished_at)).group_by(
            samples.c.state, samples.c.queue
        )
    ).all()
    for state in FINAL:
        rows = [(queue, count, first) for of, queue, count, first in found if of == state]
        whole = sum(count for _, count, _ in rows) < SAMPLE
        span = MINUTE if whole else max(now - min(first for *_, first in rows), timedelta(milliseconds=1))
        for queue, count, _ in rows:
            speeds[queue] += count * MINUTE / span
    return speeds


def _last(state: State, now: datetime) -> Select[State, str, datetime | None]:
    its = (Job.state == state, Job.finished_at > now - MINUTE)
    return select(Job.state, Job.queue, Job.finished_at).where(*its).order_by(Job.finished_at.desc()).limit(SAMPLE)
