"""Celery's pool of threads, in which a hint gets its thread once its job is claimed (`workers.hints`)."""

from collections.abc import Callable
from typing import Any

from celery.concurrency import thread
from kombu.asynchronous import get_event_loop


class TaskPool(thread.TaskPool):
    """Threads that run what they are given, without Celery's trace of a task."""

    def run(self, work: Callable[..., object], *args: Any) -> bool:
        """Have a thread do some work. False if the pool takes none any more."""
        try:
            self.executor.submit(self._run, work, args)
        except RuntimeError:  # it is shut down
            return False
        return True

    def _run(self, work: Callable[..., object], args: Any) -> None:
        try:
            work(*args)
        finally:
            self.wake()

    @staticmethod
    def wake() -> None:
        """Tell Celery's loop that a slot is free: by itself it would find out at its next timer."""
        if (loop := get_event_loop()) is not None:
            loop.call_soon(_nothing)


def _nothing() -> None: ...
