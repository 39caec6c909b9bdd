"""How attempts end, recorded: each by a move of its job. Those that succeed together are recorded together."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, func, literal, select, tuple_, update
from sqlalchemy.orm import Session

from jobs import outbox, tally
from jobs.claims import TAKEN, Claim, Taken
from jobs.model import Attempt, Job
from jobs.outcome import Failed, Snoozed, Stopped, Succeeded, TryAgain, Verdict
from jobs.states import FAIL, HAND_BACK, RESCUE, RETRY, SNOOZE, STOP, SUCCEED, Ending, Move, State
from jobs.store import move, one
from runtime import metrics
from runtime.afterwards import after_commit
from runtime.database import Instant
from runtime.listed import paired, written
from runtime.prepared import Prepared

_ENDED = paired("ended")
_SUCCEEDED = select(Job.id, Job.epoch).where(tuple_(Job.id, Job.epoch).in_(_ENDED), Job.state == State.SUCCEEDED)
_HELD = (  # locked in one order
    select(Job.id)
    .where(tuple_(Job.id, Job.epoch).in_(_ENDED), Job.state.in_(SUCCEED.sources))
    .order_by(Job.id)
    .with_for_update()
)
_SUCCEED = Prepared(
    update(Job)
    .where(Job.id.in_(_HELD))
    .values(
        state=SUCCEED.target, parked_at=None, worker=None,
        finished_at=bindparam("at"), result=None, error=None, error_class=None,
    ),
    "ended", "at",
)  # fmt: skip
_RESULT = Prepared(update(Job).where(Job.id == bindparam("job")).values(result=bindparam("returned")), "job", "returned")
_END = Prepared(
    update(Attempt)
    .where(tuple_(Attempt.job_id, Attempt.epoch).in_(_ENDED))
    .values(finished_at=bindparam("at"), outcome=Ending.SUCCEEDED),
    "ended", "at",
)  # fmt: skip


def held(session: Session, claim: Claim) -> Taken | None:
    """The job that a claim is about; None if the claim has been overtaken."""
    row = session.execute(select(*TAKEN).where(*_held(claim))).one_or_none()
    return None if row is None else Taken(*row)


def succeed_all(session: Session, ended: Sequence[tuple[Taken, Succeeded]], now: datetime) -> list[bool]:
    """Record attempts that returned. For each, whether it was recorded: False if its claim has been overtaken."""
    untold = [(job, verdict) for job, verdict in ended if not outbox.is_told(session, job, SUCCEED.target)]
    recorded = _succeed_quietly(session, untold, now)
    return [job.id in recorded or settle(session, job.claim, verdict, now) is not None for job, verdict in ended]


def _succeed_quietly(session: Session, ended: Sequence[tuple[Taken, Succeeded]], now: datetime) -> set[UUID]:
    """Record at once the successes that nobody is to be told of. Returns of which jobs; the others were overtaken."""
    if not ended:
        return set()
    connection, jobs = session.connection(), [job for job, _ in ended]
    pairs = _pairs(jobs)
    if _SUCCEED.execute(connection, [(pairs, now)]) != len(jobs):
        those = {tuple(row) for row in connection.execute(_SUCCEEDED, {"ended": pairs})}
        jobs = [job for job in jobs if (job.id, job.epoch) in those]
        pairs = _pairs(jobs)
    recorded = {job.id for job in jobs}
    if results := [(job.id, verdict.result) for job, verdict in ended if verdict.result is not None and job.id in recorded]:
        _RESULT.execute(connection, results)
    if jobs:
        _END.execute(connection, [(pairs, now)])
        after_commit(session, partial(tally.successes, jobs, now))
    return recorded


def _pairs(jobs: Iterable[Taken]) -> str:
    return written((job.id, job.epoch) for job in jobs)


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


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return Job.id == claim.job_id, Job.epoch == claim.epoch, Job.worker == claim.worker


def _end(
    session: Session,
    kind: Move,
    claim: Claim,
    ending: Ending,
    now: datetime,
    kept: dict[str, Any] | None = None,
    **values: Any,
) -> Job | None:
    job = one(move(session, kind, *_held(claim), worker=None, **values))
    if job is not None:
        _record(session, claim, job, ending, now, kept)
    return job


def _end_unless_cancelled(
    session: Session,
    kind: Move,
    claim: Claim,
    ending: Ending,
    now: datetime,
    kept: dict[str, Any] | None,
    **values: Any,
) -> Job | None:
    """End the attempt by a move back to the ledger; if a cancel was asked for meanwhile, the job stops here."""
    job = one(move(session, kind, *_held(claim), Job.cancel_requested.is_(False), worker=None, **values))
    if job is None:
        job = one(move(session, STOP, *_held(claim), Job.cancel_requested.is_(True), worker=None, finished_at=now))
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
    after_commit(session, partial(tally.attempts, job.task, ending, now, [job.started_at or now]))
    if ending is Ending.RETRY:
        after_commit(session, partial(metrics.retries.labels(job.task).inc))
