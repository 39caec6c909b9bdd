"""What a task may know and say about the attempt it runs in."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from jobs.errors import Cancelled, LeaseLost, TimedOut
from runtime import clock


def _silent(level: str, message: str) -> None: ...


def _still(done: float, total: float | None, note: str) -> None: ...


@dataclass
class Context:
    """One attempt, as its task sees it. A task asks for it with a parameter of this type.

    The last four fields are the worker's ends of it; a test may leave them out.
    """

    job_id: UUID
    task: str
    attempt: int = 1
    deadline: float = field(default_factory=lambda: clock.monotonic() + 60)  # on the monotonic clock, in seconds
    request_id: str | None = None
    traceparent: str | None = None
    write_line: Callable[[str, str], None] = _silent
    write_progress: Callable[[float, float | None, str], None] = _still
    is_cancelled: Callable[[], bool] = lambda: False
    is_trusted: Callable[[], bool] = lambda: True

    def key(self, step: str = "") -> str:
        """The idempotency key for a call to the outside: the same on every attempt of this job."""
        return f"{self.job_id}:{step}" if step else str(self.job_id)

    def remaining(self) -> timedelta:
        """Time left before the attempt is given up; never negative."""
        return timedelta(seconds=max(0.0, self.deadline - clock.monotonic()))

    def log(self, message: str, level: str = "info") -> None:
        """Write a line into the job's record (and the worker's log)."""
        self.write_line(level, message)

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far the job is."""
        self.write_progress(done, total, note)

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
