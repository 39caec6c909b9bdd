"""What a task may know and say about the attempt it runs in."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from jobs.errors import Cancelled, LeaseLost, TimedOut
from jobs.receipts import Book
from runtime import clock
from runtime.redaction import scrub
from tasks.once import Step, do


def _silent(level: str, message: str) -> None: ...


def _still(done: float, total: float | None, note: str) -> None: ...


@dataclass
class Context:
    """One attempt, as its task sees it. A task asks for it with a parameter of this type.

    The fields from `write_line` on are the worker's ends of it; a test may leave them out.
    """

    job_id: UUID
    task: str
    attempt: int = 1
    deadline: float = field(default_factory=lambda: clock.monotonic() + 60)  # on the monotonic clock, in seconds
    account: str | None = None  # that the job waits with, if any
    request_id: str | None = None
    traceparent: str | None = None
    write_line: Callable[[str, str], None] = _silent
    write_progress: Callable[[float, float | None, str], None] = _still
    is_cancelled: Callable[[], bool] = lambda: False
    is_trusted: Callable[[], bool] = lambda: True
    book: Book | None = None
    at_least_once: bool = False  # the job's policy: what may have been done is done again, if nobody can be asked

    def key(self, step: str = "") -> str:
        """The idempotency key for a call to the outside: the same on every attempt of this job."""
        return f"{self.job_id}:{step}" if step else str(self.job_id)

    @property
    def accepted_at(self) -> datetime:
        """When the job was accepted: its id tells (UUIDv7 begins with milliseconds), so each attempt says the same."""
        return datetime.fromtimestamp((self.job_id.int >> 80) / 1000, UTC) if self.job_id.version == 7 else clock.now()

    def remaining(self) -> timedelta:
        """Time left before the attempt is given up; never negative."""
        return timedelta(seconds=max(0.0, self.deadline - clock.monotonic()))

    def log(self, message: str, level: str = "info") -> None:
        """Write a line into the job's record (and the worker's log)."""
        self.write_line(level, scrub(message))

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far the job is."""
        self.write_progress(done, total, note)

    def once(
        self,
        step: str,
        function: Callable[..., Any],
        *arguments: Any,
        confirm: Callable[[], Any] | None = None,
        settled: timedelta = timedelta(0),
    ) -> Any:
        """Call a function that acts outside and must not act twice. The result, as JSON, is the same on every attempt.

        It is announced in the ledger before, and its result kept there after. If an earlier attempt announced it and died,
        `confirm` is called: it asks the other side, and returns the result if it was done, None if surely not. `settled` is
        how long after a call the other side surely shows it. Give the task `RetryPolicy(on_unknown="confirm")`, and let the
        function raise Transient or Rejected where surely nothing was done. It blocks: call it by `asyncio.to_thread` in a
        coroutine. Outside of a worker nothing is kept.

        Raises:
            Unconfirmed: it may have been done, and there is no `confirm`; the job fails as unknown_outcome.
            Ambiguous, Snooze: it may have been done; a later attempt asks.
        """
        doing = Step(step, lambda: function(*arguments), confirm, settled, before=self.check)
        return do(doing, self.book, at_least_once=self.at_least_once)

    @property
    def cancelled(self) -> bool:
        """Whether someone wants this job cancelled."""
        return self.is_cancelled()

    def check(self) -> None:
        """Call between steps, and before each call to the outside.

        Raises:
            Cancelled: someone wants this job cancelled.
            TimedOut: the attempt's time is up.
            LeaseLost: this worker could not renew its lease, so another may have the job.
        """
        if self.is_cancelled():
            raise Cancelled
        if self.remaining() <= timedelta(0):
            raise TimedOut
        if not self.is_trusted():
            raise LeaseLost


_current: ContextVar[Context] = ContextVar("context")


def current() -> Context:
    """The attempt that this code runs in.

    Raises:
        LookupError: it runs in none.
    """
    return _current.get()


enter = _current.set
leave = _current.reset
