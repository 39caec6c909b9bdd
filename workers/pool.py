"""Celery's pool of threads, in which a hint gets its thread once its job is claimed (`workers.hints`)."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import structlog
from celery.concurrency import thread
from kombu.asynchronous import get_event_loop

from runtime import clock

log = structlog.get_logger()

Work = tuple[Callable[..., object], tuple[Any, ...]]


class Threads:
    """Threads that share what waits. One that begins with some calls the next if there is more: where the work is short, a
    few do all of it without being switched between, and where it waits for others, each gets its own thread at once.
    """

    def __init__(self, count: int) -> None:
        self._waiting: deque[tuple[float, Work]] = deque()  # and since when, on the monotonic clock
        self._calls: SimpleQueue[bool] = SimpleQueue()  # one thread wakes for each; False: it is to end
        self._called = False  # by a call that no thread has heard yet
        self._threads = [threading.Thread(target=self._run, name=f"slot-{n}", daemon=True) for n in range(count)]
        for each in self._threads:
            each.start()

    def do(self, work: Work) -> None:
        """Have a thread do it."""
        self._waiting.append((clock.monotonic(), work))
        self._call()

    def withdraw(self, age: float) -> list[Work]:
        """Take back what has waited for a thread for so many seconds."""
        withdrawn, latest = list[Work](), clock.monotonic() - age
        with suppress(IndexError):
            while self._waiting[0][0] <= latest:
                withdrawn.append(self._waiting.popleft()[1])
        return withdrawn

    def end(self) -> None:
        """Do what waits, and end."""
        for _ in self._threads:
            self._calls.put(False)
        for each in self._threads:
            each.join()

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self._calls.put(True)

    def _run(self) -> None:
        while self._calls.get():
            self._called = False  # before it looks: what comes in after that calls again
            while self._waiting:
                try:
                    _, (function, arguments) = self._waiting.popleft()
                except IndexError:  # another was faster
                    break
                if self._waiting:
                    self._call()
                try:
                    function(*arguments)
                except Exception:  # the slot is needed again
                    log.exception("what a slot was given failed")


class TaskPool(thread.TaskPool):
    """Threads that run what they are given, without Celery's trace of a task."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._threads: Threads | None = None
        self._closed = False

    def on_start(self) -> None:
        """Celery's name for it."""
        self._threads = Threads(self.limit)

    def on_stop(self) -> None:
        """Celery's name for it."""
        self._closed = True
        if self._threads is not None:
            self._threads.end()
        super().on_stop()

    def run(self, work: Callable[..., object], *args: Any) -> bool:
        """Have a thread do some work. False if the pool takes none any more."""
        if self._threads is None or self._closed:
            return False
        self._threads.do((work, args))
        return True

    def withdraw(self, age: float) -> list[Work]:
        """Take back what has waited for a thread for so many seconds."""
        return [] if self._threads is None else self._threads.withdraw(age)

    def _get_info(self) -> Any:
        return super()._get_info() | {"threads": self.limit}

    @staticmethod
    def wake() -> None:
        """Tell Celery's loop that a slot is free: by itself it would find out at its next timer."""
        if (loop := get_event_loop()) is not None:
            loop.call_soon(_nothing)


def _nothing() -> None: ...
