"""The moves of a job: one function, one guarded UPDATE each. Who comes second finds no row, and nothing happens.

Those that a worker makes are in `jobs.attempts`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, bindparam, select, update
from sqlalchemy.orm import Session

from jobs import outbox
from jobs.model import Job
from jobs.states import AMEND, CANCEL, EXPIRE, PARK, RELEASE, REVIVE, Move, State
from runtime import metrics
from runtime.afterwards import after_commit
from runtime.broker import Hint
from runtime.database import Instant
from runtime.listed import listed

AS_RETURNED = {"synchronize_session": False, "populate_existing": True}
"""How moved rows become objects: as the statement returned them, whatever the session knew before."""


_THOSE = Job.id.in_(listed("which"))
_AT: BindParameter[datetime] = bindparam("at", type_=Instant)
_HINT = (Job.id, Job.task, Job.queue, Job.priority)
_RELEASE = (
    update(Job)
    .where(_THOSE, Job.state.in_(RELEASE.sources))
    .values(state=RELEASE.target, parked_at=None, hinted_at=_AT)
    .returning(*_HINT)
)
_REOFFER = update(Job).where(_THOSE, Job.state == State.QUEUED).values(hinted_at=_AT).returning(*_HINT)


def move(session: Session, kind: Move, *guards: ColumnElement[bool], **values: Any) -> list[Job]:
    """The statement behind all moves but those of the hot path, which are made once. Returns the rows that moved."""
    if "error" in values:
        values["error_class"] = (values["error"] or {}).get("class", "")[:64] or None
    values = {"state": kind.target, "parked_at": None} | values
    statement = update(Job).where(Job.state.in_(kind.sources), *guards).values(**values).returning(Job)
    moved = list(session.scalars(statement, execution_options=AS_RETURNED))
    for job in moved:
        if job.finished_at is not None:
            after_commit(session, partial(metrics.finished.labels(job.task, job.queue, job.state).inc))
    outbox.tell_ends(session, [job for job in moved if job.finished_at is not None])
    return moved


def one(moved: Sequence[Job]) -> Job | None:
    """The row that moved, if any did."""
    return moved[0] if moved else None


def release(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Hint]:
    """Due jobs go to their queue: the caller publishes their hints after the commit. Returns those that moved, in order."""
    moved = {row.id: Hint(*row) for row in session.connection().execute(_RELEASE, {"which": job_ids, "at": now})}
    return [moved[job_id] for job_id in job_ids if job_id in moved]


def park(session: Session, job_ids: Sequence[UUID], why: str, now: datetime) -> list[Job]:
    """Jobs whose account is held are put aside until it lets them go. A hint that was sent turns stale."""
    return move(session, PARK, Job.id.in_(job_ids), parked_at=now, waits_for=why[:200])


def cancel(session: Session, job_id: UUID, now: datetime) -> Job | None:
    """Cancel a job: at once if it has not started; a running one is asked to give way. None if it is final."""
    return one(cancel_all(session, [job_id], now))


def expire(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Jobs that were not started before their `expires_at`."""
    return move(session, EXPIRE, Job.id.in_(job_ids), Job.attempt == 0, Job.expires_at <= now, finished_at=now)


def cancel_all(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Cancel many jobs at once; those that run are asked to give way."""
    cancelled = drop_all(session, job_ids, now)
    asked = update(Job).where(Job.id.in_(job_ids), Job.state == State.RUNNING).values(cancel_requested=True).returning(Job)
    return [*cancelled, *session.scalars(asked, execution_options=AS_RETURNED)]


def drop_all(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Cancel those of the jobs that wait."""
    return move(session, CANCEL, Job.id.in_(job_ids), cancel_requested=True, finished_at=now)


def revive(session: Session, job_id: UUID, now: datetime) -> Job | None:
    """Retry by hand: the same job with a new budget of attempts, its history kept. None if it is open or succeeded."""
    return one(revive_all(session, [job_id], now))


def revive_all(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Retry many jobs by hand."""
    fresh = {
        "cancel_requested": False,
        "finished_at": None,
        "expires_at": None,
        "reason": None,
        "crashes": 0,
        "waits_for": None,
    }
    return move(session, REVIVE, Job.id.in_(job_ids), run_at=now, budget_from=Job.attempt, budget_at=now, **fresh)


def amend(session: Session, job_id: UUID, *guards: ColumnElement[bool], **values: Any) -> Job | None:
    """Change a job that waits; None if it does not. A hint that was sent turns stale, and another follows."""
    return one(move(session, AMEND, Job.id == job_id, *guards, waits_for=None, **values))


def amend_all(session: Session, job_ids: Sequence[UUID], **values: Any) -> list[Job]:
    """Change many jobs that wait."""
    return move(session, AMEND, Job.id.in_(job_ids), waits_for=None, **values)


def hasten(session: Session, now: datetime, *which: ColumnElement[bool]) -> None:
    """Let scheduled jobs run at once, whatever they waited for."""
    late = update(Job).where(Job.state == State.SCHEDULED, Job.run_at > now, *which).values(run_at=now, waits_for=None)
    session.execute(late, execution_options={"synchronize_session": False})


def reoffer(session: Session, job_ids: Iterable[UUID], now: datetime) -> list[Hint]:
    """Queued jobs whose hints were lost: their hints go out again. No move; only the time of the hint changes."""
    return [Hint(*row) for row in session.connection().execute(_REOFFER, {"which": list(job_ids), "at": now})]


def find(session: Session, job_id: UUID) -> Job | None:
    """The job as the ledger has it now."""
    return session.scalars(select(Job).where(Job.id == job_id)).one_or_none()
