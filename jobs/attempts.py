"""The moves of an attempt: from a hint's claim to the record of how it ended. Those that come together go together."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, exists, func, insert, literal, select, tuple_, update
from sqlalchemy.orm import Session

from jobs import outbox, tally
from jobs.model import Attempt, Job, Queue
from jobs.outcome import Failed, Snoozed, Stopped, Succeeded, TryAgain, Verdict
from jobs.states import CLAIM, FAIL, HAND_BACK, RESCUE, RETRY, SNOOZE, STOP, SUCCEED, Ending, Move, State
from jobs.store import move, one
from runtime import metrics
from runtime.database import Instant, after_commit
from runtime.listed import listed, paired, written
from runtime.prepared import Prepared


class Claim(NamedTuple):
    """The right to run one attempt: worthless once the row has a higher epoch."""

    job_id: UUID
    epoch: int
    worker: UUID


class Taken(NamedTuple):
    """A claimed job: what its attempt needs of the row."""

    worker: UUID
    started_at: datetime
    id: UUID
    epoch: int
    tenant: str
    task: str
    queue: str
    callback: str | None
    payload: Any
    account: str | None
    retry: dict[str, Any]
    timeout: timedelta
    attempt: int
    budget_from: int
    budget_at: datetime
    crashes: int
    run_at: datetime
    request_id: str | None
    traceparent: str | None

    @property
    def claim(self) -> Claim:
        """The right to run it."""
        return Claim(self.id, self.epoch, self.worker)


_TAKEN = tuple(getattr(Job, name) for name in Taken._fields)
_PAUSED = exists().where(Queue.name == Job.queue, Queue.paused_at.is_not(None))
_CLAIMABLE = (  # locked in one order; what another has locked is about to move, and its hint is stale
    select(Job.id)
    .where(Job.id.in_(listed("wanted")), Job.state.in_(CLAIM.sources), ~_PAUSED)
    .where(Job.expires_at.is_(None) | (Job.expires_at > bindparam("at", type_=Instant)) | (Job.attempt > 0))
    .order_by(Job.id)
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(Job)
    .where(Job.id.in_(_CLAIMABLE), Job.state.in_(CLAIM.sources))
    .values(
        state=CLAIM.target, parked_at=None, waits_for=None, progress=None,
        epoch=Job.epoch + 1, attempt=Job.attempt + 1, worker=bindparam("claimant"), started_at=bindparam("at"),
    )
    .returning(*_TAKEN[2:])
)  # fmt: skip

_BEGIN = insert(Attempt).from_select(
    ("job_id", "epoch", "number", "worker", "started_at"),
    select(Job.id, Job.epoch, Job.attempt, Job.worker, Job.started_at).where(Job.id.in_(listed("claimed"))),
)

_ENDED = paired("ended")
_SUCCEEDED = select(Job.id, Job.epoch).where(tuple_(Job.id, Job.epoch).in_(_ENDED), Job.state == State.SUCCEEDED)
_HELD = (  # locked in one order
    select(Job.id)
    .where(tuple_(Job.id, Job.epoch).in_(_ENDED), Job.state.in_(SUCCEED.sources))
    .order_by(Job.id)
    .with_for_update()
)
_SUCCEED = (
    update(Job)
    .where(Job.id.in_(_HELD))
    .values(
        state=SUCCEED.target, parked_at=None, worker=None,
        finished_at=bindparam("at"), result=None, error=None, error_class=None,
    )
)  # fmt: skip
_RESULT = Prepared(update(Job).where(Job.id == bindparam("job")).values(result=bindparam("returned")), "job", "returned")
_END = (
    update(Attempt)
    .where(tuple_(Attempt.job_id, Attempt.epoch).in_(_ENDED))
    .values(finished_at=bindparam("at"), outcome=Ending.SUCCEEDED)
)


def claim_all(session: Session, job_ids: Iterable[UUID], worker: UUID, now: datetime) -> dict[UUID, Taken]:
    """Take queued jobs, each for one attempt; left out are those not there to be taken (a stale hint, a paused queue)."""
    connection = session.connection()
    asked = {"wanted": list(job_ids), "claimant": worker, "at": now}
    taken = [Taken(worker, now, *row) for row in connection.execute(_CLAIM, asked)]
    if taken:
        connection.execute(_BEGIN, {"claimed": [job.id for job in taken]})
        after_commit(session, partial(tally.waits, [(job.queue, now - job.run_at) for job in taken]))
    return {job.id: job for job in taken}


def held(session: Session, claim: Claim) -> Taken | None:
    """The job that a claim is about; None if the claim has been overtaken."""
    row = session.execute(select(*_TAKEN).where(*_held(claim))).one_or_none()
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
    if connection.execute(_SUCCEED, {"ended": pairs, "at": now}).rowcount != len(jobs):
        those = {tuple(row) for row in connection.execute(_SUCCEEDED, {"ended": pairs})}
        jobs = [job for job in jobs if (job.id, job.epoch) in those]
        pairs = _pairs(jobs)
    recorded = {job.id for job in jobs}
    if results := [(job.id, verdict.result) for job, verdict in ended if verdict.result is not None and job.id in recorded]:
        _RESULT.execute(connection, results)
    if jobs:
        connection.execute(_END, {"ended": pairs, "at": now})
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
