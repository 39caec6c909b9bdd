"""Celery's pool of threads, in which a hint gets its thread once its job is claimed."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from celery.concurrency import thread
from celery.concurrency.base import apply_target
from kombu.asynchronous import get_event_loop

from workers.claims import claims
from workers.member import present


class TaskPool(thread.TaskPool):
    """What came in while the ledger was writing is claimed in its next transaction, with no thread waiting for it."""

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
        callback: Callable[..., Any] | None = None,
        accept_callback: Callable[..., Any] | None = None,
        **_: Any,
    ) -> thread.ApplyResult:
        """Run `target`, which is Celery's trace of the task whose id stands second in `args`."""
        run = partial(self.executor.submit, _run, target, args, kwargs, callback, accept_callback)
        member = present()
        if member is None or not member.is_trusted or member.draining.is_set():
            return thread.ApplyResult(run())
        claiming = claims.prepare(UUID(args[1]), member)
        claiming.add_done_callback(lambda _: run())
        return thread.ApplyResult(claiming)


def _run(*call: Any) -> None:
    """Celery's call, and word to its loop that a slot is free: by itself it would find out at its next timer."""
    try:
        apply_target(*call)
    finally:
        if (loop := get_event_loop()) is not None:
            loop.call_soon(_nothing)


def _nothing() -> None:
    pass
