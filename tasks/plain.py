"""Plain Celery tasks, unchanged: a `@shared_task` of a module named by TREADLE_TASK_MODULES becomes a task of the catalogue.

`task.delay()` and `apply_async()` in our processes go to the ledger; `self.retry()` and `autoretry_for` become our retries.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Task as CeleryTask
from celery.exceptions import Retry
from pydantic import BaseModel, ConfigDict

from jobs.errors import Transient
from jobs.policy import RetryPolicy
from jobs.submit import Order, submit
from runtime import clock
from runtime.broker import app
from runtime.database import transaction
from tasks.context import Context
from tasks.registry import Catalogue, Task

LONGEST = timedelta(hours=1)  # where the task names no time limit: plain Celery has none


class Call(BaseModel):
    """The arguments of a plain Celery task."""

    model_config = ConfigDict(extra="forbid")

    args: list[Any] = []
    kwargs: dict[str, Any] = {}


def adopt(catalogue: Catalogue) -> None:
    """Add every Celery task that the loaded modules declared and that the catalogue does not know."""
    app.finalize()
    for name, plain in sorted(app.tasks.items()):
        if not name.startswith("celery.") and name not in catalogue:
            catalogue.add(_adopted(name, plain))
            _redirect(plain)


def _adopted(name: str, plain: CeleryTask) -> Task:
    limit = plain.time_limit or plain.soft_time_limit
    attempts = RetryPolicy().max_attempts if plain.max_retries is None else min(plain.max_retries + 1, 1000)
    return Task(
        name=name,
        run=_runner(plain),
        payload=Call,
        wants_context=True,
        queue=(plain.queue or "default") if hasattr(plain, "queue") else "default",
        timeout=timedelta(seconds=limit) if limit else LONGEST,
        retry=RetryPolicy(max_attempts=attempts, retry_after_max=timedelta(days=365)),
        summary=(plain.__doc__ or "").strip().partition("\n")[0],
        example={"args": [], "kwargs": {}},
    )


def _runner(plain: CeleryTask) -> Any:
    def run(call: Call, context: Context) -> Any:
        plain.push_request(
            id=str(context.job_id), retries=context.attempt - 1, args=call.args, kwargs=call.kwargs, called_directly=False
        )
        try:
            return plain.run(*call.args, **call.kwargs)
        except Retry as wish:
            raise Transient(str(wish.exc or wish.message or "asked to be retried"), after=_wait(plain, wish)) from wish.exc
        finally:
            plain.pop_request()

    run.__module__, run.__qualname__ = plain.run.__module__, plain.run.__qualname__
    return run


def _wait(plain: CeleryTask, wish: Retry) -> timedelta:
    match wish.when:
        case datetime():
            when = wish.when if wish.when.tzinfo else wish.when.replace(tzinfo=UTC)
            return when - clock.now()
        case None:
            return timedelta(seconds=plain.default_retry_delay)
    return timedelta(seconds=float(wish.when))


def _redirect(plain: CeleryTask) -> None:
    """Point the task's own ways of sending and retrying at the ledger."""

    def apply_async(
        args: Any = None, kwargs: Any = None, countdown: float | None = None, eta: Any = None, **options: Any
    ) -> Any:
        run_at = clock.now() + timedelta(seconds=countdown) if countdown else eta
        declared = _adopted(plain.name, plain)
        order = Order(
            task=plain.name,
            payload={"args": list(args or ()), "kwargs": dict(kwargs or {})},
            queue=options.get("queue") or declared.queue,
            run_at=run_at,
            timeout=declared.timeout,
            retry=declared.retry,
        )
        with transaction() as session:
            return plain.AsyncResult(str(submit(session, order).job.id))

    def retry(*_: Any, exc: BaseException | None = None, countdown: float | None = None, eta: Any = None, **__: Any) -> Any:
        raise Retry("asked to be retried", exc=exc, when=countdown if countdown is not None else eta)

    plain.apply_async = apply_async
    plain.retry = retry
