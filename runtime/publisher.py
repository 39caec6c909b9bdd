"""Publishing that never blocks its caller: a bounded list, and one thread that sends what has gathered.

What it cannot send it drops: the row says `queued`, and the scheduler offers it again.
"""

import os
import threading
from collections import deque
from collections.abc import Iterable

import structlog

from runtime import clock, metrics
from runtime.broker import Hint, Outlet

log = structlog.get_logger()

CAPACITY = 20_000
BATCH = 200
REST_AFTER_FAILURE = 1.0  # seconds for which a broker that failed is left alone


class Publisher:
    """Hints go in from any thread and out from one."""

    def __init__(self) -> None:
        self._waiting: deque[Hint] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._closing = False
        self._rest_until = 0.0
        self._sending = False

    def offer(self, hints: Iterable[Hint]) -> None:
        """Take the hints for sending. Returns at once; past the capacity, or while the broker rests, they are dropped."""
        with self._wake:
            self._start()
            for hint in hints:
                if len(self._waiting) >= CAPACITY or clock.monotonic() < self._rest_until:
                    metrics.hints_dropped.inc()
                else:
                    self._waiting.append(hint)
            self._wake.notify_all()

    @property
    def healthy(self) -> bool:
        """Whether the broker answered the last time it was asked."""
        return clock.monotonic() >= self._rest_until

    def flush(self, seconds: float) -> bool:
        """Wait up to `seconds` until all has been sent or dropped. False if some is not."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._waiting and not self._sending, seconds)

    def close(self) -> None:
        """Send what waits (2 s at most) and end the thread."""
        self.flush(2)
        with self._wake:
            self._closing = True
            self._wake.notify_all()

    def _start(self) -> None:
        if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
            self._pid, self._closing, self._sending = os.getpid(), False, False
            self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        outlet = Outlet()
        while True:
            with self._wake:
                self._sending = False
                self._wake.notify_all()
                self._wake.wait_for(lambda: self._waiting or self._closing)
                if self._closing and not self._waiting:
                    break
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                self._sending = True
            try:
                outlet.publish(batch)
            except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, the ledger has the jobs
                self._give_up(len(batch), error)
        outlet.close()

    def _give_up(self, dropped: int, error: Exception) -> None:
        with self._wake:
            self._rest_until = clock.monotonic() + REST_AFTER_FAILURE
            dropped += len(self._waiting)
            self._waiting.clear()
        metrics.hints_dropped.inc(dropped)
        log.warning("hints dropped; the scheduler will offer the jobs again", dropped=dropped, error=repr(error)[:300])


publisher = Publisher()
"""The publisher of this process."""
