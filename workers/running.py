"""The attempts that run in this process: what its other threads must know of them."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import inf, isfinite
from uuid import UUID

from jobs.claims import Claim, Taken
from jobs.model import Job
from runtime import clock, metrics

MOST_LINES = 1000  # an attempt
MOST_STEPS = 1000  # of progress, an attempt
LONGEST_LINE = 2000  # characters


Line = tuple[datetime, str, str]
"""When a job said something, how it meant it, and what."""


@dataclass(eq=False)
class Running:
    """One attempt in progress. `lines` and `progress` wait here until they are written to the ledger."""

    job: Taken
    deadline: float  # monotonic seconds
    cancelled: bool = False  # someone wants it to stop
    on_cancel: Callable[[], object] = lambda: None
    fenced: bool = False  # given up: whatever it still does is not recorded
    ended: bool = False  # its outcome is on its way to the ledger
    settled: Job | None = None  # how the one who gave it up left the job
    lines: list[Line] = field(default_factory=list)
    progress: dict[str, object] | None = None
    said: int = 0  # lines, so far
    steps: int = 0  # of progress, so far

    @property
    def claim(self) -> Claim:
        """The right to run it."""
        return self.job.claim

    @property
    def task(self) -> str:
        """The name of its task."""
        return self.job.task

    @property
    def counts(self) -> bool:
        """Whether what it does is still to be recorded, and awaited."""
        return not (self.fenced or self.ended)

    def write_line(self, level: str, message: str) -> None:
        """Keep a line for the job's record; past the most, lines are dropped."""
        if self.said < MOST_LINES:
            self.said += 1
            self.lines.append((clock.now(), level[:10], message.replace("\x00", "")[:LONGEST_LINE]))

    def write_progress(self, done: float, total: float | None, note: str) -> None:
        """Keep how far the job is: the last word for its row, and each of the first steps for who watches it.

        Raises:
            ValueError: a number is infinite or none at all; no database would take it.
        """
        if not isfinite(done) or not isfinite(total or 0):
            raise ValueError("progress is told in finite numbers")
        now, step = clock.now(), dict[str, object](done=done, total=total, note=note[:200])
        self.progress = step | {"at": now.isoformat()}
        if self.steps < MOST_STEPS:
            self.steps += 1
            self.lines.append((now, "progress", json.dumps(step)))

    def take_record(self) -> tuple[list[Line], dict[str, object] | None]:
        """The lines and the progress not yet written."""
        (lines, progress), self.lines, self.progress = (self.lines, self.progress), [], None
        return lines, progress

    def keep_record(self, lines: list[Line], progress: dict[str, object] | None) -> None:
        """What was taken could not be written: it waits again, before what came since."""
        self.lines = lines + self.lines
        self.progress = self.progress or progress

    def cancel(self) -> None:
        """Tell the task that its job is to be cancelled."""
        self.cancelled = True
        self.on_cancel()


class Roll:
    """All attempts of this process."""

    def __init__(self) -> None:
        self._all: set[Running] = set()
        self._in_hand: Counter[UUID] = Counter()
        self._lock = threading.Lock()
        self._fewer = threading.Condition(self._lock)  # attempts
        self._sooner = threading.Condition(self._lock)  # a deadline than the one waited for
        self._awaited = -inf  # a deadline before this must be told; on the monotonic clock

    def grasp(self, job_ids: Iterable[UUID]) -> None:
        """From before a job is claimed until after it is settled, this process has it in hand."""
        with self._lock:
            self._in_hand.update(job_ids)

    def let_go(self, job_ids: Iterable[UUID]) -> None:
        """The other end of `grasp`."""
        with self._lock:
            for job_id in job_ids:
                self._let_go(job_id)

    def _let_go(self, job_id: UUID) -> None:
        self._in_hand[job_id] -= 1
        if not self._in_hand[job_id]:
            del self._in_hand[job_id]

    def has_in_hand(self, job_id: UUID) -> bool:
        """Whether this process has the job in hand."""
        with self._lock:
            return self._in_hand[job_id] > 0

    def add(self, running: Running) -> None:
        """An attempt begins."""
        with self._lock:
            self._all.add(running)
            metrics.slots_busy.set(len(self._all))
            if running.deadline < self._awaited:
                self._sooner.notify_all()

    def remove(self, running: Running) -> None:
        """An attempt has ended."""
        with self._lock:
            self._remove(running)

    def end(self, running: Running) -> None:
        """An attempt has ended, and its job is out of this process's hand."""
        with self._lock:
            self._remove(running)
            self._let_go(running.job.id)

    def _remove(self, running: Running) -> None:
        self._all.discard(running)
        metrics.slots_busy.set(len(self._all))
        self._fewer.notify_all()

    def snapshot(self) -> list[Running]:
        """Those running now."""
        with self._lock:
            return list(self._all)

    def wait_empty(self, seconds: float) -> bool:
        """Wait until no attempt runs that still counts. False if some still do."""
        with self._lock:
            return self._fewer.wait_for(lambda: all(running.fenced for running in self._all), seconds)

    def wait_overdue(self, grace: float, longest: float) -> list[Running]:
        """Wait until an attempt is past its deadline by `grace` seconds; those that are, after `longest` seconds at most."""
        with self._lock:
            now = clock.monotonic()
            first = min((r.deadline for r in self._all if r.counts), default=inf)
            left = min(first + grace - now, longest)
            if left > 0:
                self._awaited = now + left - grace
                self._sooner.wait(left)
                self._awaited = -inf
            return [r for r in self._all if r.counts and clock.monotonic() >= r.deadline + grace]
