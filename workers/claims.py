"""From hints to claimed jobs: hints that come in together are claimed together."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from uuid import UUID, uuid4

import structlog
from sqlalchemy.orm import Session

from jobs import claims
from jobs.claims import Claimed, Taken
from jobs.matching import rulebook
from jobs.model import DEFAULT_TENANT
from runtime import clock, metrics, prepared
from runtime.afterwards import after_commit
from runtime.database import Unavailable, engine, must_last
from workers import writes
from workers.member import Member, give_back

log = structlog.get_logger()


def named(celery_id: object) -> UUID | None:
    """The job that a message's id names; None if it is no hint of ours (not every transport has looked at it)."""
    try:
        return UUID(str(celery_id))
    except ValueError:
        return None


def rehearse() -> None:
    """Have at hand what the first job of this process would wait for: statements, a connection, the rules of who listens."""

    def take_none(session: Session) -> None:
        claims.claim_all(session, [uuid4()], uuid4(), clock.now())
        rulebook.current(session, DEFAULT_TENANT)

    prepared.make_all(engine().dialect)
    with suppress(*Unavailable):
        writes.write(take_none, uuid4())


def begin(job_ids: Sequence[UUID], member: Member, then: Callable[[list[Taken | None]], object]) -> None:
    """Begin to claim jobs. `then` hears which are now in this process's hand: None for each that was not there to be taken.

    With the database away nothing is taken; if it was all the same, the next heartbeat gives it back.
    """
    member.roll.grasp(job_ids)
    writes.send(_claim_all, (member.id, job_ids), lambda found: then(_taken(found, job_ids, member)), lasting=False)


def _taken(found: Claimed | BaseException, job_ids: Sequence[UUID], member: Member) -> list[Taken | None]:
    """Each job goes to the first hint of it, whoever else asked for it in the same transaction; a second one is stale."""
    jobs: list[Taken | None] = [None] * len(job_ids)
    if isinstance(found, Claimed):
        jobs = [found.jobs.pop(job_id, None) for job_id in job_ids]
    else:
        member.doubts.update(job_ids)
        if isinstance(found, Unavailable):
            log.warning("not claimed: the database is away", jobs=len(job_ids), error=str(found)[:300])
        else:  # a slot is never lost to a bug
            log.error("not claimed", jobs=len(job_ids), exc_info=found)
    missed = [job_id for job_id, job in zip(job_ids, jobs, strict=True) if job is None]
    if missed:
        member.roll.let_go(missed)
        metrics.hints_stale.inc(len(missed))
    return jobs


def take(job_id: UUID | None, member: Member) -> Taken | None:
    """Claim one job, and wait for it; first for the lease to hold, if it does not. None if it is not there to be taken."""
    if job_id is None or not member.await_trust():
        metrics.hints_stale.inc()
        return None
    claimed: Future[list[Taken | None]] = Future()
    begin([job_id], member, claimed.set_result)
    return claimed.result()[0]


def put_back(jobs: Iterable[Taken], member: Member) -> None:
    """Give claimed jobs back that have not begun; if that fails, the next heartbeat or the scheduler does."""
    there = True
    for job in jobs:
        try:
            if there:
                give_back(job.claim, never_begun=True)
        except Unavailable as error:
            there = False
            log.warning("not given back: the database is away", error=str(error)[:300])
        finally:
            if not there:
                member.doubts.add(job.id)
            member.roll.let_go([job.id])


def _claim_all(session: Session, asked: Sequence[tuple[UUID, Sequence[UUID]]]) -> list[Claimed]:
    """A claim need not outlive the machine, since its worker does not; unless after a lost one the job may not run again."""
    worker = asked[0][0]  # a process is one member
    claimed = claims.claim_all(session, {job_id for _, wanted in asked for job_id in wanted}, worker, clock.now())

    def keep() -> None:
        if any(job.retry["on_unknown"] != "retry" for job in claimed.jobs.values()):
            must_last(session)

    after_commit(session, keep)
    return [claimed] * len(asked)
