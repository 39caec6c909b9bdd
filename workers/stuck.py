"""A worker that lives but no longer consumes: it notices, and ends for its supervisor to start another."""

import threading
from collections.abc import Callable

import structlog

from runtime import clock
from runtime.broker import Lanes
from runtime.settings import settings

log = structlog.get_logger()

PERIOD = 2.0  # seconds between looks


class Watchdog:
    """Compares what waits in our queues with what has come in, for as long as slots were free."""

    def __init__(
        self, queues: list[str], room: Callable[[], int], leave: Callable[[], object], lanes: Lanes | None = None
    ) -> None:
        self.room = room  # how many more hints this worker has slots for
        self._queues, self._leave = queues, leave
        self._lanes = lanes or Lanes()
        self._fine = clock.monotonic()

    def note(self, **_: object) -> None:
        """A hint came in: consuming works."""
        self._fine = clock.monotonic()

    def start(self) -> None:
        """Look every few seconds, from a thread of its own."""
        threading.Thread(target=self._run, name="stuck-watchdog", daemon=True).start()

    def _run(self) -> None:
        rest = threading.Event()
        while not rest.wait(PERIOD):
            self.look()

    def look(self) -> None:
        """One look. With the broker away, or every slot taken, nothing is amiss."""
        if self.room() <= 0 or not self._anything_waits():
            self._fine = clock.monotonic()
        elif clock.monotonic() - self._fine > settings().stuck_after.total_seconds():
            log.error("hints wait and slots are free, but none comes in: this worker no longer consumes")
            self._leave()

    def _anything_waits(self) -> bool:
        try:
            return any(self._lanes.depth(queue) for queue in self._queues)
        except Exception:  # noqa: BLE001 - whatever the client raises: the broker is away, which is not this worker's fault
            return False
