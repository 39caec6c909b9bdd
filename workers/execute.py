"""What a hint sets off: claim → run → judge → settle → tell Celery, so that Flower shows what happened."""

from functools import partial
from typing import Any
from uuid import UUID

import structlog
from celery import Task as CeleryTask
from celery.exceptions import Ignore, Retry

from jobs import liveness, store
from jobs.model import Job
from jobs.states import State
from runtime import clock, metrics
from runtime.database import Unavailable
from runtime.logs import bound
from runtime.settings import settings
from tasks import catalogue
from workers import isolation
from workers.attempt import attempt
from workers.member import Member, here
from workers.settlement import settle
from workers.writes import write

log = structlog.get_logger()


class JobFailed(Exception):
    """The job is in the dead letter."""


def execute(celery_task: CeleryTask, *_: Any, **__: Any) -> None:
    """Run the job that the hint names, if it is there to be taken.

    Raises:
        Ignore: it is not, or it goes back without having failed; Celery makes nothing of it.
        Retry: the attempt failed, another follows.
        JobFailed: the job failed for good.
    """
    member, job_id = here(), _job_id(celery_task.request.id)
    if job_id is None:
        metrics.hints_stale.inc()
        raise Ignore
    with member.roll.in_hand(job_id):
        settled = _claim_and_run(job_id, member)
    _tell(settled)


def _claim_and_run(job_id: UUID, member: Member) -> Job | None:
    job = _claim(job_id, member)
    if job is None:
        metrics.hints_stale.inc()
        raise Ignore
    with bound(job_id=str(job.id), attempt=job.attempt, task=job.task, request_id=job.request_id):
        settled = _run(job, member)
        log.info(
            "attempt ended", state=settled.state if settled else "overtaken", reason=settled.reason if settled else None
        )
    return settled


def _run(job: Job, member: Member) -> Job | None:
    task = catalogue.find(job.task)
    if liveness.is_suspect(job, settings().poison_crashes):
        return isolation.run(job, member)
    running, verdict = attempt(task, job, member)
    try:
        return running.settled if running.fenced else settle(running, verdict)
    finally:
        member.roll.remove(running)


def _claim(job_id: UUID, member: Member) -> Job | None:
    """Take the job. With the database away nothing is taken; if it was all the same, the next heartbeat gives it back."""
    if member.id is None or not member.await_trust():
        return None
    try:
        return write(partial(store.claim, job_id=job_id, worker=member.id, now=clock.now()), job_id)
    except Unavailable as error:
        member.doubts.add(job_id)
        log.warning("not claimed: the database is away", job_id=str(job_id), error=str(error)[:300])
        return None


def _tell(settled: Job | None) -> None:
    if settled is None or settled.state is State.CANCELLED:
        raise Ignore
    message = (settled.error or {}).get("message", "")
    if settled.state is State.SCHEDULED:
        if settled.error is None or settled.waits_for:
            raise Ignore
        raise Retry(message, when=round((settled.run_at - clock.now()).total_seconds(), 1))
    if settled.state is State.FAILED:
        raise JobFailed(f"{settled.reason}: {message}")


def _job_id(celery_id: object) -> UUID | None:
    try:
        return UUID(str(celery_id))
    except ValueError:
        return None
