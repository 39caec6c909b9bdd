"""Every move of a job: one function, one guarded UPDATE. Who comes second finds no row, and nothing happens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session

from jobs import outbox
from jobs.model import Attempt, Job, Queue
from jobs.outcome import Failed, Snoozed, Stopped, Succeeded, TryAgain, Verdict
from jobs.states import (
    AMEND,
    CANCEL,
    CLAIM,
    EXPIRE,
    FAIL,
    HAND_BACK,
    PARK,
    RELEASE,
    RESCUE,
    RETRY,
    REVIVE,
    SNOOZE,
    STOP,
    SUCCEED,
    Ending,
    Move,
    State,
)
from runtime import metrics
from runtime.database import Instant, after_commit


@dataclass(frozen=True)
class Claim:
    """The right to run one attempt: worthless once the row has a higher epoch."""

    job_id: UUID
    epoch: int
    worker: UUID


def _move(session: Session, move: Move, *guards: ColumnElement[bool], **values: Any) -> list[Job]:
    """The one statement behind all moves. Returns the rows that moved."""
    if "error" in values:
        values["error_class"] = (values["error"] or {}).get("class", "")[:64] or None
    values = {"state": move.target, "parked_at": None} | values
    statement = update(Job).where(Job.state.in_(move.sources), *guards).values(**values).returning(Job)
    options = {"synchronize_session": False, "populate_existing": True}
    moved = list(session.scalars(statement, execution_options=options))
    for job in moved:
        if job.finished_at is not None:
            after_commit(session, partial(metrics.finished.labels(job.task, job.queue, job.state).inc))
    outbox.tell_ends(session, [job for job in moved if job.finished_at is not None])
    return moved


def _one(moved: Sequence[Job]) -> Job | None:
    return moved[0] if moved else None


def release(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Due jobs go to their queue: the caller publishes their hints after the commit."""
    return _move(session, RELEASE, Job.id.in_(job_ids), hinted_at=now)


def park(session: Session, job_ids: Sequence[UUID], why: str, now: datetime) -> list[Job]:
    """Jobs whose account is held are put aside until it lets them go. A hint that was sent turns stale."""
    return _move(session, PARK, Job.id.in_(job_ids), parked_at=now, waits_for=why[:200])


def claim(session: Session, job_id: UUID, worker: UUID, now: datetime) -> Job | None:
    """Take a queued job for one attempt; None if it is not there to be taken (a stale hint, a paused queue)."""
    paused = exists().where(Queue.name == Job.queue, Queue.paused_at.is_not(None))
    fresh = Job.expires_at.is_(None) | (Job.expires_at > now) | (Job.attempt > 0)
    job = _one(
        _move(
            session, CLAIM, Job.id == job_id, ~paused, fresh,
            epoch=Job.epoch + 1, attempt=Job.attempt + 1, worker=worker, started_at=now, waits_for=None, progress=None,
        )
    )  # fmt: skip
    if job is not None:
        record = {"job_id": job.id, "epoch": job.epoch, "number": job.attempt, "worker": worker, "started_at": now}
        session.execute(insert(Attempt).values(record))
        after_commit(
            session,
            partial(metrics.wait_seconds.labels(job.queue).observe, max(0.0, (now - job.run_at).total_seconds())),
        )
    return job


def settle(session: Session, claim: Claim, verdict: Verdict, now: datetime) -> Job | None:
    """Record how an attempt ended. None if the claim has been overtaken: nothing was written."""
    match verdict:
        case Succeeded(result):
            job = _end(session, SUCCEED, claim, Ending.SUCCEEDED, now, finished_at=now, result=result, error=None)
        case TryAgain(delay, error):
            job = _end_unless_cancelled(session, RETRY, claim, Ending.RETRY, now, error, run_at=now + delay, error=error)
        case Snoozed(delay, why, error, account):
            later = {"run_at": now + delay} if account is None else _with_account(account, now + delay)
            spent = {"attempt": Job.attempt - 1, "waits_for": why[:200]}
            job = _end_unless_cancelled(session, SNOOZE, claim, Ending.SNOOZED, now, error, **later, **spent)
        case Failed(reason, error):
            job = _end(session, FAIL, claim, Ending.FAILED, now, error, finished_at=now, reason=reason, error=error)
        case Stopped():
            job = _end(session, STOP, claim, Ending.CANCELLED, now, finished_at=now)
    if job is None:
        metrics.lease_losses.inc()
    return job


def _with_account(account: str, later: datetime) -> dict[str, Any]:
    """A job of this account, or of none that was known, waits with it and keeps its place; another's comes back later."""
    its = func.coalesce(Job.account, account)
    return {"account": its, "run_at": case((its == account, Job.run_at), else_=literal(later, Instant()))}


def hand_back(session: Session, claim: Claim, now: datetime) -> Job | None:
    """The worker stops before the attempt has ended: the job goes back at once, and the attempt does not count."""
    return _end_unless_cancelled(
        session, HAND_BACK, claim, Ending.HANDED_BACK, now, None, run_at=now, attempt=Job.attempt - 1
    )


def rescue(session: Session, claim: Claim, verdict: Verdict, crashes: int, now: datetime) -> Job | None:
    """The worker died under the attempt: another try, with no attempt spent, or the dead letter."""
    match verdict:
        case TryAgain(delay, error):
            back = {"run_at": now + delay, "error": error, "crashes": crashes, "attempt": Job.attempt - 1}
            job = _end_unless_cancelled(session, RESCUE, claim, Ending.LOST, now, error, **back)
        case Failed(reason, error):
            last = {"finished_at": now, "reason": reason, "error": error, "crashes": crashes}
            job = _end(session, FAIL, claim, Ending.LOST, now, error, **last)
        case _:
            raise ValueError(f"a lost attempt cannot end as {verdict}")
    if job is not None:
        after_commit(session, metrics.rescued.inc)
    return job


def cancel(session: Session, job_id: UUID, now: datetime) -> Job | None:
    """Cancel a job: at once if it has not started; a running one is asked to give way. None if it is final."""
    return _one(cancel_all(session, [job_id], now))


def expire(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Jobs that were not started before their `expires_at`."""
    return _move(session, EXPIRE, Job.id.in_(job_ids), Job.attempt == 0, Job.expires_at <= now, finished_at=now)


def cancel_all(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Cancel many jobs at once; those that run are asked to give way."""
    cancelled = drop_all(session, job_ids, now)
    asked = update(Job).where(Job.id.in_(job_ids), Job.state == State.RUNNING).values(cancel_requested=True).returning(Job)
    options = {"synchronize_session": False, "populate_existing": True}
    return [*cancelled, *session.scalars(asked, execution_options=options)]


def drop_all(session: Session, job_ids: Sequence[UUID], now: datetime) -> list[Job]:
    """Cancel those of the jobs that wait."""
    return _move(session, CANCEL, Job.id.in_(job_ids), cancel_requested=True, finished_at=now)


def revive(session: Session, job_id: UUID, now: datetime) -> Job | None:
    """Retry by hand: the same job with a new budget of attempts, its history kept. None if it is open or succeeded."""
    return _one(revive_all(session, [job_id], now))


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
    return _move(session, REVIVE, Job.id.in_(job_ids), run_at=now, budget_from=Job.attempt, budget_at=now, **fresh)


def amend(session: Session, job_id: UUID, *guards: ColumnElement[bool], **values: Any) -> Job | None:
    """Change a job that waits; None if it does not. A hint that was sent turns stale, and another follows."""
    return _one(_move(session, AMEND, Job.id == job_id, *guards, waits_for=None, **values))


def amend_all(session: Session, job_ids: Sequence[UUID], **values: Any) -> list[Job]:
    """Change many jobs that wait."""
    return _move(session, AMEND, Job.id.in_(job_ids), waits_for=None, **values)


def hasten(session: Session, now: datetime, *which: ColumnElement[bool]) -> None:
    """Let scheduled jobs run at once, whatever they waited for."""
    late = update(Job).where(Job.state == State.SCHEDULED, Job.run_at > now, *which).values(run_at=now, waits_for=None)
    session.execute(late, execution_options={"synchronize_session": False})


def reoffer(session: Session, job_ids: Iterable[UUID], now: datetime) -> list[Job]:
    """Queued jobs whose hints were lost: their hints go out again. No move; only the time of the hint changes."""
    statement = update(Job).where(Job.id.in_(list(job_ids)), Job.state == State.QUEUED).values(hinted_at=now).returning(Job)
    return list(session.scalars(statement, execution_options={"synchronize_session": False, "populate_existing": True}))


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return Job.id == claim.job_id, Job.epoch == claim.epoch, Job.worker == claim.worker


def _end(
    session: Session,
    move: Move,
    claim: Claim,
    ending: Ending,
    now: datetime,
    kept: dict[str, Any] | None = None,
    **values: Any,
) -> Job | None:
    job = _one(_move(session, move, *_held(claim), worker=None, **values))
    if job is not None:
        _record(session, claim, job, ending, now, kept)
    return job


def _end_unless_cancelled(
    session: Session,
    move: Move,
    claim: Claim,
    ending: Ending,
    now: datetime,
    kept: dict[str, Any] | None,
    **values: Any,
) -> Job | None:
    """End the attempt by a move back to the ledger; if a cancel was asked for meanwhile, the job stops here."""
    job = _one(_move(session, move, *_held(claim), Job.cancel_requested.is_(False), worker=None, **values))
    if job is None:
        job = _one(_move(session, STOP, *_held(claim), Job.cancel_requested.is_(True), worker=None, finished_at=now))
        ending = Ending.CANCELLED if ending is not Ending.LOST else ending
    if job is not None:
        _record(session, claim, job, ending, now, kept)
    return job


def _record(session: Session, claim: Claim, job: Job, ending: Ending, now: datetime, kept: dict[str, Any] | None) -> None:
    again = job.run_at if job.state is State.SCHEDULED else None
    session.execute(
        update(Attempt)
        .where(Attempt.job_id == claim.job_id, Attempt.epoch == claim.epoch)
        .values(finished_at=now, outcome=ending, error=kept, retry_at=again)
    )
    ran = max(timedelta(0), now - job.started_at) if job.started_at else timedelta(0)
    after_commit(session, partial(metrics.run_seconds.labels(job.task).observe, ran.total_seconds()))
    after_commit(session, partial(metrics.attempts.labels(job.task, ending).inc))
    if ending is Ending.RETRY:
        after_commit(session, partial(metrics.retries.labels(job.task).inc))


def find(session: Session, job_id: UUID) -> Job | None:
    """The job as the ledger has it now."""
    return session.scalars(select(Job).where(Job.id == job_id)).one_or_none()
