"""A round of chores: each at its own period, none able to stop the others."""

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from runtime import clock, metrics

log = structlog.get_logger()

HANG = 60.0  # seconds without a finished round
JOIN = 0.05  # seconds by which a chore is done early rather than alone: half as many wakings
APART = 0.025  # seconds between times at which something is due, at least: what is due soon after goes along


@dataclass(frozen=True)
class Chore:
    """Something done again and again. Any number of schedulers may do it at once: every step is guarded in the ledger."""

    name: str
    period: float  # seconds
    do: Callable[[], float | None]  # returns the seconds to its next time, if that is before the period is over


def until(due: datetime | None) -> float | None:
    """Seconds to a chore's next time, if something is due before its period is over."""
    return None if due is None else max(APART, (due - clock.now()).total_seconds())


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
                self._next[chore] = clock.monotonic() + (chore.period if rest is None else min(rest, chore.period))
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

    def __init__(self, longest: float, leave_process: Callable[[int], object] = os._exit) -> None:
        self._longest, self._leave_process = longest, leave_process
        self._last = clock.monotonic()
        self._ended = threading.Event()

    def fed(self) -> None:
        """A round was finished."""
        self._last = clock.monotonic()

    def start(self) -> None:
        """Watch, from a thread of its own."""
        threading.Thread(target=self._watch, name="hang-watchdog", daemon=True).start()

    def end(self) -> None:
        """Watch no more: there will be no further round."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(self._longest / 4):
            self.look()

    def look(self) -> None:
        """One look."""
        if clock.monotonic() - self._last > self._longest:
            log.error("the scheduler hangs; leaving it to its supervisor")
            self._leave_process(75)
