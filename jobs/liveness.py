"""Which workers live, and what becomes of the jobs of those that do not."""

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from jobs import attempts
from jobs.claims import Claim, Taken
from jobs.model import Job, Worker
from jobs.outcome import judge_loss
from jobs.policy import RetryPolicy
from jobs.states import State
from runtime import clock
from runtime.database import ask

BATCH = 200


class Pulse(Protocol):
    """What a worker's row tells of its life."""

    @property
    def id(self) -> UUID: ...

    @property
    def beats(self) -> int: ...


class Held(NamedTuple):
    """A claim of a living worker, and whether someone wants its job cancelled."""

    claim: Claim
    cancel_requested: bool


def register(session: Session, pid: int, pool: str, queues: Sequence[str], slots: int) -> UUID:
    """A new worker process; returns its id."""
    now = clock.now()
    worker = Worker(
        id=uuid7(),
        name=f"{socket.gethostname()}:{pid}",
        pool=pool,
        queues=list(queues),
        slots=slots,
        started_at=now,
        beat_at=now,
        beats=0,
    )
    session.add(worker)
    return worker.id


def renew(session: Session, worker: UUID) -> bool:
    """Renew a worker's lease. False if it was given up for dead: it may not go on under this id."""
    statement = (
        update(Worker)
        .where(Worker.id == worker, Worker.stopped_at.is_(None))
        .values(beats=Worker.beats + 1, beat_at=clock.now())
    )
    return session.execute(statement).rowcount == 1  # type: ignore[attr-defined,no-any-return]


def retire(session: Session, worker: UUID) -> None:
    """The worker is gone, by its own word or by ours."""
    session.execute(update(Worker).where(Worker.id == worker, Worker.stopped_at.is_(None)).values(stopped_at=clock.now()))


def held(session: Session, worker: UUID) -> Sequence[Held]:
    """The claims under which jobs run here, as the ledger has it."""
    query = select(Job.id, Job.epoch, Job.cancel_requested).where(Job.worker == worker, Job.state == State.RUNNING)
    return [Held(Claim(job_id, epoch, worker), cancel) for job_id, epoch, cancel in session.execute(query)]


def live(session: Session) -> Sequence[Worker]:
    """Workers whose lease is not over."""
    return session.scalars(select(Worker).where(Worker.stopped_at.is_(None))).all()


_PULSES = select(Worker.id, Worker.beats).where(Worker.stopped_at.is_(None))
_ORPHAN = (
    select(Job.id)
    .join(Worker, Worker.id == Job.worker)
    .where(Job.state == State.RUNNING, Worker.stopped_at.is_not(None))
    .limit(1)
)


def pulses() -> Sequence[Pulse]:
    """The heartbeats of the living."""
    return ask(_PULSES)


def any_orphan() -> bool:
    """Whether a running job has lost its worker: an idle scheduler's question."""
    return bool(ask(_ORPHAN))


def orphans(session: Session) -> Sequence[Job]:
    """Running jobs whose worker has stopped."""
    query = (
        select(Job).join(Worker, Worker.id == Job.worker).where(Job.state == State.RUNNING, Worker.stopped_at.is_not(None))
    )
    return session.scalars(query.limit(BATCH)).all()


@dataclass
class Watch:
    """One observer's memory of heartbeats.

    A worker is dead when its count of beats has stood still for a lease on the observer's own monotonic clock: no two
    clocks are compared, so neither a stepped nor a skewed clock can kill a living worker.
    """

    lease: timedelta
    seen: dict[UUID, tuple[int, float]] = field(default_factory=dict)
    looked: float = -1e9

    def silent(self, workers: Iterable[Pulse]) -> list[UUID]:
        """Those of `workers` that have been silent for a lease."""
        now, before = clock.monotonic(), self.seen
        if now - self.looked > self.lease.total_seconds() / 2:
            before = {}  # we could not look for long, as they could not write: everyone's silence counts from now
        self.looked = now
        self.seen = {}
        for worker in workers:
            beats, since = before.get(worker.id, (-1, now))
            self.seen[worker.id] = (worker.beats, since if beats == worker.beats else now)
        return [worker for worker, (_, since) in self.seen.items() if now - since >= self.lease.total_seconds()]


def bury(session: Session, worker: UUID, beats: int) -> bool:
    """Give a silent worker up, unless it has beaten meanwhile."""
    statement = update(Worker).where(Worker.id == worker, Worker.beats == beats, Worker.stopped_at.is_(None))
    return session.execute(statement.values(stopped_at=clock.now())).rowcount == 1  # type: ignore[attr-defined,no-any-return]


def rescue(session: Session, job: Job | Taken, *, poison: int, guilty: bool = False) -> Job | None:
    """Take a job back from its dead worker.

    The first deaths may be anybody's fault, so they make a job a suspect (see `is_suspect`), which from then on runs in a
    process of its own. Only a death there (`guilty`) counts to the end.
    """
    now = clock.now()
    crashes = job.crashes + 1 if guilty else min(job.crashes + 1, poison - 1)
    policy = RetryPolicy.model_validate(job.retry)
    verdict = judge_loss(crashes=crashes, age=now - job.budget_at, policy=policy, poison=poison)
    assert job.worker is not None  # noqa: S101 - a CHECK of the table: running rows name their worker
    return attempts.rescue(session, Claim(job.id, job.epoch, job.worker), verdict, crashes, now)


def is_suspect(job: Job | Taken, poison: int) -> bool:
    """Whether so many workers died under the job that it must run in a process of its own."""
    return job.crashes >= poison - 1


def forget_stopped(session: Session, before: datetime) -> None:
    """Drop the rows of workers that stopped long ago and hold no job."""
    held = select(Job.worker).where(Job.state == State.RUNNING)
    for worker in session.scalars(select(Worker).where(Worker.stopped_at < before, Worker.id.not_in(held)).limit(BATCH)):
        session.delete(worker)
