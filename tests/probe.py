"""Scripted tasks for tests: each does what its payload says. Loaded by TREADLE_TASK_MODULES=tests.probe."""

import asyncio
import os
import signal
import time
from datetime import timedelta
from typing import Any

from celery import shared_task
from pydantic import BaseModel

from jobs.errors import Ambiguous, Cancelled, Rejected, Snooze, Transient
from jobs.policy import Fixed, RetryPolicy
from tasks import Context, http, task

QUICK = RetryPolicy(max_attempts=5, backoff=Fixed(delay=timedelta(milliseconds=50)))


class Script(BaseModel):
    """What to do; for `fail`, on how many attempts before it works."""

    do: str = "ok"
    seconds: float = 0
    times: int = 1
    size: int = 0
    url: str = ""


@task("probe.run", retry=QUICK, timeout=timedelta(seconds=30))
def run(script: Script, context: Context) -> Any:
    """Do as told."""
    context.log(f"told to {script.do}")
    match script.do:
        case "sleep":
            time.sleep(script.seconds)
        case "yield":
            _until_cancelled(script.seconds, context)
        case "call":
            _call(script.url, script.seconds, context)
        case "fail" if context.attempt <= script.times:
            raise Transient("told to fail")
        case "break" if context.attempt <= script.times:
            raise RuntimeError("told to break")
        case "reject":
            raise Rejected("told to reject", status=400, code="told")
        case "doubt":
            raise Ambiguous("told to doubt")
        case "snooze" if context.progress(1, 2) is None and not _seen(context):
            raise Snooze(timedelta(milliseconds=200), "told to snooze")
        case "exit":
            os._exit(3)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "call late":  # its worker may have lost its lease meanwhile
            time.sleep(script.seconds)
            return http.send("POST", script.url, headers={"idempotency-key": context.key()}).status
        case "swell":
            _swell(script.size)
        case "big":
            return "x" * script.size
    return {"attempt": context.attempt, "pid": os.getpid()}


@task("probe.cpu", queue="cpu", retry=QUICK, timeout=timedelta(seconds=30))
def cpu(script: Script, context: Context) -> Any:
    """The same, on the queue of the prefork pool."""
    return run(script, context)


@task("probe.async", retry=QUICK, timeout=timedelta(seconds=30))
async def coroutine(script: Script, context: Context) -> Any:
    """The same, as a coroutine."""
    await asyncio.sleep(script.seconds)
    return {"attempt": context.attempt}


@task("probe.careful", retry=RetryPolicy(on_unknown="fail"), timeout=timedelta(seconds=30))
def careful(script: Script, context: Context) -> Any:
    """The same, but never blindly twice."""
    return run(script, context)


@task("probe.heard", retry=QUICK, on="probe.said")
def heard(script: Script) -> Any:
    """Do as an event of the type probe.said tells."""
    return {"heard": script.do}


@shared_task(bind=True, max_retries=3, default_retry_delay=0.05)
def plain(self: Any, left: int, right: int, fail: int = 0) -> int:
    """A plain Celery task, as users have them."""
    if self.request.retries < fail:
        raise self.retry(exc=ValueError("not yet"), countdown=0.05)
    return left + right


_snoozed: set[Any] = set()


def _seen(context: Context) -> bool:
    try:
        return context.job_id in _snoozed
    finally:
        _snoozed.add(context.job_id)


def _call(url: str, seconds: float, context: Context) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        http.send("POST", url, headers={"Idempotency-Key": f"{context.job_id} by {os.getpid()}"}, json={})
        time.sleep(0.1)


def _swell(size: int) -> None:
    """Take memory, page by page, up to `size` bytes."""
    held: list[bytes] = []
    while len(held) * 10_000_000 < size:
        held.append(b"x" * 10_000_000)
        time.sleep(0.01)  # so that a killer has time to see it
    time.sleep(30)


def _until_cancelled(seconds: float, context: Context) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        context.progress(1, 10, "waiting")
        if context.cancelled:
            raise Cancelled
        time.sleep(0.05)
