"""The slots of a worker, and when Celery's loop reads more hints for them, and how many."""

from collections.abc import Hashable
from enum import Enum, auto
from typing import Any

from runtime import clock
from workers.pool import TaskPool

AHEAD = 0.1  # seconds: the hints of that much work are read before there is a slot for it
SHORT = 2 * AHEAD  # seconds in a slot, at most, for it: behind longer work they would be in the way of what is urgent
LOOK = 3 * AHEAD  # seconds over which it is measured, more than these: slots that become free all at once are not short work
ENOUGH = 2  # of so many slots one is free
REST, LONG_REST = 0.005, 0.025  # seconds, at most, until hints are read again: once a slot is free; with work ahead


class _Reading(Enum):
    """Whether the loop reads hints."""

    ON = auto()
    FULL = auto()  # no: no slot is free, and the first that is wakes it
    GATHERING = auto()  # no: few are free, and some more will be


class Slots:
    """Each is taken from when a hint is read until its attempt has run.

    Once none was free, the loop waits for some: a turn of it, and a claim, for each slot that becomes free are dear. So that
    no slot waits for its claim, some more are read where work is short: as many as become free in the time of a claim.
    """

    def __init__(self, pool: TaskPool, hub: Any) -> None:
        self._pool, self._hub = pool, hub
        self._taken: set[Hashable] = set()
        self._reading = _Reading.ON
        self._rests = False  # a timer that turns reading on is set
        self._came = 0  # hints, ever
        self._pace = 0.0  # hints a second that left
        self._since, self._left = clock.monotonic(), 0  # when it was last measured, and how many had left by then

    def free(self) -> int:
        """How many nobody has."""
        return max(0, int(self._pool.limit) - len(self._taken))

    def room(self) -> int:
        """How many more hints the loop, which asks, is to read now."""
        if self._reading is _Reading.ON:
            if (room := self._room()) > 0:
                return room
            self._reading = _Reading.FULL
        if self._reading is _Reading.FULL and self._room() > 0:  # freed before that was said
            self._reading = _Reading.GATHERING
        if self._reading is _Reading.GATHERING and not self._rests:
            self._rests = True
            self._hub.call_later(REST if self.free() else LONG_REST, self._read_on)
        return 0

    def take(self, holder: Hashable) -> None:
        """A hint was read."""
        self._taken.add(holder)
        self._came += 1

    def leave(self, holder: Hashable) -> None:
        """Its slot can have another; from any thread."""
        self._taken.discard(holder)
        if self._reading is _Reading.FULL:
            self._reading = _Reading.GATHERING
            self._pool.wake()
        elif self._reading is _Reading.GATHERING and self._room() * ENOUGH >= self._pool.limit:
            self._reading = _Reading.ON
            self._pool.wake()

    def _room(self) -> int:
        now, limit = clock.monotonic(), int(self._pool.limit)
        if now - self._since >= LOOK:
            left = self._came - len(self._taken)
            self._pace = (left - self._left) / (now - self._since)
            self._since, self._left = now, left
        ahead = min(limit, round(self._pace * AHEAD)) if self._pace * SHORT >= limit else 0
        return limit + ahead - len(self._taken)

    def _read_on(self) -> None:
        self._rests = False
        if self._reading is _Reading.GATHERING:
            self._reading = _Reading.ON
