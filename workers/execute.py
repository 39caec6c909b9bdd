"""What a hint sets off: claim → run → judge → settle → tell Celery, so that Flower shows what happened."""

import logging
from typing import Any
from uuid import UUID

import structlog
from celery import Task as CeleryTask
from celery.exceptions import Ignore, Retry

from jobs import liveness
from jobs.model import Job
from jobs.outcome import Succeeded
from jobs.states import State
from runtime import clock, metrics
from runtime.logs import bound
from runtime.settings import settings
from tasks import catalogue
from workers import isolation
from workers.attempt import attempt
from workers.claims import claims
from workers.member import Member, here
from workers.running import Running
from workers.settlement import settle, settle_soon

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
    job = claims.take(job_id, member) if job_id is not None else None
    if job is None:
        metrics.hints_stale.inc()
        raise Ignore
    with bound(job_id=str(job.id), attempt=job.attempt, task=job.task, request_id=job.request_id):
        if liveness.is_suspect(job, settings().poison_crashes):
            _run_alone(job, member)
        else:
            _run(job, member)


def _run_alone(job: Job, member: Member) -> None:
    try:
        settled = isolation.run(job, member)
    finally:
        member.roll.let_go(job.id)
    _tell(settled)


def _run(job: Job, member: Member) -> None:
    running, verdict = attempt(catalogue.find(job.task), job, member)
    if isinstance(verdict, Succeeded) and not running.fenced:
        settle_soon(
            running, verdict, then=lambda recorded: _leave(running, member, "succeeded" if recorded else "overtaken")
        )
        return
    settled = running.settled
    try:
        if not running.fenced:
            settled = settle(running, verdict)
    finally:
        _leave(running, member, settled.state if settled else "overtaken", settled.reason if settled else None)
    _tell(settled)


def _leave(running: Running, member: Member, state: str, reason: str | None = None) -> None:
    member.roll.remove(running)
    member.roll.let_go(running.claim.job_id)
    level = logging.DEBUG if state == State.SUCCEEDED else logging.INFO
    log.log(level, "attempt ended", job_id=str(running.claim.job_id), task=running.task, state=state, reason=reason)


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
