"""Rows that could really exist: built by the real moves, never by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from sqlite3 import Connection
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry
from uuid_utils.compat import uuid7

from jobs import attempts, claims, flow, liveness, schedules, store
from jobs.claims import Claim, Taken
from jobs.model import Base, Job, Schedule
from jobs.outcome import Failed, Snoozed, Stopped, Succeeded, TryAgain, Verdict
from jobs.states import Reason, State
from jobs.submit import Order, submit
from runtime import clock, database

ERROR = {"class": "Transient", "message": "the other side is away"}
SUCCESS = Succeeded({"ok": True})
FAILURE = Failed(Reason.REJECTED, {"class": "Rejected", "message": "no such customer"})
AGAIN = TryAgain(timedelta(seconds=30), ERROR)
LATER = Snoozed(timedelta(seconds=10), "the account is at its rate limit")
STOPPED = Stopped()
VERDICTS: tuple[Verdict, ...] = (SUCCESS, FAILURE, AGAIN, LATER, STOPPED)


def order(**changes: Any) -> Order:
    """An order for a job that may run at once."""
    return Order(**{"task": "test.echo", "payload": {"number": 1}, "queue": "default"} | changes)


def hasty_sqlite(path: Path) -> Engine:
    """An engine on a file for whose disk nobody waits."""

    def hurry(connection: Connection, record: ConnectionPoolEntry) -> None:
        connection.execute("PRAGMA synchronous=OFF")
        record.info["log"] = None

    made = database.create_engine(f"sqlite:///{path}")
    event.listen(made, "connect", hurry)
    return made


def worker(session: Session, name: int = 1, slots: int = 4) -> UUID:
    """A worker that is alive."""
    return liveness.register(session, name, "threads", ["default"], slots)


def job(session: Session, state: State = State.SCHEDULED, worker_id: UUID | None = None, **changes: Any) -> Job:
    """A job that has come to `state` by way of the moves that lead there."""
    now = clock.now()
    with no_room():
        made = submit(session, order(**changes)).job
    match state:
        case State.SCHEDULED:
            return made
        case State.CANCELLED:
            return _moved(store.cancel(session, made.id, now))
        case State.EXPIRED:
            assert made.expires_at is not None, "only a job with expires_at expires"
            return store.expire(session, [made.id], made.expires_at)[0]
    store.release(session, [made.id], now)
    if state is State.QUEUED:
        return _moved(session.get(Job, made.id, populate_existing=True))
    running = _moved(claim(session, made.id, worker_id or worker(session), now))
    match state:
        case State.SUCCEEDED:
            return _moved(attempts.settle(session, claim_of(running), SUCCESS, now))
        case State.FAILED:
            return _moved(attempts.settle(session, claim_of(running), FAILURE, now))
    return running


def claim(session: Session, job_id: UUID, worker_id: UUID, now: datetime) -> Job | None:
    """The job's row, if the worker could claim it."""
    taken = claims.claim_all(session, [job_id], worker_id, now).jobs
    return session.get(Job, job_id, populate_existing=True) if taken else None


def taken(row: Job, claimed: Claim | None = None) -> Taken:
    """What a worker knows of a job that it has claimed."""
    job = Taken(*(getattr(row, name) for name in Taken._fields))
    return job if claimed is None else job._replace(epoch=claimed.epoch, worker=claimed.worker)


def claim_of(running: Job) -> Claim:
    """The claim under which the job runs."""
    assert running.worker is not None, "it does not run"
    return Claim(running.id, running.epoch, running.worker)


def schedule(session: Session, **changes: Any) -> Schedule:
    """A stored schedule: every minute, unless told otherwise."""
    now = clock.now()
    values = {
        "id": uuid7(), "tenant": "default", "name": "nightly", "task": "test.echo", "payload": {"at": "{{tick_at}}"},
        "queue": "default", "priority": 1, "tags": [], "retry": {}, "timeout": timedelta(minutes=1), "cron": None,
        "every": None, "zone": "UTC", "catch_up": timedelta(minutes=5), "anchor_at": now, "created_at": now, "revision": 1,
    }  # fmt: skip
    if not changes.keys() & {"cron", "every"}:
        changes["cron"] = "* * * * *"
    made = Schedule(**values | changes)
    schedules.add(session, made)
    session.flush()
    return made


def empty(engine: Engine) -> None:
    """Delete every row of a ledger."""
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


@contextmanager
def no_room() -> Iterator[None]:
    """While it lasts no queue has room, so that new jobs wait in the ledger."""
    kept, flow.window._left = flow.window._left, _Full()
    try:
        yield
    finally:
        flow.window._left = kept


class _Full(dict[str, tuple[float, int]]):
    def get(self, *_: Any) -> Any:
        return inf, 0


def _moved(job: Job | None) -> Job:
    assert job is not None, "the move was refused"
    return job
