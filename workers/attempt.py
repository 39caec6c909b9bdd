"""Running one attempt: from a claimed row to a verdict. Whatever the task does, a verdict comes out."""

import json
import traceback
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import structlog
from pydantic_core import to_jsonable_python

from jobs.claims import Taken
from jobs.errors import Cancelled, Invalid, LeaseLost, Rejected, TaskError, TimedOut
from jobs.outcome import Stopped, Succeeded, Verdict, describe, judge
from jobs.policy import RetryPolicy
from jobs.receipts import Book
from runtime import clock
from runtime.settings import settings
from tasks import Context, Task, context
from workers.coroutines import loop
from workers.member import Member
from workers.running import Running
from workers.writes import write

log = structlog.get_logger()


def attempt(task: Task, job: Taken, member: Member) -> tuple[Running, Verdict]:
    """Run the task on the job, and judge how it ended."""
    running = begin(job, member)
    seen = _context(job, running, member)
    token = context.enter(seen)
    try:
        verdict: Verdict = Succeeded(_storable(_call(task, job, seen, running)))
    except BaseException as error:  # noqa: BLE001 - SystemExit in a task must not end the worker
        verdict = _judged(error, job)
        if running.cancelled and isinstance(error, CancelledError):
            verdict = Stopped()
    finally:
        context.leave(token)
    return running, verdict


def begin(job: Taken, member: Member) -> Running:
    """Enter the attempt on the process's roll."""
    deadline = clock.monotonic() + job.timeout.total_seconds()
    running = Running(job, deadline)
    member.roll.add(running)
    return running


def timed_out(job: Taken) -> Verdict:
    """The verdict on an attempt that did not end in its time."""
    return _judged(TimedOut(f"the attempt ran past its time limit of {job.timeout.total_seconds():g} s"), job)


def _call(task: Task, job: Taken, seen: Context, running: Running) -> Any:
    try:
        payload = task.read(job.payload)
    except Invalid as error:
        raise Rejected(f"the payload no longer fits the task: {error}") from None
    if not task.is_async:
        return task.call(payload, seen)
    future = loop.start(task.call(payload, seen))
    running.on_cancel = future.cancel
    return _await(future, seen)


def _await(future: "Future[Any]", seen: Context) -> Any:
    try:
        return future.result(seen.remaining().total_seconds())
    except FutureTimeout:
        if future.done():
            raise  # the task's own TimeoutError
        future.cancel()
        raise TimedOut("the attempt ran past its time limit") from None


def _context(job: Taken, running: Running, member: Member) -> Context:
    def say(level: str, message: str) -> None:
        log.info(message, level_of_task=level)
        running.write_line(level, message)

    return Context(
        job_id=job.id,
        task=job.task,
        attempt=job.attempt,
        deadline=running.deadline,
        account=job.account,
        request_id=job.request_id,
        traceparent=job.traceparent,
        write_line=say,
        write_progress=running.write_progress,
        is_cancelled=lambda: running.cancelled,
        is_trusted=lambda: member.is_trusted and not running.fenced,
        book=Book(running.claim, write),
        at_least_once=job.retry["on_unknown"] == "retry",
    )


def _judged(error: BaseException, job: Taken) -> Verdict:
    known = isinstance(error, TaskError | Cancelled | LeaseLost)
    kept = describe(error, None if known else "".join(traceback.format_exception(error)))
    policy = RetryPolicy.model_validate(job.retry)
    return judge(
        error,
        attempt=job.attempt - job.budget_from,
        age=clock.now() - job.budget_at,
        policy=policy,
        kept=kept,
        waits=job.epoch - job.attempt,
    )


def _storable(result: Any) -> Any:
    """The result as JSON; a result that is too large is replaced by its size and its head, since the work is done."""
    if result is None:
        return None
    plain = to_jsonable_python(result, fallback=repr, inf_nan_mode="null")
    text = json.dumps(plain, ensure_ascii=True)
    if len(text) > settings().result_limit:
        return {"truncated": True, "bytes": len(text), "head": text[:1000]}
    return plain
