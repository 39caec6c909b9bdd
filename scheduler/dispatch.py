"""From the ledger to the queues: what is due goes out, and hints that the broker lost go out again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from jobs import flow, holds, store
from jobs.model import Hold
from runtime import clock, metrics
from runtime.broker import Lanes
from runtime.database import snapshot, transaction
from runtime.publisher import publisher
from runtime.settings import settings
from scheduler.rounds import until

log = structlog.get_logger()

_lanes = Lanes()
MANY, SOON = 50, 0.04  # jobs that left for one queue at once, and the seconds after which it is looked at again
SELDOM = 0.25  # seconds between looks at all queues while some are busy
UNSENT = 1.0  # seconds for this process's own hints to leave: on a busy machine they are late, not lost
UNTOLD = timedelta(seconds=10)  # where the broker only counts its hints, and has too few, those this old are sent again


class Feed:
    """Fills each queue's window with what is due."""

    def __init__(self) -> None:
        self._busy: set[str] = set()  # queues that workers empty fast
        self._looked = 0.0  # at all queues, on the monotonic clock

    def go(self) -> float | None:
        """Once over the busy queues, and now and then over all. Returns a short time if one may run empty or be due soon."""
        queues = set(self._busy)
        if clock.monotonic() >= self._looked + SELDOM or not queues:
            self._looked = clock.monotonic()
            now, first = clock.now(), flow.first_due()
            free = [hold for hold in holds.read().values() if holds.allowed(hold, now) > 0]
            if not queues and not free and (first is None or first > now):  # an idle scheduler asks no more
                return until(first)
            queues |= self._wanting(free, now)
        fed = {queue: self._feed(queue) for queue in sorted(queues)}
        self._busy = {queue for queue, count in fed.items() if count >= MANY}
        return SOON if self._busy else until(flow.next_due(clock.now()))

    def _wanting(self, free: Sequence[Hold], now: datetime) -> set[str]:
        """To feed takes the write lock, so it looks first."""
        with snapshot() as session:
            return {q for q in settings().queues if q not in self._busy and flow.is_wanting(session, q, free, now)}

    @staticmethod
    def _feed(queue: str) -> int:
        with transaction(lasting=False) as session:  # its hints do not outlive the machine either
            return flow.feed(session, queue, clock.now())


class Forget:
    """Drops the holds of accounts that are well and for which no job waits, and a moment later looks whether one came."""

    def __init__(self) -> None:
        self._forgotten: list[str] = []

    def look(self) -> None:
        """One look."""
        if self._forgotten or holds.read():
            with transaction() as session:
                holds.free_forgotten(session, self._forgotten)
                forgotten = holds.forget(session, clock.now())
                self._forgotten += forgotten  # whatever becomes of the commit
            self._forgotten = forgotten

    @staticmethod
    def free_all() -> None:
        """What a scheduler forgot that did not live to look again."""
        with transaction() as session:
            holds.free_forgotten(session)


def find_lost() -> None:
    """Compare the ledger's queued jobs with what lies in the broker, and offer again what is missing.

    A job counts as lost when its hint is old enough to have arrived, and is in no lane. If a worker took the hint that very
    moment, the second hint finds the job claimed, and nothing happens. A broker that only counts can be short of hints: then
    all that are old are sent again, and it holds at most twice as many as it should.
    """
    if not publisher.flush(UNSENT) or not publisher.healthy:
        return
    now = clock.now()
    for queue in flow.queues_unclaimed(now - settings().hint_grace):
        with snapshot() as session:
            waiting = flow.unclaimed(session, queue, now - settings().hint_grace)
        present = _lanes.present(queue)
        short = present is None and _lanes.depth(queue) < len(waiting)
        with transaction() as session:
            if present is not None:
                lost = [job_id for job_id in waiting if job_id not in present]
            else:
                lost = list(flow.unclaimed(session, queue, now - UNTOLD)) if short else []
            again = store.reoffer(session, lost, now) if lost else []
            flow.offer(session, again)
        if again:
            metrics.hints_lost.labels(queue).inc(len(again))
            log.info("hints offered again", queue=queue, jobs=len(again))
