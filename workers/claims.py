"""From hints to claimed jobs: hints that come in together are claimed together."""

from collections.abc import Sequence
from concurrent.futures import Future
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from jobs import attempts
from jobs.attempts import Taken
from runtime import clock, metrics
from runtime.database import Unavailable
from workers import writes
from workers.member import Member, give_back

log = structlog.get_logger()

Claiming = Future[list[Taken | None]]


def named(celery_id: object) -> UUID | None:
    """The job that a message's id names; None if it is no hint of ours (not every transport has looked at it)."""
    try:
        return UUID(str(celery_id))
    except ValueError:
        return None


def begin(job_ids: Sequence[UUID], member: Member) -> Claiming:
    """Begin to claim jobs; `taken` says what came of it."""
    for job_id in job_ids:
        member.roll.grasp(job_id)
    claiming: Claiming = writes.join(_claim_all, (member.id, job_ids)).answer
    return claiming


def taken(claiming: Claiming, job_ids: Sequence[UUID], member: Member) -> list[Taken | None]:
    """The jobs, claimed and in this process's hand; None for each that is not there to be taken.

    With the database away nothing is taken; if it was all the same, the next heartbeat gives it back.
    """
    jobs: list[Taken | None] = [None] * len(job_ids)
    try:
        jobs = claiming.result()
    except Unavailable as error:
        member.doubts.update(job_ids)
        log.warning("not claimed: the database is away", jobs=len(job_ids), error=str(error)[:300])
    except Exception:  # a slot is never lost to a bug
        member.doubts.update(job_ids)
        log.exception("not claimed", jobs=len(job_ids))
    finally:
        for job_id, job in zip(job_ids, jobs, strict=True):
            if job is None:
                member.roll.let_go(job_id)
                metrics.hints_stale.inc()
    return jobs


def take(job_id: UUID | None, member: Member) -> Taken | None:
    """Claim one job, and wait for it; first for the lease to hold, if it does not. None if it is not there to be taken."""
    if job_id is None or not member.await_trust():
        metrics.hints_stale.inc()
        return None
    return taken(begin([job_id], member), [job_id], member)[0]


def put_back(job: Taken, member: Member) -> None:
    """Give a claimed job back that has not begun; if that fails, the next heartbeat or the scheduler does."""
    member.roll.let_go(job.id)
    try:
        give_back(job.claim, never_begun=True)
    except Unavailable:
        member.doubts.add(job.id)


def _claim_all(session: Session, asked: Sequence[tuple[UUID, Sequence[UUID]]]) -> list[list[Taken | None]]:
    """Each job goes to the first hint of it; a second one is stale."""
    worker = asked[0][0]  # a process is one member
    found = attempts.claim_all(session, {job_id for _, wanted in asked for job_id in wanted}, worker, clock.now())
    return [[found.pop(job_id, None) for job_id in wanted] for _, wanted in asked]
