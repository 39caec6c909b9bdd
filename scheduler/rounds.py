"""A round of chores: each at its own period, none able to stop the others."""

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from runtime import clock, metrics

log = structlog.get_logger()

JOIN = 0.05  # seconds by which a chore is done early rather than alone: half as many wakings


@dataclass(frozen=True)
class Chore:
    """Something done again and again. Any number of schedulers may do it at once: every step is guarded in the ledger."""

    name: str
    period: float  # seconds
    do: Callable[[], float | None]  # returns the seconds to its next time, if not the period


class Round:
    """Does what is due, and says when to come again."""

    def __init__(self, chores: Iterable[Chore]) -> None:
        self._next = dict.fromkeys(chores, 0.0)

    def go(self) -> float:
        """Do the chores that are due. Returns the seconds until the next is."""
        for chore, due in self._next.items():
            started = clock.monotonic()
            if started >= due - min(JOIN, chore.period / 5):
                metrics.scheduler_lag.set(max(0.0, started - due) if due else 0.0)
                rest = self._do(chore)
                self._next[chore] = clock.monotonic() + (chore.period if rest is None else rest)
        return max(0.01, min(self._next.values()) - clock.monotonic())

    @staticmethod
    def _do(chore: Chore) -> float | None:
        try:
            return chore.do()
        except Exception as error:  # noqa: BLE001 - the database may be away; the others go on, and so does this one later
            metrics.chore_failures.labels(chore.name).inc()
            log.warning("a chore failed", chore=chore.name, error=repr(error)[:500])
            return None


class Hang:
    """Ends the process when no round has been finished for too long, so that its supervisor starts another."""

    def __init__(self, longest: float, leave_process: Callable[[int], None] = os._exit) -> None:
        self._longest, self._leave_process = longest, leave_process
        self._last = clock.monotonic()

    def fed(self) -> None:
        """A round was finished."""
        self._last = clock.monotonic()

    def start(self) -> None:
        """Watch, from a thread of its own."""
        threading.Thread(target=self._watch, name="hang-watchdog", daemon=True).start()

    def _watch(self) -> None:
        rest = threading.Event()
        while not rest.wait(self._longest / 4):
            self.look()

    def look(self) -> None:
        """One look."""
        if clock.monotonic() - self._last > self._longest:
            log.error("the scheduler hangs; leaving it to its supervisor")
            self._leave_process(75)
