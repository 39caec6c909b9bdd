"""One attempt, from a claimed job to what Celery and Flower are told of it: run → judge → settle → tell."""

from collections.abc import Callable
from typing import Any, NamedTuple

import structlog
from celery import Task as CeleryTask
from celery.exceptions import Ignore, Retry

from jobs import liveness
from jobs.claims import Taken
from jobs.model import Job
from jobs.outcome import Succeeded
from jobs.states import State
from runtime import clock
from runtime.logs import bound
from runtime.settings import settings
from tasks import catalogue
from workers import claims, isolation
from workers.attempt import attempt
from workers.member import Member, here
from workers.running import Running
from workers.settlement import settle, settle_soon

log = structlog.get_logger()


class JobFailed(Exception):
    """The job is in the dead letter."""


class Ended(NamedTuple):
    """How an attempt ended, by the name that Celery's events have for it."""

    event: str
    message: str = ""
    when: float = 0  # seconds to the next attempt

    def fields(self, runtime: float) -> dict[str, Any]:
        """The fields of that event. `runtime` is in seconds."""
        match self.event:
            case "succeeded":
                return {"result": "None", "runtime": runtime}
            case "revoked":
                return {"terminated": False, "signum": None, "expired": False}
        return {"exception": self.message, "traceback": ""}


_SUCCEEDED = Ended("succeeded")


def execute(celery_task: CeleryTask, *_: Any, **__: Any) -> None:
    """Run the job that a message names, if it is there to be taken: what prefork's children do, under Celery's trace.

    Raises:
        Ignore: it is not, or it goes back without having failed; Celery makes nothing of it.
        Retry: the attempt failed, another follows.
        JobFailed: the job failed for good.
    """
    member = here()
    job = claims.take(claims.named(celery_task.request.id), member)
    if job is None:
        raise Ignore
    told: list[Ended | None] = []
    perform(job, member, told.append)
    match told:
        case [None] | [Ended("revoked")]:
            raise Ignore
        case [Ended("retried", message, when)]:
            raise Retry(message, when=when)
        case [Ended("failed", message)]:
            raise JobFailed(message)


def perform(job: Taken, member: Member, tell: Callable[[Ended | None], object]) -> None:
    """Run a claimed job. `tell` hears how it ended once that is recorded: of a success later, in another thread."""
    with bound(job_id=job.id, attempt=job.attempt, task=job.task, request_id=job.request_id):
        if liveness.is_suspect(job, settings().poison_crashes):
            _run_alone(job, member, tell)
        else:
            _run(job, member, tell)


def _run_alone(job: Taken, member: Member, tell: Callable[[Ended | None], object]) -> None:
    try:
        settled = isolation.run(job, member)
    finally:
        member.roll.let_go([job.id])
    tell(_ended(settled))


def _run(job: Taken, member: Member, tell: Callable[[Ended | None], object]) -> None:
    running, verdict = attempt(catalogue.find(job.task), job, member)
    if isinstance(verdict, Succeeded) and not running.fenced:
        settle_soon(running, verdict, then=lambda recorded: _succeeded(running, member, recorded, tell))
        return
    settled = running.settled
    try:
        if not running.fenced:
            settled = settle(running, verdict)
    finally:
        _leave(running, member, settled.state if settled else "overtaken", settled.reason if settled else None)
    tell(_ended(settled))


def _succeeded(running: Running, member: Member, recorded: bool, tell: Callable[[Ended | None], object]) -> None:
    _leave(running, member, "succeeded" if recorded else "overtaken")
    tell(_SUCCEEDED if recorded else None)


def _leave(running: Running, member: Member, state: str, reason: str | None = None) -> None:
    member.roll.end(running)
    say = log.debug if state == State.SUCCEEDED else log.info
    say("attempt ended", job_id=running.job.id, task=running.task, state=state, reason=reason)


def _ended(settled: Job | None) -> Ended | None:
    """None for what is nothing to Celery: overtaken, or gone back without having failed."""
    if settled is None:
        return None
    message = (settled.error or {}).get("message", "")
    match settled.state:
        case State.SUCCEEDED:
            return _SUCCEEDED
        case State.CANCELLED:
            return Ended("revoked")
        case State.FAILED:
            return Ended("failed", f"{settled.reason}: {message}")
        case State.SCHEDULED if settled.error is not None and not settled.waits_for:
            return Ended("retried", message, round((settled.run_at - clock.now()).total_seconds(), 1))
    return None
